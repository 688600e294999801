// SPDX-License-Identifier: MIT
/** The mutation campaign judges right: what counts as found, what does not, and what it says. */
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@playwright/test';
import {
  judgeMutant,
  together,
  uncontrolled,
  type RunReport,
  type Tried,
} from '../../harness/mutation/judgement.ts';
import { judgeMeta, metaMutantsIn, parseMetaMutant } from '../../harness/mutation/meta.ts';
import { moduleFingerprint } from '../../harness/mutation/module-image.ts';
import { mutantFrom, mutantsIn, parseMutant, type Mutant } from '../../harness/mutation/mutant.ts';
import { grepFor } from '../../harness/campaign/suite-run.ts';
import { lineOf, mutationFile, mutationText } from '../../harness/mutation/table.ts';
import { run } from '../../harness/process.ts';
import { strategyNames } from '../../harness/profile/profile.ts';
import type { Red } from '../../harness/report/run-summary.ts';
import type { Verdict } from '../../harness/report/verdict.ts';
import { guests } from '../../harness/target/guests.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = join(root, 'driver', 'mutants');

const HEAD = 'P99 bounds: the end is not looked at.\nKilled-by: BND-01 BND-04\n\n';
const DIFF = '--- a/driver/module/mmap.c\n+++ b/driver/module/mmap.c\n@@ -1 +1 @@\n-a\n+b\n';
const mutant = (text = HEAD + DIFF): Mutant => parseMutant('/mutants/P99.diff', text);

function red(claim: string, verdict: Verdict, cause = `${claim} says so`): Red {
  const title = `fd-per-buffer › ${claim} a property`;
  const where = { project: 'qemu-arm64', target: 'qemu-arm64', location: 'x.spec.ts:1' };
  return { verdict, about: 'driver', claim, title, cause, ...where };
}

function report(reds: readonly Red[], passed: readonly string[] = []): RunReport {
  return {
    summary: { colour: reds.length === 0 ? 'green' : 'driver', red: [...reds], errors: [] },
    coverage: passed.map((id) => ({ id, verdicts: { pass: 1 } })),
    said: 'the last line',
  };
}

test.describe('a run of a mutant is judged', () => {
  const cases: [what: string, run: RunReport, expected: Record<string, unknown>, text?: string][] = [
    [
      'killed by the check that it names',
      report([red('GEO-03', 'fail'), red('BND-04', 'fail', 'mmap succeeded')]),
      { outcome: 'killed', check: 'BND-04', message: 'mmap succeeded', others: ['GEO-03'] },
    ],
    [
      'what was left out because the run ended before is not red',
      report([red('BND-01', 'fail'), red('BND-04', 'not-run'), red('GEO-01', 'not-run')]),
      { outcome: 'killed', check: 'BND-01', others: [] },
    ],
    [
      'killed by another check only',
      report([red('GEO-03', 'fail')], ['BND-01', 'BND-04']),
      { outcome: 'killed-by-another', check: 'GEO-03', others: [] },
    ],
    [
      'a crash that nobody expected, in the named check, is not its judgement',
      report([red('BND-01', 'crash')]),
      { outcome: 'killed-by-another', check: 'BND-01', message: 'crash: BND-01 says so' },
    ],
    [
      'a crash where the mutant is one that crashes',
      report([red('BND-01', 'crash')]),
      { outcome: 'killed', check: 'BND-01' },
      `${HEAD.trim()}\nVerdict: crash\n\n${DIFF}`,
    ],
    [
      'a timeout alone is no kill',
      report([red('BND-01', 'hang')], ['BND-04']),
      { outcome: 'survived', message: 'only a timeout: BND-01 says so' },
    ],
    ['trouble of the lab is no kill', report([red('BND-01', 'infra')], ['BND-04']), { outcome: 'infra' }],
    [
      'a driver that does not load was not looked at by any check',
      report([red('BND-01', 'fail', 'DriverError [DRIVER_LOAD]: it does not load')]),
      { outcome: 'killed-by-another', message: expect.stringContaining('does not load') },
    ],
    [
      'survived',
      report([], ['BND-01', 'BND-04']),
      { outcome: 'survived', message: 'BND-01 BND-04 passed', others: [] },
    ],
    [
      'its checks did not run',
      report([], ['GEO-01']),
      { outcome: 'infra', message: 'BND-01 BND-04 did not run' },
    ],
    ['nothing ran', report([]), { outcome: 'infra', message: 'no check ran: the last line' }],
    [
      'the run left no report',
      { said: 'x\nNo space left on device\n' },
      { outcome: 'infra', message: 'the run left no report: No space left on device' },
    ],
    [
      'trouble outside any test',
      {
        ...report([], ['BND-01']),
        summary: { colour: 'lab', red: [], errors: [{ verdict: 'infra', cause: 'the guest died' }] },
      },
      { outcome: 'infra', message: 'the guest died' },
    ],
    [
      'a diff of one’s own: any check',
      report([red('GEO-03', 'fail')]),
      { outcome: 'killed', check: 'GEO-03' },
      DIFF,
    ],
    [
      'a diff of one’s own that nothing found',
      report([], ['GEO-03', 'BND-01']),
      { outcome: 'survived', message: 'all 2 passed' },
      DIFF,
    ],
    [
      'a test with two ids counts for both',
      report([{ ...red('', 'fail'), title: 'offset-physical › BND-12 BND-04 offsets' }]),
      { outcome: 'killed', check: 'BND-04' },
    ],
    [
      'a red test of the rig itself is not the driver’s',
      report([{ ...red('BND-01', 'fail'), about: 'rig' }], ['BND-01']),
      { outcome: 'survived' },
    ],
  ];
  for (const [what, run, expected, text] of cases) {
    test(what, () => {
      expect(judgeMutant(mutant(text), run)).toMatchObject(expected);
    });
  }
});

