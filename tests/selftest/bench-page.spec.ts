// SPDX-License-Identifier: MIT
/** The page of `npm run bench`: which target a value belongs to, how it stands to it, and what is shown. */
import { expect, test } from '@playwright/test';
import { lineThrough } from '../../harness/measure/line.ts';
import { measurementOf, type Sampled } from '../../harness/measure/measurement.ts';
import { benchTargets, standingOf, targetOf } from '../../harness/measure/targets.ts';
import { benchPage } from '../../harness/report/bench-page.ts';
import type { MeasurementsFile } from '../../harness/report/measurements.ts';

const context = { target: 'guest', kernel: '6.1', accelerator: 'tcg' };

/** Ten samples whose ratios to a baseline of 100 are these, in turn. */
function valued(id: string, ratios: readonly number[], more: Partial<Sampled> = {}) {
  const series = Array.from({ length: 10 }, (_, i) => 100 * (ratios[i % ratios.length] ?? 0));
  const baseline = { title: 'a cold boot', samples: series.map(() => 100) };
  return measurementOf({
    id,
    title: id,
    unit: 'ms',
    better: 'lower',
    samples: series,
    baseline,
    context,
    ...more,
  });
}

function standing(id: string, ratios: readonly number[]) {
  const target = targetOf(id);
  return target === undefined ? undefined : standingOf(target, valued(id, ratios));
}

function page(...values: ReturnType<typeof valued>[]): string {
  const origin = { title: '', project: 'bench', location: '', verdict: 'pass' as const };
  const host = {
    cores: 2,
    model: 'A & B',
    kernel: '6',
    memoryBytes: 2 ** 34,
    loadBefore: [1.7],
    loadAfter: [2],
  };
  const run = { startTime: '2026-11-23', duration: 1000, host, targets: [], drivers: [] };
  const file: MeasurementsFile = {
    version: 1,
    run,
    measurements: values.map((each) => ({ ...each, test: origin })),
  };
  return benchPage(file);
}

test('a value belongs to the longest id that it begins with, whole words only', () => {
  expect(targetOf('first-touch/fd-per-buffer/64pages')?.id).toBe('first-touch');
  expect(targetOf('first-touch/whole/fd-per-buffer/64pages')?.id).toBe('first-touch/whole');
  expect(targetOf('first-touches')).toBeUndefined();
  expect(targetOf('PRF-06/touch')).toBeUndefined();
});

test('a target is met, not met, or unclear when the interval lies on both sides', () => {
  expect(standing('acquire-restore', [0.19, 0.2])).toBe('met');
  expect(standing('acquire-restore', [0.21, 0.22])).toBe('not met');
  expect(standing('acquire-restore', [0.1, 0.3])).toBe('unclear');
  // Here more is better.
  expect(standing('mapped-over-anonymous/read', [0.97])).toBe('not met');
  expect(standing('mapped-over-anonymous/read', [0.98, 1.02])).toBe('met');
  expect(standing('deploy', [7])).toBe('no target');
});

test('a value without a baseline has no ratio that could meet a target', () => {
  const { ratio, baseline, ...alone } = valued('operation', [0.01]);
  expect([ratio, baseline]).not.toContain(undefined);
  const target = targetOf('operation');
  expect(target && standingOf(target, alone)).toBe('no target');
});

test('every id of the table is there once, and has a limit where it has a figure', () => {
  expect(new Set(benchTargets.map(({ id }) => id)).size).toBe(benchTargets.length);
  for (const { id, figure, atMost, atLeast, limit } of benchTargets) {
    const [bounded, worded] = [(atMost ?? atLeast) !== undefined, limit !== undefined];
    expect([bounded, worded], id).toEqual([figure !== undefined, figure !== undefined]);
  }
});

test('the page shows figures, targets, a busy machine, and what was not measured', () => {
  const text = page(valued('acquire-restore', [0.3]), valued('operation', [0.01]));
  expect(text).toContain('<b class="not-met">not met</b>');
  expect(text).toContain('<b class="met">met</b>');
  expect(text).toContain('1/5 of a cold boot');
  expect(text).toContain('A &amp; B');
  expect(text).toContain('busy');
  expect(text).toMatch(/Not measured in this run<\/h2><p>acquire-standby, operation\/exec, suite,/);
  expect(text).not.toContain('<script');
});

/** A point of the one curve. */
function at(x: number): Partial<Sampled> {
  return { point: { plot: 'first touch', series: 'cookie', x, axis: 'bytes', shows: 'ratio' } };
}

test('points of one plot become curves, from left to right, with the limit', () => {
  const text = page(
    valued('first-touch/b', [0.05], at(2 ** 20)),
    valued('first-touch/a', [0.04], at(4096)),
    valued('first-touch/c', [0.06], at(2 ** 26)),
  );
  expect(text.match(/<svg/g)).toHaveLength(1);
  expect(text).toContain('cookie');
  expect(text).toContain('>64 Ki<');
});

test('a straight line has no deviation, a bend has one, and two points show none', () => {
  const straight = lineThrough([1, 2, 3, 4].map((x) => ({ x, y: 3 * x + 1 })));
  expect(straight.slope).toBeCloseTo(3);
  expect(straight.deviation).toBeCloseTo(0);
  const bent = lineThrough([1, 2, 3, 4].map((x) => ({ x, y: x * x })));
  expect(bent.deviation).toBeGreaterThan(0.05);
  expect(() =>
    lineThrough([
      { x: 1, y: 1 },
      { x: 2, y: 2 },
    ]),
  ).toThrow(RangeError);
});
