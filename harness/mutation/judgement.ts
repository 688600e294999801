// SPDX-License-Identifier: MIT
/**
 * From what a run of the rig reported about a driver with a defect to whether the suite found it.
 * Pure. Found means that a check which is about the property failed by its own judgement: not by a
 * timeout, not because the lab had trouble, and not because nothing worked any more.
 */
import { idsOf, type CoverageRow } from '../report/coverage-rows.ts';
import type { Red, RunSummary } from '../report/run-summary.ts';
import type { Mutant } from './mutant.ts';

/**
 * `killed` by a check that it names; `killed-by-another` check only; `survived`: the checks ran and were
 * content; `equivalent`: nobody could notice, with the argument; `not-applicable`: what would find it is
 * not there yet; `invalid`: not a defect, as it does not apply, does not build or changes nothing;
 * `infra`: the lab failed, and nothing is known.
 */
export type Outcome =
  | 'killed'
  | 'killed-by-another'
  | 'survived'
  | 'equivalent'
  | 'not-applicable'
  | 'invalid'
  | 'infra';

/** What a run of the rig left, as far as it matters here. */
export interface RunReport {
  /** Missing when the run did not get as far as writing it. */
  summary?: Pick<RunSummary, 'colour' | 'red' | 'errors'>;
  coverage?: readonly Pick<CoverageRow, 'id' | 'verdicts'>[];
  /** The end of what it printed. */
  said: string;
}

export interface Judgement {
  outcome: Outcome;
  /** The check that found it. */
  check?: string;
  /** What that check said, or why there is none. */
  message: string;
  /** Further checks that were red. */
  others: string[];
}

/** What became of a mutant on one of several guests. */
export interface Tried extends Judgement {
  guest: string;
  /** Nothing was found that settles it: another guest may tell more. */
  open: boolean;
}

/** A driver that does not build or load, or shows no device, fails every test, and none has looked at anything. */
const NOT_LOOKED = /^DriverError \[(MODULE_BUILD|DRIVER_LOAD|DRIVER_DEVICE|DRIVER_UNLOAD)\]/;

export function judgeMutant(mutant: Mutant, run: RunReport): Judgement {
  const { summary, coverage, said } = run;
  if (summary === undefined || coverage === undefined) {
    return { outcome: 'infra', message: `the run left no report: ${lastLine(said)}`, others: [] };
  }
  const { killedBy, verdicts } = mutant;
  const named = (red: Red) => killedBy.length === 0 || idsIn(red).some((id) => killedBy.includes(id));
  const found = summary.red.filter(({ about, verdict, cause }) => {
    return about === 'driver' && verdicts.includes(verdict) && !NOT_LOOKED.test(cause);
  });
  // Of what never started, because the run ended before, nothing is known.
  const ran = summary.red.filter(({ verdict }) => verdict !== 'not-run');
  const others = (killer: Red | undefined) => {
    const names = ran.filter((red) => red !== killer).flatMap(nameOf);
    return [...new Set(names)].filter((name) => killer === undefined || !nameOf(killer).includes(name));
  };
  const killer = found.find(named);
  if (killer !== undefined) {
    const check = idsIn(killer).find((id) => killedBy.includes(id)) ?? nameOf(killer)[0] ?? '';
    return { outcome: 'killed', check, message: killer.cause, others: others(killer) };
  }
  const lab = summary.red.find((red) => named(red) && red.verdict === 'infra');
  if (lab !== undefined) return { outcome: 'infra', message: lab.cause, others: others(undefined) };
  const other = summary.red.find(
    ({ about, verdict }) => about === 'driver' && (verdict === 'fail' || verdict === 'crash'),
  );
  if (other !== undefined) {
    const message = `${other.verdict}: ${other.cause}`;
    return { outcome: 'killed-by-another', check: nameOf(other)[0] ?? '', message, others: others(other) };
  }
  const [outside] = summary.errors;
  if (outside !== undefined) return { outcome: 'infra', message: outside.cause, others: [] };
  return { ...withoutKiller(mutant, run), others: others(undefined) };
}

/** Nothing that counts is red: because the checks are content, or because they did not get to say so. */
function withoutKiller(
  { killedBy }: Mutant,
  { summary, coverage = [], said }: RunReport,
): Omit<Judgement, 'others'> {
  const hung = summary?.red.find(({ verdict }) => verdict === 'hang');
  if (hung !== undefined) return { outcome: 'survived', message: `only a timeout: ${hung.cause}` };
  const passed = coverage.filter(({ verdicts }) => (verdicts.pass ?? 0) > 0).map(({ id }) => id);
  const idle = killedBy.filter((id) => !passed.includes(id));
  if (passed.length === 0) return { outcome: 'infra', message: `no check ran: ${lastLine(said)}` };
  if (killedBy.length > 0 && idle.length === killedBy.length) {
    return { outcome: 'infra', message: `${idle.join(' ')} did not run` };
  }
  const content =
    killedBy.length === 0 ? `all ${passed.length}` : killedBy.filter((id) => !idle.includes(id)).join(' ');
  return { outcome: 'survived', message: `${content} passed` };
}

/** What was found, if anything; otherwise a guest of which nothing is known weighs more than one that is content. */
export function together(tried: readonly Tried[]): Judgement {
  const settled = tried.find(({ open }) => !open);
  const weighed = (['infra', 'survived', 'invalid'] as const).flatMap(
    (outcome) => tried.find((one) => one.outcome === outcome) ?? [],
  );
  const [chosen] = settled === undefined ? weighed : [settled];
  if (chosen === undefined) return { outcome: 'infra', message: 'nothing was tried', others: [] };
  const { outcome, check, message, others } = chosen;
  return {
    ...{ outcome, others },
    ...(check === undefined ? {} : { check }),
    message: settled === undefined && tried.length > 1 ? tried.map(wordsOf).join('; ') : message,
  };
}

export function wordsOf({ guest, message }: Tried): string {
  return `${guest}: ${message}`;
}

/** Which of these checks a run with the driver as it is did not see pass, each with the reason. */
export function uncontrolled(
  checks: readonly string[],
  { summary, coverage = [], said }: RunReport,
): Map<string, string> {
  const missing = new Map<string, string>();
  for (const check of checks) {
    const red = summary?.red.find((one) => idsIn(one).includes(check));
    const passed = coverage.some(({ id, verdicts }) => id === check && (verdicts.pass ?? 0) > 0);
    if (summary === undefined) missing.set(check, `the run left no report: ${lastLine(said)}`);
    else if (red !== undefined) missing.set(check, `${red.verdict}: ${red.cause}`);
    else if (!passed) missing.set(check, 'did not run');
  }
  return missing;
}

/** The ids in a red test's title, which comes with its describe blocks. */
function idsIn({ title }: Red): string[] {
  return idsOf(title.split(' › ').at(-1) ?? '');
}

function nameOf(red: Red): string[] {
  const ids = idsIn(red);
  return ids.length > 0 ? ids : [red.title];
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) ?? '';
}
