// SPDX-License-Identifier: MIT
/**
 * Playwright reporter: collects every attachment named `measurement` into measurements.json, so that
 * figures can be read by a program without digging through a report; and into the bench page, when
 * the run was one of `npm run bench`.
 */
import { readFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import type { FullResult, TestCase } from '@playwright/test/reporter';
import type { DriverFacts, Measurement, TargetFacts } from './contract.ts';
import { EndReport, jsonText } from './end-report.ts';
import { hostFacts, type HostFacts } from './host-facts.ts';
import type { Outcome } from './outcome.ts';
import { summarizeRun } from './run-summary.ts';
import type { Verdict } from './verdict.ts';

/** Its runs end with the page; playwright.config.ts declares it. */
const BENCH_PROJECT = 'bench';

/** Content of reports/measurements.json. */
export interface MeasurementsFile {
  version: 1;
  run: {
    startTime: string;
    duration: number;
    host: HostFacts;
    targets: TargetFacts[];
    drivers: DriverFacts[];
  };
  measurements: RecordedMeasurement[];
}

/** A measurement, and the test it was taken in: the figures of a red test are kept, and marked. */
export interface RecordedMeasurement extends Measurement {
  test: { title: string; project: string; location: string; verdict: Verdict };
}

export default class MeasurementsReporter extends EndReport {
  protected readonly what = 'measurements';

  readonly #loadBefore = loadavg();

  protected async files(
    outcomes: readonly Outcome[],
    result: Pick<FullResult, 'startTime' | 'duration'>,
  ): Promise<Record<string, string>> {
    const file = measurementsFile(outcomes, result, hostFacts(this.#loadBefore));
    const json = { 'measurements.json': jsonText(file) };
    if (!outcomes.some(({ project }) => project === BENCH_PROJECT)) return json;
    // Drawing takes a large package, which no other run has to load.
    const { benchPage } = await import('./bench-page.ts');
    return { ...json, 'bench.html': benchPage(file) };
  }
}

function measurementsFile(
  outcomes: readonly Outcome[],
  result: Pick<FullResult, 'startTime' | 'duration'>,
  host: HostFacts,
): MeasurementsFile {
  const { startTime, duration, targets, drivers } = summarizeRun(outcomes, [], result);
  return {
    version: 1,
    run: { startTime, duration, host, targets: targets.map(({ facts }) => facts), drivers },
    measurements: outcomes.flatMap(recordedIn),
  };
}

function recordedIn({ test, title, project, location, judged }: Outcome): RecordedMeasurement[] {
  const origin = { title, project, location, verdict: judged.verdict };
  return measurementsOf(test).map((measurement) => ({ ...measurement, test: origin }));
}

/** What the last attempt of a test measured. @throws SyntaxError when an attachment is not JSON */
export function measurementsOf(test: TestCase): Measurement[] {
  const attachments = test.results.at(-1)?.attachments ?? [];
  return attachments
    .filter(({ name }) => name === 'measurement')
    .map(({ body, path }) => {
      const json = body ?? (path === undefined ? undefined : readFileSync(path));
      const measurement: Measurement = JSON.parse(json?.toString() ?? '');
      return measurement;
    });
}
