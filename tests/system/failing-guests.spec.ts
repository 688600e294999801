// SPDX-License-Identifier: MIT
/** Guests that do not come up: the lab's fault, with the console's last lines, in two boots for all tests. */
import type { RigResult } from './rig-run.ts';
import { expect, test } from './system-test.ts';

test('a guest that panics at boot', async ({ rig }) => {
  const run = await rig.run({ project: 'qemu-arm64', env: { BUFRIG_APPEND: 'rdinit=/nonexistent' } });
  expectLabRed(run, /^LabError \[GUEST_DIED\]: qemu-arm64 died while booting: the guest's kernel panicked/);
  const told = run.tests.flatMap(({ errors }) => errors)[0];
  expect(told).toMatch(/the console's last lines:\n[^]*Kernel panic - not syncing: VFS/);
});

test('a guest that never opens SSH', async ({ rig }) => {
  const run = await rig.run({ project: 'qemu-arm64', env: { BUFRIG_APPEND: 'rdinit=/bin/sh' } });
  expectLabRed(run, /^LabError \[GUEST_NOT_READY\]: qemu-arm64 opened no SSH within \d+ s of booting/);
  const told = run.tests.flatMap(({ errors }) => errors)[0];
  expect(told).toMatch(/the console's last lines:\n[^]*Run \/bin\/sh as init process/);
});

/** Every test is accounted for as the lab's fault, and two boots were tried. */
function expectLabRed(run: RigResult, cause: RegExp): void {
  const { summary, output } = run;
  expect(run.tests.length).toBeGreaterThan(30);
  expect(summary.claims, output).toEqual({
    ...{ pass: 0, deviates: 0, fail: 0, crash: 0, hang: 0, 'not-run': 0 },
    infra: run.tests.length,
  });
  for (const red of summary.red) expect(red.cause).toMatch(cause);
  expect(run.tests.filter(({ errors }) => errors.length > 0)).toHaveLength(2);
  expect(summary).toMatchObject({ colour: 'lab', errors: [] });
  expect(run.code).toBe(125);
}
