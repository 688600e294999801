// SPDX-License-Identifier: MIT
/** What is on record about a driver: a run is green only while the driver fails as recorded. */
import { fileURLToPath } from 'node:url';
import { expect } from '@playwright/test';
import { failedAsRecorded, recordFor, type Deviation } from '../../harness/profile/deviations.ts';
import type { DriverProfile } from '../../harness/profile/profile.ts';
import { profiles } from '../../harness/profile/profiles.ts';
import { catalogue } from '../../harness/report/catalogue.ts';
import { summaryOf, test } from './inline-claims.ts';

const record: Deviation = {
  claim: 'MAP-09',
  title: 'before it is touched',
  strategies: ['dma-buf'],
  kernels: { from: [6, 1], before: [6, 12] },
  says: /show the wrong memory/,
  reason: 'a fault shows the wrong page',
  source: 'a kernel file',
};

const checked = {
  title: 'MAP-09 a mapping that is cut before it is touched shows the right pages',
  strategy: 'dma-buf',
  kernelRelease: '6.1.0-56-arm64',
} as const;

test('a record is about a claim, a title, ways to get at buffers, and kernels', () => {
  const found = (more: object) => recordFor([record], { ...checked, ...more });
  expect(found({})).toBe(record);
  expect(found({ title: 'MAP-09 something else' })).toBeUndefined();
  expect(found({ title: 'MAP-08 a mapping that is cut before it is touched' })).toBeUndefined();
  expect(found({ strategy: 'fd-per-buffer' })).toBeUndefined();
  expect(found({ kernelRelease: '6.12.95+deb12-arm64' })).toBeUndefined();
  expect(found({ kernelRelease: '5.10.0' })).toBeUndefined();
  const both = { ...checked, title: 'MAP-08 MAP-09 cut before it is touched' };
  expect(recordFor([record], both), 'a test of two claims').toBe(record);
});

test('every error must be the recorded one; crashes and the lab’s trouble are never meant by mistake', () => {
  const error = 'Error: x\n\npages 1-2 show the wrong memory';
  expect(failedAsRecorded(record, [error, error])).toBe(true);
  expect(failedAsRecorded(record, [])).toBe(false);
  expect(failedAsRecorded(record, [error, 'Error: something else'])).toBe(false);
  const any = { says: /[^]*/ };
  expect(failedAsRecorded(any, ['LabError [LINK_LOST]: the link broke'])).toBe(false);
  expect(failedAsRecorded(any, ['TargetHang [AGENT_SILENT]: no answer'])).toBe(false);
  expect(failedAsRecorded(any, ['KernelCrash [WARNING]: at mm/page_alloc.c'])).toBe(false);
  const crash = { ...any, crash: true } as const;
  expect(failedAsRecorded(crash, ['KernelCrash [WARNING]: at mm/page_alloc.c'])).toBe(true);
  expect(failedAsRecorded(crash, ['Error: it only failed']), 'it crashed before').toBe(false);
  const oops = { says: /^KernelCrash \[PAGING\]/, crash: true } as const;
  const here = 'KernelCrash [PAGING]: in the driver';
  expect(failedAsRecorded(oops, ['LabError [AGENT_DIED]: SIGSEGV', here]), 'what follows from it').toBe(true);
  expect(failedAsRecorded(oops, ['LabError [AGENT_MUTE]: no greeting', here])).toBe(true);
  expect(failedAsRecorded(oops, ['LabError [TARGET_DISK]: full', here])).toBe(false);
  expect(failedAsRecorded(oops, ['TargetHang [AGENT_SILENT]: no answer', here])).toBe(false);
  expect(failedAsRecorded(oops, ['Error: something else', here])).toBe(false);
  expect(failedAsRecorded(oops, [here, 'KernelCrash [WARNING]: elsewhere'])).toBe(false);
});

for (const [name, profile] of Object.entries<DriverProfile>(profiles)) {
  test(`records of ${name} are about claims that exist, and say why and who says so`, () => {
    for (const { claim, reason, source } of profile.deviations ?? []) {
      expect(Object.keys(catalogue)).toContain(claim);
      expect(reason.length, claim).toBeGreaterThan(20);
      expect(source, claim).toMatch(/\.[ch]:\w|Linux \d/);
    }
  });
}

test('a run deviates as recorded, or is red: better, otherwise, or for another reason', async ({
  suites,
}) => {
  const recorded = fileURLToPath(new URL('../../fixtures/recorded.ts', import.meta.url));
  const run = await suites.run(
    {
      'tests/conformance/known.spec.ts': `
        import { test as base, expect } from '@playwright/test';
        import { compareWithRecord } from ${JSON.stringify(recorded)};
        const record = { claim: 'MAP-09', says: /Received: 2/, reason: 'it is a pity', source: 'x.c:f' };
        const rigError = (name, message) => Object.assign(new Error(message), { name });
        const test = base.extend({
          chance: [undefined, { option: true }],
          record: [
            async ({ chance }, use, info) => { await use(); compareWithRecord(info, { ...record, chance }); },
            { auto: true },
          ],
        });
        test.describe(() => {
          test.use({ chance: true });
          test('MAP-17 wins its race', () => {});
          test('MAP-18 loses its race', () => { expect(2).toBe(1); });
        });
        test('MAP-09 fails as recorded', () => { expect(2).toBe(1); });
        test('MAP-10 fails otherwise', () => { expect(3).toBe(1); });
        test('MAP-11 got better', () => {});
        test('MAP-12 the lab breaks', () => { throw rigError('LabError [X]', 'Received: 2'); });
        test('MAP-13 the kernel breaks beside it', ({}, info) => {
          info.annotations.push({ type: 'verdict', description: 'crash' });
          expect.soft(2).toBe(1);
          throw rigError('KernelCrash [BUG]', 'Received: 2');
        });
        test('MAP-14 does not apply', () => { test.skip(true, 'has none'); });
        test('MAP-15 fails as recorded in the same worker', ({}, info) => { expect(2).toBe(1); });
      `,
    },
    [],
  );
  const summary = summaryOf(run);
  expect(run.code).toBe(1);
  expect(summary.claims).toMatchObject({ deviates: 3, pass: 1, 'not-run': 1 });
  expect(summary.deviations.map(({ claim, cause }) => `${claim} ${cause}`).toSorted()).toEqual([
    'MAP-09 it is a pity (x.c:f)',
    'MAP-15 it is a pity (x.c:f)',
    'MAP-18 it is a pity (x.c:f)',
  ]);
  const red = summary.red.map(({ claim, verdict }) => `${claim} ${verdict}`);
  expect(red.toSorted()).toEqual(['MAP-10 fail', 'MAP-11 fail', 'MAP-12 infra', 'MAP-13 crash']);
  expect(summary.red.find(({ claim }) => claim === 'MAP-11')?.cause).toContain('BETTER_THAN_RECORDED');
  expect(run.stdout).toContain('Deviates as recorded in the profile (1)');
  const allure = run
    .list('reports/allure-results')
    .filter((file) => file.endsWith('-result.json'))
    .map((file): { name: string; status: string } => JSON.parse(run.read(`reports/allure-results/${file}`)));
  const known = allure.find(({ name }) => name.startsWith('MAP-09'));
  expect(known).toMatchObject({
    status: 'passed',
    statusDetails: { message: expect.stringContaining('it is a pity') },
    labels: expect.arrayContaining([{ name: 'verdict', value: 'deviates' }]),
  });
});
