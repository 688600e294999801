// SPDX-License-Identifier: MIT
/** How many tests passed and failed, read from the report that Playwright itself wrote. */
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { LabError } from '../errors.ts';

export interface Tally {
  passed: number;
  failed: number;
}

interface PlaywrightReport {
  stats: { expected: number; unexpected: number; flaky: number };
  errors: unknown[];
}

/** Removes the report of an earlier run, so that it cannot be taken for this one's. */
export async function forgetResults(reports: string): Promise<void> {
  await rm(join(reports, 'results.json'), { force: true });
}

/**
 * A test that passed only when tried again is a failure; so is an error outside any test.
 * @throws LabError `NO_RESULTS` when there is no report or it says nothing
 */
export async function readTally(reports: string): Promise<Tally> {
  const file = join(reports, 'results.json');
  const report = await readFile(file, 'utf8')
    .then((text): unknown => JSON.parse(text))
    .catch((cause: unknown) => {
      throw new LabError('NO_RESULTS', `Playwright left no results in ${file}`, { cause });
    });
  if (!isReport(report)) throw new LabError('NO_RESULTS', `${file} is no report of Playwright's`);
  const { expected, unexpected, flaky } = report.stats;
  return { passed: expected, failed: unexpected + flaky + report.errors.length };
}

function isReport(value: unknown): value is PlaywrightReport {
  const { stats, errors }: Partial<PlaywrightReport> = Object(value);
  return [stats?.expected, stats?.unexpected, stats?.flaky].every(Number.isInteger) && Array.isArray(errors);
}
