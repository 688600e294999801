// SPDX-License-Identifier: MIT
/**
 * RES: when there is no more memory, no more descriptors or no more names, a call says so, the kernel
 * has nothing to complain about, and nothing is lost. Documentation/core-api/memory-allocation.rst.
 */
import {
  expect,
  forEachStrategy,
  freeBytes,
  ioctlStep,
  kilobytesOf,
  lowestFree,
  orSkip,
  outcomeInASacrifice,
  sacrifice,
  repeat,
  test,
  type Agent,
  type Buffers,
  type Expectation,
} from '../../fixtures/index.ts';
import type { Outcome } from '../../harness/judge/observation.ts';
import { fieldsOf } from '../../harness/profile/ioctls.ts';
import type { CacheMode } from '../../harness/profile/profile.ts';

const MIB = 1024 * 1024;
const LIVE = 1000;
/** Measured in an emulated guest: 2 s, and 6 s where all of its memory is filled. */
const FILLED = [
  { what: 'what fits into one kind of memory', anywhere: false, tag: [] },
  { what: 'what fits into all memory', anywhere: true, tag: '@slow' },
];
/** Of the buffers that memory is filled with. */
const LARGE = 32 * MIB;
/** Requests that are refused, so many that the loss of each shows. */
const REFUSALS = 24;
/** What is left when no large one fits any more is asked for in smaller pieces. */
const SMALLER = [LARGE, 4 * MIB, MIB];
/** Large buffers at least, of which one more or less says nothing. */
const SEVERAL = 5;
/** Of one that is enough to show in an account. */
const SOME = 16 * MIB;
/** Of free memory, what is broken up: several times what is asked for then. */
const FRAGMENTED_BYTES = 64 * MIB;

forEachStrategy(() => {
  // What a kernel has complained of, it may keep to itself the next time (mm/page_alloc.c: warn_alloc).
  test.use({ isolation: 'test' });

  test('RES-01 more memory than there is is refused, and nobody pays for it', async ({
    agent,
    buffers,
    kernelSays,
  }) => {
    const total = kilobytesOf(await agent.readText('/proc/meminfo'), 'MemTotal') * 1024;
    const killed = async () => /^oom_kill (\d+)$/m.exec(await agent.readText('/proc/vmstat'))?.[1];
    const before = await killed();
    const calls: Expectation[] = [];
    // A 32-bit kernel, or a strategy with offsets of few bits, may say that it cannot even name it.
    for (const bytes of [2 * total, 2 ** 40, 2 ** 47, 2 ** 62].filter((each) => buffers.canSay(each))) {
      const child = await sacrifice(agent);
      const own = buffers.others({ agent: child.agent });
      const outcome = await outcomeInASacrifice(() => own.allocate({ bytes: BigInt(bytes) }));
      calls.push({
        call: `allocation of ${bytes} bytes`,
        accepted: ['ENOMEM', 'EOVERFLOW', ...(buffers.promises.ownLimit ?? [])],
        outcome,
      });
      if (outcome.kind !== 'signal') await child.exit();
    }
    await expect(calls).toEndAsExpected();
    expect(await killed(), 'processes killed for want of memory').toBe(before);
    expect(await kernelSays('warning'), 'what the kernel logged').toEqual([]);
    await buffers.allocate({ bytes: MIB });
  });
});

test('RES-01 whatever memory is asked for, others keep the share that is documented', async ({
  agent,
  buffers,
  kernelSays,
}) => {
  test.setTimeout(8 * test.info().timeout);
  const share = orSkip(buffers.promises.leavesToOthers, 'the driver documents no share that it leaves');
  for (const memory of Object.keys(buffers.promises.memories)) {
    const before = await freeBytes(agent);
    const child = await sacrifice(agent);
    const own = buffers.others({ agent: child.agent });
    const { ok: first } = await own.attempt({ bytes: agent.pageBytes, memory });
    // What a machine does not have, GEO-03 looks at.
    if (first !== undefined) {
      for (const bytes of SMALLER) await fill(own, { memory }, bytes);
      const { total, ordinary } = await memoryForOthers(agent);
      // What they have taken since is theirs.
      expect(ordinary, `bytes of ${total} that are left when ${memory} gives no more`).toBeGreaterThan(
        0.75 * share * total,
      );
      for (let time = 0; time < REFUSALS; time++) await own.attempt({ bytes: MIB, memory });
    }
    await child.exit();
    const lost = before - (await freeBytes(agent));
    expect(lost, `bytes that ${REFUSALS} refused requests of 1 MiB of ${memory} lost`).toBeLessThan(
      (REFUSALS * MIB) / 2,
    );
  }
  expect(await kernelSays('warning'), 'what the kernel logged').toEqual([]);
});

