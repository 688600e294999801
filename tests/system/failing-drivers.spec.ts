// SPDX-License-Identifier: MIT
/**
 * Drivers that do not get as far as being tested, or take the kernel down: told as what they are, in
 * the compiler's or the kernel's words, and not once per test.
 */
import { join } from 'node:path';
import { projectFolder, type RigResult } from './rig-run.ts';
import { expect, test } from './system-test.ts';

const MANY = 'fd-per-buffer.*BND-0[1-4]';
const diff = (name: string) => ({
  BUFRIG_DRIVER_DIFF: join(projectFolder, 'tests', 'system', 'diffs', `${name}.diff`),
});

test("a driver that does not compile is red with the compiler's lines", async ({ rig }) => {
  const run = await rig.run({ project: 'qemu-arm64', grep: MANY, env: diff('does-not-compile') });
  expectRedAtOnce(run, 'fail', /^DriverError \[MODULE_BUILD\]: building the module/);
  expect(run.tests[0]?.errors.join()).toMatch(
    /building the module in .*\ndriver\/module\/naming\.c:\d+:\d+: error: .*pages/,
  );
});

test('an insmod that fails is red with what insmod says', async ({ rig }) => {
  const run = await rig.run({ project: 'qemu-arm64', grep: MANY, env: diff('init-refuses') });
  expectRedAtOnce(run, 'fail', /^DriverError \[DRIVER_LOAD\]: .*contigbuf does not load: .*No such device/);
});

test('an insmod that fails is red with what the kernel says', async ({ rig }) => {
  const run = await rig.run({ project: 'qemu-arm64', grep: MANY, env: diff('init-complains') });
  expectRedAtOnce(run, 'fail', /^DriverError \[DRIVER_LOAD\]: .*contigbuf does not load/);
  expect(run.tests[0]?.errors.join()).toContain('contigbuf: the clock of the display is not running');
});

const DEATHS = [
  { name: 'oops-in-info', cause: /NULL pointer dereference/, words: /contigbuf_ioctl|do_info/ },
  { name: 'panic-in-info', cause: /contigbuf lost its mind/, words: /Kernel panic - not syncing/ },
];
for (const { name, cause, words } of DEATHS) {
  test(`${name}: the test that did it is a crash, and the next has a new kernel`, async ({ rig }) => {
    const run = await rig.run({ project: 'qemu-arm64', grep: MANY, env: diff(name) });
    const blamed = 'BND-01 the bytes that rounding up adds do not make a further page';
    expect(run.summary.red, run.output).toMatchObject([
      { verdict: 'crash', title: `fd-per-buffer › ${blamed}`, cause: expect.stringMatching(cause) },
    ]);
    const crashed = run.tests.find(({ title }) => title === blamed);
    expect(crashed?.errors.join('\n')).toMatch(words);
    expect(crashed?.attachments.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['kernel log', 'console']),
    );
    expect(run.summary).toMatchObject({ colour: 'driver', errors: [] });
    expect(run.tests.filter(({ status }) => status === 'expected')).toHaveLength(run.tests.length - 1);
    expect(boots(run)).toBe(2);
    expect(run.code).toBe(1);
  });
}

const HANGS = [
  {
    name: 'spins-in-info',
    what: 'a processor that does not come to rest is told by the kernel, with the line where it is',
    verdict: 'crash',
    cause: /^watchdog: BUG: soft lockup - CPU stuck/,
    words: /do_info.* at .*driver\/module\/ioctl\.c:\d+/,
  },
  {
    name: 'hangs-in-info',
    what: 'a kernel that cannot say a word is seen to hang from outside',
    verdict: 'hang',
    cause: /^TargetHang \[TARGET_SILENT\]: lost the link .* no answer yet to: ioctl/,
    words:
      /seen from outside: QEMU runs, and the guest's kernel hangs\n.*processor 0 hangs: of 5 looks, in 5 it was in the kernel with interrupts off/,
  },
];
for (const { name, what, verdict, cause, words } of HANGS) {
  test(`${name}: ${what}`, async ({ rig }) => {
    const run = await rig.run({ project: 'qemu-arm64', grep: MANY, env: diff(name) });
    const blamed = 'BND-01 the bytes that rounding up adds do not make a further page';
    expect(run.summary.red, run.output).toMatchObject([
      { verdict, title: `fd-per-buffer › ${blamed}`, cause: expect.stringMatching(cause) },
    ]);
    const hung = run.tests.find(({ title }) => title === blamed);
    expect(hung?.errors.join('\n')).toMatch(words);
    expect(run.summary).toMatchObject({ colour: 'driver', errors: [] });
    expect(run.tests.filter(({ status }) => status === 'expected')).toHaveLength(run.tests.length - 1);
    expect(run.code).toBe(1);
  });
}

/** All tests have the verdict, two at most tried, and a person reads the cause once. */
function expectRedAtOnce(run: RigResult, verdict: string, cause: RegExp): void {
  expect(
    run.summary.red.map((red) => red.verdict),
    run.output,
  ).toEqual(run.tests.map(() => verdict));
  expect(run.tests.length).toBeGreaterThan(4);
  for (const red of run.summary.red) expect(red.cause).toMatch(cause);
  expect(run.summary).toMatchObject({ colour: 'driver', errors: [] });
  expect(boots(run)).toBe(1);
  expect(run.code).toBe(1);
}

/** Each guest is announced once. */
function boots({ output }: RigResult): number {
  return output.split('software emulation').length - 1;
}
