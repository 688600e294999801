// SPDX-License-Identifier: MIT
/**
 * What the rig and the driver are to cost, by the id that measured values begin with. A further id is
 * one line here and one file in tests/bench. Nothing fails for missing a target: wall-clock time says
 * as much about the machine as about us, so the page says "met" or "not met", with what was measured.
 */
import type { Measurement } from './measurement.ts';

export interface BenchTarget {
  /** Measured values of it are called so, or so and more behind a slash. */
  id: string;
  /** What is compared with what, for a person. */
  what: string;
  /** Which of its figures the limit is about. Without a limit the value is reported and no more. */
  figure?: 'ratio' | 'median';
  atMost?: number;
  atLeast?: number;
  /** The limit in words. */
  limit?: string;
}

export const benchTargets: readonly BenchTarget[] = [
  {
    id: 'acquire-standby',
    what: 'a pristine target with the driver loaded and the agent answering, while one stands by, against a cold boot to the same',
    figure: 'ratio',
    atMost: 1 / 20,
    limit: '1/20 of a cold boot',
  },
  {
    id: 'acquire-restore',
    what: 'the same from a saved state, with none standing by',
    figure: 'ratio',
    atMost: 1 / 5,
    limit: '1/5 of a cold boot',
  },
  {
    id: 'operation',
    what: 'one request to the agent and its answer, against one command over a shared SSH connection to the same guest',
    figure: 'ratio',
    atMost: 1 / 30,
    limit: '1/30 of an ssh exec',
  },
  { id: 'operation/exec', what: 'one command as the rig runs it in a guest, against the same over SSH' },
  {
    id: 'suite',
    what: 'the checks of the default selection on one strategy, 2 workers, isolation per worker, against a cold boot',
    figure: 'ratio',
    atMost: 15,
    limit: '15 cold boots',
  },
  {
    id: 'suite/other',
    what: 'the same with other numbers of workers, with isolation per test, and with what measures throughput',
  },
  { id: 'suite/per-test', what: 'the same, divided by the number of tests' },
  {
    id: 'suite/processors',
    what: 'what these runs need of the processors, spread over all there are: guests and rig together are the least time a run can take on this machine',
  },
  {
    id: 'slow',
    what: 'each check that is left out of the default selection, by itself, against a cold boot',
  },
  {
    id: 'isolation',
    what: 'what isolation per test adds to one test on average, 2 workers, against a cold boot',
    figure: 'ratio',
    atMost: 1 / 8,
    limit: '1/8 of a cold boot',
  },
  {
    id: 'isolation/processors',
    what: 'what it needs of the processors, spread over all there are: the emulator translates the code of every copy anew',
  },
  {
    id: 'edit-to-verdict',
    what: 'one line of the driver changed, to the verdict of one check, against a cold boot',
    figure: 'ratio',
    atMost: 2,
    limit: '2 cold boots',
  },
  { id: 'deploy', what: '64 MiB put on the target, against scp to the same guest' },
  { id: 'guest-growth', what: 'time and host memory of up to four guests' },
  {
    id: 'guest-growth/line',
    what: 'how straight they grow: the largest distance from a straight line, as a share of the highest point',
    figure: 'median',
    atMost: 0.25,
    limit: 'a straight line within a quarter',
  },
  { id: 'boards-100', what: 'time and memory of one runner that drives up to 100 simulated boards' },
  {
    id: 'boards-100/line',
    what: 'how straight they grow, likewise',
    figure: 'median',
    atMost: 0.25,
    limit: 'a straight line within a quarter',
  },
  {
    id: 'boards-100/starvation',
    what: 'the board that waited longest for an answer, against the median of all',
    figure: 'ratio',
    atMost: 3,
    limit: '3 times the median',
  },
  {
    id: 'mapped-over-anonymous',
    what: 'throughput of a cached mapping against anonymous memory of small pages, in one process',
    figure: 'ratio',
    atLeast: 0.98,
    limit: '0.98 of anonymous memory',
  },
  {
    id: 'mapped-over-anonymous/control',
    what: 'anonymous memory against anonymous memory, measured likewise: what the method itself leaves',
  },
  { id: 'mapped-over-anonymous/other', what: 'the same for what is not cached, or against huge pages' },
  {
    id: 'first-touch',
    what: 'the first touch of every page of a mapping, against anonymous memory of small pages',
    figure: 'ratio',
    atMost: 1 / 10,
    limit: '1/10 of anonymous memory',
  },
  { id: 'first-touch/whole', what: 'map, first touch and unmap together' },
  { id: 'allocate-and-touch', what: 'allocating, mapping, first touch, unmapping and freeing' },
  {
    id: 'allocate-and-touch/peer',
    what: 'allocating and touching a buffer of the driver, against the contiguous allocators the kernel has',
    figure: 'ratio',
    atMost: 1,
    limit: 'no slower than any peer',
  },
];

/** The row a measured value belongs to: of several the one with the longest id. */
export function targetOf(id: string): BenchTarget | undefined {
  return benchTargets
    .filter((target) => id === target.id || id.startsWith(`${target.id}/`))
    .toSorted((a, b) => b.id.length - a.id.length)[0];
}

/**
 * `met` or `not met` by the median; `unclear` when the interval lies on both sides, so that another
 * run might say otherwise; `no target` when there is no limit.
 */
export type Standing = 'met' | 'not met' | 'unclear' | 'no target';

/** How a measured value stands to its target. */
export function standingOf(target: BenchTarget, measurement: Measurement): Standing {
  const { figure, atMost = Number.POSITIVE_INFINITY, atLeast = Number.NEGATIVE_INFINITY } = target;
  const seen = figure === 'median' ? measurement : figure === 'ratio' ? measurement.ratio : undefined;
  if (seen === undefined) return 'no target';
  const fits = (value: number) => value <= atMost && value >= atLeast;
  const [low, high] = seen.interval;
  if (fits(low) !== fits(high)) return 'unclear';
  return fits(seen.median) ? 'met' : 'not met';
}
