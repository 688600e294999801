// SPDX-License-Identifier: MIT
/** The campaign of faults judges right: a lab that is not blamed, a driver that is, and what is left over are seen. */
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@playwright/test';
import { Deadline } from '../../harness/deadline.ts';
import type { Ran, SuiteReport } from '../../harness/campaign/suite-run.ts';
import { faults, SELECTION } from '../../harness/faults/faults.ts';
import { judgeFault, type Happened } from '../../harness/faults/judgement.ts';
import { savedFolder } from '../../harness/faults/running-guest.ts';
import { faultsFile, faultsText, lineOf } from '../../harness/faults/table.ts';
import { contigbuf } from '../../harness/profile/contigbuf.ts';
import { describeHolders, endingProcesses, holdersOf, readHolders } from '../../harness/profile/holders.ts';
import { run } from '../../harness/process.ts';
import { commandLine } from '../../harness/target/qemu/guest.ts';
import { machineNamed, machines, type MachineName } from '../../harness/target/qemu/machines.ts';
import type { Red, RunSummary } from '../../harness/report/run-summary.ts';
import type { Verdict } from '../../harness/report/verdict.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

const VICTIM = 'LIF-01 the one that it happens to';
const OTHERS = ['BND-03 before', 'LIF-01 behind it', 'ZER-01 another file'];
const CAUSE = 'LabError [LINK_LOST]: the link is gone';
const infra = { victim: VICTIM, promised: { outcome: 'infra', cause: /LINK_LOST.*no answer/s } } as const;
const slow = { victim: VICTIM, promised: { outcome: 'pass', atLeastSeconds: 30 } } as const;
const told = { victim: VICTIM, promised: { outcome: 'told', cause: /ENOSPC/ } } as const;
const nothing = { processes: [], ports: [], folders: [], locks: [], temporary: [], snapshots: [] };

function red(title: string, verdict: Verdict, cause = CAUSE): Red {
  const where = { project: 'qemu-arm64', target: 'qemu-arm64', location: 'x.spec.ts:1' };
  return { verdict, about: 'driver', claim: '', title: `fd-per-buffer › ${title}`, cause, ...where };
}

/** A run in which these were red, and ended like that. */
function report(
  reds: readonly Red[],
  code: number,
  colour: RunSummary['colour'] = reds.length > 0 ? 'lab' : 'green',
  change: Partial<Ran> = {},
): SuiteReport {
  const tests = [VICTIM, ...OTHERS].map((name): Ran => {
    const title = `fd-per-buffer › ${name}`;
    const mine = reds.find((one) => one.title === title);
    const errors = mine === undefined ? [] : [`${mine.cause}, no answer yet to: mmap`];
    const ran = {
      title,
      status: mine === undefined ? 'expected' : 'unexpected',
      duration: 2000,
      errors,
    } as const;
    return name === VICTIM ? { ...ran, ...change } : ran;
  });
  const counts = { pass: 4 - reds.length, deviates: 0, fail: 0, crash: 0, hang: 0, infra: 0, 'not-run': 0 };
  for (const { verdict } of reds) counts[verdict] += 1;
  const summary: RunSummary = {
    ...{ version: 1, startTime: '', duration: 1, colour, claims: counts, rig: { ...counts, pass: 0 } },
    ...{ targets: [], drivers: [], isolation: {}, red: [...reds], deviations: [], notRun: [], errors: [] },
  };
  return { summary, tests, said: 'the last line', ending: { code, signal: null } };
}

const happened = (one: SuiteReport, left: Partial<Happened['left']> = {}): Happened => ({
  report: one,
  left: { ...nothing, ...left },
});

for (const name of Object.keys(machines) as MachineName[]) {
  test(`a copy on ${name} tells by its command line where it was saved`, () => {
    const command = commandLine(
      { file: (file) => `/run/${file}` },
      {
        ...{
          machine: machineNamed(name),
          accelerator: 'tcg',
          kernel: '/k/vmlinuz',
          initramfs: '/saved/initramfs',
        },
        ...{ cpus: 2, memoryMiB: 768, append: [], lines: 6, ram: { file: '/saved/ram', as: 'copy' } },
      },
    );
    expect(savedFolder(command)).toBe('/saved');
  });
}

