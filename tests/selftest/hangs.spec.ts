// SPDX-License-Identifier: MIT
/** Hangs: who notices one first, and what a silent guest is at, told apart by evidence. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@playwright/test';
import { ALLOWANCE, greetingLimit } from '../../harness/agent/client.ts';
import { TargetSilent } from '../../harness/agent/errors.ts';
import { Wire } from '../../harness/agent/wire.ts';
import { LabError, TargetHang } from '../../harness/errors.ts';
import { judgeError } from '../../harness/report/verdict.ts';
import { patienceUnder, type AcceleratorName } from '../../harness/target/qemu/accelerator.ts';
import { commandLine } from '../../harness/target/qemu/guest.ts';
import {
  hangLimits,
  latestHungTask,
  shortestLinkSilence,
  softLockup,
  type HangLimits,
} from '../../harness/target/qemu/hang-limits.ts';
import { machineNamed } from '../../harness/target/qemu/machines.ts';
import { judgeProcessors, type Look } from '../../harness/target/qemu/processors.ts';
import { silenceOf } from '../../harness/target/ssh/entry.ts';
import { explainLoss } from '../../harness/target/ssh/loss.ts';

/** Seconds that a lab may stand still: npm run faults does it. */
const PAUSE = 30;

/** Everybody who could notice, the earliest first, in seconds. */
function order(limits: HangLimits, patience: number, testLimit: number): number[] {
  return [
    ...[PAUSE, ...softLockup(limits), limits.rcuStall, limits.hungTask, latestHungTask(limits)],
    ...[shortestLinkSilence(limits), limits.linkSilence],
    ...[greetingLimit(patience) / 1000, (ALLOWANCE * patience) / 1000, testLimit],
  ];
}

/** The first that is not later than the one before it. */
function outOfOrder(seconds: readonly number[]): number | undefined {
  return seconds.find((value, index) => index > 0 && value <= (seconds[index - 1] ?? 0));
}

test.describe('one hang is noticed by who knows most about it', () => {
  for (const accelerator of ['kvm', 'tcg'] satisfies AcceleratorName[]) {
    test(`under ${accelerator}`, ({}, testInfo) => {
      // A test about the driver has the time that this one has.
      const seconds = order(hangLimits[accelerator], patienceUnder[accelerator], testInfo.timeout / 1000);
      const [greeting = 0, allowance = 0, testLimit = 0] = seconds.splice(-3);
      expect(outOfOrder(seconds), seconds.join(' < ')).toBeUndefined();
      expect(Math.min(greeting, allowance, testLimit)).toBeGreaterThan(seconds.at(-1) ?? Infinity);
      expect(greeting, 'a mute agent is told before the test is over').toBeLessThan(testLimit);
    });
  }

  test("the kernel's own limits and a link of 40 s would not be in order", () => {
    const kernels = { rcuStall: 21, watchdogThreshold: 10, hungTask: 120, linkSilence: 40 };
    expect(outOfOrder(order(kernels, 1, 120))).toBe(16);
    expect(outOfOrder(order({ ...kernels, watchdogThreshold: 20 }, 1, 120))).toBe(21);
    expect(outOfOrder(order({ ...kernels, watchdogThreshold: 20, rcuStall: 50 }, 1, 120))).toBe(36);
  });

  test('a guest is told, and what it is told last counts', () => {
    const argv = commandLine(
      { file: (name) => name },
      {
        machine: machineNamed('virt-arm64'),
        accelerator: 'tcg',
        kernel: 'k',
        initramfs: 'i',
        ...{
          cpus: 2,
          memoryMiB: 768,
          append: ['watchdog_thresh=7'],
          lines: 0,
          ram: { file: 'r', as: 'file' },
        },
      },
    );
    const append = argv[argv.indexOf('-append') + 1] ?? '';
    expect(append).toContain(`rcupdate.rcu_cpu_stall_timeout=${hangLimits.tcg.rcuStall} `);
    expect(append).toMatch(/ watchdog_thresh=24 .*hung_task_timeout_secs=75 .* watchdog_thresh=7$/);
  });

  test('the link of a machine that says nothing of its own is lost after 8 s times its patience', () => {
    expect(silenceOf({ patience: 5 })).toBe(40_000);
    expect(silenceOf({ patience: 5, silence: 95_000 })).toBe(95_000);
  });
});

const saved = (name: string): string =>
  readFileSync(join(import.meta.dirname, 'data', 'registers', `${name}.txt`), 'utf8');
/** Five looks at what QEMU said, with these processors at work. */
const looks = (registers: string, ...running: boolean[]): Look[] =>
  Array.from({ length: 5 }, () => ({ registers, running }));

