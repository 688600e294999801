// SPDX-License-Identifier: MIT
/** The table of witnesses: each says on which target it can speak. A further witness is one more row. */
import type { Agent } from '../agent/client.ts';
import type { Target } from '../target/target.ts';
import { BusMasterWitness } from './bus-master.ts';
import { HypervisorWitness } from './hypervisor.ts';
import { KcoreWitness } from './kcore.ts';
import { PageTablesWitness } from './page-tables.ts';
import type { Witness } from './witness.ts';

type Summons = (target: Target, agent: Agent, loadProbe: () => Promise<void>) => Witness | undefined;

// The ones that search cheaply come first: what they saw is a hint to the others.
const summons: readonly Summons[] = [
  ({ externalMemory, facts }) => externalMemory && new HypervisorWitness(externalMemory, facts.pageBytes),
  ({ busMaster }, agent) => busMaster && new BusMasterWitness(agent, busMaster),
  // Where no bus master stands in for it, a kernel without kcore is the lab's trouble, not a reason to skip.
  ({ busMaster }, agent) => (busMaster === undefined ? new KcoreWitness(agent) : undefined),
  // A module of the rig's own is loaded only into kernels that are thrown away.
  ({ externalMemory, facts }, _agent, loadProbe) =>
    externalMemory && new PageTablesWitness(facts.pageBytes, loadProbe),
];

/**
 * Everybody who can say where memory lies on this target; three wherever it can be read from outside.
 * @param loadProbe sees to it that the module of page-tables.ts is loaded
 */
export function witnessesOf(target: Target, agent: Agent, loadProbe: () => Promise<void>): Witness[] {
  return summons.flatMap((summon) => summon(target, agent, loadProbe) ?? []);
}
