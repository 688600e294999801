// SPDX-License-Identifier: MIT
/** Memory: what is written is read, what is wrong is found, and every fault is a fact. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { Agent } from '../../harness/agent/client.ts';
import { attempt, MemoryFault } from '../../harness/agent/errors.ts';
import type { AgentMapping } from '../../harness/agent/memory.ts';
import { allMaps } from '../../harness/agent/pages.ts';
import { newNonce, patternWord, signatureOf } from '../../harness/agent/signature.ts';
import { expect, failureOf, test } from './agent-on-host.ts';

/** A file of whole pages, open for reading and writing. */
async function fileOf(agent: Agent, folder: string, pages: number): Promise<number> {
  const fd = await agent.open(join(folder, 'memory'), 'rdwr,create,truncate');
  await agent.request('truncate', fd, pages * agent.pageBytes);
  return fd;
}

/** Two pages of address space that are one page of memory. */
async function aliasedPages(agent: Agent, folder: string): Promise<AgentMapping> {
  const fd = await fileOf(agent, folder, 1);
  const both = await agent.anonymous(2 * agent.pageBytes);
  for (const page of [0, 1])
    await agent.mmap({ length: agent.pageBytes, fd, at: both.page(page).address, flags: ['fixed'] });
  return both;
}

test('64 bits survive the wire, from end to end', async ({ agent }) => {
  const memory = await agent.anonymous(agent.pageBytes);
  for (const value of [0n, 1n, 2n ** 53n + 1n, 2n ** 63n - 1n, 2n ** 63n, 2n ** 64n - 1n]) {
    await memory.store(8, value);
    expect(await memory.load(8)).toBe(value);
  }
  await memory.store(8, -1n);
  expect(await memory.load(8)).toBe(2n ** 64n - 1n);
  await memory.store(8, -(2n ** 63n));
  expect(await memory.load(8)).toBe(2n ** 63n);
});

test('loads and stores have the width and the address they were given', async ({ agent }) => {
  const memory = await agent.anonymous(agent.pageBytes);
  for (const width of [1, 2, 4, 8] as const) {
    const offset = 16 * width + 1;
    const value = BigInt.asUintN(8 * width, 0x8877665544332211n);
    await memory.store(offset, value, width);
    expect(await memory.load(offset, width)).toBe(value);
    expect((await memory.peek(offset, 16)).subarray(width)).toEqual(Buffer.alloc(16 - width));
  }
  expect(await agent.request('exchange', memory.address, 8, 0, 5)).toEqual({ value: '0x0' });
  expect(await agent.request('exchange', memory.address, 8, 0, 6)).toEqual({ value: '0x5' });
  expect(await memory.load(0)).toBe(5n);
});

test('mmap passes any offset on as it is', async ({ agent, folder }) => {
  const { pageBytes } = agent;
  const file = await fileOf(agent, folder, 1);
  const at = (offset: bigint, pages: number, fd: number) =>
    attempt(async () => (await agent.mmap({ length: pages * pageBytes, fd, offset })).vma());
  const zero = await agent.open('/dev/zero', 'rdwr');
  // mm/mmap.c: file_mmap_ok for the last page, the test for wrapping in do_mmap for two.
  expect(await at(2n ** 64n - BigInt(pageBytes), 1, zero)).toEqual({ errno: 'EOVERFLOW' });
  expect(await at(2n ** 64n - BigInt(pageBytes), 2, zero)).toEqual({ errno: 'EOVERFLOW' });
  expect(await at(2n ** 63n, 1, file)).toEqual({ errno: 'EOVERFLOW' });
  expect(await at(123n, 1, file)).toEqual({ errno: 'EINVAL' });
  const far = await agent.mmap({ length: pageBytes, fd: zero, offset: 2n ** 63n, shared: false });
  expect((await far.vma())?.offset).toBe(2n ** 63n);
  expect(await attempt(() => agent.mmap({ length: 0, fd: file }))).toEqual({ errno: 'EINVAL' });
  expect(await attempt(() => agent.mmap({ length: 2n ** 64n - 1n, fd: file }))).toEqual({ errno: 'ENOMEM' });
});

test('beyond the end of a file there is SIGBUS, and it says where', async ({ agent, folder }) => {
  const { pageBytes } = agent;
  const fd = await fileOf(agent, folder, 4);
  const mapping = await agent.mmap({ length: 4 * pageBytes, fd });
  await agent.request('truncate', fd, 2 * pageBytes);
  const fault = await failureOf(mapping.fill(0x5a));
  expect(fault).toBeInstanceOf(MemoryFault);
  expect(fault).toMatchObject({
    signal: 'SIGBUS',
    code: 'BUS_ADRERR',
    offset: 2 * pageBytes,
    address: mapping.address + 2 * pageBytes,
  });
  expect(await mapping.pages(0, 2).scanByte(0x5a)).toEqual({ compared: 2 * pageBytes, mismatches: 0 });
});