for (const { what, anywhere, tag } of FILLED) {
  test(`RES-02 ${what} once fits again`, { tag }, async ({ agent, buffers, balanceOf, kernelSays }) => {
    // The last tries move everything that can be moved, which takes an emulated machine its time.
    test.setTimeout(8 * test.info().timeout);
    const place = anywhere ? {} : { memory: await roomyMemory(buffers) };
    const counts: number[] = [];
    const modes = await grantedModes(buffers);
    const balance = await balanceOf('filling memory twice', async () => {
      for (let round = 0; round < 2; round++) {
        // Those of a process that ends come back.
        const child = await sacrifice(agent);
        const own = buffers.others({ agent: child.agent });
        counts.push(await fill(own, place));
        if (!anywhere) await expectOthersToServe(own, modes);
        await child.exit();
      }
    });
    await expect(balance).toBalance();
    expect(counts[0], 'buffers that fit').toBeGreaterThanOrEqual(SEVERAL);
    // Movable memory may be in the way of one more or less.
    expect(Math.min(...counts), `buffers that fit: ${counts.join(', ')}`).toBeGreaterThanOrEqual(
      (counts[0] ?? 0) - 1,
    );
    expect(await kernelSays('warning'), 'what the kernel logged').toEqual([]);
  });
}

test('RES-02 memory that is in no account of the kernel’s serves again when it was given back', async ({
  agent,
  buffers,
}) => {
  const total = kilobytesOf(await agent.readText('/proc/meminfo'), 'MemTotal') * 1024;
  let looked = 0;
  for (const memory of Object.keys(buffers.promises.memories)) {
    const before = await freeBytes(agent);
    const { ok: first } = await buffers.attempt({ bytes: SOME, memory });
    // What a machine does not have, GEO-03 looks at; what is lost of memory that is in an account, LIF-07 sees there.
    const accounted = before - (await freeBytes(agent)) > SOME / 2;
    await first?.release();
    if (first === undefined || accounted) continue;
    looked += 1;
    for (let given = 0; given <= total; given += SOME) {
      const { ok: again, errno } = await buffers.attempt({ bytes: SOME, memory });
      expect(errno, `how ${memory} is refused after ${given / MIB} MiB that were given back`).toBeUndefined();
      await again?.release();
    }
  }
  test.skip(looked === 0, 'all memory of this machine is in an account');
});

test('RES-06 memory that others occupy is moved away, or the request is refused', async ({
  agent,
  buffers,
  startAgent,
  kernelSays,
}) => {
  const free = kilobytesOf(await agent.readText('/proc/meminfo'), 'MemFree') * 1024;
  const tenant = await startAgent();
  // Anonymous pages are movable, so they fill CMA, too.
  const rooms = [];
  for (let left = Math.floor((free * 0.8) / MIB) * MIB; left > 0; left -= 64 * MIB) {
    const room = await tenant.anonymous(Math.min(left, 64 * MIB));
    // Most of huge pages, where there are any, which is fast: they are moved, too, or split.
    if (rooms.length % 8 !== 0) await tenant.attempt(() => room.advise('hugepage'));
    await room.sign(BigInt(left), 0);
    rooms.push({ room, nonce: BigInt(left) });
  }
  const { ok, errno } = await agent.attempt(() => buffers.allocate({ bytes: 16 * MIB }));
  if (ok === undefined) expect(errno, 'how it was refused').toBe('ENOMEM');
  else await expect(await ok.map()).toHoldOnly(0);
  for (const { room, nonce } of rooms) {
    expect(await room.verifySign(nonce, 0), 'what others had in memory').toMatchObject({ mismatches: 0 });
  }
  await tenant.end();
  expect(await kernelSays('warning'), 'what the kernel logged').toEqual([]);
  await buffers.allocate({ bytes: 16 * MIB });
});

