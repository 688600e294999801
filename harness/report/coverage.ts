// SPDX-License-Identifier: MIT
/**
 * Playwright reporter: the catalogue against the tests that really ran, as coverage.json for programs
 * and coverage.md for people. It judges nothing; a hole in the catalogue does not make a run red.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { FullConfig, FullResult, Reporter, Suite, TestCase } from '@playwright/test/reporter';
import { catalogue } from './catalogue.ts';
import type { RigAnnotation } from './contract.ts';
import { coverageOf, type ClaimOutcome, type CoverageRow } from './coverage-rows.ts';
import { coverageText } from './coverage-text.ts';
import { reporterFailed } from './exit-status.ts';
import { outcomesOf } from './outcome.ts';

/** Content of reports/coverage.json. */
export interface CoverageFile {
  version: 1;
  rows: CoverageRow[];
}

export interface CoverageOptions {
  /** Folder of both files; `reports` unless given. */
  output?: string;
  _mode?: string;
}

export default class CoverageReporter implements Reporter {
  readonly #output: string;
  readonly #silent: boolean;
  #run: { config: FullConfig; suite: Suite } | undefined;

  constructor({ output = 'reports', _mode }: CoverageOptions = {}) {
    this.#output = resolve(output);
    this.#silent = _mode === 'list';
  }

  printsToStdio(): boolean {
    return false;
  }

  onBegin(config: FullConfig, suite: Suite): void {
    this.#run = { config, suite };
  }

  // oxlint-disable-next-line typescript/require-await
  async onEnd(): Promise<{ status?: FullResult['status'] } | undefined> {
    if (this.#silent || this.#run === undefined) return undefined;
    try {
      const outcomes = outcomesOf(this.#run.config, this.#run.suite)
        .filter(({ about }) => about === 'driver')
        .map(({ test, project, judged }): ClaimOutcome => ({
          title: test.title,
          project,
          strategy: strategyOf(test),
          verdict: judged.verdict,
          cause: judged.verdict === 'not-run' ? judged.cause : '',
          witnesses: annotated(test, '_witness'),
        }));
      const rows = coverageOf(catalogue, outcomes);
      const file: CoverageFile = { version: 1, rows };
      mkdirSync(this.#output, { recursive: true });
      writeFileSync(join(this.#output, 'coverage.json'), `${JSON.stringify(file, null, 2)}\n`);
      writeFileSync(join(this.#output, 'coverage.md'), coverageText(rows));
      return undefined;
    } catch (error) {
      return reporterFailed('coverage', error);
    }
  }
}

/** The describe block of fixtures/strategies.ts tags its tests; others carry the tag themselves. */
function strategyOf({ tags }: TestCase): string {
  const other = new Set(['@bench', '@slow']);
  return tags.find((tag) => !other.has(tag))?.slice(1) ?? '';
}

function annotated(test: TestCase, type: RigAnnotation['type']): string[] {
  const all = test.results.at(-1)?.annotations ?? [];
  return all.flatMap((annotation) => (annotation.type === type ? (annotation.description ?? []) : []));
}