test('protection is met as SIGSEGV', async ({ agent }) => {
  const memory = await agent.anonymous(3 * agent.pageBytes);
  await memory.page(1).protect('r');
  await memory.page(2).protect('none');
  expect(await attempt(() => memory.page(1).load(0))).toEqual({ ok: 0n });
  const denied = { fault: { signal: 'SIGSEGV', code: 'SEGV_ACCERR', offset: 0 } };
  expect(await attempt(() => memory.page(1).store(0, 1))).toEqual(denied);
  expect(await attempt(() => memory.page(2).load(0))).toEqual(denied);
  await memory.page(2).unmap();
  expect(await attempt(() => memory.page(2).load(0))).toEqual({
    fault: { signal: 'SIGSEGV', code: 'SEGV_MAPERR', offset: 0 },
  });
});

const accesses: [name: string, access: (memory: AgentMapping) => Promise<unknown>][] = [
  ['load', (memory) => memory.load(0)],
  ['store', (memory) => memory.store(0, 1)],
  ['peek', (memory) => memory.peek()],
  ['poke', (memory) => memory.poke(0, Buffer.alloc(8))],
  ['fill', (memory) => memory.fill(1)],
  ['scanByte', (memory) => memory.scanByte(1)],
  ['writePattern', (memory) => memory.writePattern(1n)],
  ['verifyPattern', (memory) => memory.verifyPattern(1n)],
  ['sign', (memory) => memory.sign(1n)],
  ['verifySign', (memory) => memory.verifySign(1n)],
  ['readSignatures', (memory) => memory.readSignatures(1n)],
  ['touch', (memory) => memory.touch('write')],
  ['compareWith', (memory) => memory.compareWith(memory)],
  ['copyFrom', (memory) => memory.copyFrom(memory.part(64, memory.bytes))],
  ['exchange', (memory) => memory.agent.request('exchange', memory.address, 8, 0, 1)],
];

test('every access to memory that is not there is a fact, and the agent goes on', async ({ agent }) => {
  const memory = await agent.anonymous(agent.pageBytes);
  await memory.unmap();
  for (const [name, access] of accesses) {
    expect(await attempt(() => access(memory)), name).toMatchObject({ fault: { signal: 'SIGSEGV' } });
    expect(await agent.request('pid'), name).toHaveProperty('pid', agent.hello.pid);
  }
});

test('patterns are the same words on both sides of the wire', async ({ agent }) => {
  const memory = await agent.anonymous(2 * agent.pageBytes);
  for (const seed of [0n, 1n, 2n ** 64n - 1n, newNonce()]) {
    await memory.writePattern(seed);
    const bytes = await memory.peek();
    for (const index of [0, 1, 2, bytes.length / 8 - 1])
      expect(bytes.readBigUInt64LE(8 * index)).toBe(patternWord(seed, index));
    // A part is told which word it begins with.
    const part = memory.part(agent.pageBytes, agent.pageBytes);
    expect((await part.verifyPattern(seed, agent.pageBytes / 8)).mismatches).toBe(0);
    expect((await part.verifyPattern(seed)).mismatches).toBe(agent.pageBytes / 8);
  }
});

test('a pattern finds the words that changed', async ({ agent }) => {
  const seed = newNonce();
  const memory = await agent.anonymous(4 * agent.pageBytes);
  await memory.writePattern(seed);
  await memory.store(808, 5n);
  await memory.store(3 * agent.pageBytes + 1, 0xffn ^ (await memory.load(3 * agent.pageBytes + 1, 1)), 1);
  expect(await memory.verifyPattern(seed)).toEqual({
    compared: memory.bytes / 8,
    mismatches: 2,
    first: { offset: 808, expected: patternWord(seed, 101), got: 5n },
  });
});

test('a scan counts every other byte, from any address', async ({ agent }) => {
  const memory = await agent.anonymous(2 * agent.pageBytes);
  await memory.fill(0xa5);
  const part = memory.part(3, 5000);
  expect(await part.scanByte(0xa5)).toEqual({ compared: 5000, mismatches: 0 });
  for (const [offset, byte] of [
    [2, 0],
    [3 + 17, 1],
    [3 + 18, 2],
    [3 + 4999, 3],
    [3 + 5000, 4],
  ] as const)
    await memory.store(offset, byte, 1);
  expect(await part.scanByte(0xa5)).toEqual({
    compared: 5000,
    mismatches: 3,
    first: { offset: 17, value: 1 },
  });
});

