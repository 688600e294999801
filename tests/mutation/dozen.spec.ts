// SPDX-License-Identifier: MIT
/**
 * A dozen defects of the driver, each of another kind, that the suite has to find whenever anything
 * changes; `npm run mutation` has all of them. Each test runs the rig itself, with a guest of its own.
 */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test, type TestInfo } from '@playwright/test';
import { Cache } from '../../harness/build/cache.ts';
import { judgeOne, uncontrolledChecks, type CampaignOptions } from '../../harness/mutation/campaign.ts';
import { mutantFrom, type Mutant } from '../../harness/mutation/mutant.ts';
import { settingsFrom } from '../../harness/settings.ts';

const project = fileURLToPath(new URL('../..', import.meta.url));

const dozen = ['P01', 'P06', 'P09', 'P19', 'P20', 'P24', 'P28', 'P40', 'P42', 'P43', 'P45', 'P53'];

function mutantNamed(id: string): Promise<Mutant> {
  return mutantFrom(join(project, 'driver', 'mutants', `${id}.diff`));
}

function optionsFor(testInfo: TestInfo): CampaignOptions {
  const { cacheRoot, searchPath } = settingsFrom(process.env, project);
  return {
    ...{ project, workers: 1, full: false, stopEarly: true },
    cache: new Cache(cacheRoot, { onProgress: () => {} }),
    searchPath,
    folder: testInfo.outputPath('runs'),
    signal: new AbortController().signal,
    environment: process.env,
    onResult: () => Promise.resolve(),
    onProgress: () => {},
  };
}

// oxlint-disable-next-line no-empty-pattern
test('the driver as it is passes every check that the dozen name', async ({}, testInfo) => {
  const mutants = await Promise.all(dozen.map(mutantNamed));
  expect(await uncontrolledChecks(mutants, optionsFor(testInfo))).toEqual({});
});

for (const id of dozen) {
  // oxlint-disable-next-line no-empty-pattern
  test(`${id} is found by a check that it names`, async ({}, testInfo) => {
    const result = await judgeOne(await mutantNamed(id), optionsFor(testInfo));
    testInfo.annotations.push({
      type: 'found',
      description: `${result.check ?? 'nobody'}: ${result.message}`,
    });
    expect(result, result.what).toMatchObject({ outcome: 'killed' });
  });
}
