// SPDX-License-Identifier: MIT
/** The real agent on this machine, over a pipe: what the agent's own tests share. */
import { test as base } from '@playwright/test';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { Agent } from '../../harness/agent/client.ts';
import { startLocally, type LocalProcess } from '../../harness/agent/local.ts';
import { Deadline } from '../../harness/deadline.ts';
import { runOk } from '../../harness/process.ts';

const SOURCES = resolve(import.meta.dirname, '../../harness/agent/native');

export interface StartedAgent {
  agent: Agent;
  /** Kills it, as an accident would. */
  kill: () => void;
}

interface AgentFixtures {
  /** An agent that has greeted; it must end well when the test is over. */
  agent: Agent;
  /** Starts agents that may come to any end; what is left of them is killed. */
  startAgent: (program?: string, args?: string[]) => Promise<StartedAgent>;
  /** A folder of the test's own. */
  folder: string;
}

interface AgentWorkerFixtures {
  /** Path of the agent's program, compiled once per worker as harness/build does. */
  agentProgram: string;
}

export const test = base.extend<AgentFixtures, AgentWorkerFixtures>({
  agentProgram: [
    async ({}, use, { project, workerIndex }) => {
      // Playwright empties this folder before each run, also after one that was killed.
      const folder = join(project.outputDir, `agent-of-worker-${workerIndex}`);
      const program = join(folder, 'agent');
      await mkdir(folder, { recursive: true });
      const sources = (await readdir(SOURCES)).filter((name) => name.endsWith('.c')).toSorted();
      const flags = ['-std=gnu11', '-O2', '-g', '-static', '-Wall', '-Wextra', '-Werror', '-I.'];
      await runOk(['gcc', ...flags, ...sources, '-o', program], { cwd: SOURCES });
      await use(program);
      await rm(folder, { recursive: true });
    },
    { scope: 'worker', timeout: 120_000 },
  ],

  agent: async ({ agentProgram }, use) => {
    const agent = await Agent.start(startLocally(agentProgram), 'this machine', Deadline.in(10_000));
    await use(agent);
    await agent.end();
  },

  startAgent: async ({ agentProgram }, use) => {
    const started: LocalProcess[] = [];
    await use(async (program = agentProgram, args = []) => {
      const process = startLocally(program, args);
      started.push(process);
      return {
        agent: await Agent.start(process, 'this machine', Deadline.in(10_000)),
        kill: () => process.kill(),
      };
    });
    for (const process of started) process.kill();
  },

  folder: async ({}, use, testInfo) => {
    const folder = testInfo.outputPath('files');
    await mkdir(folder, { recursive: true });
    await use(folder);
    await rm(folder, { recursive: true });
  },
});

export { expect } from '@playwright/test';

/** The error a promise rejects with; that it rejects is insisted on. */
export async function failureOf(promise: Promise<unknown>): Promise<Error> {
  const failure = await promise.then(
    () => new TypeError('expected a failure'),
    (error: unknown) => error,
  );
  if (failure instanceof Error) return failure;
  throw new TypeError(`not an error: ${String(failure)}`);
}
