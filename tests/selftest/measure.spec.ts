// SPDX-License-Identifier: MIT
/** The statistics: known answers, the interval's real coverage, and what is refused. */
import { expect, test } from '@playwright/test';
import { measurementOf } from '../../harness/measure/measurement.ts';
import { lookFrom, ProcessorTimes } from '../../harness/measure/processor-time.ts';
import { medianRank, summarize, summarizeRatio } from '../../harness/measure/statistics.ts';

const context = { target: 'qemu-arm64', kernel: '6.1.0', accelerator: 'tcg' };

test('the median, the spread and the minimum of known samples', () => {
  expect(summarize([5, 1, 3])).toMatchObject({ median: 3, mad: 2, min: 1, interval: [1, 5] });
  expect(summarize([4, 1, 3, 2]).median).toBe(2.5);
  expect(summarize([7])).toMatchObject({ median: 7, interval: [7, 7], mad: 0, coverage: 0 });
});

test('an outlier moves neither the median nor the interval', () => {
  const calm = Array.from({ length: 31 }, (_, index) => 100 + index);
  const disturbed = [...calm.slice(0, 30), 1e9];
  expect(summarize(disturbed)).toMatchObject({ median: 115, mad: summarize(calm).mad });
  expect(summarize(disturbed).interval).toEqual(summarize(calm).interval);
});

// Ranks of the 95 % interval of the median as printed in tables of the sign test.
for (const [n, rank] of [
  [6, 1],
  [10, 2],
  [20, 6],
  [31, 10],
  [50, 18],
  [100, 40],
] as const) {
  test(`of ${n} samples the interval reaches from the ${rank}. to the ${n + 1 - rank}.`, () => {
    expect(medianRank(n).rank).toBe(rank);
    expect(medianRank(n).coverage).toBeGreaterThanOrEqual(0.95);
    expect(medianRank(n + 1).rank).toBeGreaterThanOrEqual(rank);
  });
}

test('very many samples are ranked by the normal approximation, without a step', () => {
  expect(medianRank(1001).rank - medianRank(1000).rank).toBeLessThanOrEqual(1);
  expect(medianRank(1_000_000).rank).toBe(499_020);
});

test('five samples cannot give 95 %, and say so', () => {
  expect(medianRank(5)).toEqual({ rank: 1, coverage: 1 - 2 * 0.5 ** 5 });
});

test('the interval encloses the true median as often as it says', () => {
  const next = generator(20261123);
  const rounds = 4000;
  let enclosed = 0;
  for (let round = 0; round < rounds; round += 1) {
    const samples = Array.from({ length: 31 }, () => -Math.log(1 - next()));
    const [low, high] = summarize(samples).interval;
    if (low <= Math.LN2 && Math.LN2 <= high) enclosed += 1;
  }
  // The true rate for n = 31 is 0.9706; four thousand rounds scatter by 0.0027.
  expect(enclosed / rounds).toBeCloseTo(medianRank(31).coverage, 1.5);
});

test('a ratio is taken pair by pair, so a slow spell of the machine cancels out', () => {
  const slowdown = [1, 1, 1, 10, 10, 10, 1, 1];
  const baseline = slowdown.map((factor) => 100 * factor);
  const samples = slowdown.map((factor) => 95 * factor);
  const { ratio } = measurementOf({
    id: 'PRF-01',
    title: 'read',
    unit: 'ns',
    better: 'lower',
    samples,
    baseline: { title: 'anonymous memory', samples: baseline },
    context,
  });
  expect(ratio).toMatchObject({ median: 0.95, interval: [0.95, 0.95] });
});

test('a measurement without a baseline has no ratio', () => {
  const measurement = measurementOf({
    id: 'x',
    title: 'x',
    unit: 'ns',
    better: 'lower',
    samples: [1, 2, 3],
    context,
  });
  expect(measurement).not.toHaveProperty('ratio');
  expect(measurement).toMatchObject({ samples: [1, 2, 3], median: 2, context });
});

test('what is not evidence is refused', () => {
  expect(() => summarize([])).toThrow('there are no samples');
  expect(() => summarize([1, Number.NaN])).toThrow('NaN is not a sample');
  expect(() => summarizeRatio([1, 2], [1])).toThrow('2 samples do not pair up with 1');
  expect(() => summarizeRatio([1], [0])).toThrow('sample 0 of the baseline is 0');
});

/** Uniform numbers in [0, 1) from a fixed seed: a linear congruence modulo 2^32. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** As /proc/pid/stat; five of the ticks are the kernel's. */
function stat(pid: number, parent: number, begun: number, ticks: number): string {
  return `${pid} (a (b) 1 2) S ${parent} 0 0 0 0 0 0 0 0 0 ${ticks} 5 900 900 20 0 1 0 ${begun} 0\n`;
}

test('processor time is that of a process and of all that come from it, by program', () => {
  expect(lookFrom(stat(8, 7, 100, 20), 'sh')).toEqual({
    ...{ pid: 8, parent: 7, begun: 100, program: 'sh', ticks: 25 },
  });
  const times = new ProcessorTimes(7);
  times.look([
    lookFrom(stat(5, 9, 30, 45), 'qemu'), // its id is lower than its parent's: ids came round again
    lookFrom(stat(7, 1, 10, 95), 'node'),
    lookFrom(stat(9, 7, 20, 95), 'node'),
    lookFrom(stat(11, 1, 15, 995), 'other'),
  ]);
  // The parent has ended and init has the child, which went on; and another process has a dead one's id.
  times.look([lookFrom(stat(5, 1, 30, 145), 'qemu'), lookFrom(stat(9, 1, 40, 995), 'other')]);
  expect(Object.fromEntries(times.stop())).toEqual({ node: 2, qemu: 1.5 });
});
