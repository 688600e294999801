// SPDX-License-Identifier: MIT
/** What calls at random have led to, and whose affair that is; without a machine on which to make any. */
import { expect, test } from '@playwright/test';
import { AgentSilent, LinkLost } from '../../harness/agent/errors.ts';
import { described } from '../../harness/agent/message.ts';
import { LabError } from '../../harness/errors.ts';
import { findSplats, type Splat } from '../../harness/kernel-log/reports.ts';
import { emulatorsFault } from '../../harness/target/qemu/emulator-faults.ts';
import type { Target } from '../../harness/target/target.ts';
import { explained, troubleOf } from '../../fixtures/call-fuzz.ts';

const emulated = described<Target>({ facts: { name: 'guest' }, ownFault: emulatorsFault });

const int3 = (ran: string) =>
  findSplats(
    ['Oops: int3: 0000 [#1] PREEMPT SMP PTI', `RIP: 0010:${ran}`].map((text, seconds) => ({ seconds, text })),
  );
const emulators = int3('crng_reseed+0xe3/0x190');
const drivers = int3('contigbuf_ioctl+0x31/0x190 [contigbuf]');
const lost = new LinkLost('lost the link to the agent: QEMU was killed by SIGKILL', undefined);
const silent = new AgentSilent('no answer from the agent');

const noSpare = () => Promise.reject(new LabError('BOOT', 'the guest did not boot'));

const trouble = (failure?: Error, splats: readonly Splat[] = [], missing: readonly string[] = []) =>
  troubleOf({ lines: [], splats, missing, console: undefined }, failure, emulated);

test('what the kernel complains of, and what hangs, is the driver’s affair', () => {
  expect(trouble()).toBeUndefined();
  expect(trouble(silent, [], ['the log ended'])).toContain('no answer from the agent');
  expect(trouble(lost, [...emulators, ...drivers])).toContain('contigbuf_ioctl');
});

for (const [what, code, failure, splats] of [
  ['a machine that was killed', 'LINK_LOST', lost, []],
  ['a log that broke off', 'KERNEL_LOG', undefined, []],
  ['a mistake of the emulator', 'EMULATOR', undefined, emulators],
  ['a hang after one', 'EMULATOR', silent, emulators],
] as const) {
  test(`${what} is the lab’s affair`, () => {
    expect(() => trouble(failure, splats, ['the log ended'])).toThrow(
      expect.objectContaining({ name: `LabError [${code}]` }),
    );
  });
}

test('what was found stands when the lab fails while fewer calls are looked for', async () => {
  const abi = { calls: [], unknown: [], malformed: [], commandNumber: 'fixed' } as const;
  const error = await explained([{ seed: 7, calls: '0-99' }], 'one buffer is left', abi, noSpare);
  expect(error.name).toBe('DriverError [FUZZ]');
  expect(error.message.split('\n')).toEqual([
    'calls at random: one buffer is left',
    '  seed 7, calls 0-99',
    'fewer were not looked for: the guest did not boot',
  ]);
});