test('a check that the driver as it is does not pass is told, with the reason', () => {
  const run = report([red('BND-04', 'fail', 'it leaks')], ['BND-01']);
  expect([...uncontrolled(['BND-01', 'BND-04', 'CON-07'], run)]).toEqual([
    ['BND-04', 'fail: it leaks'],
    ['CON-07', 'did not run'],
  ]);
  expect(uncontrolled(['BND-01'], { said: 'killed' }).get('BND-01')).toContain('no report: killed');
});

test.describe('what several guests tell of a mutant', () => {
  const content: Tried = {
    guest: 'a',
    outcome: 'survived',
    message: 'all 9 passed',
    others: [],
    open: true,
  };
  const same: Tried = { guest: 'b', outcome: 'invalid', message: 'same binary', others: [], open: true };
  const lost: Tried = { guest: 'c', outcome: 'infra', message: 'no network', others: [], open: true };
  const found: Tried = {
    guest: 'd',
    outcome: 'killed',
    check: 'HUG-01',
    message: 'red',
    others: [],
    open: false,
  };

  test('is what one of them found', () => {
    const { outcome, check, message, others } = found;
    expect(together([content, same, lost, found])).toEqual({ outcome, check, message, others });
  });

  test('is no survival while nothing is known of one', () => {
    expect(together([content, same, lost])).toEqual({
      outcome: 'infra',
      message: 'a: all 9 passed; b: same binary; c: no network',
      others: [],
    });
  });

  test('is a survival when one of them could have found it, and nonsense only when none could', () => {
    expect(together([same, content])).toMatchObject({ outcome: 'survived' });
    expect(together([same])).toEqual({ outcome: 'invalid', message: 'same binary', others: [] });
    expect(together([])).toMatchObject({ outcome: 'infra' });
  });
});

