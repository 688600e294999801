// SPDX-License-Identifier: MIT
/** GEO-04, GEO-05, GEO-06, GEO-08: sizes, alignments, how memory can be accessed, and what a buffer costs. */
import {
  expect,
  forEachStrategy,
  freeBytes,
  isAccounted,
  isBuiltWith,
  observed,
  sign,
  slabBytes,
  test,
  type Expectation,
} from '../../fixtures/index.ts';
import type { Course } from '../../harness/judge/observation.ts';

const KIB = 1024;
const MIB = 1024 * KIB;

forEachStrategy(() => {
  test('GEO-04 an alignment that is granted is kept, and nonsense is refused', async ({ buffers, agent }) => {
    const { pageBytes, promises } = buffers;
    const most = promises.alignmentMost;
    test.skip(most === undefined, 'the driver takes no alignment');
    const alignments = [8, 64, pageBytes, 64 * KIB, MIB, 2 * MIB, 16 * MIB].filter(
      (each) => each <= (most ?? 0),
    );
    const granted = [];
    for (const alignBytes of alignments) {
      // Two each: one may be aligned by chance.
      for (const bytes of [pageBytes, 3 * pageBytes]) {
        const { ok: buffer, errno } = await agent.attempt(() => buffers.allocate({ bytes, alignBytes }));
        if (buffer === undefined) expect(['ENOMEM', 'EINVAL'], `alignment ${alignBytes}`).toContain(errno);
        else granted.push({ alignBytes, mapped: await buffer.map() });
      }
    }
    expect(granted.length).toBeGreaterThanOrEqual(alignments.length);
    for (const [memory, { anyAlignment = false }] of Object.entries(promises.memories)) {
      for (const alignBytes of alignments.filter((each) => each >= MIB)) {
        const { ok: room } = await buffers.attempt({ bytes: 2 * alignBytes, memory });
        await room?.release();
        const { ok: buffer, errno } = await buffers.attempt({ bytes: 3 * pageBytes, alignBytes, memory });
        if (buffer !== undefined) granted.push({ alignBytes, mapped: await buffer.map() });
        const what = `how alignment ${alignBytes} in ${memory} is refused`;
        if (anyAlignment && room !== undefined) expect(errno, what).toBeUndefined();
        else expect([undefined, 'ENOMEM', 'EINVAL', ...promises.absentMemory], what).toContain(errno);
      }
    }
    // One search for all of them.
    await buffers.whereabouts.of(granted.map(({ mapped }) => mapped));
    for (const { alignBytes, mapped } of granted) await expect(mapped).toBePhysicallyAligned(alignBytes);

    const calls: Expectation[] = [];
    for (const alignBytes of [
      3n,
      24n,
      BigInt(pageBytes) + 1n,
      2n ** 63n,
      2n ** 64n - 1n,
      BigInt(most ?? 0) * 2n,
    ]) {
      const allocate = () => buffers.allocate({ bytes: pageBytes, alignBytes });
      calls.push(await observed(`allocation aligned to ${alignBytes} bytes`, ['EINVAL'], allocate));
    }
    await expect(calls).toEndAsExpected();
  });

  test('GEO-05 CAC-04 memory of every cache mode takes accesses of every width, at every address', async ({
    buffers,
    agent,
  }) => {
    const { pageBytes, promises } = buffers;
    const calls: Expectation[] = [];
    for (const cache of [undefined, ...promises.cacheModes]) {
      const { ok: buffer } = await agent.attempt(() =>
        buffers.others().allocate({ bytes: 2 * pageBytes, ...(cache === undefined ? {} : { cache }) }),
      );
      // A mode that this machine does not have is refused, which is CAC-01's.
      if (buffer === undefined) continue;
      const { mapping } = await buffer.map();
      const what = (access: string) => `${access} of ${cache ?? 'default'} memory`;
      const tries: [string, () => Promise<unknown>][] = [];
      for (const width of [1, 2, 4, 8] as const) {
        // Device memory, as pgprot_noncached() makes it on arm64, faults at these.
        for (const at of [0, 1, 3, 5, 7, 4095, pageBytes - 1, pageBytes - width, 2 * pageBytes - width]) {
          tries.push([`store of ${width} bytes at ${at}`, () => mapping.store(at, 0x5a, width)]);
          tries.push([`load of ${width} bytes at ${at}`, () => mapping.load(at, width)]);
        }
      }
      // memset() of zeros uses DC ZVA on arm64, which Device memory does not take either.
      for (const [at, bytes] of [
        [0, 2 * pageBytes],
        [1, 1023],
        [17, pageBytes],
      ] as const) {
        tries.push([`memset of ${bytes} bytes at ${at}`, () => mapping.part(at, bytes).fill(0)]);
        const source = mapping.part(at === 0 ? 0 : at - 1, bytes);
        tries.push([`memmove of ${bytes} bytes to ${at}`, () => mapping.part(at, bytes).copyFrom(source)]);
      }
      tries.push(['compare and exchange', () => agent.request('exchange', mapping.address + 64, 8, 0, 1)]);
      calls.push(
        ...(await Promise.all(tries.map(([access, run]) => observed(what(access), ['success'], run)))),
      );
    }
    await expect(calls).toEndAsExpected();
  });

  test('GEO-06 a size is rounded up to pages, or refused, and never made small', async ({
    buffers,
    agent,
  }) => {
    const { pageBytes, promises } = buffers;
    for (const bytes of [1, pageBytes - 1, pageBytes, pageBytes + 1, 3 * pageBytes + 7]) {
      const buffer = await buffers.allocate({ bytes });
      const rounded = Math.ceil(bytes / pageBytes) * pageBytes;
      expect(buffer.allocated, `of ${bytes} bytes`).toMatchObject({
        requestedBytes: bytes,
        allocatedBytes: rounded,
      });
      await (await buffer.map({ bytes: rounded })).unmap();
      const more = () => buffer.map({ bytes: rounded + pageBytes });
      await expect([await observed('a page more', promises.outOfBounds, more)]).toEndAsExpected();
    }
    const page = BigInt(pageBytes);
    const none = promises.tooLarge;
    const calls: Expectation[] = [];
    for (const [bytes, accepted] of [
      [0n, ['EINVAL']],
      [2n ** 64n - 1n, ['EINVAL']],
      [2n ** 64n - page + 1n, ['EINVAL']],
      [2n ** 63n, none],
      [2n ** 52n, none],
      // In 32 bits these are small.
      [2n ** 40n + page, none],
      [2n ** 44n + 1n, none],
    ] as const) {
      if (!buffers.canTry(bytes)) continue;
      calls.push(
        await observed(`allocation of ${bytes} bytes`, accepted, () => buffers.others().allocate({ bytes })),
      );
    }
    await expect(calls).toEndAsExpected();
    for (const bytes of [2n ** 31n, 2n ** 32n, 2n ** 32n + page]) {
      if (!buffers.canTry(bytes)) continue;
      // A large machine may have it; then it is what it says.
      const { ok, errno } = await agent.attempt(() => buffers.others().allocate({ bytes }));
      if (ok === undefined) expect(none).toContain(errno);
      else expect(BigInt(ok.bytes)).toBe(bytes);
      await ok?.release();
    }
  });

  test('GEO-10 what is smaller than a page, of whatever size pages are, has one to itself', async ({
    buffers,
  }) => {
    const { pageBytes } = buffers;
    // Whole pages of another kernel are parts of a page here, or several.
    const sizes = [1, 512, 4 * KIB, 4 * KIB + 1, 16 * KIB, 64 * KIB, 64 * KIB + 1];
    const mapped = [];
    for (const bytes of sizes) {
      const buffer = await buffers.allocate({ bytes });
      const whole = Math.ceil(bytes / pageBytes) * pageBytes;
      expect(buffer.bytes, `bytes allocated for ${bytes}`).toBe(whole);
      const mapping = await buffer.map({ bytes: Math.min(bytes, 4 * KIB) });
      // To the end of the page, also where a page is larger than what was asked for.
      await expect(mapping).toHoldOnly(0);
      await expect(mapping).toEndWhereItShould(Math.min(bytes, 4 * KIB));
      await mapping.unmap();
      mapped.push(await buffer.map());
    }
    await expect(mapped).toBePhysicallyDisjoint();
    await expect(mapped).toBePhysicallyAligned();
  });

  test('GEO-08 a buffer costs what it is long, and little more', async ({ buffers, agent, ready }) => {
    const { pageBytes, promises } = buffers;
    test.skip(
      await isBuiltWith(ready.target, 'CONFIG_KASAN'),
      'this kernel keeps a shadow of what is mapped, and what is gone for a while (CONFIG_KASAN)',
    );
    test.skip(!(await isAccounted(buffers, agent)), 'memory set aside by the device tree is in no account');
    for (const pages of [5, 129, Math.ceil((1.2 * MIB) / pageBytes)]) {
      const bytes = pages * pageBytes;
      const course = (what: string): Course => ({
        ...{ label: `${what}, buffers of ${pages} pages`, unit: 'bytes', samples: [] },
      });
      const whole = course('memory that is free or in small objects of the kernel');
      const objects = course('small objects of the kernel');
      const held = [];
      for (let rounds = 0; rounds < 9; rounds++) {
        const [free, slab] = [await freeBytes(agent), await slabBytes(agent)];
        whole.samples.push({ rounds: rounds * 4, value: free + slab });
        objects.samples.push({ rounds: rounds * 4, value: slab });
        // Four at a time travel together.
        const four = Array.from({ length: 4 }, () => buffers.allocate({ bytes }));
        const made = await Promise.all(four);
        held.push(...made);
        if (promises.filledOnTouch === true) await Promise.all(made.map(sign));
      }
      // Rounding 5 pages up to 8 costs three.
      await expect(whole).toStayLevel(0.02 * bytes + 1.5 * pageBytes, -bytes);
      // What is noted down about each: a dma-buf is a file with an inode, seen to take 5 KiB with slab
      // debugging; one of shmem (vgem) has two of each, seen to take 11 KiB. Scattered memory needs lists of
      // its pages, seen to take 226 bytes a page (udmabuf).
      await expect(objects).toStayLevel(16 * KIB + (promises.contiguous ? 0.02 : 0.08) * bytes);
      await Promise.all(held.map((buffer) => buffer.release()));
    }
  });
});
