// SPDX-License-Identifier: MIT
/** How many tests passed and failed, read from the summary that the rig's own reporter wrote. */
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { LabError } from '../errors.ts';

export interface Tally {
  passed: number;
  failed: number;
}

/** The part of reports/summary.json that is read here (harness/report/run-summary.ts writes it). */
interface Summary {
  claims: { pass: number };
  rig: { pass: number };
  red: unknown[];
  errors: unknown[];
}

const FILE = 'summary.json';

/** Removes the summary of an earlier run, so that it cannot be taken for this one's. */
export async function forgetResults(reports: string): Promise<void> {
  await rm(join(reports, FILE), { force: true });
}

/**
 * By verdict, not by what Playwright thought: a test that it passed may have crashed the kernel. What
 * went wrong outside of any test counts as failed.
 * @throws LabError `NO_RESULTS` when there is no summary or it says nothing
 */
export async function readTally(reports: string): Promise<Tally> {
  const file = join(reports, FILE);
  const summary = await readFile(file, 'utf8')
    .then((text): unknown => JSON.parse(text))
    .catch((cause: unknown) => {
      throw new LabError('NO_RESULTS', `the run left no results in ${file}`, { cause });
    });
  if (!isSummary(summary)) throw new LabError('NO_RESULTS', `${file} is no summary of a run`);
  const { claims, rig, red, errors } = summary;
  return { passed: claims.pass + rig.pass, failed: red.length + errors.length };
}

function isSummary(value: unknown): value is Summary {
  const { claims, rig, red, errors }: Partial<Summary> = Object(value);
  const lists = [red, errors].every(Array.isArray);
  return lists && [claims?.pass, rig?.pass].every(Number.isInteger);
}