test('a scan skips no byte', async ({ agent }) => {
  const memory = await agent.anonymous(agent.pageBytes);
  const part = memory.part(5, 61);
  const scans = Array.from({ length: 61 }, async (_, offset) => {
    const stored = part.store(offset, 1, 1);
    const scan = part.scanByte(0);
    const restored = part.store(offset, 0, 1);
    await Promise.all([stored, restored]);
    return scan;
  });
  for (const [offset, scan] of (await Promise.all(scans)).entries())
    expect(scan).toEqual({ compared: 61, mismatches: 1, first: { offset, value: 1 } });
});

test('comparing and copying ranges', async ({ agent }) => {
  const memory = await agent.anonymous(2 * agent.pageBytes);
  const [left, right] = [memory.page(0), memory.page(1)];
  await left.poke(100, randomBytes(300));
  await right.copyFrom(left);
  expect(await right.compareWith(left)).toEqual({ compared: agent.pageBytes, mismatches: 0 });
  await right.store(200, ~(await left.load(200, 1)) & 0xffn, 1);
  expect(await right.compareWith(left)).toMatchObject({ mismatches: 1, first: { offset: 200 } });
});

test('signatures are the same bytes on both sides of the wire', async ({ agent }) => {
  const memory = await agent.anonymous(3 * agent.pageBytes);
  for (const nonce of [1n, 2n ** 64n - 1n, 2n ** 63n, newNonce()]) {
    for (const first of [0, 7, 2 ** 33]) {
      await memory.sign(nonce, first);
      for (const page of [0, 1, 2]) {
        const bytes = await memory.page(page).peek(0, 64);
        expect(bytes.equals(signatureOf(nonce, first + page))).toBe(true);
      }
      expect(await memory.verifySign(nonce, first)).toEqual({ pages: 3, mismatches: 0, wrong: [] });
      expect(await memory.readSignatures(nonce, first)).toEqual([0, 1, 2]);
    }
  }
});

test('signing touches nothing but the first 64 bytes of a page', async ({ agent }) => {
  const memory = await agent.anonymous(2 * agent.pageBytes);
  await memory.fill(0x11);
  await memory.sign(newNonce());
  for (const page of [0, 1])
    expect(
      (await memory.part(page * agent.pageBytes + 64, agent.pageBytes - 64).scanByte(0x11)).mismatches,
    ).toBe(0);
});

test('signatures tell which page is seen in place of another', async ({ agent, folder }) => {
  const nonce = newNonce();
  const aliased = await aliasedPages(agent, folder);
  await aliased.sign(nonce);
  // Both pages are one, and it was signed as page 1 last.
  expect(await aliased.verifySign(nonce)).toMatchObject({ mismatches: 1, wrong: [{ page: 0, sees: 1 }] });
  expect(await aliased.readSignatures(nonce)).toEqual([1, 1]);
  await aliased.page(0).store(40, 0);
  expect(await aliased.verifySign(nonce)).toMatchObject({
    mismatches: 2,
    wrong: [{ sees: null }, { sees: null }],
  });
  expect(await aliased.readSignatures(nonce)).toEqual([null, null]);
});

test('touching counts the faults it takes', async ({ agent }) => {
  const memory = await agent.anonymous(16 * agent.pageBytes);
  expect(await memory.touch('write')).toEqual({ minorFaults: 16, majorFaults: 0 });
  expect(await memory.touch('write')).toEqual({ minorFaults: 0, majorFaults: 0 });
  await memory.pages(0, 4).advise('dontneed');
  expect(await memory.touch('read')).toEqual({ minorFaults: 4, majorFaults: 0 });
});

test('the page tables tell root where a page lies: two views of one page in one place', async ({
  agent,
  folder,
}) => {
  const aliased = await aliasedPages(agent, folder);
  await aliased.touch('write');
  const own = await agent.anonymous(2 * agent.pageBytes);
  await own.touch('write');
  const [first, second] = await aliased.pagemap();
  // Documentation/admin-guide/mm/pagemap.rst: without CAP_SYS_ADMIN there are no frame numbers.
  test.skip(process.getuid?.() !== 0 && first === undefined, 'this user is not told physical addresses');
  expect(first).toBeGreaterThan(0);
  expect(second).toBe(first);
  const others = await own.pagemap();
  expect(new Set([first, ...others]).size, 'three pages of memory').toBe(3);
  for (const address of others) expect(Number(address) % agent.pageBytes).toBe(0);
});

