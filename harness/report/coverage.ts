// SPDX-License-Identifier: MIT
/**
 * Playwright reporter: the catalogue against the tests that really ran, as coverage.json for programs
 * and coverage.md for people. It judges nothing; a hole in the catalogue does not make a run red.
 */
import type { TestCase } from '@playwright/test/reporter';
import { catalogue } from './catalogue.ts';
import type { RigAnnotation } from './contract.ts';
import { coverageOf, type ClaimOutcome, type CoverageRow } from './coverage-rows.ts';
import { coverageText } from './coverage-text.ts';
import { EndReport, jsonText } from './end-report.ts';
import type { Outcome } from './outcome.ts';
import { blamesLab } from './run-summary.ts';

/** Content of reports/coverage.json. */
export interface CoverageFile {
  version: 1;
  rows: CoverageRow[];
}

export default class CoverageReporter extends EndReport {
  protected readonly what = 'coverage';

  protected files(outcomes: readonly Outcome[]): Record<string, string> {
    const rows = coverageOf(catalogue, outcomes.filter(({ about }) => about === 'driver').map(claimOutcome));
    const file: CoverageFile = { version: 1, rows };
    return { 'coverage.json': jsonText(file), 'coverage.md': coverageText(rows) };
  }
}

function claimOutcome({ test, project, judged }: Outcome): ClaimOutcome {
  return {
    title: test.title,
    project,
    strategy: strategyOf(test),
    verdict: judged.verdict,
    cause: blamesLab(judged.verdict) || judged.verdict === 'deviates' ? judged.cause : '',
    witnesses: annotated(test, '_witness'),
  };
}

/** The describe block of fixtures/strategies.ts tags its tests; others carry the tag themselves. */
function strategyOf({ tags }: TestCase): string {
  const other = new Set(['@bench', '@slow', '@fuzz']);
  return tags.find((tag) => !other.has(tag))?.slice(1) ?? '';
}

function annotated(test: TestCase, type: RigAnnotation['type']): string[] {
  const all = test.results.at(-1)?.annotations ?? [];
  return all.flatMap((annotation) => (annotation.type === type ? (annotation.description ?? []) : []));
}
