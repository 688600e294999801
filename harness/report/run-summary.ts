// SPDX-License-Identifier: MIT
/** A whole run in one record: what was checked on what, the verdicts, and the red ones with their causes. */
import type { FullResult, TestError } from '@playwright/test/reporter';
import type { DriverFacts, TargetFacts } from './contract.ts';
import { describeTarget, type Outcome } from './outcome.ts';
import { isRed, judgeOutside, precedence, type Verdict } from './verdict.ts';

export type Counts = Record<Verdict, number>;

/** Content of reports/summary.json. */
export interface RunSummary {
  version: 1;
  startTime: string;
  /** Milliseconds. */
  duration: number;
  /** `green`: everything that ran passed. `driver`, `rig`, `lab`: what is red; the first that applies. */
  colour: 'green' | 'driver' | 'rig' | 'lab';
  /** Tests about the driver, by verdict. */
  claims: Counts;
  /** Tests about the rig itself, by verdict. */
  rig: Counts;
  targets: { facts: TargetFacts; claims: Counts }[];
  drivers: DriverFacts[];
  /** How many tests shared what, in the words of the fixture that knows. */
  isolation: Record<string, number>;
  red: Red[];
  /** Tests that failed just as the driver's profile has it on record. */
  deviations: { claim: string; title: string; project: string; cause: string }[];
  /** Tests that declared why they do not apply. */
  notRun: { claim: string; title: string; project: string; reason: string }[];
  /** What went wrong outside any test. */
  errors: { verdict: Verdict; cause: string }[];
}

/** A test that leaves the run red. */
export interface Red {
  verdict: Verdict;
  about: 'driver' | 'rig';
  claim: string;
  title: string;
  project: string;
  /** Name of the target, where it was known. */
  target: string;
  location: string;
  cause: string;
}

export function summarizeRun(
  outcomes: readonly Outcome[],
  errors: readonly TestError[],
  result: Pick<FullResult, 'startTime' | 'duration'>,
): RunSummary {
  const claims = outcomes.filter(({ about }) => about === 'driver');
  const red = outcomes.filter(({ judged }) => isRed(judged)).map(redOf);
  const outside = errors.map(judgeOutside).map(({ verdict, cause }) => ({ verdict, cause }));
  return {
    version: 1,
    startTime: result.startTime.toISOString(),
    duration: Math.round(result.duration),
    colour: colourOf(red, outside),
    claims: countsOf(claims),
    rig: countsOf(outcomes.filter(({ about }) => about === 'rig')),
    targets: targetsOf(claims),
    drivers: distinct(claims.flatMap(({ driver }) => driver ?? [])),
    isolation: isolationsOf(claims),
    red: red.toSorted((a, b) => precedence.indexOf(a.verdict) - precedence.indexOf(b.verdict)),
    deviations: outcomes
      .filter(({ judged }) => judged.verdict === 'deviates')
      .map(({ claim, title, project, judged }) => ({ claim, title, project, cause: judged.cause })),
    notRun: outcomes
      .filter(({ judged }) => judged.verdict === 'not-run' && !judged.undeclared)
      .map(({ claim, title, project, judged }) => ({ claim, title, project, reason: judged.cause })),
    errors: outside,
  };
}

/** Whether a verdict is about the lab and not about what was tested. */
export function blamesLab(verdict: Verdict): boolean {
  return verdict === 'infra' || verdict === 'not-run';
}

export function total(counts: Counts): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}

function colourOf(red: readonly Red[], errors: RunSummary['errors']): RunSummary['colour'] {
  const product = red.filter(({ verdict }) => !blamesLab(verdict));
  if (product.some(({ about }) => about === 'driver')) return 'driver';
  if (errors.some(({ verdict }) => !blamesLab(verdict))) return 'driver';
  if (product.length > 0) return 'rig';
  return red.length + errors.length > 0 ? 'lab' : 'green';
}

function redOf({ about, claim, title, project, target, location, judged }: Outcome): Red {
  const { verdict, cause } = judged;
  return { verdict, about, claim, title, project, target: target?.name ?? '', location, cause };
}

function countsOf(outcomes: readonly Outcome[]): Counts {
  const counts: Counts = { pass: 0, deviates: 0, fail: 0, crash: 0, hang: 0, infra: 0, 'not-run': 0 };
  for (const { judged } of outcomes) counts[judged.verdict] += 1;
  return counts;
}

function targetsOf(claims: readonly Outcome[]): RunSummary['targets'] {
  const rows = new Map<string, { facts: TargetFacts; outcomes: Outcome[] }>();
  for (const outcome of claims) {
    if (outcome.target === undefined) continue;
    const key = describeTarget(outcome.target);
    const row = rows.get(key) ?? { facts: outcome.target, outcomes: [] };
    row.outcomes.push(outcome);
    rows.set(key, row);
  }
  return [...rows.values()].map(({ facts, outcomes }) => ({ facts, claims: countsOf(outcomes) }));
}

function isolationsOf(claims: readonly Outcome[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { isolation } of claims) if (isolation !== '') counts[isolation] = (counts[isolation] ?? 0) + 1;
  return counts;
}

function distinct<T>(values: readonly T[]): T[] {
  return [...new Map(values.map((value) => [JSON.stringify(value), value])).values()];
}
