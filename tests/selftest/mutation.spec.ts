// SPDX-License-Identifier: MIT
/** The mutation campaign judges right: what counts as found, what does not, and what it says. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@playwright/test';
import { grepFor } from '../../harness/campaign/suite-run.ts';
import {
  judgeMutant,
  together,
  uncontrolled,
  type RunReport,
  type Tried,
} from '../../harness/mutation/judgement.ts';
import { lineOf, mutationFile, mutationText } from '../../harness/mutation/table.ts';
import { run } from '../../harness/process.ts';
import { DIFF, HEAD, mutant } from './described-mutant.ts';
import { red, report } from './run-report.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = join(root, 'driver', 'mutants');

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
      'nor was one that shows no device',
      report([red('BND-01', 'fail', 'DriverError [DRIVER_DEVICE]: loaded, but there is no device')]),
      { outcome: 'killed-by-another', message: expect.stringContaining('there is no device') },
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
  const file = mutationFile(results, { startTime: 'now', seconds: 9, workers: 2, wanted: 6 });
  expect(file.score).toEqual({ killed: 1, of: 2 });
  expect(mutationText(file)).toContain('Missing: 2 ');
  const rows = mutationText(file)
    .split('\n')
    .filter((line) => line.startsWith('| P'));
  expect(rows.map((line) => line.slice(2, 5))).toEqual(['P02', 'P01', 'P03', 'P04']);
  expect(rows[0]).toContain('x \\| y');
  expect(rows[2]).toContain('nobody sees it');
  expect(results.map(lineOf)[0]).toBe('P01 killed by BND-01 (3 s): seen');
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
      [['--meta', '--only', 'M1,M99'], /there is no M99; there are M1 M2/],
      [['--meta', '--full', '--diff', 'x'], /has no --diff, --full/],
    ] as const) {
      const { code, stderr } = await bufrig(...args);
      expect(stderr).toMatch(says);
      expect(code).toBe(2);
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
