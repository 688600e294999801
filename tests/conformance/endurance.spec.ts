// SPDX-License-Identifier: MIT
/**
 * LIF-06, LIF-07: ten thousand lives of buffers, and a thousand that are cut short, leave memory, names,
 * descriptors and the module's users where they were.
 */
import {
  beginRepeating,
  count,
  expect,
  forEachStrategy,
  freeBytes,
  lifetimeOf,
  randomNumbers,
  repeat,
  test,
  type Agent,
  type Count,
} from '../../fixtures/index.ts';
import type { Course } from '../../harness/judge/observation.ts';

const SAMPLES = 10;
/**
 * Bytes that a life, and one cut short, may cost. What the rest of an emulated guest takes meanwhile was
 * measured with 12,000 lives without a driver: up to 180 KiB in all, which is 15 bytes of each.
 */
const LIFE_BYTES = 64;
const KILL_BYTES = 1024;

interface Endurance {
  agent: Agent;
  counted: () => Promise<Count>;
  /** What a tenth of it is, how many rounds that are, and what each may cost. */
  work: () => Promise<void>;
  rounds: number;
  bytes: number;
}

forEachStrategy(() => {
  // What takes long, here and elsewhere, was measured in an emulated guest of two processors: 26 s, and 24 s.
  test(
    'LIF-07 10,000 lives of a buffer leave nothing',
    { tag: '@slow' },
    async ({ agent, driver, strategy }) => {
      test.setTimeout(8 * test.info().timeout);
      const rounds = 10_000 / SAMPLES;
      const steps = await lifetimeOf(agent, driver.profile, strategy);
      const patient = agent.allowing(120_000);
      const work = async () => {
        const done = await repeat(patient, rounds, steps);
        expect(done).toEqual(steps.map(() => ({ ok: rounds, failed: {} })));
      };
      const counted = () => count(driver.profile, agent);
      await expectToLeaveNothing({ agent, counted, work, rounds, bytes: LIFE_BYTES });
    },
  );

  test(
    'LIF-06 1,000 processes that are killed at any point leave nothing',
    { tag: '@slow' },
    async ({ agent, driver, strategy, seed }, testInfo) => {
      test.setTimeout(8 * test.info().timeout);
      const rounds = 1000 / SAMPLES;
      const begin = seed ?? Date.now() % 2 ** 32;
      testInfo.annotations.push({ type: 'seed', description: String(begin) });
      const random = randomNumbers(begin);
      const steps = await lifetimeOf(agent, driver.profile, strategy);
      const work = async () => {
        for (let kill = 0; kill < rounds; kill++) {
          const child = await agent.fork();
          await beginRepeating(child, 1_000_000, steps);
          await Promise.all([agent.request('sleep-ms', random(12)), child.kill()]);
        }
      };
      const counted = () => count(driver.profile, agent);
      await expectToLeaveNothing({ agent, counted, work, rounds, bytes: KILL_BYTES });
    },
  );
});

async function expectToLeaveNothing({ agent, counted, work, rounds, bytes }: Endurance): Promise<void> {
  // What is allocated once and kept, is allocated here.
  await work();
  const before = await counted();
  const course: Course = { label: 'free memory', unit: 'bytes', samples: [] };
  for (let sample = 0; sample < SAMPLES; sample++) {
    course.samples.push({ rounds: sample * rounds, value: await freeBytes(agent) });
    await work();
  }
  await expect({ what: `${SAMPLES * rounds} rounds`, before, after: await counted() }).toBalance();
  await expect(course).toStayLevel(bytes);
}