test.describe('the description of a mutant', () => {
  test('has a default for everything but what it is and who finds it', () => {
    expect(mutant()).toMatchObject({
      ...{ id: 'P99', kind: 'bounds', what: 'the end is not looked at.', killedBy: ['BND-01', 'BND-04'] },
      ...{
        guests: ['qemu-arm64'],
        strategies: ['fd-per-buffer'],
        append: [],
        verdicts: ['fail'],
        slow: false,
      },
    });
  });

  test('says what it needs', () => {
    const needs =
      'Guest: qemu-amd64\nAppend: a=1 b\nStrategy: dma-buf\nVerdict: crash\nSlow: yes\nWaits-for: KASAN\n';
    expect(mutant(`${HEAD.trim()}\n${needs}\n${DIFF}`)).toMatchObject({
      ...{ guests: ['qemu-amd64'], append: ['a=1', 'b'], strategies: ['dma-buf'] },
      ...{ verdicts: ['fail', 'crash'], slow: true, waitsFor: 'KASAN' },
    });
  });

  test('a diff without one is anybody’s', () => {
    expect(parseMutant('/tmp/mine.diff', DIFF)).toMatchObject({ id: 'mine', killedBy: [], kind: '' });
    expect(mutant().strategies, 'of one that is described').toEqual(['fd-per-buffer']);
    const { strategies, verdicts } = parseMutant('/tmp/mine.diff', DIFF);
    expect([strategies[0], strategies.toSorted()]).toEqual(['fd-per-buffer', strategyNames.toSorted()]);
    expect(verdicts).toEqual(['fail', 'crash']);
    const { guests: tried } = parseMutant('/tmp/mine.diff', DIFF);
    expect(tried[0], 'the first guest').toBe(guests[0].name);
    expect(tried.toSorted(), 'guests').toEqual([...new Set(tried)].toSorted());
    for (const name of tried) expect(guests.map((guest) => guest.name)).toContain(name);
  });

  const wrong: [what: string, text: string, says: RegExp][] = [
    ['no diff at all', 'int main(void)\n', /P99\.diff is no unified diff\nTry: git diff/],
    ['a name that is not its file’s', `${HEAD.replace('P99', 'P98')}${DIFF}`, /begins with "P98/],
    ['nobody to find it', `P99 a: b\n\n${DIFF}`, /does not say which check/],
    ['a check that does not exist', HEAD.replace('BND-04', 'BND-99') + DIFF, /not in the catalogue: BND-99/],
    ['a guest that does not exist', `${HEAD.trim()}\nGuest: vax\n\n${DIFF}`, /nobody knows: vax/],
    [
      'a line that means nothing',
      `${HEAD.trim()}\nColour: red\n\n${DIFF}`,
      /none of Killed-by.*: Colour: red/,
    ],
  ];
  for (const [what, text, says] of wrong) {
    test(`with ${what} is refused`, () => {
      expect(() => mutant(text)).toThrow(says);
    });
  }

  test('of a file that is not there is an error that names it', async () => {
    await expect(mutantFrom('/nowhere/x.diff')).rejects.toThrow(/\/nowhere\/x\.diff cannot be read/);
  });

  test('all of driver/mutants make sense, and every one of the list is there', async () => {
    const mutants = await mutantsIn(folder);
    const numbers = mutants.map(({ id }) => Number(id.slice(1)));
    expect(numbers).toEqual(Array.from({ length: mutants.length }, (_, index) => index + 1));
    expect(mutants.length).toBeGreaterThanOrEqual(44);
    expect(readdirSync(folder)).toHaveLength(mutants.length);
    expect(new Set(mutants.map(({ diff }) => diff.slice(diff.indexOf('--- ')))).size, 'no two alike').toBe(
      mutants.length,
    );
  });
});

test.describe('defects of the rig itself', () => {
  const text = `M99 judge: any error will do.\nNoticed-by: judge-calls.spec.ts\n\n${DIFF}`;

  test('say which selftest has to notice', () => {
    expect(parseMetaMutant('M99.diff', text)).toMatchObject({
      ...{ id: 'M99', kind: 'judge', what: 'any error will do.', noticedBy: 'judge-calls.spec.ts' },
    });
    expect(() => parseMetaMutant('M98.diff', text)).toThrow(/M98\.diff does not begin/);
    expect(() => parseMetaMutant('M99.diff', DIFF)).toThrow(/Try: begin with "M99 part/);
  });

  test('are noticed by a test that fails, and by nothing less', () => {
    const mutant = { noticedBy: 'judge-calls.spec.ts' };
    const rig = (verdict: Verdict): RunReport => report([{ ...red('', verdict, 'said'), about: 'rig' }]);
    expect(judgeMeta(mutant, rig('fail'))).toMatchObject({ outcome: 'killed', message: 'said' });
    expect(judgeMeta(mutant, rig('hang'))).toMatchObject({ outcome: 'infra', message: 'hang: said' });
    expect(judgeMeta(mutant, rig('infra'))).toMatchObject({ outcome: 'infra' });
    expect(judgeMeta(mutant, report([]))).toMatchObject({ outcome: 'survived' });
    expect(judgeMeta(mutant, { said: 'out of memory' })).toMatchObject({ outcome: 'infra' });
  });

  test('all of tests/mutation/meta make sense and name a selftest that is there', async () => {
    const mutants = await metaMutantsIn(join(root, 'tests', 'mutation', 'meta'));
    expect(mutants.map(({ id }) => id)).toEqual(mutants.map((_, index) => `M${index + 1}`));
    expect(mutants.length).toBeGreaterThanOrEqual(8);
    const specs = readdirSync(join(root, 'tests', 'selftest'));
    for (const { noticedBy } of mutants) expect(specs).toContain(noticedBy);
  });
});

test('every diff applies to the driver and the rig as they are', async () => {
  const meta = join(root, 'tests', 'mutation', 'meta');
  const files = [folder, meta].flatMap((each) => readdirSync(each).map((name) => join(each, name)));
  const rejected = await Promise.all(
    files.map(async (input) => {
      const argv = ['patch', '--dry-run', '--strip=1', '--fuzz=0', '--force', '--input', input] as const;
      const { code, stdout } = await run([...argv], { cwd: root });
      return code === 0 ? [] : [`${input}: ${stdout}`];
    }),
  );
  expect(rejected.flat(), 'make them again: the source around what they change has changed').toEqual([]);
});

test('checks are selected by id, once for each strategy that is asked for', () => {
  const grep = new RegExp(grepFor(['fd-per-buffer'], ['BND-04', 'CON-01']));
  const of = (title: string) => grep.test(`qemu-arm64 conformance/x.spec.ts ${title}`);
  expect(of('fd-per-buffer @fd-per-buffer BND-04 a mapping')).toBe(true);
  expect(of('CON-01 processes')).toBe(true);
  expect(of('fd-per-buffer @fd-per-buffer BND-03 BND-04 two')).toBe(true);
  expect(of('dma-buf @dma-buf BND-04 a mapping')).toBe(false);
  expect(of('fd-per-buffer @fd-per-buffer BND-05 a mapping')).toBe(false);
  const all = new RegExp(grepFor(['dma-buf']));
  expect(all.test('qemu-arm64 conformance/x.spec.ts dma-buf @dma-buf BND-05 a mapping')).toBe(true);
  expect(all.test('qemu-arm64 conformance/x.spec.ts IOC-01 a command')).toBe(true);
  expect(all.test('qemu-arm64 conformance/x.spec.ts fd-per-buffer @fd-per-buffer BND-05')).toBe(false);
  const further = new RegExp(grepFor(['dma-buf', 'offset-cookie'], [], 'of-strategies'));
  expect(further.test('qemu-arm64 conformance/x.spec.ts dma-buf @dma-buf BND-05 a mapping')).toBe(true);
  expect(further.test('qemu-arm64 conformance/x.spec.ts IOC-01 a command')).toBe(false);
  const slow = new RegExp(grepFor(['dma-buf'], [], 'slow'));
  expect(slow.test('qemu-arm64 conformance/x.spec.ts dma-buf @dma-buf LIF-07 lives @slow')).toBe(true);
  expect(slow.test('qemu-arm64 conformance/x.spec.ts CON-01 processes @slow')).toBe(true);
  expect(slow.test('qemu-arm64 conformance/x.spec.ts CON-01 processes')).toBe(false);
});

test('the table has a row for each, what needs work first, and a score', () => {
  const common = {
    kind: 'a',
    what: 'x | y',
    named: ['BND-01'],
    guests: ['g'],
    strategies: ['s'],
    others: [],
    seconds: 3,
  };
  const results = [
    { ...common, id: 'P01', outcome: 'killed' as const, check: 'BND-01', message: 'seen' },
    { ...common, id: 'P02', outcome: 'survived' as const, message: 'BND-01 passed' },
    { ...common, id: 'P03', outcome: 'equivalent' as const, message: '', argument: 'nobody sees it' },
    { ...common, id: 'P04', outcome: 'not-applicable' as const, message: '', argument: 'KASAN' },
  ];
  const file = mutationFile(results, { startTime: 'now', seconds: 9, workers: 2 });
  expect(file.score).toEqual({ killed: 1, of: 2 });
  const rows = mutationText(file)
    .split('\n')
    .filter((line) => line.startsWith('| P'));
  expect(rows.map((line) => line.slice(2, 5))).toEqual(['P02', 'P01', 'P03', 'P04']);
  expect(rows[0]).toContain('x \\| y');
  expect(rows[2]).toContain('nobody sees it');
  expect(results.map(lineOf)[0]).toBe('P01 killed by BND-01 (3 s): seen');
});

test.describe('two modules with the same fingerprint', () => {
  const base = elf(['.text', 6, 'code'], ['.data', 3, 'data'], ['.debug_line', 0, 'lines']);

  test('differ at most in what is not loaded, and in what tells of the build', () => {
    const rebuilt = elf(['.text', 6, 'code'], ['.data', 3, 'data'], ['.debug_line', 0, 'other lines']);
    expect(moduleFingerprint(rebuilt)).toBe(moduleFingerprint(base));
    const noted = elf(['.text', 6, 'code'], ['.data', 3, 'data'], ['.modinfo', 2, 'srcversion=1']);
    expect(moduleFingerprint(noted)).toBe(moduleFingerprint(base));
  });

  test('never differ in code or data', () => {
    for (const other of [
      elf(['.text', 6, 'CODE'], ['.data', 3, 'data']),
      elf(['.text', 6, 'code'], ['.data', 3, 'DATA']),
      elf(['.text', 6, 'code'], ['.data', 3, 'data'], ['.init.text', 6, 'more']),
    ]) {
      expect(moduleFingerprint(other)).not.toBe(moduleFingerprint(base));
    }
  });

  test('are modules', () => {
    expect(() => moduleFingerprint(Buffer.from('#!/bin/sh\nexit\n'))).toThrow(/not an ELF/);
  });
});

test('the command line says what is wrong with it, and lists without a guest', async () => {
  const own = mkdtempSync(join(tmpdir(), 'bufrig-mutation-'));
  try {
    writeFileSync(join(own, 'not-a.diff'), 'hello\n');
    for (const [args, says] of [
      [['--only', 'P01,P999'], /there is no P999; there are P01 P02/],
      [['--diff', join(own, 'missing.diff')], /missing\.diff cannot be read/],
      [['--diff', join(own, 'not-a.diff')], /not-a\.diff is no unified diff/],
      [['--workers', '0'], /--workers 0 is no number of guests/],
      [['--frobnicate'], /Unknown option '--frobnicate'[^]*Try: npm run mutation/],
      [['--only', 'P01', '--diff', 'x'], /exclude each other/],
    ] as const) {
      const { code, stderr } = await bufrig(...args);
      expect(stderr).toMatch(says);
      expect(code).toBe(1);
    }
    const { stdout } = await bufrig('--list', '--only', 'P01');
    expect(stdout).toMatch(/^P01 +bounds: .*\n +BND-04 BND-01, on qemu-arm64, fd-per-buffer\n$/);
    expect(readFileSync(join(folder, 'P01.diff'), 'utf8')).toContain('Killed-by');
  } finally {
    rmSync(own, { recursive: true });
  }
});

/** `npx bufrig mutation` with these arguments. */
function bufrig(...args: string[]) {
  return run(['node', join(root, 'harness/cli/bufrig.mjs'), 'mutation', ...args], { cwd: root });
}

/** A small ELF file of 64 bits with these sections. */
function elf(...sections: readonly [name: string, flags: number, bytes: string][]): Buffer {
  const all = [['', 0, ''] as const, ...sections, ['.shstrtab', 0, ''] as const];
  const names = `${all.map(([name]) => name).join('\0')}\0`;
  const bodies = all.map(([name, , bytes]) => Buffer.from(name === '.shstrtab' ? names : bytes));
  const header = Buffer.alloc(64);
  header.write('\u007fELF\u0002\u0001', 'latin1');
  const table = 64 + bodies.reduce((sum, { length }) => sum + length, 0);
  header.writeBigUInt64LE(BigInt(table), 0x28);
  header.writeUInt16LE(64, 0x3a);
  header.writeUInt16LE(all.length, 0x3c);
  header.writeUInt16LE(all.length - 1, 0x3e);
  let [offset, nameAt] = [64, 0];
  const headers = all.map(([name, flags], index) => {
    const entry = Buffer.alloc(64);
    const bytes = bodies[index]?.length ?? 0;
    entry.writeUInt32LE(nameAt, 0);
    entry.writeUInt32LE(1, 4);
    entry.writeBigUInt64LE(BigInt(flags), 8);
    entry.writeBigUInt64LE(BigInt(offset), 0x18);
    entry.writeBigUInt64LE(BigInt(bytes), 0x20);
    offset += bytes;
    nameAt += name.length + 1;
    return entry;
  });
  return Buffer.concat([header, ...bodies, ...headers]);
}
