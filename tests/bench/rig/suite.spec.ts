// SPDX-License-Identifier: MIT
/**
 * The checks of the default selection on one strategy, as a user runs them, against cold boots of the same
 * guest: in all, with 1 and 2 workers and with both isolations (`suite`), and what isolation per test adds to
 * one test on average (`isolation`), which is the difference of two of these runs. What is measured beside them
 * (tests/bench) has the machine for itself, and is counted once, with them (`suite/other`). For all, the
 * processor time of the guests and of the rig, spread evenly over the processors of this machine: so
 * long it takes at least, however well it is arranged.
 */
import { cpus } from 'node:os';
import { guests } from '../../../harness/target/guests.ts';
import { ProcessorTimes } from '../../../harness/measure/processor-time.ts';
import type { TargetFacts } from '../../../harness/target/target.ts';
import { factsIn } from './facts-in.ts';
import { expect, test } from './rig-test.ts';

const ROUNDS = 3;
const OTHER_STRATEGIES = '@offset-cookie|@offset-aperture|@offset-physical|@dma-buf';

interface Way {
  workers: number;
  isolation: 'worker' | 'test';
  rounds: number;
  /** With the throughput, too. */
  measuring?: true;
}

/** Seconds of one run. */
interface Taken {
  all: number;
  /** Tests that passed. */
  tests: number;
  /** Processor time of the emulator, over the number of processors. */
  guests: number;
  /** Likewise, of everything else. */
  rig: number;
}

const SHARED: Way = { workers: 2, isolation: 'worker', rounds: ROUNDS };
const OWN: Way = { workers: 2, isolation: 'test', rounds: ROUNDS };
const ways: readonly Way[] = [
  SHARED,
  OWN,
  { workers: 1, isolation: 'worker', rounds: 1 },
  { workers: 1, isolation: 'test', rounds: 1 },
  { workers: 2, isolation: 'worker', rounds: 1, measuring: true },
];
const parts = [
  ['guests', 'processor time of the guests alone, over the number of processors'],
  ['rig', 'processor time of the rig alone, likewise'],
] as const;

test('suite, isolation: the default selection on one strategy against cold boots', async ({
  coldBoot,
  record,
  rig,
}) => {
  const taken = new Map(ways.map((way) => [way, [] as Taken[]]));
  const boots: number[] = [];
  let tests = 0;
  let facts: TargetFacts | undefined;
  // What is built or fetched once, is now.
  await coldBoot();
  for (let round = 0; round < ROUNDS; round++) {
    boots.push((await coldBoot()) / 1000);
    for (const way of ways.filter(({ rounds }) => round < rounds)) {
      const { isolation, workers } = way;
      const run = rig.start({
        project: guests[0].name,
        grepInvert: way.measuring ? OTHER_STRATEGIES : `${OTHER_STRATEGIES}|@bench`,
        workers,
        env: { BUFRIG_ISOLATION: isolation },
      });
      const times = new ProcessorTimes(run.pid);
      const result = await run.result().finally(() => times.stop());
      expect(result.summary.red, 'what went wrong in the suite').toEqual([]);
      const passed = result.summary.claims.pass;
      taken.get(way)?.push({ all: result.seconds, tests: passed, ...sharesOf(times.stop()) });
      if (way === SHARED) tests = passed;
      facts = factsIn(result);
    }
  }
  expect(tests, 'tests that passed').toBeGreaterThan(100);
  if (facts === undefined) return;
  const common = { unit: 's', better: 'lower' } as const;
  const against = (rounds: number) => ({ title: 'a cold boot to a login', samples: boots.slice(0, rounds) });
  for (const way of ways) {
    const { workers, isolation, rounds, measuring } = way;
    const samples = taken.get(way) ?? [];
    const how = `${workers} workers, isolation per ${isolation}${measuring ? ', throughput measured, too' : ''}`;
    const key = `${workers}-${isolation}${measuring ? '-measuring' : ''}`;
    const baseline = against(rounds);
    await record(facts, {
      ...common,
      id: way === SHARED ? 'suite' : `suite/other/${key}`,
      title: `${samples[0]?.tests} tests, ${how}`,
      samples: samples.map(({ all }) => all),
      baseline,
    });
    await record(facts, {
      ...common,
      id: `suite/per-test/${key}`,
      title: `one test on average, ${how}`,
      samples: samples.map((run) => run.all / run.tests),
      baseline,
    });
    for (const [part, title] of parts) {
      await record(facts, {
        ...common,
        id: `suite/processors/${key}/${part}`,
        title: `${title}, ${how}`,
        samples: samples.map((each) => each[part]),
        baseline,
      });
    }
  }
  const added = (part: keyof Taken) =>
    (taken.get(OWN) ?? []).map(
      (own, round) => (own[part] - (taken.get(SHARED)?.[round]?.[part] ?? Number.NaN)) / tests,
    );
  await record(facts, {
    ...common,
    id: 'isolation',
    title: `what isolation per test adds to each of ${tests} tests, 2 workers`,
    samples: added('all'),
    baseline: against(ROUNDS),
  });
  for (const [part, title] of parts) {
    await record(facts, {
      ...common,
      id: `isolation/processors/${part}`,
      title: `of that: ${title}`,
      samples: added(part),
      baseline: against(ROUNDS),
    });
  }
});

/** @param seconds of processor time, by program */
function sharesOf(seconds: ReadonlyMap<string, number>): Pick<Taken, 'guests' | 'rig'> {
  const shares = { guests: 0, rig: 0 };
  for (const [program, each] of seconds) {
    shares[program.startsWith('qemu-system-') ? 'guests' : 'rig'] += each / cpus().length;
  }
  return shares;
}
