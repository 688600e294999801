// SPDX-License-Identifier: MIT
/**
 * Playwright reporter: collects every attachment named `measurement` into measurements.json, so that
 * figures can be read by a program without digging through a report.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { FullConfig, FullResult, Reporter, Suite, TestCase } from '@playwright/test/reporter';
import { reporterFailed } from './exit-status.ts';
import type { DriverFacts, Measurement, TargetFacts } from './contract.ts';
import { outcomesOf, type Outcome } from './outcome.ts';
import { summarizeRun } from './run-summary.ts';
import type { Verdict } from './verdict.ts';

/** Content of reports/measurements.json. */
export interface MeasurementsFile {
  version: 1;
  run: { startTime: string; duration: number; targets: TargetFacts[]; drivers: DriverFacts[] };
  measurements: RecordedMeasurement[];
}

/** A measurement, and the test it was taken in: the figures of a red test are kept, and marked. */
export interface RecordedMeasurement extends Measurement {
  test: { title: string; project: string; location: string; verdict: Verdict };
}

export interface MeasurementsOptions {
  /** Folder of measurements.json; `reports` unless given. */
  output?: string;
  _mode?: string;
}

export default class MeasurementsReporter implements Reporter {
  readonly #output: string;
  readonly #silent: boolean;
  #run: { config: FullConfig; suite: Suite } | undefined;

  constructor({ output = 'reports', _mode }: MeasurementsOptions = {}) {
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
  async onEnd(result: FullResult): Promise<{ status?: FullResult['status'] } | undefined> {
    if (this.#silent || this.#run === undefined) return undefined;
    try {
      const outcomes = outcomesOf(this.#run.config, this.#run.suite);
      mkdirSync(this.#output, { recursive: true });
      const content = JSON.stringify(measurementsFile(outcomes, result), null, 2);
      writeFileSync(join(this.#output, 'measurements.json'), `${content}\n`);
      return undefined;
    } catch (error) {
      return reporterFailed('measurements', error);
    }
  }
}

function measurementsFile(outcomes: readonly Outcome[], result: FullResult): MeasurementsFile {
  const { startTime, duration, targets, drivers } = summarizeRun(outcomes, [], result);
  return {
    version: 1,
    run: { startTime, duration, targets: targets.map(({ facts }) => facts), drivers },
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
