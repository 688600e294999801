// SPDX-License-Identifier: MIT
/** The catalogue against the outcomes of a run: one row for each id. Pure. */
import type { CatalogueEntry } from './catalogue.ts';
import { blamesLab } from './run-summary.ts';
import type { Verdict } from './verdict.ts';

/** What coverage needs to know of a test that ran, or did not. */
export interface ClaimOutcome {
  title: string;
  project: string;
  /** The way its buffers are named; empty for a test that is not about one. */
  strategy: string;
  verdict: Verdict;
  /** Why it was not run, what the lab broke, or what is on record about its failure; else empty. */
  cause: string;
  /** Who told where buffers lie; nobody where that is not the claim. */
  witnesses: readonly string[];
}

/**
 * `checked`: at least one test gave a verdict. `not-run`: there are tests, and all were skipped, left out, or
 * broken off by the lab. `missing` and `not-applicable` are declared in the catalogue.
 */
export type Coverage = 'checked' | 'not-run' | 'missing' | 'not-applicable';

export interface CoverageRow {
  id: string;
  claim: string;
  coverage: Coverage;
  /** How many tests gave which verdict. */
  verdicts: Partial<Record<Verdict, number>>;
  strategies: string[];
  witnesses: string[];
  projects: string[];
  /** Why it was not checked, or not everywhere; and what is on record where it does not hold. */
  reasons: string[];
}

/** Ids that a title claims: `MAP-09 …`, or `MAP-09 and MAP-10 …`. */
export function idsOf(title: string): string[] {
  const claimed = /^(?:[A-Z]{3}-\d{2}(?:, | and | ))+/.exec(title)?.[0] ?? '';
  return claimed.match(/[A-Z]{3}-\d{2}/g) ?? [];
}

/** One row for each id of the catalogue, in its order, and then for each that only tests know. */
export function coverageOf(
  catalogue: Readonly<Record<string, CatalogueEntry>>,
  outcomes: readonly ClaimOutcome[],
): CoverageRow[] {
  const claimed = outcomes.flatMap(({ title }) => idsOf(title));
  const ids = new Set([...Object.keys(catalogue), ...claimed]);
  return [...ids].map((id) =>
    rowOf(
      id,
      catalogue[id],
      outcomes.filter(({ title }) => idsOf(title).includes(id)),
    ),
  );
}

function rowOf(
  id: string,
  entry: CatalogueEntry | undefined,
  outcomes: readonly ClaimOutcome[],
): CoverageRow {
  const judged = outcomes.filter(({ verdict }) => !blamesLab(verdict));
  const verdicts: Partial<Record<Verdict, number>> = {};
  for (const { verdict } of outcomes) verdicts[verdict] = (verdicts[verdict] ?? 0) + 1;
  const declared = outcomes.length > 0 ? undefined : (entry?.notApplicable ?? entry?.missing);
  const left = outcomes.filter(({ verdict }) => blamesLab(verdict)).map(({ cause }) => cause);
  const known = outcomes
    .filter(({ verdict }) => verdict === 'deviates')
    .map(({ cause }) => `deviates as recorded: ${cause}`);
  return {
    id,
    claim: entry?.claim ?? 'not in the catalogue',
    coverage: coverageFor(entry, outcomes, judged),
    verdicts,
    strategies: unique(judged.map(({ strategy }) => strategy)),
    witnesses: unique(judged.flatMap(({ witnesses }) => witnesses)),
    projects: unique(judged.map(({ project }) => project)),
    reasons: unique([...left, ...known, declared ?? '']),
  };
}

function coverageFor(
  entry: CatalogueEntry | undefined,
  outcomes: readonly ClaimOutcome[],
  judged: readonly ClaimOutcome[],
): Coverage {
  if (judged.length > 0) return 'checked';
  if (outcomes.length > 0) return 'not-run';
  if (entry?.notApplicable !== undefined) return 'not-applicable';
  // Without a declaration there are tests that this run left out.
  return entry?.missing === undefined ? 'not-run' : 'missing';
}

function unique(words: readonly string[]): string[] {
  return [...new Set(words)].filter((word) => word !== '').toSorted();
}
