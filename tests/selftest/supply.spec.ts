// SPDX-License-Identifier: MIT
/** The supply of targets, with things that are cheaper to make: who gets which, when, and who is told what. */
import { setTimeout } from 'node:timers/promises';
import { expect, test } from '@playwright/test';
import { DriverError, KernelCrash, LabError } from '../../harness/errors.ts';
import { describeIsolation, mayShare, type Isolation } from '../../harness/supply/isolation.ts';
import { Supply, type Making } from '../../harness/supply/supply.ts';
import { failureOf } from './agent-on-host.ts';

/** Makes numbers, and keeps a diary. */
class Numbers implements Making<number> {
  readonly ahead: boolean;
  readonly diary: string[] = [];
  readonly #wrong: Partial<Record<string, Error>>;
  #count = 0;

  /** @param wrong what is thrown at which entry of the diary, as in `make 2` */
  constructor(ahead: boolean, wrong: Partial<Record<string, Error>> = {}) {
    this.ahead = ahead;
    this.#wrong = wrong;
  }

  async make(signal: AbortSignal): Promise<number> {
    this.#count += 1;
    const number = this.#count;
    await this.#enter(`make ${number}`);
    await setTimeout(5);
    if (signal.aborted) throw new Error('aborted');
    return number;
  }

  handOver(item: number): Promise<void> {
    return this.#enter(`hand over ${item}`);
  }

  finish(item: number): Promise<void> {
    return this.#enter(`finish ${item}`);
  }

  async dispose(item: number): Promise<void> {
    await this.#enter(`dispose ${item}`);
    await setTimeout(10);
    this.diary.push(`gone ${item}`);
  }

  async #enter(line: string): Promise<void> {
    this.diary.push(line);
    await Promise.resolve();
    const wrong = this.#wrong[line];
    if (wrong !== undefined) throw wrong;
  }
}

const occasion = (isolation: Isolation, file = 'a.spec.ts') => ({ isolation, file });

const life = (number: number) =>
  ['make', 'hand over', 'finish', 'dispose', 'gone'].map((what) => `${what} ${number}`);

/** Runs tests one after the other; each is told what it got or what went wrong. */
async function run(
  supply: Supply<number>,
  tests: [Isolation, file?: string][],
): Promise<(number | string)[]> {
  const told: (number | string)[] = [];
  for (const [isolation, file] of tests) {
    const got = await supply.acquire(occasion(isolation, file)).catch((error: Error) => error.message);
    told.push(got);
    await supply.release().catch((error: Error) => told.push(error.message));
  }
  return told;
}

test('level test: each gets its own, and from the second on the next is made while it is used', async () => {
  const numbers = new Numbers(true);
  const supply = new Supply(numbers);
  expect(await supply.acquire(occasion('test'))).toBe(1);
  await supply.release();
  expect(await supply.acquire(occasion('test'))).toBe(2);
  await expect.poll(() => numbers.diary).toContain('make 3');
  // When a target that was given up is gone is another matter.
  const steps = () => numbers.diary.filter((line) => !line.startsWith('gone'));
  expect(steps()).toEqual([...life(1).slice(0, -1), 'make 2', 'hand over 2', 'make 3']);
  await supply.release();
  expect(await supply.acquire(occasion('test'))).toBe(3);
  expect(steps().slice(7)).toEqual(['finish 2', 'dispose 2', 'hand over 3', 'make 4']);
  await supply.close();
});

test('a run of one test makes one target', async () => {
  const numbers = new Numbers(true);
  const supply = new Supply(numbers);
  expect(await run(supply, [['test']])).toEqual([1]);
  await supply.close();
  expect(numbers.diary).toEqual(life(1));
});

test('level file: those of one file share, and the next file finds one made ready', async () => {
  const numbers = new Numbers(true);
  const supply = new Supply(numbers);
  const files = ['a.spec.ts', 'a.spec.ts', 'b.spec.ts', 'b.spec.ts', 'a.spec.ts'];
  expect(
    await run(
      supply,
      files.map((file) => ['file', file]),
    ),
  ).toEqual([1, 1, 2, 2, 3]);
  await supply.close();
});

test('level worker: all share, and nothing is made beside them', async () => {
  const numbers = new Numbers(true);
  const supply = new Supply(numbers);
  expect(await run(supply, [['worker'], ['worker', 'b.spec.ts'], ['worker']])).toEqual([1, 1, 1]);
  expect(numbers.diary).toEqual(['make 1', 'hand over 1']);
  await supply.close();
  expect(numbers.diary).toEqual(life(1));
});

test('what a test has broken on purpose is asked nothing, and nobody else gets it', async () => {
  const numbers = new Numbers(true, { 'finish 1': new Error('it does not unload any more') });
  const supply = new Supply(numbers);
  expect(await supply.acquire(occasion('test'))).toBe(1);
  await supply.abandon();
  expect(await run(supply, [['file']])).toEqual([2]);
  await supply.close();
  expect(numbers.diary.filter((line) => line.endsWith(' 1'))).toEqual([
    'make 1',
    'hand over 1',
    'dispose 1',
    'gone 1',
  ]);
});

