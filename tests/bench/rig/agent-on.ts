// SPDX-License-Identifier: MIT
/** An agent on a target that a measurement opened by itself. */
import { readFile } from 'node:fs/promises';
import { Agent } from '../../../harness/agent/client.ts';
import { architectureOfPrograms } from '../../../harness/build/architectures.ts';
import type { Cache } from '../../../harness/build/cache.ts';
import { buildAgent } from '../../../harness/build/program.ts';
import { Deadline } from '../../../harness/deadline.ts';
import type { Target } from '../../../harness/target/target.ts';

/** Milliseconds on hardware for the agent to greet. */
const GREETING_LIMIT = 10_000;

export async function agentOn(target: Target, cache: Cache): Promise<Agent> {
  const program = await buildAgent(cache, architectureOfPrograms(target.facts));
  const process = await target.start([await target.put(await readFile(program), 'agent')]);
  const deadline = Deadline.in(GREETING_LIMIT * target.patience);
  return Agent.start(process, target.facts.name, deadline, { patience: target.patience });
}
