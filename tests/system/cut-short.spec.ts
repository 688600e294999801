// SPDX-License-Identifier: MIT
/** Runs that are cut short leave no process, no port and no folder on this machine; nor do two at once meet. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { leftOf, tracesOf, type Traces } from '../../harness/faults/traces.ts';
import { projectFolder, type RigRun } from './rig-run.ts';
import { expect, test } from './system-test.ts';

/** Tests of a second and more each, so that the run is in the middle of one when it is cut short. */
const LONG = 'fd-per-buffer.*(LIF-01|ZER-01|GEO-07)';
/** Milliseconds after which a test that began is at its first call. */
const UNDER_WAY = 5000;
/** Milliseconds for the last trace to go. */
const GONE_LIMIT = 60_000;

const settingOf = ({ folder }: RigRun): string => `BUFRIG_REPORTS=${join(folder, 'reports')}`;

/** Waits until the run's guest is at work. */
async function inTheMiddle(run: RigRun): Promise<Traces> {
  await run.says('✓');
  const traces = tracesOf(settingOf(run));
  expect([...traces.processes.values()].join('\n')).toContain('qemu-system-aarch64');
  // The guest of the test, and one that stands by.
  expect(traces.ports.length).toBeGreaterThanOrEqual(1);
  expect(traces.folders.every((folder) => existsSync(folder))).toBe(true);
  expect(traces.folders.length).toBeGreaterThanOrEqual(1);
  return traces;
}

async function expectNothingLeft(run: RigRun, traces: Traces): Promise<void> {
  const setting = settingOf(run);
  await expect
    .poll(() => leftOf(traces, setting), { timeout: GONE_LIMIT })
    .toEqual({ processes: [], ports: [], folders: [], locks: [] });
  expect(readdirSync(run.temporary)).toEqual([]);
}

const KILLS = {
  'the runner': (run: RigRun) => [run.pid],
  'the runner and its workers at once': (run: RigRun, { processes }: Traces) => [
    run.pid,
    ...[...processes].filter(([, command]) => command.includes('workerProcessEntry')).map(([pid]) => pid),
  ],
};
for (const [who, victims] of Object.entries(KILLS)) {
  test(`kill -9 of ${who} leaves nothing behind`, async ({ rig }) => {
    const run = rig.start({ project: 'qemu-arm64', grep: LONG });
    const traces = await inTheMiddle(run);
    const pids = victims(run, traces);
    expect(pids.length).toBeGreaterThan(who === 'the runner' ? 0 : 1);
    for (const pid of pids) process.kill(pid, 'SIGKILL');
    expect(await run.ended()).toMatchObject({ signal: 'SIGKILL' });
    await expectNothingLeft(run, traces);
  });
}

test('when even the guardian is killed, QEMU goes, and the next run removes the folder', async ({ rig }) => {
  const run = rig.start({ project: 'qemu-arm64', grep: LONG });
  const traces = await inTheMiddle(run);
  const setting = settingOf(run);
  for (const [pid, command] of traces.processes)
    if (!command.includes('qemu-system')) process.kill(pid, 'SIGKILL');
  await run.ended();
  await expect
    .poll(() => leftOf(traces, setting), { timeout: GONE_LIMIT })
    .toMatchObject({ processes: [], ports: [] });
  const next = await rig.run({ project: 'qemu-arm64', grep: 'fd-per-buffer.*BND-03' });
  expect(next.code, next.output).toBe(0);
  await expectNothingLeft(run, traces);
});

test('Ctrl-C leaves nothing behind but the reports', async ({ rig }) => {
  const run = rig.start({ project: 'qemu-arm64', grep: LONG });
  const traces = await inTheMiddle(run);
  process.kill(run.pid, 'SIGINT');
  const { code, summary } = await run.result();
  expect(code).toBe(130);
  expect(summary.claims).toMatchObject({ fail: 0, crash: 0, hang: 0, infra: 0 });
  expect(summary.claims.pass).toBeGreaterThan(0);
  expect(summary.claims['not-run']).toBeGreaterThan(0);
  expect(summary.colour).toBe('lab');
  for (const report of ['html/index.html', 'junit.xml', 'allure/index.html'])
    expect(existsSync(join(run.folder, 'reports', report)), report).toBe(true);
  await expectNothingLeft(run, traces);
});

test('Ctrl-C does not wait for a call that the driver does not come back from', async ({ rig }) => {
  const diff = join(projectFolder, 'tests', 'system', 'diffs', 'sleeps-in-info.diff');
  const grep = 'fd-per-buffer.*(BND-15 2000|BND-01 the bytes that rounding up adds)';
  const run = rig.start({ project: 'qemu-arm64', grep, env: { BUFRIG_DRIVER_DIFF: diff } });
  const traces = await inTheMiddle(run);
  await sleep(UNDER_WAY);
  process.kill(run.pid, 'SIGINT');
  const { code, summary } = await run.result();
  expect(code).toBe(130);
  // Who waited for an answer would tell of a hang.
  expect(summary.claims).toMatchObject({ pass: 1, fail: 0, crash: 0, hang: 0, 'not-run': 1 });
  await expectNothingLeft(run, traces);
});

test('two runs at once do not meet', async ({ rig }) => {
  const runs = await Promise.all(
    ['fd-per-buffer.*GEO-0', 'offset-cookie.*GEO-0'].map((grep) => rig.run({ project: 'qemu-arm64', grep })),
  );
  for (const { code, summary, output } of runs) {
    expect(summary.red, output).toEqual([]);
    expect(code).toBe(0);
  }
  const [first, second] = runs.map(({ summary }) => summary.claims.pass);
  expect(first).toBeGreaterThan(5);
  expect(second).toBe(first);
});
