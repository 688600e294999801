// SPDX-License-Identifier: MIT
/** Complaints of a kernel that are the emulator's: the lab is red then, and nobody else's int3 is excused. */
import { expect, test } from '@playwright/test';
import { LabError } from '../../harness/errors.ts';
import { insistOnSilence } from '../../harness/kernel-log/listening.ts';
import { findSplats } from '../../harness/kernel-log/reports.ts';
import { emulatorsFault } from '../../harness/target/qemu/emulator-faults.ts';
import type { Target } from '../../harness/target/target.ts';
import { failureOf } from './agent-on-host.ts';

const oops = (ran: string, title = 'Oops: int3: 0000 [#1] PREEMPT SMP PTI') =>
  [
    title,
    'CPU: 0 UID: 0 PID: 31 Comm: kworker/u8:1 Tainted: G           OE      6.12.95+deb12-amd64 #1',
    `RIP: 0010:${ran}`,
    'Call Trace:',
    ' <TASK>',
    ' contigbuf_ioctl+0x10/0x20 [contigbuf]',
    ' </TASK>',
    '---[ end trace 0000000000000000 ]---',
  ].map((text, index) => ({ seconds: index, text }));

const judged = async (lines: ReturnType<typeof oops>, ownFault?: Target['ownFault']) => {
  const said = { lines, splats: findSplats(lines), missing: [], console: undefined };
  expect(said.splats).toHaveLength(1);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  const target = { facts: { name: 'guest' }, ownFault } as unknown as Target;
  return failureOf(Promise.resolve().then(() => insistOnSilence(said, target)));
};

test('an int3 of the kernel’s own is the emulator’s, under emulation', async () => {
  const error = await judged(oops('crng_reseed+0xe3/0x190'), emulatorsFault);
  expect(error).toBeInstanceOf(LabError);
  expect(error).toMatchObject({ code: 'EMULATOR', message: expect.stringContaining('guest: the emulator') });
});

for (const [what, lines] of [
  ['an int3 in a module', oops('contigbuf_ioctl+0x31/0x190 [contigbuf]')],
  ['another exception', oops('crng_reseed+0xe3/0x190', 'Oops: 0002 [#1] PREEMPT SMP PTI')],
] as const) {
  test(`${what} is a crash`, async () => {
    expect(await judged(lines, emulatorsFault)).toMatchObject({
      name: expect.stringContaining('KernelCrash'),
    });
  });
}

test('it excuses no other complaint of the same kernel', async () => {
  const [own] = findSplats(oops('crng_reseed+0xe3/0x190'));
  const [other] = findSplats(oops('contigbuf_ioctl+0x31/0x190 [contigbuf]'));
  const splats = [own, other].filter((splat) => splat !== undefined);
  const said = { lines: [], splats, missing: [], console: undefined };
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  const target = { facts: { name: 'guest' }, ownFault: emulatorsFault } as unknown as Target;
  expect(() => insistOnSilence(said, target)).toThrow(/contigbuf_ioctl/);
  expect(splats).toHaveLength(2);
});

test('on a machine that is not emulated it is a crash, too', async () => {
  const error = await judged(oops('crng_reseed+0xe3/0x190'));
  expect(error.name).toContain('KernelCrash');
});
