// SPDX-License-Identifier: MIT
/** The soak judges right: a round that did not happen, a test that changes its mind, and red of any kind are seen. */
import { expect, test } from '@playwright/test';
import type { SuiteReport } from '../../harness/campaign/suite-run.ts';
import type { Counts, RunSummary } from '../../harness/report/run-summary.ts';
import type { Verdict } from '../../harness/report/verdict.ts';
import { roundFrom, statusOf, unsteadyIn, type Round } from '../../harness/soak/rounds.ts';
import { lineOf, soakFile, soakText } from '../../harness/soak/table.ts';

const none: Counts = { pass: 0, deviates: 0, fail: 0, crash: 0, hang: 0, infra: 0, 'not-run': 0 };

/** What a run left whose tests ended like that. */
function report(verdicts: Record<string, Verdict>, code = 0, errors: RunSummary['errors'] = []): SuiteReport {
  const claims = { ...none };
  for (const verdict of Object.values(verdicts)) claims[verdict] += 1;
  const place = { about: 'driver' as const, claim: '', project: 'p', target: 't', location: 'x.spec.ts:1' };
  const summary: RunSummary = {
    ...{ version: 1, startTime: '', duration: 1, colour: 'green', claims, rig: none },
    ...{ targets: [], drivers: [], isolation: {}, deviations: [], notRun: [], errors },
    red: Object.entries(verdicts)
      .filter(([, verdict]) => !['pass', 'not-run'].includes(verdict))
      .map(([title, verdict]) => ({ ...place, title, verdict, cause: `${title} is ${verdict}` })),
  };
  const tests = Object.entries(verdicts).map(([title, verdict]) => ({
    ...{ title, duration: 1, errors: [] },
    status: verdict === 'not-run' ? ('skipped' as const) : ('expected' as const),
  }));
  return { summary, tests, said: 'the last line', ending: { code, signal: null } };
}

const round = (number: number, one: SuiteReport): Round =>
  roundFrom(one, { number, startTime: 'now', seconds: 7 });
const GOOD = { 'GEO-01 a': 'pass', 'GEO-02 b': 'pass', 'GEO-03 c': 'not-run' } as const;

test('rounds in which every test passes, or says why it does not apply, are clean', () => {
  const rounds = [1, 2, 3].map((number) => round(number, report(GOOD)));
  expect(unsteadyIn(rounds)).toEqual([]);
  expect(statusOf(rounds, 3)).toBe(0);
  expect(soakText(soakFile(rounds, { project: 'g', settings: {}, times: 3 }))).toMatch(
    /3 of 3 rounds without red, 3 wanted: the whole suite on g, 21 s\.\n\n[^]*Every test said the same/,
  );
});

test.describe('not clean is', () => {
  const cases: [what: string, one: SuiteReport, cause: RegExp, status: number][] = [
    ['a failure of the driver', report({ ...GOOD, 'GEO-01 a': 'fail' }, 1), /GEO-01 a: fail/, 1],
    ['trouble of the lab', report({ ...GOOD, 'GEO-01 a': 'infra' }, 125), /GEO-01 a: infra/, 125],
    ['a crash', report({ ...GOOD, 'GEO-01 a': 'crash' }, 1), /GEO-01 a: crash/, 1],
    [
      'what goes wrong outside any test',
      report(GOOD, 125, [{ verdict: 'infra', cause: 'no guest' }]),
      /no guest/,
      125,
    ],
    [
      'a run without a summary',
      { said: 'boom', ending: { code: 1, signal: null } },
      /left no summary.*boom/,
      125,
    ],
    ['an exit status without a reason', report(GOOD, 1), /nothing is red, and exit status 1/, 125],
    ['a run without tests', report({}), /no test ran/, 125],
    ['a run in which nothing applied', report({ 'GEO-03 c': 'not-run' }), /no test ran/, 125],
  ];
  for (const [what, one, cause, status] of cases) {
    test(what, () => {
      const rounds = [round(1, report(GOOD)), round(2, one)];
      expect(lineOf(rounds[1] as Round)).toMatch(cause);
      expect(statusOf(rounds, 2)).toBe(status);
      const text = soakText(soakFile(rounds, { project: 'g', settings: {}, times: 2 }));
      expect(text).toContain('1 of 2 rounds without red');
      expect(text.split('\n').find((line) => line.startsWith('| 2 '))).toMatch(cause);
    });
  }

  test('a soak that was cut short', () => {
    const rounds = [round(1, report(GOOD))];
    expect(statusOf(rounds, 50)).toBe(125);
    const text = soakText(soakFile(rounds, { project: 'g', settings: { BUFRIG_SLOW: '1' }, times: 50 }));
    expect(text).toContain('\nWith BUFRIG_SLOW=1.\nMissing: 49 ');
  });

  test('no round at all', () => {
    const text = soakText(soakFile([], { project: 'g', settings: {}, times: 3 }));
    expect(text).toContain('0 of 0 rounds without red, 3 wanted');
    expect(text).toContain('No round has ended: nothing is known.');
    expect(text).not.toContain('said the same');
    expect(statusOf([], 3)).toBe(125);
  });

  test('a test that is there in some rounds only, or passes in some only', () => {
    const rounds = [
      round(1, report(GOOD)),
      round(2, report({ 'GEO-01 a': 'pass', 'GEO-03 c': 'pass' })),
      round(3, report({ ...GOOD, 'GEO-02 b': 'not-run' })),
    ];
    expect(unsteadyIn(rounds)).toEqual([
      { title: 'GEO-02 b', rounds: { pass: [1], absent: [2], 'not-run': [3] } },
      { title: 'GEO-03 c', rounds: { 'not-run': [1, 3], pass: [2] } },
    ]);
    expect(statusOf(rounds, 3)).toBe(1);
    const text = soakText(soakFile(rounds, { project: 'g', settings: {}, times: 3, grep: 'GEO' }));
    expect(text).toContain('the tests that match `GEO`');
    expect(text).toContain('| GEO-02 b | pass: 1; absent: 2; not-run: 3 |');
  });
});
