// SPDX-License-Identifier: MIT
/**
 * Order statistics of samples from a noisy machine. Medians and their intervals only: a mean follows
 * the one sample that was interrupted, and a best-of-n says how lucky the run was.
 */

/** The middle of some samples and how far it can be trusted. */
export interface Summary {
  median: number;
  /** Two samples between which the true median lies with probability `coverage`. */
  interval: [low: number, high: number];
  /** At least 0.95 from six samples on; with fewer, what the smallest and the largest sample give. */
  coverage: number;
  /** Median of the absolute distances from the median: spread, untouched by outliers. */
  mad: number;
  min: number;
}

/** @throws RangeError when there are no samples or one is not a finite number */
export function summarize(samples: readonly number[]): Summary {
  const sorted = ascending(samples);
  const median = middleOf(sorted);
  const { rank, coverage } = medianRank(sorted.length);
  return {
    median,
    interval: [at(sorted, rank - 1), at(sorted, sorted.length - rank)],
    coverage,
    mad: middleOf(ascending(sorted.map((sample) => Math.abs(sample - median)))),
    min: at(sorted, 0),
  };
}

/**
 * Ratio of two quantities that were sampled in turns: the median of the ratios of each pair, so that
 * whatever slowed the machine down for a while slowed both sides of a pair.
 * @throws RangeError when the samples do not pair up or a baseline sample is not positive
 */
export function summarizeRatio(samples: readonly number[], baseline: readonly number[]): Summary {
  if (samples.length !== baseline.length) {
    throw new RangeError(`${samples.length} samples do not pair up with ${baseline.length} of the baseline`);
  }
  return summarize(
    samples.map((sample, index) => {
      const reference = at(baseline, index);
      if (!(reference > 0)) throw new RangeError(`sample ${index} of the baseline is ${reference}`);
      return sample / reference;
    }),
  );
}

/**
 * The largest rank k for which the k-th smallest and the k-th largest of n samples enclose the median
 * with probability 0.95: each sample is a coin toss about which side of the median it falls on, so the
 * interval misses when fewer than k tosses go one way.
 */
export function medianRank(n: number): { rank: number; coverage: number } {
  // The number of tosses is normal by then, and 0.5 ** n would vanish.
  if (n > 1000) return { rank: Math.floor(n / 2 - 0.98 * Math.sqrt(n)), coverage: 0.95 };
  let outside = 0.5 ** n;
  let probability = outside;
  let rank = 1;
  for (;;) {
    // P(exactly `rank` tosses) from P(exactly `rank - 1`).
    probability *= (n - rank + 1) / rank;
    if (outside + probability > 0.025 || rank + 1 > n / 2) break;
    outside += probability;
    rank += 1;
  }
  return { rank, coverage: Math.max(0, 1 - 2 * outside) };
}

function ascending(samples: readonly number[]): number[] {
  if (samples.length === 0) throw new RangeError('there are no samples');
  const bad = samples.find((sample) => !Number.isFinite(sample));
  if (bad !== undefined) throw new RangeError(`${bad} is not a sample`);
  return samples.toSorted((a, b) => a - b);
}

function middleOf(sorted: readonly number[]): number {
  const half = sorted.length / 2;
  return (at(sorted, Math.ceil(half) - 1) + at(sorted, Math.floor(half))) / 2;
}

function at(values: readonly number[], index: number): number {
  const value = values[index];
  if (value === undefined) throw new RangeError(`there is no sample ${index} of ${values.length}`);
  return value;
}
