// SPDX-License-Identifier: MIT
/** An agent on a target that a measurement opened by itself. */
import { readFile } from 'node:fs/promises';
import { Agent, greetingLimit } from '../../../harness/agent/client.ts';
import { architectureOfPrograms } from '../../../harness/build/architectures.ts';
import type { Cache } from '../../../harness/build/cache.ts';
import { buildAgent } from '../../../harness/build/program.ts';
import { Deadline } from '../../../harness/deadline.ts';
import type { Target } from '../../../harness/target/target.ts';

export async function agentOn(target: Target, cache: Cache): Promise<Agent> {
  const program = await buildAgent(cache, architectureOfPrograms(target.facts));
  const process = await target.start([await target.put(await readFile(program), 'agent')]);
  const deadline = Deadline.in(greetingLimit(target.patience));
  return Agent.start(process, target.facts.name, deadline, { patience: target.patience });
}
