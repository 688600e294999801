// SPDX-License-Identifier: MIT
/**
 * The default selection on one strategy, as a user runs it, against cold boots of the same guest: in
 * all, with 1 and 2 workers and with both isolations (`suite`), and what isolation per test adds to
 * one test on average (`isolation`), which is the difference of two of these runs.
 */
import { guests } from '../../../harness/target/guests.ts';
import type { TargetFacts } from '../../../harness/target/target.ts';
import { factsIn } from './facts-in.ts';
import { expect, test } from './rig-test.ts';

const ROUNDS = 3;
const OTHER_STRATEGIES = '@offset-cookie|@offset-aperture|@offset-physical|@dma-buf';

interface Way {
  workers: number;
  isolation: 'worker' | 'test';
  rounds: number;
}

const ways: Way[] = [
  { workers: 2, isolation: 'worker', rounds: ROUNDS },
  { workers: 2, isolation: 'test', rounds: ROUNDS },
  { workers: 1, isolation: 'worker', rounds: 1 },
  { workers: 1, isolation: 'test', rounds: 1 },
];

test('suite, isolation: the default selection on one strategy against cold boots', async ({
  coldBoot,
  record,
  rig,
}) => {
  const seconds = new Map(ways.map((way) => [way, [] as number[]]));
  const boots: number[] = [];
  let tests = 0;
  let facts: TargetFacts | undefined;
  // What is built or fetched once, is now.
  await coldBoot();
  for (let round = 0; round < ROUNDS; round++) {
    boots.push((await coldBoot()) / 1000);
    for (const way of ways.filter(({ rounds }) => round < rounds)) {
      const { isolation, workers } = way;
      const result = await rig.run({
        project: guests[0].name,
        grepInvert: OTHER_STRATEGIES,
        workers,
        env: { BUFRIG_ISOLATION: isolation },
      });
      expect(result.summary.red, 'what went wrong in the suite').toEqual([]);
      seconds.get(way)?.push(result.seconds);
      tests = result.summary.claims.pass;
      facts = factsIn(result);
    }
  }
  expect(tests, 'tests that passed').toBeGreaterThan(100);
  if (facts === undefined) return;
  const common = { unit: 's', better: 'lower' } as const;
  for (const way of ways) {
    const { workers, isolation, rounds } = way;
    const id = workers === 2 && isolation === 'worker' ? 'suite' : `suite/other/${workers}-${isolation}`;
    const samples = seconds.get(way) ?? [];
    await record(facts, {
      ...common,
      id,
      title: `${tests} tests, ${workers} workers, isolation per ${isolation}`,
      samples,
      baseline: { title: 'a cold boot to a login', samples: boots.slice(0, rounds) },
    });
    await record(facts, {
      ...common,
      id: `suite/per-test/${workers}-${isolation}`,
      title: `one test on average, ${workers} workers, isolation per ${isolation}`,
      samples: samples.map((each) => each / tests),
      baseline: { title: 'a cold boot to a login', samples: boots.slice(0, rounds) },
    });
  }
  const [shared = [], own = []] = ways.map((way) => seconds.get(way) ?? []);
  await record(facts, {
    ...common,
    id: 'isolation',
    title: `what isolation per test adds to each of ${tests} tests, 2 workers`,
    samples: own.map((each, round) => (each - (shared[round] ?? Number.NaN)) / tests),
    baseline: { title: 'a cold boot to a login', samples: boots },
  });
});
