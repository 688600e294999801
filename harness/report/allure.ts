// SPDX-License-Identifier: MIT
/**
 * Playwright reporter: one self-contained Allure 3 report per run, made offline and without Java. It
 * stands before allure-playwright in the list of reporters: it empties the folder of results before
 * allure-playwright writes there, and makes the report when every reporter has finished.
 */
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { FullConfig, Reporter, Suite } from '@playwright/test/reporter';
import { Deadline } from '../deadline.ts';
import { runOk } from '../process.ts';
import { completeResults, writeEnvironment, writeMetrics } from './allure-results.ts';
import { exitStatus, replaceExitStatus } from './exit-status.ts';
import { outcomesOf } from './outcome.ts';
import { blamesMachine, reporterFailed } from './unwritten.ts';

export interface AllureOptions {
  /** Folder of everything Allure; `reports` unless given. */
  output?: string;
  _mode?: string;
}

export default class AllureReportReporter implements Reporter {
  readonly #results: string;
  readonly #report: string;
  readonly #silent: boolean;
  /** What lay in the folder of results before a `--list`. */
  #before: string[] = [];
  #run: { config: FullConfig; suite: Suite } | undefined;

  constructor({ output = 'reports', _mode }: AllureOptions = {}) {
    // allure-playwright writes there: its option `resultsDir` must name the same folder.
    this.#results = resolve(output, 'allure-results');
    this.#report = resolve(output, 'allure');
    this.#silent = _mode === 'list';
  }

  printsToStdio(): boolean {
    return false;
  }

  onBegin(config: FullConfig, suite: Suite): void {
    if (this.#silent) {
      this.#before = this.#names();
      return;
    }
    this.#run = { config, suite };
    // Results of an earlier run would be counted as this run's.
    rmSync(this.#results, { recursive: true, force: true });
    mkdirSync(this.#results, { recursive: true });
  }

  async onExit(): Promise<void> {
    if (this.#run === undefined) {
      this.#removeListed();
      return;
    }
    try {
      const outcomes = outcomesOf(this.#run.config, this.#run.suite);
      completeResults(this.#results, outcomes);
      writeMetrics(this.#results, outcomes);
      writeEnvironment(this.#results, outcomes, [
        ['node', process.version],
        ['playwright', this.#run.config.version],
      ]);
      const started = performance.now();
      await generateReport(this.#results, this.#report);
      const seconds = ((performance.now() - started) / 1000).toFixed(1);
      process.stdout.write(`\nAllure report: ${join(this.#report, 'index.html')} (made in ${seconds} s)\n`);
    } catch (error) {
      reporterFailed('Allure report', error);
      // The status of the run is settled by now.
      replaceExitStatus(0, blamesMachine(error) ? exitStatus.lab : exitStatus.red);
    }
  }

  /** allure-playwright takes every test that is only listed for one that was skipped. */
  #removeListed(): void {
    for (const name of this.#names()) {
      if (!this.#before.includes(name)) rmSync(join(this.#results, name));
    }
  }

  #names(): string[] {
    return existsSync(this.#results) ? readdirSync(this.#results) : [];
  }
}

/** Makes `report`/index.html, which opens from file:// and asks nothing of the network. */
async function generateReport(results: string, report: string): Promise<void> {
  const cli = join(dirname(createRequire(import.meta.url).resolve('allure')), '..', 'cli.js');
  const config = fileURLToPath(new URL('allurerc.mjs', import.meta.url));
  rmSync(report, { recursive: true, force: true });
  // Generating must not go on when the run is killed.
  const owned = ['setpriv', '--pdeathsig', 'KILL', '--', process.execPath] as const;
  await runOk([...owned, cli, 'generate', '--config', config, '--output', report, results], {
    deadline: Deadline.in(180_000),
    // What Playwright loaded itself with is no business of Allure's.
    env: { NODE_OPTIONS: undefined },
  });
  const index = join(report, 'index.html');
  writeFileSync(index, withoutAnalytics(readFileSync(index, 'utf8')));
}

/**
 * Allure's pages load Google Analytics without asking, and its option against that is not honoured.
 * @throws Error when the snippet is not where it was: a report must not call out
 */
export function withoutAnalytics(html: string): string {
  const snippet =
    /<script[^>]*src="https:\/\/www\.googletagmanager\.com\/[^"]*"[^>]*><\/script>\s*(<script>\s*window\.dataLayer[\s\S]*?<\/script>)?/g;
  const stripped = html.replace(snippet, '');
  if (/googletagmanager\.com|google-analytics\.com/.test(stripped)) {
    throw new Error('the Allure report still contains its analytics: its page has changed');
  }
  return stripped;
}
