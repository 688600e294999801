// SPDX-License-Identifier: MIT
/** Long sequences that go wrong become short ones, in few tries. */
import { expect, test } from '@playwright/test';
import { shrink } from '../../fixtures/shrink.ts';

const numbers = (count: number) => Array.from({ length: count }, (_, number) => number);

test('what is needed is found among thousands', async () => {
  const needed = [17, 1003, 4711];
  let tries = 0;
  const few = await shrink(numbers(5000), {
    most: 200,
    fails: async (candidate) => {
      tries += 1;
      const all = needed.every((number) => candidate.includes(number));
      return Promise.resolve(all ? candidate.length : undefined);
    },
  });
  expect(few).toEqual(needed);
  expect(tries).toBeLessThan(100);
});

test('what comes after the failure goes at once', async () => {
  const tried: number[] = [];
  const few = await shrink(numbers(1000), {
    most: 100,
    fails: async (candidate) => {
      tried.push(candidate.length);
      const place = candidate.indexOf(3);
      return Promise.resolve(place < 0 ? undefined : place + 1);
    },
  });
  expect(few).toEqual([3]);
  expect(tried.length).toBeLessThan(10);
});

test('tries are limited, and what does not fit is not tried', async () => {
  let tries = 0;
  const fails = async (candidate: readonly number[]) => {
    tries += 1;
    return Promise.resolve(candidate.length > 3 ? candidate.length : undefined);
  };
  const few = await shrink(numbers(64), { fails, most: 5, fits: ([first]) => first === 0 });
  expect(tries).toBe(5);
  expect(few[0]).toBe(0);
  expect(few.length).toBeLessThan(64);
  expect(await shrink([1, 2], { most: 5, fails: async () => Promise.resolve(undefined) })).toEqual([1, 2]);
});
