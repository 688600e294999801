// SPDX-License-Identifier: MIT
/**
 * A pristine target with the driver loaded and the agent answering, restored from the saved state
 * while none stands by, against a cold boot of the same guest that ends at its login.
 */
import { expect, rigTest as test, timed } from '../../../fixtures/rig-bench.ts';
import type { ReadyTarget } from '../../../harness/supply/ready-target.ts';

const SAMPLES = 10;

test('acquire-restore: a pristine target from its saved state', async ({ making, coldBoot, record }) => {
  const never = new AbortController().signal;
  const [taken, boots]: [number[], number[]] = [[], []];
  // The first one is what the others are restored from.
  await making.dispose(await making.make(never));
  await coldBoot();
  for (let sample = 0; sample < SAMPLES; sample++) {
    let ready: ReadyTarget | undefined;
    taken.push(
      await timed(async () => {
        ready = await making.make(never);
        const agent = await ready.startAgent();
        await agent.request('pid');
      }),
    );
    if (ready === undefined) continue;
    expect(ready.target.origin).toBe('restored');
    const { facts } = ready.target;
    await making.dispose(ready);
    boots.push(await coldBoot());
    if (sample < SAMPLES - 1) continue;
    await record(facts, {
      id: 'acquire-restore',
      title: 'restored, driver loaded, agent answering',
      unit: 'ms',
      better: 'lower',
      samples: taken,
      baseline: { title: 'a cold boot to a login', samples: boots },
    });
  }
});
