// SPDX-License-Identifier: MIT
/** Where buffers lie is told from two looks with two nonces: memory that only resembles a page is none. */
import { expect, test } from '@playwright/test';
import type { Agent } from '../../harness/agent/client.ts';
import type { Target } from '../../harness/target/target.ts';
import { locate, type Locatable } from '../../harness/witness/locate.ts';
import { PageTablesWitness, readPageTables } from '../../harness/witness/page-tables.ts';
import type { Witness } from '../../harness/witness/witness.ts';
import { witnessesOf } from '../../harness/witness/witnesses.ts';

const PAGE = 4096;

/** Physical memory: by address, the nonce and the number that the page there is signed with. */
type Memory = Map<number, { nonce: bigint; page: number }>;

/** A mapping whose pages lie at these addresses. Whatever signs it is copied to `copies` once, and stays there. */
function mappingAt(memory: Memory, addresses: readonly number[], copies: readonly number[] = []): Locatable {
  let copied = false;
  return {
    label: 'a buffer',
    agent: agentWith([]),
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

/** A process whose page tables hold these entries, in order. */
interface Entry {
  address: number;
  physical: number;
  bytes: number;
  shift: number;
  type: number;
}

/** An agent that reads what the rig's module would tell: runs from an address on, up to the first hole. */
function agentWith(entries: readonly Entry[], machine = 'aarch64'): Agent {
  const tell = (from: number) => {
    const told: Buffer[] = [];
    let at = from;
    for (const { address, physical, bytes, shift, type } of entries) {
      if (at < address || at >= address + bytes) continue;
      const run = Buffer.alloc(32);
      run.writeBigUInt64LE(BigInt(at), 0);
      run.writeBigUInt64LE(BigInt(physical + at - address), 8);
      run.writeBigUInt64LE(BigInt(address + bytes - at), 16);
      run.writeUInt32LE(shift, 24);
      run.writeUInt32LE(type, 28);
      told.push(run);
      at = address + bytes;
    }
    return Buffer.concat(told);
  };
  const agent: Pick<Agent, 'open' | 'close' | 'read' | 'label' | 'pageBytes'> & {
    hello: { machine: string };
  } = {
    label: 'a fake',
    pageBytes: PAGE,
    hello: { machine },
    open: () => Promise.resolve(3),
    close: () => Promise.resolve(),
    read: (_fd, _bytes, offset) => Promise.resolve(tell(Number(offset))),
  };
  return agent as Agent;
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

/** A small page at each of two frames, a hole of a page, and the second half of a large page. */
const tables: readonly Entry[] = [
  { address: 0x7000_0000, physical: 0x4000_1000, bytes: PAGE, shift: 12, type: 0xff },
  { address: 0x7000_1000, physical: 0x4000_9000, bytes: PAGE, shift: 12, type: 0x44 },
  { address: 0x7000_3000, physical: 0x4800_0000, bytes: 2 * PAGE, shift: 21, type: 0x04 },
];

test('page tables are told as runs, with what they are made of, and holes are left out', async () => {
  const mapping = { agent: agentWith(tables), address: 0x7000_0000, bytes: 4 * PAGE };
  expect(await readPageTables(mapping)).toEqual([
    {
      address: 0x7000_0000,
      physicalAddress: 0x4000_1000,
      bytes: PAGE,
      entryBytes: PAGE,
      memoryType: 'write-back',
    },
    {
      address: 0x7000_1000,
      physicalAddress: 0x4000_9000,
      bytes: PAGE,
      entryBytes: PAGE,
      memoryType: 'write-combined',
    },
    // What is mapped behind the end is somebody else's.
    {
      address: 0x7000_3000,
      physicalAddress: 0x4800_0000,
      bytes: PAGE,
      entryBytes: 2 ** 21,
      memoryType: 'device',
    },
  ]);
  const [first] = await readPageTables({ ...mapping, agent: agentWith(tables, 'x86_64') });
  expect(first?.memoryType, 'an encoding that x86 does not have').toBe('0xff');
});

test('the witness of the page tables counts the pages of several mappings through, and misses holes', async () => {
  let loaded = 0;
  const witness = new PageTablesWitness(PAGE, () => {
    loaded += 1;
    return Promise.resolve();
  });
  const agent = agentWith(tables);
  const mapped = [
    { agent, address: 0x7000_0000, bytes: 3 * PAGE },
    { agent, address: 0x7000_3000, bytes: 2 * PAGE },
  ];
  const seen = await witness.find(1n, 5, [], undefined, mapped);
  expect(seen).toEqual([[0x4000_1000], [0x4000_9000], [], [0x4800_0000], [0x4800_1000]]);
  expect(loaded).toBe(1);
});

/** Who would speak on a target with these abilities. */
function named(target: object): string[] {
  return witnessesOf(target as Target, agentWith([]), () => Promise.resolve()).map(({ name }) => name);
}

test('three witnesses of different kinds speak wherever memory can be read from outside', () => {
  const facts = { pageBytes: PAGE };
  const externalMemory = { file: '/nowhere', regions: [] };
  expect(named({ facts, externalMemory })).toEqual(['hypervisor', 'kcore', 'page tables']);
  const busMaster = { registers: 0, reaches: [] };
  expect(named({ facts, externalMemory, busMaster })).toEqual(['hypervisor', 'bus master', 'page tables']);
  expect(named({ facts }), 'a board').toEqual(['kcore']);
});
