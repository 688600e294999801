// SPDX-License-Identifier: MIT
/** What tests of the reporters start from: small suites whose tests have a target and a driver. */
import { test as base } from '@playwright/test';
import type { RunSummary } from '../../harness/report/run-summary.ts';
import { InlineSuites, type InlineRun } from './inline-run.ts';

export const test = base.extend<{ suites: InlineSuites }>({
  // oxlint-disable-next-line no-empty-pattern
  suites: async ({}, use) => {
    const suites = new InlineSuites();
    await use(suites);
    suites.close();
  },
});

export const target = JSON.stringify({
  name: 'qemu-arm64',
  kernelRelease: '6.1.0-56-arm64',
  machine: 'aarch64',
  pageBytes: 4096,
  bootId: '1',
  details: { accelerator: 'tcg', QEMU: '7.2.22' },
});
export const driver = JSON.stringify({ profile: 'contigbuf', version: '0.1.0', commit: '0123abc+' });

/** A spec file whose tests have a target and a driver, as fixtures would say. */
export function claims(body: string): string {
  return `
    import { test, expect } from '@playwright/test';
    test.beforeEach(({}, info) => {
      info.annotations.push(
        { type: '_target', description: ${JSON.stringify(target)} },
        { type: '_driver', description: ${JSON.stringify(driver)} },
      );
    });
    const rigError = (name, message) => Object.assign(new Error(message), { name });
    ${body}
  `;
}

export function summaryOf(run: InlineRun): RunSummary {
  return JSON.parse(run.read('reports/summary.json'));
}

export interface AllureAttachment {
  name: string;
  source: string;
}

export interface AllureStep {
  attachments: AllureAttachment[];
  steps: AllureStep[];
}

export interface AllureResult extends AllureStep {
  name: string;
  status: string;
  labels: { name: string; value: string }[];
}

export function allureResults(run: InlineRun): AllureResult[] {
  return run
    .list('reports/allure-results')
    .filter((name) => name.endsWith('-result.json'))
    .map((name) => JSON.parse(run.read(`reports/allure-results/${name}`)));
}