test('between levels nothing is shared', async () => {
  const supply = new Supply(new Numbers(true));
  expect(await run(supply, [['test'], ['worker'], ['worker'], ['file'], ['test'], ['worker']])).toEqual([
    1, 2, 2, 3, 4, 5,
  ]);
  await supply.close();
});

test('where only one can be had at a time, the next is made when the last one is gone', async () => {
  const numbers = new Numbers(false);
  const supply = new Supply(numbers);
  expect(await run(supply, [['test'], ['test']])).toEqual([1, 2]);
  await supply.close();
  expect(numbers.diary).toEqual([...life(1), ...life(2)]);
});

test('what goes wrong in making the next is told to the test that would have got it', async () => {
  const supply = new Supply(new Numbers(true, { 'make 2': new Error('no second') }));
  expect(await run(supply, [['test'], ['test'], ['test']])).toEqual([1, 'no second', 3]);
  await supply.close();
});

test('one that did not come through its wait is given up, and the test is told why', async () => {
  const numbers = new Numbers(true, { 'hand over 2': new Error('died waiting') });
  const supply = new Supply(numbers);
  expect(await run(supply, [['test'], ['test'], ['test']])).toEqual([1, 'died waiting', 3]);
  expect(numbers.diary).toContain('dispose 2');
  await supply.close();
});

test('what finishing finds is told to the test of its own target, at the end where it was shared', async () => {
  const wrong = { 'finish 1': new Error('still in use') };
  const own = new Supply(new Numbers(true, wrong));
  expect(await run(own, [['test'], ['test']])).toEqual([1, 'still in use', 2]);
  await own.close();

  const shared = new Supply(new Numbers(true, wrong));
  expect(await run(shared, [['file'], ['file'], ['file', 'b.spec.ts']])).toEqual([1, 1, 2]);
  await expect(shared.close()).rejects.toThrow('still in use');
});

test('a target that cannot be given up is told at the end', async () => {
  const supply = new Supply(new Numbers(true, { 'dispose 1': new Error('stuck') }));
  expect(await run(supply, [['test'], ['test']])).toEqual([1, 2]);
  await expect(supply.close()).rejects.toThrow(/a used target: stuck/);
});

test('of several things told at the end the gravest is thrown, and the others with it', async () => {
  const wrong = {
    'finish 1': new LabError('LINK_LOST', 'the link broke'),
    'finish 2': new DriverError('DRIVER_UNLOAD', 'it does not unload'),
    'finish 3': new KernelCrash('KASAN', 'use-after-free'),
  };
  const files = ['a.spec.ts', 'b.spec.ts', 'c.spec.ts'];
  for (const [count, name] of [
    [2, 'DriverError [DRIVER_UNLOAD]'],
    [3, 'KernelCrash [KASAN]'],
  ] as const) {
    const supply = new Supply(new Numbers(true, wrong));
    await run(
      supply,
      files.slice(0, count).map((file) => ['file', file]),
    );
    const error = await failureOf(supply.close());
    expect(error.name).toBe(name);
    expect(error.message).toContain('\nand also the link broke');
  }
});

test('closing gives up the one that stands by, and the one that is being made', async () => {
  const numbers = new Numbers(true);
  const supply = new Supply(numbers);
  const twice = [occasion('file'), occasion('file')];
  for (const each of twice) await supply.acquire(each);
  await setTimeout(50);
  await supply.close();
  expect(numbers.diary).toEqual([
    'make 1',
    'hand over 1',
    'make 2',
    'finish 1',
    'dispose 1',
    'dispose 2',
    'gone 1',
    'gone 2',
  ]);

  // Not waited for: the second is still being made, and is told that nobody wants it.
  const early = new Numbers(true);
  const left = new Supply(early);
  for (const each of twice) await left.acquire(each);
  await left.close();
  expect(early.diary).toEqual(life(1).toSpliced(2, 0, 'make 2'));
});

test('who may share with whom', () => {
  expect(mayShare(occasion('worker', 'a'), occasion('worker', 'b'))).toBe(true);
  expect(mayShare(occasion('file', 'a'), occasion('file', 'a'))).toBe(true);
  expect(mayShare(occasion('file', 'a'), occasion('file', 'b'))).toBe(false);
  expect(mayShare(occasion('test', 'a'), occasion('test', 'a'))).toBe(false);
  expect(mayShare(occasion('worker', 'a'), occasion('file', 'a'))).toBe(false);
});

test('a result says what its target was like at first', () => {
  expect(describeIsolation('test', { origin: 'restored' })).toBe(
    'test: a guest restored from its saved state',
  );
  expect(describeIsolation('file', { origin: 'booted' })).toBe('file: a guest booted for it');
  expect(describeIsolation('worker', {})).toBe('worker: a machine that is up, the driver loaded anew');
});
