// SPDX-License-Identifier: MIT
/**
 * Playwright reporter: which lines of the driver's module ran, where its kernel counts them, added up over
 * all targets of a run, as module-coverage.json for programs and module-coverage.md for people. It judges
 * nothing: a run of a few tests reaches few lines. `npx bufrig coverage` judges several runs together.
 */
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { FullConfig, Suite } from '@playwright/test/reporter';
import {
  addUp,
  branchesOf,
  linesOf,
  linesRunFolder,
  type FileRun,
  type Share,
} from '../measure/lines-run.ts';
import { EndReport, jsonText } from './end-report.ts';
import { moduleCoverageText } from './module-coverage-text.ts';

/** Content of reports/module-coverage.json. */
export interface ModuleCoverage {
  version: 1;
  lines: Share;
  branches: Share;
  files: FileRun[];
}

export default class ModuleCoverageReporter extends EndReport {
  protected readonly what = 'module coverage';

  override onBegin(config: FullConfig, suite: Suite): void {
    super.onBegin(config, suite);
    if (!this.silent) rmSync(this.#folder, { recursive: true, force: true });
  }

  protected files(): Record<string, string> {
    const coverage = moduleCoverage(runsIn(this.#folder));
    if (coverage.lines.total === 0) return {};
    return {
      'module-coverage.json': jsonText(coverage),
      'module-coverage.md': moduleCoverageText(coverage),
    };
  }

  get #folder(): string {
    return join(this.output, linesRunFolder);
  }
}

/** Of one or several runs. */
export function moduleCoverage(all: readonly FileRun[]): ModuleCoverage {
  const files = addUp(all);
  return { version: 1, lines: linesOf(files), branches: branchesOf(files), files };
}

function runsIn(folder: string): FileRun[] {
  let names: string[] = [];
  try {
    names = readdirSync(folder);
  } catch {
    // No target counted lines.
  }
  return names.flatMap((name): FileRun[] => JSON.parse(readFileSync(join(folder, name), 'utf8')));
}
