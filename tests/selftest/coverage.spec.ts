// SPDX-License-Identifier: MIT
/** The catalogue and the tests that exist say the same; the coverage page says what a run did. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@playwright/test';
import { Deadline } from '../../harness/deadline.ts';
import { runOk } from '../../harness/process.ts';
import { catalogue } from '../../harness/report/catalogue.ts';
import { comparisonText, joined } from '../../harness/report/comparison.ts';
import { coverageOf, idsOf, type ClaimOutcome } from '../../harness/report/coverage-rows.ts';
import { coverageText } from '../../harness/report/coverage-text.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Part of the output of Playwright's JSON reporter. */
interface Listed {
  title: string;
  specs?: { title: string }[];
  suites?: Listed[];
}

/** Titles of all tests about drivers, as Playwright lists them. */
async function titles(): Promise<string[]> {
  const cli = join(root, 'node_modules', '.bin', 'playwright');
  const names = Object.keys(process.env).filter((name) =>
    /^(PLAYWRIGHT|PW|TEST_|NODE_OPTIONS|CI$)/.test(name),
  );
  const { stdout } = await runOk([cli, 'test', '--list', '--reporter=json', '--project=qemu-arm64'], {
    cwd: root,
    env: Object.fromEntries(names.map((name) => [name, undefined])),
    deadline: Deadline.in(60_000),
  });
  const listed: { suites: Listed[] } = JSON.parse(stdout);
  const within = ({ specs = [], suites = [] }: Listed): string[] => [
    ...specs.map(({ title }) => title),
    ...suites.flatMap(within),
  ];
  return listed.suites.flatMap(within);
}

test('every test names an id of the catalogue, and every id without a test says why', async () => {
  const all = await titles();
  expect(all.length).toBeGreaterThan(50);
  const anonymous = all.filter((title) => idsOf(title).length === 0);
  expect(
    anonymous,
    'titles that begin with no id: put one in front, and into harness/report/catalogue.ts',
  ).toEqual([]);
  const tested = new Set(all.flatMap(idsOf));
  const unknown = [...tested].filter((id) => catalogue[id] === undefined);
  expect(unknown, 'ids of tests that harness/report/catalogue.ts does not have').toEqual([]);
  const declared = Object.entries(catalogue).map(([id, { missing, notApplicable }]) => ({
    id,
    reason: missing ?? notApplicable,
  }));
  const vanished = declared.filter(({ id, reason }) => reason === undefined && !tested.has(id));
  expect(
    vanished.map(({ id }) => id),
    'ids whose last test is gone: bring it back, or say why in the catalogue',
  ).toEqual([]);
  const found = declared.filter(({ id, reason }) => reason !== undefined && tested.has(id));
  expect(
    found.map(({ id }) => id),
    'ids that have tests now: remove `missing` or `notApplicable` in the catalogue',
  ).toEqual([]);
});

const outcome = (title: string, more: Partial<ClaimOutcome> = {}): ClaimOutcome => ({
  title,
  project: 'guest',
  strategy: '',
  verdict: 'pass',
  cause: '',
  witnesses: [],
  ...more,
});

const small = {
  'AAA-01': { claim: 'one' },
  'AAA-02': { claim: 'two', missing: 'a check' },
  'AAA-03': { claim: 'three', notApplicable: 'no such | hardware' },
  'AAA-04': { claim: 'four' },
};

test('a row tells what ran, how, and by whose word', () => {
  const rows = coverageOf(small, [
    outcome('AAA-01 holds', { strategy: 'b', witnesses: ['kcore', 'hypervisor'] }),
    outcome('AAA-01 holds', { strategy: 'a', verdict: 'fail' }),
    outcome('AAA-01 holds otherwise', { verdict: 'not-run', cause: 'no second CPU' }),
    outcome('no id at all'),
  ]);
  expect(rows[0]).toEqual({
    id: 'AAA-01',
    claim: 'one',
    coverage: 'checked',
    verdicts: { pass: 1, fail: 1, 'not-run': 1 },
    strategies: ['a', 'b'],
    witnesses: ['hypervisor', 'kcore'],
    projects: ['guest'],
    reasons: ['no second CPU'],
  });
  expect(rows.map(({ coverage }) => coverage)).toEqual(['checked', 'missing', 'not-applicable', 'not-run']);
});

