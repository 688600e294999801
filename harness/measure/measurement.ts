// SPDX-License-Identifier: MIT
/** A measured value as it goes into the report: with its samples, its interval, and what it is compared to. */
import { summarize, summarizeRatio } from './statistics.ts';

/** Where and under what conditions something was measured. Figures of different contexts are never compared. */
export interface MeasurementContext {
  /** Name of the target, for example `qemu-arm64`. */
  target: string;
  /** Kernel release. */
  kernel: string;
  /** `tcg`, `kvm`, or `none` on real hardware. Under `tcg` absolute times say nothing about hardware. */
  accelerator: string;
  [condition: string]: string;
}

export interface Measurement {
  /** Stable name that a trend is kept under, for example `PRF-01/offset-cookie/4MiB`. */
  id: string;
  /** For a person, for example `sequential read of 4 MiB, offset-cookie`. */
  title: string;
  /** Unit of samples, median and interval, for example `MB/s`. */
  unit: string;
  better: 'higher' | 'lower';
  samples: number[];
  median: number;
  /** 95 % interval of the median by order statistics. */
  interval: [low: number, high: number];
  /** The interval's probability; below 0.95 when there are fewer than six samples. */
  coverage: number;
  mad: number;
  min: number;
  /** What was measured in turns with it, in the same unit. */
  baseline?: { title: string; samples: number[]; median: number; interval: [low: number, high: number] };
  /** Median of the paired ratios to the baseline, without unit. */
  ratio?: { median: number; interval: [low: number, high: number]; coverage: number };
  /** Where it belongs in a plot together with other values of its id. */
  point?: PlotPoint;
  context: MeasurementContext;
}

/** One point of a curve: how far to the right; how high is the measured value. */
export interface PlotPoint {
  /** Which plot, where an id has several. */
  plot: string;
  /** Name of the curve. */
  series: string;
  x: number;
  /** What x is, with its unit: `bytes`, `boards`. */
  axis: string;
  /** Whether the ratio or the value itself is plotted. */
  shows: 'ratio' | 'median';
}

/** What has to be known to make a measurement. */
export interface Sampled extends Pick<
  Measurement,
  'id' | 'title' | 'unit' | 'better' | 'samples' | 'context'
> {
  point?: PlotPoint;
  /** Samples taken in turns with the others: sample i of both were taken next to each other. */
  baseline?: { title: string; samples: number[] };
}

/** @throws RangeError when there are no samples, or the two series do not pair up */
export function measurementOf(sampled: Sampled): Measurement {
  const { baseline, ...rest } = sampled;
  const measurement: Measurement = { ...rest, ...summarize(sampled.samples) };
  if (baseline === undefined) return measurement;
  const { median, interval } = summarize(baseline.samples);
  const ratio = summarizeRatio(sampled.samples, baseline.samples);
  return {
    ...measurement,
    baseline: { ...baseline, median, interval },
    ratio: { median: ratio.median, interval: ratio.interval, coverage: ratio.coverage },
  };
}