test('RES-07 fragmented memory is refused, or served in one piece', async ({
  agent,
  buffers,
  startAgent,
  kernelSays,
}) => {
  const free = kilobytesOf(await agent.readText('/proc/meminfo'), 'MemFree') * 1024;
  const tenant = await startAgent();
  let left = Math.floor((free * 0.8) / MIB) * MIB;
  // What stays occupied is of huge pages, where there are any, which is fast.
  for (; left > FRAGMENTED_BYTES; left -= 64 * MIB) {
    const room = await tenant.anonymous(Math.min(left - FRAGMENTED_BYTES, 64 * MIB));
    await tenant.attempt(() => room.advise('hugepage'));
    await room.touch('write');
  }
  // Every other piece goes, so that nothing larger is free but what was free before.
  const fragment = Math.max(256 * 1024, agent.pageBytes);
  for (left = FRAGMENTED_BYTES; left > 0; left -= 64 * MIB) {
    const room = await tenant.anonymous(Math.min(left, 64 * MIB));
    await room.touch('write');
    const pieces = Math.floor(room.bytes / (2 * fragment));
    await Promise.all(
      Array.from({ length: pieces }, (_, piece) => room.part(2 * piece * fragment, fragment).unmap()),
    );
  }
  const { pageAllocatorMemory: memory } = buffers.promises;
  const places = memory === undefined ? [{}] : [{}, { memory }];
  const served = [];
  for (const place of places) {
    for (const bytes of [fragment / 2, 2 * fragment, MIB, 4 * MIB, 16 * MIB]) {
      const { ok: buffer, errno } = await buffers.attempt({ bytes, ...place });
      if (buffer === undefined) {
        expect(errno, `how ${bytes} bytes were refused`).toBe('ENOMEM');
        continue;
      }
      const mapped = await buffer.map();
      await expect(mapped).toHoldOnly(0);
      served.push(mapped);
    }
  }
  expect(served.length, 'requests that were served').toBeGreaterThan(0);
  await expect(served).toBePhysicallyContiguous();
  await tenant.end();
  expect((await kernelSays()).filter((line) => /WARN|allocation failure|OOM/i.test(line))).toEqual([]);
  await buffers.allocate({ bytes: 16 * MIB });
});

test('RES-08 without a free descriptor nothing is made, a thousand times', async ({
  agent,
  ioctls,
  balanceOf,
}) => {
  const makers = ioctls.calls.filter((call) => fieldsOf(call, 'out-descriptor').length > 0);
  test.skip(makers.length === 0, 'no ioctl of this driver returns a descriptor');
  const rounds = 1000;
  const balance = await balanceOf(`${rounds} calls without a free descriptor`, () =>
    ioctls.forEach(async ({ call, situation, argument }) => {
      const used = (await agent.openFiles()).map(({ fd }) => fd);
      const { soft } = await agent.request<{ soft: string }>('rlimit', 'nofile');
      await agent.request('rlimit', 'nofile', lowestFree(used));
      const [made] = await repeat(agent, rounds, [ioctlStep(situation.fd, call.request, argument())]);
      await agent.request('rlimit', 'nofile', soft === 'unlimited' ? soft : Number(soft));
      expect(made, call.name).toEqual({ ok: 0, failed: { EMFILE: rounds } });
    }, makers),
  );
  await expect(balance).toBalance();
});

test(`RES-09 ${LIVE} buffers live at once, and as many again after them`, async ({
  agent,
  driver,
  ioctls,
  balanceOf,
}) => {
  const pile = orSkip(ioctls.abi.pile, 'open files of this driver hold no buffers');
  const balance = await balanceOf(`twice ${LIVE} buffers`, async () => {
    for (let round = 0; round < 2; round++) {
      const fd = await agent.open(driver.profile.device, 'rdwr');
      const [made] = await repeat(agent, LIVE, [pile(fd, agent.pageBytes)]);
      await agent.close(fd);
      expect(made).toEqual({ ok: LIVE, failed: {} });
    }
  });
  await expect(balance).toBalance();
});

