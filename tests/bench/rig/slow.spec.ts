// SPDX-License-Identifier: MIT
/** What each check takes that is tagged slow, on one strategy and with one worker, against a cold boot. */
import { guests } from '../../../harness/target/guests.ts';
import { factsIn } from './facts-in.ts';
import { expect, test } from './rig-test.ts';

/** The other strategies; and of the parts of one long check all but the first. */
const LEFT_OUT = '@offset-cookie|@offset-aperture|@offset-physical|@dma-buf|part [2-9] of';
const BOOTS = 3;

test('slow: what takes long by itself against a cold boot', async ({ coldBoot, record, rig }) => {
  // What is built or fetched once, is now.
  await coldBoot();
  const boots: number[] = [];
  for (let boot = 0; boot < BOOTS; boot++) boots.push((await coldBoot()) / 1000);
  const result = await rig.run({
    project: guests[0].name,
    grep: '@slow',
    grepInvert: LEFT_OUT,
    env: { BUFRIG_SLOW: '1', BUFRIG_ISOLATION: 'worker' },
  });
  expect(result.summary.red, 'what went wrong').toEqual([]);
  const ran = result.tests.filter(({ status }) => status === 'expected');
  expect(ran.length, 'tests that ran').toBeGreaterThan(0);
  for (const { title, duration } of ran) {
    await record(factsIn(result), {
      ...{ id: `slow/${title.replaceAll(/[^\w]+/g, '-')}`, title, unit: 's', better: 'lower' },
      samples: [duration / 1000],
      baseline: { title: 'a cold boot to a login', samples: boots },
    });
  }
});
