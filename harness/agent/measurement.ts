// SPDX-License-Identifier: MIT
/**
 * Measurements taken by the agent in one process: the thing measured (A) against its baseline (B),
 * sample by sample in random order, pinned to one CPU. What the samples mean is for harness/measure.
 */
import { LabError } from '../errors.ts';
import type { Child } from './child.ts';
import type { Agent } from './client.ts';
import type { AgentMapping } from './memory.ts';

/**
 * What a timed loop does with memory. `copy-from` and `copy-to` move it from or to anonymous memory. Of
 * each step one word is read by `stride`, in order; by `scattered`, all over; and by `chain`, where the
 * memory itself tells which comes next.
 */
export type Kernel = 'read' | 'write' | 'copy-from' | 'copy-to' | 'stride' | 'scattered' | 'chain';

/** One side's samples, in the order they were taken; index i of both sides belongs to one pair. */
export interface Samples {
  /** Nanoseconds a sample took. */
  ns: number[];
  /** How often the scheduler took the CPU away during each sample; such a sample is best dropped. */
  involuntarySwitches: number[];
  /** Page faults inside the timed regions of all samples. */
  minorFaults: number;
  majorFaults: number;
}

interface Circumstances {
  /** Two letters a pair: which side was first. */
  order: string;
  /** Smallest step of the clock and cost of asking it, in ns. */
  clock: { stepNs: number; costNs: number };
  cpu: number;
}

export interface Throughput extends Circumstances {
  /** How often the kernel went over the memory in one sample. */
  passes: number;
  a: Samples;
  b: Samples;
}

export interface TouchSamples {
  mapNs: number[];
  touchNs: number[];
  unmapNs: number[];
  /** Minor faults in each sample, map and touch together. */
  faults: number[];
  involuntarySwitches: number[];
  minorFaults: number;
  majorFaults: number;
}

export interface FirstTouch extends Circumstances {
  a: TouchSamples;
  b: TouchSamples;
}

export interface CallCost extends Circumstances {
  /** System calls in one sample. */
  callsPerSample: number;
  /** Nanoseconds a sample took. */
  a: number[];
  b: number[];
}

/**
 * The memory that was measured did not hold what the measurement wrote to it: the figures are void,
 * and the memory is not what it should be. A fact for the check to judge.
 */
export class WrongContents extends Error {
  constructor(samples: number, seen: string) {
    super(`the memory measured held the wrong contents in ${samples} samples${seen}`);
    this.name = 'WrongContents';
  }
}

interface Checked {
  wrongSamples: number;
  expectedSum?: string;
  gotSum?: string;
}

/**
 * Times one kernel over two mappings of the same length. Their contents are overwritten.
 * @param options `leastNs`: how long one sample takes at least, 5 ms unless given;
 *   `stepBytes`: whole words, 8 unless given; `scattered` and `chain` need a power of two of steps
 * @throws WrongContents; MemoryFault
 */
export async function measureThroughput(
  agent: Agent,
  kernel: Kernel,
  a: AgentMapping,
  b: AgentMapping,
  options: { samples: number; seed: bigint; leastNs?: number; stepBytes?: number },
): Promise<Throughput> {
  if (a.bytes !== b.bytes) throw new RangeError(`${a.bytes} bytes against ${b.bytes}`);
  const { samples, seed, leastNs = 5_000_000, stepBytes = 8 } = options;
  const result = await agent.request<Throughput & { a: Checked; b: Checked }>(
    'measure',
    kernel,
    a.address,
    b.address,
    a.bytes,
    samples,
    seed,
    leastNs,
    stepBytes,
  );
  insist(result.a, result.b);
  return result;
}

/**
 * Times map, first touch of every page and unmap: a file against anonymous memory of small pages.
 * @param options `how`: default `write`, which also checks that every page keeps its own byte
 * @throws SyscallError, MemoryFault, WrongContents
 */
export async function measureFirstTouch(
  agent: Agent,
  fd: number,
  options: {
    offset?: number | bigint;
    pages: number;
    samples: number;
    seed: bigint;
    how?: 'read' | 'write';
    flags?: string;
  },
): Promise<FirstTouch> {
  const { offset = 0, pages, samples, seed, how = 'write', flags = 'shared' } = options;
  const result = await agent.request<FirstTouch & { a: Checked; b: Checked }>(
    'measure-touch',
    fd,
    offset,
    pages,
    samples,
    seed,
    how,
    flags,
  );
  insist(result.a, result.b);
  return result;
}

/** Times an ioctl whose argument does not change (A) against getppid() (B). @throws LabError when it fails */
export async function measureIoctl(
  agent: Agent,
  fd: number,
  request: number | bigint,
  argument: number | bigint,
  options: { samples: number; seed: bigint },
): Promise<CallCost> {
  const result = await agent.request<CallCost & { failures: number }>(
    'measure-ioctl',
    fd,
    request,
    argument,
    options.samples,
    options.seed,
  );
  if (result.failures > 0)
    throw new LabError('MEASURED_WRONG', `${result.failures} of the timed ioctls failed`);
  return result;
}

export interface Exchange extends Circumstances {
  /** Nanoseconds a sample took, all its round trips. */
  a: number[];
  b: number[];
}

/**
 * Times a word that goes to and fro between this process and a child, without waiting in the kernel.
 * @param asking the mappings in this process, A against B @param answering the same memory in the child
 * @param options `trips`: round trips in a sample
 * @throws SyscallError ETIMEDOUT when the child's mapping does not show what this one wrote
 */
export async function measureExchange(
  agent: Agent,
  child: Child,
  asking: readonly [AgentMapping, AgentMapping],
  answering: readonly [AgentMapping, AgentMapping],
  options: { samples: number; seed: bigint; trips: number },
): Promise<Exchange> {
  const { samples, seed, trips } = options;
  await child.begin(`answer-words ${places(answering).join(' ')}`);
  const exchange = await agent.request<Exchange>('measure-exchange', ...places(asking), samples, trips, seed);
  await child.finish();
  return exchange;
}

function places(pair: readonly [AgentMapping, AgentMapping]): number[] {
  return pair.map(({ address }) => address);
}

function insist(a: Checked, b: Checked): void {
  if (b.wrongSamples > 0)
    throw new LabError('MEASURED_WRONG', `the baseline held the wrong contents${sums(b)}`);
  if (a.wrongSamples > 0) throw new WrongContents(a.wrongSamples, sums(a));
}

function sums({ expectedSum, gotSum }: Checked): string {
  return expectedSum === undefined ? '' : `, the first with sum ${gotSum} instead of ${expectedSum}`;
}
