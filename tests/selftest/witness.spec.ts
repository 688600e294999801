// SPDX-License-Identifier: MIT
/** Where buffers lie is told from two looks with two nonces: memory that only resembles a page is none. */
import { expect, test } from '@playwright/test';
import { locate, type Locatable } from '../../harness/witness/locate.ts';
import type { Witness } from '../../harness/witness/witness.ts';

const PAGE = 4096;

/** Physical memory: by address, the nonce and the number that the page there is signed with. */
type Memory = Map<number, { nonce: bigint; page: number }>;

/** A mapping whose pages lie at these addresses. Whatever signs it is copied to `copies` once, and stays there. */
function mappingAt(memory: Memory, addresses: readonly number[], copies: readonly number[] = []): Locatable {
  let copied = false;
  return {
    label: 'a buffer',
    address: 0x7000_0000,
    bytes: addresses.length * PAGE,
    claimed: {},
    sign(nonce, first) {
      for (const [page, address] of addresses.entries()) memory.set(address, { nonce, page: first + page });
      for (const [page, address] of copied ? [] : copies.entries()) {
        memory.set(address, { nonce, page: first + page });
      }
      copied = true;
      return Promise.resolve();
    },
    readback: (nonce, first) =>
      Promise.resolve(
        addresses.map((address) => {
          const seen = memory.get(address);
          return seen?.nonce === nonce ? seen.page - first : null;
        }),
      ),
  };
}

function witnessOf(memory: Memory): Witness {
  return {
    name: 'all of memory',
    find: (nonce, count) =>
      Promise.resolve(
        Array.from({ length: count }, (_, page) =>
          [...memory].filter(([, seen]) => seen.nonce === nonce && seen.page === page).map(([at]) => at),
        ),
      ),
  };
}

test('pages are found where they are', async () => {
  const memory: Memory = new Map();
  const [first, second] = await locate(
    [mappingAt(memory, [0x1000, 0x3000]), mappingAt(memory, [0x8000])],
    [witnessOf(memory)],
    PAGE,
  );
  expect(first?.sightings).toEqual([{ witness: 'all of memory', pages: [[0x1000], [0x3000]] }]);
  expect(first?.readback).toEqual([0, 1]);
  expect(second?.sightings[0]?.pages).toEqual([[0x8000]]);
});

test('a stale copy of a page is not the page', async () => {
  const memory: Memory = new Map();
  const [found] = await locate([mappingAt(memory, [0x1000, 0x2000], [0x9000])], [witnessOf(memory)], PAGE);
  expect(memory.has(0x9000), 'the copy was there').toBe(true);
  expect(found?.sightings[0]?.pages).toEqual([[0x1000], [0x2000]]);
});

test('two places for one page are both told, and a page that is nowhere is told as such', async () => {
  const memory: Memory = new Map();
  const twice = mappingAt(memory, [0x1000]);
  const also: Locatable = {
    ...twice,
    async sign(nonce, first) {
      await twice.sign(nonce, first);
      memory.set(0x5000, { nonce, page: first });
    },
  };
  const [both] = await locate([also], [witnessOf(memory)], PAGE);
  expect(both?.sightings[0]?.pages).toEqual([[0x1000, 0x5000]]);
  const [none] = await locate([mappingAt(new Map(), [0x1000])], [witnessOf(new Map())], PAGE);
  expect(none?.sightings[0]?.pages).toEqual([[]]);
});

test('a witness that cannot look is an error, never "not there"', async () => {
  const blind: Witness = { name: 'blind', find: () => Promise.reject(new Error('no light')) };
  await expect(locate([mappingAt(new Map(), [0x1000])], [blind], PAGE)).rejects.toThrow('no light');
});