test.describe('right is', () => {
  test('the test to which it happened blamed on the lab, with its cause, and all others passed', () => {
    const judged = judgeFault(infra, happened(report([red(VICTIM, 'infra')], 125)));
    expect(judged).toMatchObject({ outcome: 'right', wrong: [] });
    expect(judged.happened).toContain(`pass 3, infra 1; LIF-01 infra: ${CAUSE}; exit status 125`);
  });

  test('a pass that is late', () => {
    expect(judgeFault(slow, happened(report([], 0, 'green', { duration: 33_000 }))).outcome).toBe('right');
  });

  test('a run that cannot leave its summary, and says so', () => {
    const said =
      'The lab is red: these say nothing (1)\n  infra: summary could not be written: ENOSPC\n9 passed, 1 failed\n';
    const ending = { code: 125, signal: null };
    expect(judgeFault(told, happened({ said, ending })).outcome).toBe('right');
  });
});

test.describe('wrong is', () => {
  const cases: [what: string, fault: Parameters<typeof judgeFault>[0], seen: Happened, says: RegExp][] = [
    [
      'a pass, as if nothing had happened',
      infra,
      happened(report([], 0)),
      /is not red, as if nothing had happened/,
    ],
    [
      'a failure of the driver',
      infra,
      happened(report([red(VICTIM, 'fail', 'page-order: wrong')], 1, 'driver')),
      /the driver was blamed: .* is fail: page-order: wrong/,
    ],
    [
      'a crash of the kernel, beside the lab',
      infra,
      happened(
        report([red(VICTIM, 'infra'), red('ZER-01 another file', 'crash', 'soft lockup')], 1, 'driver'),
      ),
      /the driver was blamed: .*ZER-01 another file is crash/,
    ],
    [
      'a hang of the driver for a guest that was stopped',
      infra,
      happened(report([red(VICTIM, 'hang', 'Test timeout')], 1, 'driver')),
      /is hang: Test timeout/,
    ],
    [
      'another cause',
      infra,
      happened(report([red(VICTIM, 'infra', 'LabError [KERNEL_LOG]: not complete')], 125)),
      /the cause is not told: LabError \[KERNEL_LOG\]/,
    ],
    [
      'a test that nothing was done to',
      infra,
      happened(report([red(VICTIM, 'infra'), red('LIF-01 behind it', 'infra')], 125)),
      /LIF-01 behind it, which nothing was done to, is infra/,
    ],
    [
      'a run that ended early',
      infra,
      happened(report([red(VICTIM, 'infra'), red('ZER-01 another file', 'not-run', 'never started')], 125)),
      /ZER-01 another file, which nothing was done to, is not-run/,
    ],
    [
      'the exit status of a red driver',
      infra,
      happened(report([red(VICTIM, 'infra')], 1)),
      /the exit status is 1, not 125/,
    ],
    [
      'no summary',
      infra,
      happened({ said: 'boom', ending: { code: 1, signal: null } }),
      /left no summary: boom/,
    ],
    [
      'a process, a port, a folder that stays',
      infra,
      happened(report([red(VICTIM, 'infra')], 125), {
        processes: ['qemu-system-aarch64'],
        ports: [4711],
        temporary: ['x'],
      }),
      /left over: processes: qemu-system-aarch64.*left over: ports: 4711.*left over: temporary: x/s,
    ],
    ['a pass that was not late', slow, happened(report([], 0)), /took 2\.0 s and cannot have met the fault/],
    [
      'red where all had to pass',
      slow,
      happened(report([red(VICTIM, 'infra')], 125)),
      /the run is red for the lab/,
    ],
    [
      'a full disk told as the driver',
      told,
      happened({ said: 'The driver is red (1)', ending: { code: 1, signal: null } }),
      /says that the driver is red.*does not say that the lab is red.*hardly a test.*exit status is 1/s,
    ],
  ];
  for (const [what, fault, seen, says] of cases) {
    test(what, () => {
      const judged = judgeFault(fault, seen);
      expect(judged.outcome).toBe('wrong');
      expect(judged.wrong.join('\n')).toMatch(says);
    });
  }

  test('what goes wrong in the second of two runs', () => {
    const two = { victim: VICTIM, promised: { outcome: 'pass' } } as const;
    const fine = happened(report([], 0));
    expect(judgeFault(two, { ...fine, twin: report([], 0) }).outcome).toBe('right');
    const judged = judgeFault(two, { ...fine, twin: report([red(VICTIM, 'infra')], 125) });
    expect(judged).toMatchObject({
      outcome: 'wrong',
      happened: expect.stringContaining('and the other run: '),
    });
  });
});

