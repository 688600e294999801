// SPDX-License-Identifier: MIT
/**
 * Playwright reporter: ends a run with its summary on the terminal and in summary.json, and with an
 * exit status that tells a red lab from a red driver. List it last, so that its line is the last one.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { FullConfig, FullResult, Reporter, Suite, TestError } from '@playwright/test/reporter';
import { exitStatus, replaceExitStatus } from './exit-status.ts';
import { outcomesOf } from './outcome.ts';
import { summarizeRun, type RunSummary } from './run-summary.ts';
import { summaryText } from './summary-text.ts';
import { blamesMachine, outliveFullDisk, reporterFailed, unwrittenReports } from './unwritten.ts';

export interface SummaryOptions {
  /** Folder of summary.json; `reports` unless given. */
  output?: string;
  /** Playwright's own: `list` under `--list`, when nothing runs. */
  _mode?: string;
}

export default class SummaryReporter implements Reporter {
  readonly #output: string;
  readonly #silent: boolean;
  readonly #errors: TestError[] = [];
  #run: { config: FullConfig; suite: Suite } | undefined;
  #summary: RunSummary | undefined;

  constructor({ output = 'reports', _mode }: SummaryOptions = {}) {
    this.#output = resolve(output);
    this.#silent = _mode === 'list';
  }

  onBegin(config: FullConfig, suite: Suite): void {
    this.#run = { config, suite };
    outliveFullDisk();
  }

  onError(error: TestError): void {
    this.#errors.push(error);
  }

  // Playwright's type wants a promise here.
  // oxlint-disable-next-line typescript/require-await
  async onEnd(result: FullResult): Promise<{ status?: FullResult['status'] } | undefined> {
    if (this.#silent) return undefined;
    try {
      this.#summary = this.#summarized(result);
      mkdirSync(this.#output, { recursive: true });
      writeFileSync(join(this.#output, 'summary.json'), `${JSON.stringify(this.#summary, null, 2)}\n`);
    } catch (error) {
      const failed = reporterFailed('summary', error);
      if (!blamesMachine(error)) return failed;
      // Nobody can read it, but it can be said.
      this.#summary = this.#summarized(result);
    }
    if (this.#summary.colour === 'green') return undefined;
    if (this.#summary.colour === 'lab') replaceExitStatus(exitStatus.red, exitStatus.lab);
    // A test that Playwright passed may have left a dead kernel behind.
    return result.status === 'passed' ? { status: 'failed' } : undefined;
  }

  #summarized(result: FullResult): RunSummary {
    const outcomes = this.#run === undefined ? [] : outcomesOf(this.#run.config, this.#run.suite);
    return summarizeRun(outcomes, [...this.#errors, ...unwrittenReports().map(asLabError)], result);
  }

  // oxlint-disable-next-line typescript/require-await
  async onExit(): Promise<void> {
    if (this.#summary !== undefined) process.stdout.write(summaryText(this.#summary));
  }
}

function asLabError(what: string): TestError {
  return { message: `LabError [REPORT]: ${what}` };
}
