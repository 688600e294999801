// SPDX-License-Identifier: MIT
/** Two runs of one checkout at once leave their reports in two folders, and one after the other in the same. */
import type { ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test as base } from '@playwright/test';
import { endOf, startOwned, type Ending } from '../../harness/process.ts';

const module = fileURLToPath(new URL('../../harness/report/reports-folder.ts', import.meta.url));

interface Holder {
  /** The folder that it got. */
  folder: string;
  /** What it said to its user. */
  told: string[];
  /** What whoever it starts gets to know. */
  env: Record<string, string>;
  kill: () => Promise<Ending>;
}

const test = base.extend<{
  /** Starts a run that wants this folder and goes on until it is killed. */
  startRun: (wanted: string, env?: Record<string, string>) => Promise<Holder>;
}>({
  startRun: async ({}, use) => {
    const children: ChildProcess[] = [];
    await use(async (wanted, env = {}) => {
      const script = `
        import { holdReports } from ${JSON.stringify(module)};
        const [env, told] = [${JSON.stringify(env)}, []];
        const folder = await holdReports(${JSON.stringify(wanted)}, env, (line) => told.push(line));
        console.log(JSON.stringify({ folder, told, env }));
        setInterval(() => {}, 1000);`;
      const argv = ['--import', 'tsx', '--input-type=module', '--eval', script];
      const child = startOwned([process.execPath, ...argv], { stdio: ['ignore', 'pipe', 'inherit'] });
      children.push(child);
      const ended = endOf(child, 'a run');
      const said = new Promise<string>((resolve) =>
        child.stdout?.once('data', (chunk) => resolve(String(chunk))),
      );
      const answer = await Promise.race([said, ended.then(() => '{}')]);
      return {
        ...(JSON.parse(answer) as Omit<Holder, 'kill'>),
        kill: () => {
          child.kill('SIGKILL');
          return ended;
        },
      };
    });
    for (const child of children) child.kill('SIGKILL');
  },
});

test('a folder is one run’s at a time: the next gets another one and is told, until the first has died', async ({
  startRun,
}, info) => {
  const wanted = info.outputPath('reports');
  const first = await startRun(wanted);
  expect(first).toMatchObject({ folder: wanted, told: [], env: { BUFRIG_REPORTS: wanted } });
  const second = await startRun(wanted);
  expect(second).toMatchObject({ folder: `${wanted}-2`, env: { BUFRIG_REPORTS: `${wanted}-2` } });
  expect(second.told.join()).toContain(`${wanted} belongs to a run that goes on`);
  await first.kill();
  expect((await startRun(wanted)).folder).toBe(wanted);
});

test('whatever a run starts shares its folder', async ({ startRun }, info) => {
  const wanted = info.outputPath('reports');
  await startRun(wanted);
  const second = await startRun(wanted);
  expect(await startRun(second.env['BUFRIG_REPORTS'] ?? '', second.env)).toMatchObject({
    ...{ folder: `${wanted}-2`, told: [] },
  });
});