test('a fault that came too late is neither right nor wrong', () => {
  const seen = { ...happened(report([], 0)), missed: 'the run ended before LIF-01 began' };
  expect(judgeFault(infra, seen)).toMatchObject({ outcome: 'not-injected' });
});

test('the table has what is wrong first, and says what it is', () => {
  const row = { id: 'a', what: 'x | y', when: 'now', must: 'be infra', happened: 'pass 4', seconds: 9 };
  const results = [
    { ...row, outcome: 'right' as const, wrong: [] },
    { ...row, id: 'b', outcome: 'wrong' as const, wrong: ['the driver was blamed'] },
    { ...row, id: 'c', outcome: 'not-run' as const, happened: 'only root can', wrong: [] },
  ];
  const file = faultsFile(results, { startTime: 'now', seconds: 27, wanted: 4, guest: 'g' });
  expect(file.counts).toEqual({ right: 1, wrong: 1, 'not-injected': 0, 'not-run': 1 });
  const text = faultsText(file);
  expect(text).toContain(
    '1 of 2 ended as they should: wrong 1, not-injected 0, not-run 1, right 1.\nMissing: 1 ',
  );
  const rows = text.split('\n').filter((line) => /^\| [abc] /.test(line));
  expect(rows.map((line) => line[2])).toEqual(['b', 'c', 'a']);
  expect(rows[0]).toContain(
    '| x \\| y | now | be infra | wrong | WRONG: the driver was blamed. pass 4 | 9 |',
  );
  expect(results.map(lineOf)[1]).toBe('b wrong (9 s): the driver was blamed');
});

test('every fault is about a test of the selection, and has a name of its own', async () => {
  const listed = await run(
    [
      join(root, 'node_modules/.bin/playwright'),
      'test',
      '--list',
      '--project=qemu-arm64',
      '--grep',
      SELECTION,
    ],
    { cwd: root, env: { PLAYWRIGHT_FORCE_TTY: undefined } },
  );
  for (const { id, victim } of faults) expect(listed.stdout, id).toContain(`› ${victim}`);
  expect(new Set(faults.map(({ id }) => id)).size).toBe(faults.length);
});

test('the command line says what is wrong with it, and lists without a guest', async () => {
  const listed = await bufrig('faults', '--list', '--only', 'link-cut,two-runs');
  expect(listed.stdout).toMatch(/^link-cut {2}the SSH link is cut.*\n.*\ntwo-runs /);
  for (const [args, says] of [
    [['faults', '--only', 'earthquake'], /there is no earthquake; there are link-cut /],
    [['faults', '--loud'], /Unknown option '--loud'[^]*Try: npm run faults/],
    [['soak', '--times', '0'], /--times 0 is no number of rounds/],
    [['soak', '--project', 'nosuch'], /soak: Error: Project\(s\) "nosuch" not found/],
    [['soak', '--loud'], /Unknown option '--loud'[^]*Try: npm run soak/],
  ] as const) {
    const { code, stderr } = await bufrig(...args);
    expect(stderr).toMatch(says);
    expect(code).toBe(2);
  }
});

