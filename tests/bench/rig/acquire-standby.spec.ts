// SPDX-License-Identifier: MIT
/**
 * A pristine target with the driver loaded and the agent answering, while one stands by, against a
 * cold boot of the same guest that ends at its login. It is acquired as a test acquires it.
 */
import { expect, rigTest as test, timed } from '../../../fixtures/rig-bench.ts';
import type { ReadyTarget } from '../../../harness/supply/ready-target.ts';
import { Supply, type Making } from '../../../harness/supply/supply.ts';
import type { TargetFacts } from '../../../harness/target/target.ts';

const SAMPLES = 10;

test('acquire-standby: a pristine target that stands by', async ({ making, coldBoot, record }, testInfo) => {
  let standby: Promise<unknown> = Promise.resolve();
  const watched: Making<ReadyTarget> = {
    ahead: making.ahead,
    make: (signal) => {
      const made = making.make(signal);
      standby = made;
      return made;
    },
    handOver: (ready) => making.handOver(ready),
    finish: (ready) => making.finish(ready),
    dispose: (ready) => making.dispose(ready),
  };
  const supply = new Supply(watched);
  const occasion = { isolation: 'test', file: testInfo.file } as const;
  const [taken, boots]: [number[], number[]] = [[], []];
  let facts: TargetFacts | undefined;
  // From the second one on, the next is made while one is used.
  for (const warmUp of [occasion, occasion]) {
    await supply.acquire(warmUp);
    await supply.release();
  }
  for (let sample = 0; sample < SAMPLES; sample++) {
    // A test takes its time; nothing is measured while the next one is made ready.
    await standby;
    boots.push(await coldBoot());
    taken.push(
      await timed(async () => {
        const ready = await supply.acquire(occasion);
        // A guest that was booted instead would be measured as what it is not.
        expect(ready.target.origin).toBe('restored');
        facts = ready.target.facts;
        const agent = await ready.startAgent();
        await agent.request('pid');
      }),
    );
    await supply.release();
  }
  await supply.close();
  expect(taken).toHaveLength(SAMPLES);
  if (facts === undefined) return;
  await record(facts, {
    id: 'acquire-standby',
    title: 'standing by, driver loaded, agent answering',
    unit: 'ms',
    better: 'lower',
    samples: taken,
    baseline: { title: 'a cold boot to a login', samples: boots },
  });
});
