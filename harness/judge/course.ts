// SPDX-License-Identifier: MIT
/**
 * LIF-06, LIF-07, GEO-08: what happens to a count while the same thing is done over and over. Single
 * differences say nothing, since caches fill and per-CPU counters lag; a leak is a slope.
 */
import type { Course, Finding } from './observation.ts';
import { driverFinding, labFinding } from './wording.ts';

const SAMPLES_LEAST = 8;

/**
 * The count changes by no more than `allowed` per round: the median of the slopes between any two
 * samples (Theil and Sen), which a few outliers cannot move.
 * @param allowed in the count's unit, both ways
 * @param expected by how much each round ought to change it; 0 for "not at all"
 */
export function judgeCourse(course: Course, allowed: number, expected = 0): Finding[] {
  const { label, unit, samples } = course;
  const first = samples[0];
  const last = samples.at(-1);
  const sound = samples.every(({ rounds, value }, i) => {
    const before = samples[i - 1]?.rounds ?? -1;
    return Number.isFinite(value) && rounds > before;
  });
  if (samples.length < SAMPLES_LEAST || !sound || first === undefined || last === undefined) {
    const message = `${label}: ${samples.length} samples are not ${SAMPLES_LEAST} or more numbers in order`;
    return [labFinding('evidence', message)];
  }
  const slope = slopeOf(course);
  if (Math.abs(slope - expected) <= allowed) return [];
  const ought = expected === 0 ? 'no change' : `${round(expected)} ${unit}`;
  return [
    driverFinding(
      'slope',
      `${label}: each round changes it by ${round(slope)} ${unit}, expected ${ought} (within ${round(allowed)})\n` +
        `${first.value} ${unit} after ${first.rounds} rounds, ${last.value} after ${last.rounds}`,
    ),
  ];
}

/** Median change per round. */
export function slopeOf({ samples }: Course): number {
  const slopes: number[] = [];
  for (const [i, { rounds, value }] of samples.entries()) {
    for (const later of samples.slice(i + 1)) slopes.push((later.value - value) / (later.rounds - rounds));
  }
  slopes.sort((a, b) => a - b);
  const middle = Math.floor(slopes.length / 2);
  const upper = slopes[middle] ?? Number.NaN;
  return slopes.length % 2 === 1 ? upper : ((slopes[middle - 1] ?? Number.NaN) + upper) / 2;
}

function round(value: number): string {
  return String(Math.round(value * 100) / 100);
}
