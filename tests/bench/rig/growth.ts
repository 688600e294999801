// SPDX-License-Identifier: MIT
/** How something grows with a number: every point with its samples, and how far they lie from a straight line. */
import type { RigBench } from '../../../fixtures/rig-bench.ts';
import { lineThrough, type Point } from '../../../harness/measure/line.ts';
import { summarize } from '../../../harness/measure/statistics.ts';
import type { TargetFacts } from '../../../harness/target/target.ts';

export interface Growth {
  id: string;
  /** What grows, as in `memory of all guests`. */
  what: string;
  unit: string;
  /** What it grows with, as in `guests`. */
  axis: string;
  /** One curve for each time it was measured, all with the same x. */
  rounds: readonly (readonly Point[])[];
}

/** Keeps each point as `<id>/<unit>/<x>`, and the distances from a line as `<id>/line/<unit>`. */
export async function recordGrowth(
  record: RigBench['record'],
  facts: TargetFacts,
  growth: Growth,
): Promise<void> {
  const { id, what, unit, axis, rounds } = growth;
  const xs = rounds[0]?.map(({ x }) => x) ?? [];
  const medians: Point[] = [];
  for (const [place, x] of xs.entries()) {
    const samples = rounds.flatMap((round) => round[place]?.y ?? []);
    medians.push({ x, y: summarize(samples).median });
    await record(facts, {
      id: `${id}/${unit}/${x}`,
      title: `${what}, ${x} ${axis}`,
      unit,
      better: 'lower',
      samples,
      point: { plot: what, series: axis, x, axis, shows: 'median' },
    });
  }
  const { slope } = lineThrough(medians);
  await record(facts, {
    id: `${id}/line/${unit}`,
    title: `${what}: distance from a straight line of ${slope.toPrecision(3)} ${unit} for each of the ${axis}`,
    unit: 'of the highest',
    better: 'lower',
    samples: rounds.map((round) => lineThrough(round).deviation),
  });
}