test('a mapping is described as the kernel describes it', async ({ agent, folder }) => {
  const { pageBytes } = agent;
  const fd = await fileOf(agent, folder, 4);
  const mapping = await agent.mmap({ length: 2 * pageBytes, fd, offset: pageBytes, protection: 'r' });
  await mapping.touch('read');
  const vma = await mapping.vma();
  expect(vma).toMatchObject({
    start: mapping.address,
    end: mapping.end,
    permissions: 'r--s',
    offset: BigInt(pageBytes),
    path: join(folder, 'memory'),
  });
  expect(vma?.flags).toEqual(expect.arrayContaining(['rd', 'sh', 'mr', 'mw', 'me', 'ms']));
  expect(vma?.sizes).toMatchObject({ Size: 2 * pageBytes, Rss: 2 * pageBytes });
  expect((await allMaps(agent)).find(({ start }) => start === mapping.address)?.permissions).toBe('r--s');
  expect(await mapping.resident()).toEqual([true, true]);
  await mapping.unmap();
  expect(await mapping.vma()).toBeUndefined();
});

test('a part of a mapping can be split off, moved and given away', async ({ agent }) => {
  const { pageBytes } = agent;
  const nonce = newNonce();
  const memory = await agent.anonymous(6 * pageBytes);
  await memory.sign(nonce);
  const moved = await memory.pages(4, 2).remap(2 * pageBytes, ['maymove', 'fixed'], memory.page(1).address);
  expect(moved.address).toBe(memory.page(1).address);
  expect(await memory.pages(0, 4).readSignatures(nonce, 0, 6)).toEqual([0, 4, 5, 3]);
  expect(await attempt(() => memory.page(4).load(0))).toMatchObject({ fault: { code: 'SEGV_MAPERR' } });
  const occupied = {
    length: pageBytes,
    shared: false,
    at: memory.address,
    flags: ['fixed-noreplace' as const],
  };
  expect(await attempt(() => agent.mmap(occupied))).toEqual({ errno: 'EEXIST' });
});

test('ioctl passes bytes, and no byte more than those', async ({ agent }) => {
  const FIONREAD = 0x541b;
  const memory = await agent.anonymous(agent.pageBytes);
  await agent.request('syscall', 'pipe2', memory.address, 0);
  const [reader, writer] = [Number(await memory.load(0, 4)), Number(await memory.load(4, 4))];
  await agent.write(writer, Buffer.from('seven!!'));
  const count = Buffer.alloc(4);
  count.writeInt32LE(7);
  expect(await agent.ioctl(reader, FIONREAD, Buffer.alloc(4))).toEqual({ returned: 0, data: count });
  // The kernel writes four bytes: with two there is nothing to write the others to.
  expect(await attempt(() => agent.ioctl(reader, FIONREAD, Buffer.alloc(2)))).toEqual({ errno: 'EFAULT' });
  expect(await attempt(() => agent.ioctl(reader, FIONREAD))).toEqual({ errno: 'EFAULT' });
  expect(await agent.ioctlAt(reader, FIONREAD, memory.address + 64)).toBe(0);
  expect(await memory.load(64, 4)).toBe(7n);
  expect(await attempt(() => agent.ioctl(reader, 0x5a00, Buffer.alloc(8)))).toEqual({ errno: 'ENOTTY' });
});

test('ioctl is repeated until it succeeds, and tells how often it failed', async ({ agent }) => {
  // asm-generic/ioctls.h. TCGETS is not for pipes, and FIONREAD always is.
  const [TCGETS, FIONREAD] = [0x5401, 0x541b];
  const memory = await agent.anonymous(agent.pageBytes);
  await agent.request('syscall', 'pipe2', memory.address, 0);
  const reader = Number(await memory.load(0, 4));
  const nothing = Buffer.alloc(4);
  expect(await agent.ioctlUntil(reader, FIONREAD, nothing, 10)).toEqual({ failed: 0, data: nothing });
  const never = agent.ioctlUntil(reader, TCGETS, Buffer.alloc(64), 10);
  expect(await attempt(() => never)).toEqual({ errno: 'ENOTTY' });
});

test('the kernel reads and writes at an address', async ({ agent, folder }) => {
  const fd = await fileOf(agent, folder, 1);
  const memory = await agent.anonymous(2 * agent.pageBytes);
  await memory.page(0).writePattern(3n);
  await agent.request('write-from', fd, memory.address, agent.pageBytes, 0);
  await agent.request('read-to', fd, memory.page(1).address, agent.pageBytes, 0);
  expect((await memory.page(1).verifyPattern(3n)).mismatches).toBe(0);
  await memory.page(1).unmap();
  expect(await attempt(() => agent.request('read-to', fd, memory.page(1).address, 8, 0))).toEqual({
    errno: 'EFAULT',
  });
});
