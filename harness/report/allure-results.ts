// SPDX-License-Identifier: MIT
/**
 * Completes the results that allure-playwright wrote with what only the rig knows: the verdict (a
 * test that Playwright passed may have crashed the kernel), the property, the environment, and the
 * measured values as Allure's native metrics.
 */
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { randomUUID } from 'node:crypto';
import type { Measurement } from './contract.ts';
import { measurementsOf } from './measurements.ts';
import { describeDriver, type Outcome } from './outcome.ts';
import type { Judged, Verdict } from './verdict.ts';

/** The parts of Allure's `*-result.json` that are read or changed here. */
interface AllureResult {
  name: string;
  status: string;
  statusDetails?: { message?: string; trace?: string };
  labels: { name: string; value: string }[];
  parameters: { name: string; value: string }[];
}

const statusOf: Record<Verdict, string> = {
  pass: 'passed',
  // Neither a pass nor anything new: its record is told with it.
  deviates: 'passed',
  fail: 'failed',
  crash: 'failed',
  hang: 'failed',
  infra: 'broken',
  'not-run': 'skipped',
};

const severityOf: Partial<Record<Verdict, string>> = { crash: 'blocker', hang: 'critical' };

/** Adds what the rig knows to every result in `folder`. @throws Error when a test left no result */
export function completeResults(folder: string, outcomes: readonly Outcome[]): void {
  const byKey = new Map<string, Outcome>();
  for (const outcome of outcomes) byKey.set(keyOfTest(outcome), outcome);
  const profiles = new Set(outcomes.flatMap(({ driver }) => driver?.profile ?? []));
  // A test that never got to its driver belongs with the others when there is only one.
  const tested = profiles.size === 1 ? ([...profiles][0] ?? 'the driver') : 'the driver';
  const unseen = new Set(outcomes.filter(({ test }) => test.results.length > 0));

  for (const name of readdirSync(folder).filter((file) => file.endsWith('-result.json'))) {
    const path = join(folder, name);
    const result: AllureResult = JSON.parse(readFileSync(path, 'utf8'));
    const outcome = byKey.get(keyOfResult(result));
    if (outcome === undefined) continue;
    unseen.delete(outcome);
    complete(result, outcome, tested);
    writeFileSync(path, JSON.stringify(result));
  }
  const [missing] = unseen;
  if (missing !== undefined) {
    throw new Error(`${unseen.size} test(s) left no Allure result, the first is ${missing.title}`);
  }
}

function complete(result: AllureResult, outcome: Outcome, tested: string): void {
  const { judged, about, driver, story, claim, target } = outcome;
  const retried = result.parameters.some(({ name }) => name === 'Retry');
  const has = (name: string) => result.labels.some((label) => label.name === name);
  const add = (name: string, value: string | undefined) => {
    if (value !== undefined && value !== '' && !has(name)) result.labels.push({ name, value });
  };
  add('verdict', judged.verdict);
  add('epic', about === 'rig' ? 'The rig itself' : `Claims about ${driver?.profile ?? tested}`);
  add('story', story);
  add('claim', claim);
  add('target', target?.name);
  add('severity', severityOf[judged.verdict]);
  if (!retried) result.status = allureStatus(judged);
  const { cause } = judged;
  if (cause !== '' && !(result.statusDetails?.message ?? '').includes(cause)) {
    const said = result.statusDetails?.message;
    result.statusDetails = {
      ...result.statusDetails,
      message: said === undefined ? cause : `${cause}\n\n${said}`,
    };
  }
}

function allureStatus({ verdict, undeclared }: Judged): string {
  return undeclared ? 'broken' : statusOf[verdict];
}

// allure-playwright keeps no test id; suite, title and repetition name a test as well.
function keyOfTest({ test }: Outcome): string {
  const repeated = (test.parent.project()?.repeatEach ?? 1) > 1;
  const title = test.title.split(' ').filter(Boolean).join(' ');
  return [test.parent.titlePath().join(' > '), title, repeated ? `${test.repeatEachIndex + 1}` : ''].join(
    '\n',
  );
}

function keyOfResult({ labels, name, parameters }: AllureResult): string {
  const suite = labels.find((label) => label.name === 'titlePath')?.value ?? '';
  const repetition = parameters.find((parameter) => parameter.name === 'Repetition')?.value ?? '';
  return [suite, name, repetition].join('\n');
}

/** Writes environment.properties: a property that differs between tests names every value. */
export function writeEnvironment(
  folder: string,
  outcomes: readonly Outcome[],
  more: [string, string][],
): void {
  const values = new Map<string, Set<string>>();
  const add = (name: string, value: string) => {
    if (value !== '') values.set(name, (values.get(name) ?? new Set()).add(value));
  };
  for (const { target, driver } of outcomes) {
    if (target !== undefined) {
      add('target', target.name);
      add('kernel release', target.kernelRelease);
      add('machine', target.machine);
      add('page size', `${target.pageBytes} bytes`);
      for (const [name, value] of Object.entries(target.details)) add(name, value);
    }
    if (driver !== undefined) add('driver', describeDriver(driver));
  }
  for (const [name, value] of more) add(name, value);
  const lines = [...values].map(([name, all]) => `${escapeKey(name)}=${[...all].map(escape).join(', ')}`);
  writeFileSync(join(folder, 'environment.properties'), `${lines.join('\n')}\n`);
}

const escape = (text: string) => text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
const escapeKey = (text: string) => escape(text).replaceAll(/[ :=]/g, (character) => `\\${character}`);

/**
 * Writes the medians as Allure's native metrics, which it follows from run to run. One value per
 * measurement: Allure would average the samples, and a mean is what an interrupt makes of it.
 */
export function writeMetrics(folder: string, outcomes: readonly Outcome[]): void {
  const metrics = outcomes.flatMap(({ test }) => {
    const result = test.results.at(-1);
    const start = result?.startTime.getTime() ?? 0;
    const stop = start + (result?.duration ?? 0);
    return measurementsOf(test).flatMap((measurement) =>
      metricsOf(measurement).map((metric) => ({ id: randomUUID(), start, stop, ...metric })),
    );
  });
  if (metrics.length > 0) writeFileSync(join(folder, 'bufrig-perf.json'), JSON.stringify(metrics));
}

function metricsOf({ id, title, unit, better, median, ratio, baseline, context }: Measurement): object[] {
  const { target } = context;
  const metric = { key: `${target}.${id}`, value: median, unit, better, title, group: target };
  if (ratio === undefined) return [metric];
  const versus = `${title}, ratio to ${baseline?.title ?? 'the baseline'}`;
  return [
    metric,
    { ...metric, key: `${metric.key}.ratio`, value: ratio.median, unit: 'ratio', title: versus },
  ];
}
