// SPDX-License-Identifier: MIT
/**
 * What reporters have in common that turn a finished run into files: where the files go, silence under
 * `--list`, and a run that is red when a file could not be made.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { FullConfig, FullResult, Reporter, Suite } from '@playwright/test/reporter';
import { outcomesOf, type Outcome } from './outcome.ts';
import { reporterFailed } from './unwritten.ts';

export interface EndReportOptions {
  /** Folder of the files; `reports` unless given. */
  output?: string;
  /** Playwright's own: `list` under `--list`, when nothing runs. */
  _mode?: string;
}

export abstract class EndReport implements Reporter {
  /** Folder of the files. */
  protected readonly output: string;
  /** Nothing runs, and nothing is to be written. */
  protected readonly silent: boolean;
  #run: { config: FullConfig; suite: Suite } | undefined;

  /** What it makes, in the message when it cannot. */
  protected abstract readonly what: string;

  /** @returns the text of each file by its name in the folder */
  protected abstract files(
    outcomes: readonly Outcome[],
    result: Pick<FullResult, 'startTime' | 'duration'>,
  ): Record<string, string> | Promise<Record<string, string>>;

  constructor({ output = 'reports', _mode }: EndReportOptions = {}) {
    this.output = resolve(output);
    this.silent = _mode === 'list';
  }

  printsToStdio(): boolean {
    return false;
  }

  onBegin(config: FullConfig, suite: Suite): void {
    this.#run = { config, suite };
  }

  async onEnd(result: FullResult): Promise<{ status?: FullResult['status'] } | undefined> {
    if (this.silent || this.#run === undefined) return undefined;
    try {
      const files = await this.files(outcomesOf(this.#run.config, this.#run.suite), result);
      mkdirSync(this.output, { recursive: true });
      for (const [name, text] of Object.entries(files)) writeFileSync(join(this.output, name), text);
      return undefined;
    } catch (error) {
      return reporterFailed(this.what, error);
    }
  }
}

/** A record as the text of a JSON file. */
export function jsonText(value: object): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