test.describe('who holds a driver', () => {
  const said = [
    'process 812\nState:\tS (sleeping)\nSigPnd:\t0000000000000000\nShdPnd:\t0000000000000000\ncommand sleep 600 \n',
    'process 77\nState:\tD (disk sleep)\nSigPnd:\t0000000000000000\nShdPnd:\t0000000000000100\ncommand agent \n',
    'process 78\nState:\tR (running)\nSigPnd:\t0000000000000000\nShdPnd:\t0000000000000100\ncommand agent \n',
    'process 79\nState:\tZ (zombie)\ncommand \n',
  ].join('');

  test('is a process that lives, and not one that was killed and cannot end', () => {
    const holders = readHolders(said);
    expect(holders.map(({ pid, living }) => [pid, living])).toEqual([
      [812, true],
      [77, false],
      [78, false],
      [79, false],
    ]);
    expect(describeHolders(holders)).toBe('process 812 (sleep 600)');
  });

  test('has its files or its dma-bufs, and not those of another driver', async () => {
    const processes = test.info().outputPath('proc');
    const dmaBufs = test.info().outputPath('bufinfo');
    const all: [pid: number, opened: string, exporter: string | undefined, maps: string][] = [
      [11, '/dev/contigbuf', undefined, ''],
      [12, '/sys/kernel/debug/contigbuf/buffers', undefined, ''],
      [13, '/dmabuf:', 'contigbuf', ''],
      [14, '/dmabuf:', 'panfrost', mapOf(4)],
      [15, '/dev/null', undefined, mapOf(4) + mapOf(21)],
      [16, '/dev/null', undefined, 'ffff8000-ffff9000 rw-s 00000000 00:06 7    /dev/contigbuf\n'],
      [17, '/dmabuf:contigbuf', 'contigbuf2', ''],
    ];
    for (const [pid, opened, exporter, maps] of all) {
      const folder = join(processes, String(pid));
      await mkdir(join(folder, 'fd'), { recursive: true });
      await mkdir(join(folder, 'fdinfo'));
      await symlink(opened, join(folder, 'fd', '3'));
      const told = exporter === undefined ? '' : `size:\t4096\ncount:\t1\nexp_name:\t${exporter}\n`;
      await writeFile(join(folder, 'fdinfo', '3'), `pos:\t0\nflags:\t02\n${told}`);
      await writeFile(join(folder, 'maps'), maps);
      await writeFile(join(folder, 'status'), 'State:\tS (sleeping)\n');
      await writeFile(join(folder, 'cmdline'), `program\0${pid}\0`);
    }
    const found = async () => {
      const here = { exec: ([program = '', ...args]: readonly string[]) => run([program, ...args]) };
      const holders = await holdersOf(here, contigbuf, Deadline.in(10_000), { processes, dmaBufs });
      return holders.map(({ pid }) => pid);
    };
    expect(await found(), 'without a list a mapping may be anybody’s').toEqual([11, 12, 13, 14, 15, 16]);
    await writeFile(
      dmaBufs,
      [
        'size\tflags\tmode\tcount\texp_name\tino\tname',
        '00004096\t00000002\t00080007\t00000001\tpanfrost\t00000004\t',
        '00004096\t00000002\t00080007\t00000001\tcontigbuf\t00000021\t<none>\n',
      ].join('\n'),
    );
    expect(await found()).toEqual([11, 12, 13, 15, 16]);
  });

  test('is not sought while processes are on their way out', async () => {
    const folder = test.info().outputPath('proc');
    // As proc(5) has it: pid, name, state, parent, group, session, terminal, its group, flags.
    for (const [pid, state, flags] of [
      [7, 'S', 0x400100],
      [8, 'R', 0x400104],
      [9, 'Z', 0x40010c],
    ] as const) {
      await mkdir(join(folder, String(pid)), { recursive: true });
      await writeFile(join(folder, String(pid), 'stat'), `${pid} (a b) c) ${state} 1 1 1 0 -1 ${flags} 0\n`);
    }
    await mkdir(join(folder, '10'));
    const here = { execOk: ([program = '', ...args]: readonly string[]) => run([program, ...args]) };
    expect(await endingProcesses(here, Deadline.in(10_000), folder)).toEqual([8]);
  });

  test('is nobody when nobody is found: then the driver has lost count', () => {
    expect(describeHolders(readHolders(''))).toBe('');
    expect(describeHolders(readHolders('process 9\n'))).toBe('');
  });
});

/** A dma-buf in /proc/PID/maps. */
function mapOf(inode: number): string {
  return `ffff8000-ffff9000 rw-s 00000000 00:0b ${inode}                        /dmabuf:\n`;
}

/** `npx bufrig` with these arguments. */
function bufrig(...args: string[]) {
  return run(['node', join(root, 'harness/cli/bufrig.mjs'), ...args], { cwd: root });
}
