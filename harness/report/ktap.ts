// SPDX-License-Identifier: MIT
/** Playwright reporter: the run as results.ktap. */
import { EndReport } from './end-report.ts';
import { ktapText } from './ktap-text.ts';
import type { Outcome } from './outcome.ts';

export default class KtapReporter extends EndReport {
  protected readonly what = 'KTAP results';

  protected files(outcomes: readonly Outcome[]): Record<string, string> {
    return { 'results.ktap': ktapText(outcomes) };
  }
}
