// SPDX-License-Identifier: MIT
/** From what the rounds of a soak left to whether the rig is calm: every test says the same each time, and nothing is red. Pure. */
import type { SuiteReport } from '../campaign/suite-run.ts';
import { exitStatus } from '../report/exit-status.ts';
import { total, type Counts, type Red } from '../report/run-summary.ts';
import type { Verdict } from '../report/verdict.ts';

/** One run of the suite. */
export interface Round {
  /** From 1 on. */
  number: number;
  startTime: string;
  seconds: number;
  /** Tests by verdict, about the driver and about the rig; missing when the run left no summary. */
  counts?: Counts;
  /** The verdict of each test that ran, or that said why not. */
  verdicts: Record<string, Verdict>;
  /** What was red, and what went wrong outside any test. */
  red: { title: string; verdict: Verdict; cause: string }[];
  /** Folder of the evidence, which is kept when the round is not clean. */
  evidence?: string;
}

/** A test that was not the same in all rounds, or ever red. */
export interface Unsteady {
  title: string;
  /** Numbers of the rounds, by what it said in them; `absent`: it was not there. */
  rounds: Partial<Record<Verdict | 'absent', number[]>>;
}

export function roundFrom(report: SuiteReport, run: Pick<Round, 'number' | 'startTime' | 'seconds'>): Round {
  const { summary, tests = [], ending, said } = report;
  const how = `exit status ${ending.code ?? ending.signal}`;
  if (summary === undefined) {
    const cause = `the run left no summary; ${how}: ${said.trim().split('\n').at(-1) ?? ''}`;
    return { ...run, verdicts: {}, red: [outside('infra', cause)] };
  }
  const { claims, rig, red, errors, deviations } = summary;
  const counts = Object.fromEntries(
    Object.entries(claims).map(([verdict, count]) => [verdict, count + rig[verdict as Verdict]]),
  ) as Counts;
  const reds = [
    ...red.map(({ title, verdict, cause }) => ({ title, verdict, cause })),
    ...errors.map(({ verdict, cause }) => outside(verdict, cause)),
  ];
  if (reds.length === 0 && ending.code !== 0) reds.push(outside('infra', `nothing is red, and ${how}`));
  if (reds.length === 0 && total(counts) - counts['not-run'] === 0)
    reds.push(outside('infra', 'no test ran'));
  const redOf = (title: string): Red | undefined => red.find((one) => one.title === title);
  const verdicts = Object.fromEntries(
    tests.map(({ title, status }): [string, Verdict] => [
      title,
      redOf(title)?.verdict ??
        (deviations.some((one) => one.title === title)
          ? 'deviates'
          : status === 'skipped'
            ? 'not-run'
            : 'pass'),
    ]),
  );
  return { ...run, counts, verdicts, red: reds };
}

function outside(verdict: Verdict, cause: string): Round['red'][number] {
  return { title: 'outside any test', verdict, cause };
}

export function isClean({ red }: Round): boolean {
  return red.length === 0;
}

/** Those that somebody has to look at. */
export function unsteadyIn(rounds: readonly Round[]): Unsteady[] {
  const titles = new Set(rounds.flatMap(({ verdicts }) => Object.keys(verdicts)));
  return [...titles].flatMap((title) => {
    const seen: Unsteady['rounds'] = {};
    for (const { number, verdicts } of rounds) {
      const verdict = verdicts[title] ?? 'absent';
      seen[verdict] = [...(seen[verdict] ?? []), number];
    }
    const kinds = Object.keys(seen);
    const steady = kinds.length === 1 && ['pass', 'deviates', 'not-run'].includes(kinds[0] ?? '');
    const red = rounds.some((round) => round.red.some((one) => one.title === title));
    return steady && !red ? [] : [{ title, rounds: seen }];
  });
}

/** How a soak ends, in the rig's own statuses: 0 only when every round that was wanted was clean. */
export function statusOf(rounds: readonly Round[], wanted: number): number {
  const reds = rounds.flatMap(({ red }) => red);
  if (reds.some(({ verdict }) => verdict !== 'infra' && verdict !== 'not-run')) return exitStatus.red;
  if (reds.length > 0 || rounds.length < wanted) return exitStatus.lab;
  return unsteadyIn(rounds).length > 0 ? exitStatus.red : 0;
}