test.describe("what a guest's processors are at", () => {
  // As QEMU 7.2 showed the first seconds of Debian's kernels: processor 0 with interrupts off in the
  // kernel, processor 1 with interrupts on; on armhf the other way round; on amd64 both off.
  const cases: [file: string, hanging: string[]][] = [
    ['arm64', ['processor 0']],
    ['armhf', ['processor 1']],
    ['amd64', ['processor 0', 'processor 1']],
  ];
  for (const [file, hanging] of cases) {
    test(`${file}: who works all the time and cannot be interrupted hangs`, () => {
      const { hangs, found } = judgeProcessors(looks(saved(file), true, true));
      expect(hangs).toBe(true);
      const hung = found
        .split('\n')
        .filter((line) =>
          line.includes('hangs: of 5 looks, in 5 it was in the kernel with interrupts off, in 5 at work'),
        );
      expect(hung.map((line) => line.slice(0, 11))).toEqual(hanging);
    });

    test(`${file}: who sleeps there does not`, () => {
      const { hangs, found } = judgeProcessors(looks(saved(file), false, false));
      expect(hangs).toBe(false);
      expect(found).toContain('processor 0 does not: of 5 looks');
    });
  }

  test('who is interruptible once does not hang', () => {
    const all = looks(saved('arm64'), true, false);
    all[2] = { ...all[2], registers: saved('arm64').replace('PSTATE=600003c5', 'PSTATE=60000005') } as Look;
    expect(judgeProcessors(all)).toMatchObject({
      hangs: false,
      found: expect.stringContaining('in 4 it was in the kernel with interrupts off'),
    });
  });

  test('who rests once does not hang, even where the host gives it little time', () => {
    const all = looks(saved('arm64'), true, false);
    all[3] = { registers: saved('arm64'), running: [false, false] };
    expect(judgeProcessors(all)).toMatchObject({
      hangs: false,
      found: expect.stringContaining('in 4 at work'),
    });
  });

  test('user space does not hang the kernel', () => {
    const user = saved('arm64').replace('PSTATE=600003c5', 'PSTATE=600003c0');
    expect(judgeProcessors(looks(user, true, false)).hangs).toBe(false);
  });

  test('what cannot be read is no hang, nor is a single look', () => {
    expect(judgeProcessors(looks('CPU#0\nwhatever\n', true)).hangs).toBe(false);
    expect(judgeProcessors(looks(saved('arm64'), true, true).slice(0, 1)).hangs).toBe(false);
    expect(judgeProcessors([]).hangs).toBe(false);
  });
});

const alive = (): undefined => undefined;

test.describe('a lost link', () => {
  const loss = new LabError('LINK_LOST', 'the SSH connection is gone', { hint: 'look there' });

  test('to a kernel that hangs is a hang', async () => {
    const seen = { blame: 'target' as const, found: 'processor 0 hangs' };
    const explained = await explainLoss(loss, alive, () => Promise.resolve(seen));
    expect(explained).toBeInstanceOf(TargetHang);
    expect(judgeError(asPlaywrightHasIt(explained)).verdict).toBe('hang');
    expect(String(explained)).toContain('the SSH connection is gone\nseen from outside: processor 0 hangs');
  });

  test('to a machine that is well, or does not run, is the lab', async () => {
    const seen = { blame: 'lab' as const, found: 'QEMU is stopped' };
    const explained = await explainLoss(loss, alive, () => Promise.resolve(seen));
    expect(judgeError(asPlaywrightHasIt(explained)).verdict).toBe('infra');
    expect(String(explained)).toContain('seen from outside: QEMU is stopped');
  });

  test('to a machine that is dead needs no look', async () => {
    const explained = await explainLoss(
      loss,
      () => 'QEMU was killed by SIGKILL',
      () => Promise.reject(new Error('looked')),
    );
    expect(explained).toMatchObject({ code: 'LINK_LOST', message: expect.stringContaining('SIGKILL') });
  });

  test('reaches the test as what it is', async () => {
    const hang = new TargetHang('TARGET_SILENT', 'its kernel hangs');
    const process = { write() {}, end() {}, onStdout() {}, onStderr() {}, ended: Promise.reject(hang) };
    const wire = new Wire(process, 'a guest', { greeting: 1000, request: 1000, leaving: 1000 });
    const failure: unknown = await wire.hello.catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(TargetSilent);
    expect(judgeError(asPlaywrightHasIt(failure)).verdict).toBe('hang');
  });
});

function asPlaywrightHasIt(error: unknown): { message: string } {
  if (!(error instanceof Error)) throw new TypeError('no error');
  return { message: `${error.name}: ${error.message}` };
}