// 44 s.
test('RES-09 a failed allocation uses up no name', { tag: '@slow' }, async ({ agent, ioctls, balanceOf }) => {
  const makers = ioctls.calls.filter((call) => call.makesBuffer === true);
  test.skip(makers.length === 0, 'no ioctl of this driver makes a buffer');
  test.setTimeout(8 * test.info().timeout);
  const rounds = 140_000;
  const balance = await balanceOf(`${rounds} allocations whose result cannot be told`, () =>
    ioctls.forEach(async ({ call, situation, argument }) => {
      const memory = await agent.anonymous(agent.pageBytes);
      // One page: more would come from CMA, which empties every CPU's lists for each (mm/page_alloc.c:
      // alloc_contig_range).
      const onePage = call.sizedBy === undefined ? {} : { [call.sizedBy]: agent.pageBytes };
      await memory.poke(0, argument(onePage));
      await memory.protect('r');
      const patient = agent.allowing(120_000);
      const [made] = await repeat(patient, rounds, [
        ['ioctl-at', situation.fd, call.request, memory.address],
      ]);
      expect(made).toEqual({ ok: 0, failed: { EFAULT: rounds } });
      await memory.unmap();
      await agent.ioctl(situation.fd, call.request, argument());
    }, makers),
  );
  await expect(balance).toBalance();
});

/** The first kind of memory that has several large buffers; the driver's choice where none can be asked for by name. */
async function roomyMemory(buffers: Buffers): Promise<string | undefined> {
  for (const memory of Object.keys(buffers.promises.memories)) {
    const held = [];
    for (let count = 0; count < SEVERAL; count++) {
      const { ok: buffer } = await buffers.attempt({ bytes: LARGE, memory });
      if (buffer !== undefined) held.push(buffer);
    }
    await Promise.all(held.map((buffer) => buffer.release()));
    if (held.length === SEVERAL) return memory;
  }
  return undefined;
}

/** @returns how many buffers fit */
async function fill(own: Buffers, place: { memory?: string | undefined }, bytes = LARGE): Promise<number> {
  let count = 0;
  let last: Outcome = { kind: 'success', value: 0 };
  while (last.kind === 'success') {
    last = await outcomeInASacrifice(() => own.allocate({ bytes, ...place }));
    if (last.kind === 'success') count += 1;
  }
  expect(last, 'how the last one was refused').toEqual({ kind: 'error', errno: 'ENOMEM' });
  return count;
}

/** In bytes, what can be had without CMA, which is there for buffers (Documentation/filesystems/proc.rst: meminfo). */
async function memoryForOthers(agent: Agent): Promise<{ total: number; ordinary: number }> {
  const meminfo = await agent.readText('/proc/meminfo');
  const bytesOf = (name: string) => kilobytesOf(meminfo, name) * 1024;
  const cma = meminfo.includes('CmaFree:') ? bytesOf('CmaFree') : 0;
  return { total: bytesOf('MemTotal'), ordinary: bytesOf('MemAvailable') - cma };
}

/** The cache modes that the driver has while there is memory. */
async function grantedModes(buffers: Buffers): Promise<CacheMode[]> {
  const granted: CacheMode[] = [];
  for (const cache of buffers.promises.cacheModes) {
    const { ok: buffer } = await buffers.attempt({ bytes: buffers.pageBytes, cache });
    if (buffer !== undefined) granted.push(cache);
    await buffer?.release();
  }
  return granted;
}

/** One kind of memory is full: the driver's own choice is another one, and what has no other is out of memory. */
async function expectOthersToServe(own: Buffers, modes: readonly CacheMode[]): Promise<void> {
  for (const memory of Object.keys(own.promises.memories)) {
    const { ok: named } = await own.attempt({ bytes: LARGE, memory });
    if (named === undefined) continue;
    await named.release();
    const { ok: chosen, errno } = await own.attempt({ bytes: LARGE });
    expect(errno, `what has room in ${memory}, when that is not asked for by name`).toBeUndefined();
    await chosen?.release();
  }
  for (const cache of modes) {
    const { ok: buffer, errno = 'ENOMEM' } = await own.attempt({ bytes: LARGE, cache });
    expect(errno, `how memory that is ${cache} is refused when it is full`).toBe('ENOMEM');
    await buffer?.release();
  }
}
