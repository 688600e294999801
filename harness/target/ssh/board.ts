// SPDX-License-Identifier: MIT
/** The SSH kind of target: a machine that is up, described in playwright.config.ts or named by the user. */
import { Undo } from '../../undo.ts';
import { lease } from '../lease.ts';
import type { OpenContext } from '../open.ts';
import type { SshSpec } from '../spec.ts';
import type { Target } from '../target.ts';
import { formatAddress, parseAddress } from './address.ts';
import { Connection } from './connection.ts';
import { sshTargetOver } from './target.ts';

/** Milliseconds to wait for another worker or run to finish with the machine. */
const LEASE_LIMIT = 60_000;

/** @throws LabError those of addresses, leases, {@link Connection.open} and {@link sshTargetOver} */
export async function openBoard(spec: SshSpec, { settings, deadline }: OpenContext): Promise<Target> {
  const address = parseAddress(spec.address);
  const undo = new Undo();
  return undo.onFailure(async () => {
    const held = await lease(formatAddress(address), deadline.atMost(LEASE_LIMIT));
    undo.add('give the machine back', () => held.release());
    const connection = await Connection.open(
      {
        name: spec.name,
        address,
        identities: spec.identities ?? [],
        defaultIdentities: settings.ssh.defaultIdentities,
        agentSocket: settings.ssh.agentSocket,
        hostKey: spec.hostKey,
        knownHosts: settings.ssh.knownHosts,
        patience: spec.slowness,
      },
      deadline,
    );
    return sshTargetOver(
      connection,
      {
        kernelTree: spec.kernelTree === undefined ? undefined : { where: 'host', directory: spec.kernelTree },
        directory: spec.directory,
        programs: spec.programs,
        onClose: () => undo.run(),
      },
      deadline,
    );
  });
}
