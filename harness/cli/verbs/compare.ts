// SPDX-License-Identifier: MIT
/** `npx bufrig compare`: several runs, of other drivers or on other kernels, as one table. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { comparisonText, joined, type ComparedRun } from '../../report/comparison.ts';
import type { CoverageFile } from '../../report/coverage.ts';
import type { RunSummary } from '../../report/run-summary.ts';
import { exit, type Verb } from '../verb.ts';

export const compare: Verb = {
  summary:
    'put the reports of several runs side by side, as a table in Markdown; parts of one run share a column',
  usage: 'REPORTS-FOLDER...',
  async run({ terminal }, folders) {
    if (folders.length === 0) {
      terminal.line('which runs? npx bufrig compare reports-of-one reports-of-another');
      return exit.notSetUp;
    }
    terminal.line(comparisonText(joined(await Promise.all(folders.map(readRun)))));
    return exit.ok;
  },
};

async function readRun(folder: string): Promise<ComparedRun> {
  const summary: RunSummary = JSON.parse(await readFile(join(folder, 'summary.json'), 'utf8'));
  const coverage: CoverageFile = JSON.parse(await readFile(join(folder, 'coverage.json'), 'utf8'));
  return {
    driver: summary.drivers.map(({ profile }) => profile).join(', '),
    kernelRelease: [...new Set(summary.targets.map(({ facts }) => facts.kernelRelease))].join(', '),
    rows: coverage.rows,
  };
}