test('a test that was skipped or broken off is not a check, and one without an entry is seen', () => {
  const rows = coverageOf(small, [
    outcome('AAA-04 and AAA-01 hold', { verdict: 'not-run', cause: 'not here' }),
    outcome('AAA-04 holds', { verdict: 'infra', cause: 'the link broke', strategy: 'a' }),
    outcome('BBB-01 is new'),
  ]);
  expect(rows[3]).toMatchObject({
    verdicts: { 'not-run': 1, infra: 1 },
    strategies: [],
    reasons: ['not here', 'the link broke'],
  });
  expect(rows.map(({ id, coverage }) => [id, coverage])).toEqual([
    ['AAA-01', 'not-run'],
    ['AAA-02', 'missing'],
    ['AAA-03', 'not-applicable'],
    ['AAA-04', 'not-run'],
    ['BBB-01', 'checked'],
  ]);
  expect(rows.at(-1)?.claim).toBe('not in the catalogue');
});

test('the page has a line for each id, whatever reasons contain', () => {
  const text = coverageText(coverageOf(small, []));
  expect(text).toContain('4 properties: 0 checked, 2 not run, 1 missing, 1 not applicable.');
  expect(text).toContain('no such \\| hardware');
  for (const id of Object.keys(small)) expect(text).toContain(`| ${id} |`);
});

/** Of one strategy, in one project. */
function outcomeOf(title: string, verdict: ClaimOutcome['verdict'], cause = ''): ClaimOutcome {
  return { title, project: 'p', strategy: 'dma-buf', verdict, cause, witnesses: [] };
}

test('a deviation on record is told with its reason, and stands out when runs are compared', () => {
  const entries = {
    'MAP-08': { claim: 'moves' },
    'MAP-09': { claim: 'is | cut' },
    'MAP-10': { claim: 'holds' },
  };
  const one = coverageOf(entries, [
    outcomeOf('MAP-08 x', 'pass'),
    outcomeOf('MAP-09 x', 'pass'),
    outcomeOf('MAP-09 y', 'deviates', 'it is a pity (x.c:f)'),
  ]);
  expect(one.find(({ id }) => id === 'MAP-09')).toMatchObject({
    coverage: 'checked',
    verdicts: { pass: 1, deviates: 1 },
    reasons: ['deviates as recorded: it is a pity (x.c:f)'],
  });
  const other = coverageOf(entries, [outcomeOf('MAP-09 x', 'pass'), outcomeOf('MAP-10 x', 'crash')]);
  const table = comparisonText([
    { driver: 'vgem', kernelRelease: '6.1.0', rows: one },
    { driver: 'mine', kernelRelease: '6.12.1', rows: other },
  ]);
  expect(table.split('\n')).toEqual([
    '|  | vgem | mine |',
    '| --- | --- | --- |',
    '| Linux | 6.1.0 | 6.12.1 |',
    '| MAP-09 is \\| cut | deviates | holds |',
    '| MAP-10 holds |  | **crash** |',
    '| others that hold, of 1 | 1 | 0 |',
    '',
  ]);
});

test('parts of one run share a column, and none of them hides a failure of another', () => {
  const entries = { 'MAP-08': { claim: 'moves' }, 'MAP-09': { claim: 'is cut' } };
  const part = (kernelRelease: string, ...outcomes: ClaimOutcome[]) => ({
    driver: 'vgem',
    kernelRelease,
    rows: coverageOf(entries, outcomes),
  });
  const runs = joined([
    part('6.1.0', outcomeOf('MAP-08 x', 'pass'), outcomeOf('MAP-09 x', 'fail')),
    part('6.12.1', outcomeOf('MAP-09 x', 'deviates')),
    part('6.1.0', outcomeOf('MAP-09 y', 'pass'), outcomeOf('MAP-10 x', 'pass')),
  ]);
  expect(comparisonText(runs).split('\n')).toEqual([
    '|  | vgem | vgem |',
    '| --- | --- | --- |',
    '| Linux | 6.1.0 | 6.12.1 |',
    '| MAP-09 is cut | **fail** | deviates |',
    '| others that hold, of 2 | 2 | 0 |',
    '',
  ]);
});
