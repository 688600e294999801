// SPDX-License-Identifier: MIT
/**
 * One runner and many boards: SSH servers in this process, each with a connection of its own on which
 * commands run one after the other. Time and memory have to grow in a straight line, and no board
 * may wait while others are served.
 */
import { setFlagsFromString } from 'node:v8';
import { setTimeout } from 'node:timers/promises';
import { runInNewContext } from 'node:vm';
import { expect, rigTest as test, timed } from '../../../fixtures/rig-bench.ts';
import { Deadline } from '../../../harness/deadline.ts';
import { summarize } from '../../../harness/measure/statistics.ts';
import { Connection } from '../../../harness/target/ssh/connection.ts';
import type { TargetFacts } from '../../../harness/target/target.ts';
import { FaultyServer } from '../../selftest/ssh-server.ts';
import { recordGrowth } from './growth.ts';

const COUNTS = [1, 10, 25, 50, 100];
const COMMANDS = 20;
const ROUNDS = 5;
const MIB = 1024 * 1024;
/** Less than this may come and go all the time. */
const STEP_BYTES = 64 * 1024;

/** There is no machine behind these boards. */
const facts: TargetFacts = {
  name: 'simulated boards',
  kernelRelease: process.version,
  machine: process.arch,
  pageBytes: 4096,
  bootId: 'none',
  accelerator: 'none',
  details: {},
};

interface Round {
  boards: number;
  milliseconds: number;
  bytes: number;
  /** Milliseconds that each board took for all its commands. */
  waits: number[];
}

test('boards-100: time, memory and fairness with up to 100 simulated boards', async ({ record }) => {
  // What is compiled and allocated once, is now.
  await drive(10);
  const rounds: Round[][] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const curve: Round[] = [];
    for (const boards of COUNTS) curve.push(await drive(boards));
    rounds.push(curve);
  }
  const curves = (y: (round: Round) => number) =>
    rounds.map((curve) => curve.map((round) => ({ x: round.boards, y: y(round) })));
  const common = { id: 'boards-100', axis: 'boards' };
  await recordGrowth(record, facts, {
    ...common,
    what: `time to drive all boards, ${COMMANDS} commands each`,
    unit: 'ms',
    rounds: curves(({ milliseconds }) => milliseconds),
  });
  await recordGrowth(record, facts, {
    ...common,
    what: 'memory of runner and servers',
    unit: 'MiB',
    rounds: curves(({ bytes }) => bytes / MIB),
  });
  const fullest = rounds.map((curve) => curve.at(-1)?.waits ?? []);
  for (const waits of fullest)
    expect(waits, 'boards that got all their answers').toHaveLength(COUNTS.at(-1) ?? 0);
  await record(facts, {
    id: 'boards-100/starvation',
    title: 'the board that waited longest',
    unit: 'ms',
    better: 'lower',
    samples: fullest.map((waits) => Math.max(...waits)),
    baseline: {
      title: 'the median of all boards',
      samples: fullest.map((waits) => summarize(waits).median),
    },
  });
});

async function drive(boards: number): Promise<Round> {
  const before = await memoryInUse();
  const servers = await Promise.all(Array.from({ length: boards }, () => FaultyServer.start()));
  const deadline = Deadline.in(120_000);
  const waits: number[] = [];
  let connections: Connection[] = [];
  const milliseconds = await timed(async () => {
    connections = await Promise.all(servers.map((server) => Connection.open(server.options(), deadline)));
    await Promise.all(
      connections.map(async (connection) => {
        const wait = await timed(async () => {
          for (let i = 0; i < COMMANDS; i++) await connection.exec(['true'], { deadline });
        });
        waits.push(wait);
      }),
    );
  });
  const bytes = (await memoryInUse()) - before;
  await Promise.all(connections.map((connection) => connection.close()));
  await Promise.all(servers.map((server) => server.close()));
  return { boards, milliseconds, bytes, waits };
}

/**
 * Bytes that are still referred to; what may be collected has nothing to do with boards. What a closed
 * connection leaves to be collected comes in several turns, so it is asked for until nothing more goes.
 */
async function memoryInUse(): Promise<number> {
  setFlagsFromString('--expose-gc');
  const collect: () => void = runInNewContext('gc');
  let least = Number.POSITIVE_INFINITY;
  for (let unchanged = 0; unchanged < 3;) {
    await setTimeout(20);
    collect();
    const { heapUsed, external } = process.memoryUsage();
    unchanged = heapUsed + external < least - STEP_BYTES ? 0 : unchanged + 1;
    least = Math.min(least, heapUsed + external);
  }
  return least;
}
