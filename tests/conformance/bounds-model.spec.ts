// SPDX-License-Identifier: MIT
/**
 * BND-05 to BND-07, BND-09 to BND-14: every range a mapping can be asked for, against a reference model
 * (fixtures/map-model.ts), and what must not be reachable by offsets that lie beside a buffer.
 */
import {
  expect,
  forEachStrategy,
  newNonce,
  observed,
  refusals,
  signedBuffer,
  test,
  type Buffers,
  type Expectation,
  type MapCase,
} from '../../fixtures/index.ts';

const MIB = 1024 * 1024;

const protections = ['none', 'r', 'w', 'rw', 'x', 'rx', 'wx', 'rwx'] as const;

/** Ranges around a buffer, from two pages before it to beyond its end. */
function ranges(bufferPages: number): Pick<MapCase, 'bufferPages' | 'first' | 'pages'>[] {
  const all = [];
  for (let first = -2; first <= 10; first++) {
    for (let pages = 0; pages <= 10; pages++) all.push({ bufferPages, first, pages });
  }
  return all;
}

/** Tries them all at one place in the address space; requests travel together. */
async function tryAll(buffers: Buffers, bufferPages: number, cases: readonly MapCase[]) {
  const { pageBytes, promises } = buffers;
  const { buffer, nonce } = await signedBuffer(buffers.others(), { bytes: bufferPages * pageBytes });
  // Room that nothing else is put into: it lies far below what the kernel chooses by itself.
  const room = (await buffer.map({ bytes: pageBytes })).mapping;
  const start = room.address - 2 ** 28;
  const sayable = cases.filter(({ first }) => buffer.hasOffset(BigInt(first) * BigInt(pageBytes)));
  const tried = sayable.map(async (it) => {
    const { first, pages, shared, protection } = it;
    const errors = refusals(it, buffer.allocated.mmapOffset, pageBytes, promises);
    const what = `mmap of ${pages} pages from page ${first} of ${bufferPages}, ${protection}, ${shared ? 'shared' : 'private'}`;
    const mapped = observed(what, errors.length === 0 ? ['success'] : errors, () =>
      buffer.map({
        at: BigInt(first) * BigInt(pageBytes),
        bytes: pages * pageBytes,
        shared,
        protection,
        address: start,
        flags: ['fixed'],
      }),
    );
    // On its way before the answer is there: what was mapped is known, or nothing is.
    const view = room.part(start - room.address, Math.max(1, pages) * pageBytes);
    const readable = errors.length === 0 && protection.includes('r');
    const seen = readable ? view.readSignatures(nonce, 0, bufferPages).catch(() => []) : undefined;
    await view.unmap();
    return {
      call: await mapped,
      expected: Array.from({ length: pages }, (_, i) => first + i),
      seen: await seen,
    };
  });
  return Promise.all(tried);
}

forEachStrategy(() => {
  test('BND-05 offsets that wrap, or that a sign or a width makes small, are refused', async ({
    buffers,
  }) => {
    const { pageBytes, promises } = buffers;
    const page = BigInt(pageBytes);
    const pages = 4;
    const buffer = await buffers.allocate({ bytes: pages * pageBytes });
    const start = buffer.allocated.mmapOffset;
    const end = 1n << 64n;
    const offsets = [
      end - page,
      end - 2n * page,
      (1n << 63n) - page,
      1n << 63n,
      (1n << 63n) + start,
      ((1n << 52n) - 1n) * page,
      start - page,
      start + (1n << 31n),
      start + (1n << 32n),
      start + (1n << 44n),
      end - start,
    ].map((offset) => BigInt.asUintN(64, offset));
    const calls: Expectation[] = [];
    for (const offset of offsets.filter((each) => buffer.hasOffset(each - start))) {
      for (const count of [1, 2, pages]) {
        // Physical addresses are offsets like any other, also where they wrap.
        const at = offset - start;
        const inside = at >= 0n && at + BigInt(count) * page <= BigInt(buffer.bytes);
        if (inside) continue;
        const accepted = [...promises.outOfBounds, 'EOVERFLOW'];
        const map = () => buffer.map({ at, bytes: count * pageBytes });
        calls.push(await observed(`mmap of ${count} pages at 0x${offset.toString(16)}`, accepted, map));
      }
    }
    await expect(calls).toEndAsExpected();
  });

  test('BND-06 an offset inside a page is refused', async ({ buffers, agent }) => {
    const { pageBytes } = buffers;
    const buffer = await buffers.allocate({ bytes: 4 * pageBytes });
    const calls: Expectation[] = [];
    for (const at of [1, 8, 512, pageBytes / 2, pageBytes - 1, pageBytes + 1]) {
      if (agent.hello.pointerBytes < 8) continue;
      calls.push(
        await observed(`mmap at byte ${at}`, ['EINVAL'], () => buffer.map({ at, bytes: pageBytes })),
      );
    }
    test.skip(calls.length === 0, 'mmap2() has no offsets inside a page');
    await expect(calls).toEndAsExpected();
  });

  test('BND-07 a length of nothing, and one of everything, are refused', async ({ buffers, agent }) => {
    const buffer = await buffers.allocate({ bytes: 4 * buffers.pageBytes });
    const { fd, mmapOffset: offset } = buffer.allocated;
    const most = (1n << BigInt(8 * agent.hello.pointerBytes)) - 1n;
    const map = (length: bigint) => () => agent.mmap({ length, fd, offset });
    const page = BigInt(buffers.pageBytes);
    await expect([
      await observed('mmap of 0 bytes', ['EINVAL'], map(0n)),
      await observed('mmap of as many bytes as there are addresses', ['ENOMEM'], map(most)),
      await observed('mmap of a page less', ['ENOMEM', 'EOVERFLOW'], map(most + 1n - page)),
    ]).toEndAsExpected();
  });

  test('BND-09 BND-10 every range of buffers of 1 to 8 pages ends as the model says', async ({ buffers }) => {
    const calls: Expectation[] = [];
    for (let pages = 1; pages <= 8; pages++) {
      const cases = ranges(pages).map((range) => ({ ...range, shared: true, protection: 'rw' as const }));
      for (const { call, expected, seen } of await tryAll(buffers, pages, cases)) {
        calls.push(call);
        if (seen !== undefined) expect(String(seen), `pages seen after ${call.call}`).toBe(String(expected));
      }
    }
    await expect(calls).toEndAsExpected();
  });

  test('BND-10 so does every protection, shared and private', async ({ buffers }) => {
    const cases = ranges(3).flatMap((range) =>
      protections.flatMap((protection) => [
        { ...range, shared: true, protection },
        { ...range, shared: false, protection },
      ]),
    );
    const tried = await tryAll(buffers, 3, cases);
    for (const { call, expected, seen } of tried) {
      if (seen !== undefined) expect(String(seen), `pages seen after ${call.call}`).toBe(String(expected));
    }
    await expect(tried.map(({ call }) => call)).toEndAsExpected();
  });

  test('BND-11 the offset of a freed buffer, or of none, leads nowhere', async ({ buffers }) => {
    const { pageBytes, promises } = buffers;
    const names = buffers.others();
    // fd-per-buffer strategies begin at 0: all their offsets are inside or past the one buffer.
    const live = await names.allocate({ bytes: 4 * pageBytes });
    const freed = await names.allocate({ bytes: 4 * pageBytes });
    test.skip(freed.allocated.fd !== live.allocated.fd, 'every buffer has a descriptor of its own');
    await freed.release();
    const page = BigInt(pageBytes);
    const { mmapOffset } = live.allocated;
    const gap = freed.allocated.mmapOffset - mmapOffset;
    const beside = [
      gap,
      gap + page,
      gap * 2n,
      gap * 3n,
      -mmapOffset,
      -mmapOffset + page,
      -gap,
      -gap - page,
      -page,
    ];
    const calls: Expectation[] = [];
    for (const at of beside.filter((each) => live.hasOffset(each))) {
      const map = () => live.map({ at, bytes: pageBytes });
      calls.push(
        await observed(`mmap at ${at} from a live buffer`, [...promises.outOfBounds, 'EOVERFLOW'], map),
      );
    }
    await expect(calls).toEndAsExpected();
  });

  test('BND-12 BND-13 offsets of one open file lead to no buffer of another', async ({ buffers }) => {
    const { pageBytes, promises } = buffers;
    const mine = await buffers.allocate({ bytes: 4 * pageBytes });
    const theirs = await buffers.others().allocate({ bytes: 4 * pageBytes });
    const distance = theirs.allocated.mmapOffset - mine.allocated.mmapOffset;
    test.skip(distance === 0n, 'offsets count from the descriptor of the buffer');
    const page = BigInt(pageBytes);
    const calls: Expectation[] = [];
    for (const at of [distance, distance + page, distance - page, distance + 3n * page]) {
      for (const bytes of [pageBytes, 2 * pageBytes, 4 * pageBytes]) {
        // What overlaps my own buffer is BND-09's.
        const own = at >= 0n && at + BigInt(bytes) <= 4n * page;
        if (own || !mine.hasOffset(at)) continue;
        calls.push(
          await observed(
            `mmap of ${bytes} bytes, ${at} from my buffer, at another file's`,
            promises.outOfBounds,
            () => mine.map({ at, bytes }),
          ),
        );
      }
    }
    await expect(calls).toEndAsExpected();
  });

  test('BND-12 BND-13 buffers that live at once have offsets of their own', async ({ buffers }) => {
    const { pageBytes } = buffers;
    const own = buffers.others();
    const live = [];
    // Of sizes on both sides of every size that places could be rounded to.
    for (const bytes of [pageBytes, 40 * MIB, pageBytes, 3 * MIB, 33 * MIB, 5 * pageBytes]) {
      live.push(await signedBuffer(own, { bytes }));
    }
    const [first, second] = live;
    test.skip(
      first?.buffer.allocated.fd !== second?.buffer.allocated.fd,
      'every buffer has a descriptor of its own',
    );
    const ranges = live
      .map(({ buffer }) => ({ from: buffer.allocated.mmapOffset, bytes: BigInt(buffer.bytes) }))
      .toSorted((a, b) => (a.from < b.from ? -1 : 1));
    for (const [index, { from }] of ranges.entries()) {
      const before = ranges[index - 1];
      if (before !== undefined)
        expect(from, 'where the next one begins').toBeGreaterThanOrEqual(before.from + before.bytes);
    }
    for (const { buffer, nonce } of live) await expect(await buffer.map()).toShowItsOwnPages(nonce);
  });

  test('BND-14 buffers that are mapped one behind the other keep their own pages', async ({
    buffers,
    agent,
  }) => {
    const { pageBytes } = buffers;
    const pages = 4;
    const both = [];
    for (let i = 0; i < 2; i++) both.push(await signedBuffer(buffers, { bytes: pages * pageBytes }));
    for (const order of [both, both.toReversed()]) {
      const room = await agent.mmap({ length: 2 * pages * pageBytes, shared: false, protection: 'none' });
      const mapped = [];
      for (const [i, { buffer }] of order.entries()) {
        const address = room.address + i * pages * pageBytes;
        mapped.push(await buffer.map({ address, flags: ['fixed'] }));
      }
      for (const [i, { nonce }] of order.entries()) {
        // mm may merge them only if the pages stay right (mm/vma.c: vma_merge_new_range).
        const one = mapped[i];
        if (one !== undefined) await expect(one, `the ${i + 1}. of two neighbours`).toShowItsOwnPages(nonce);
      }
      // The border goes, on both sides of it.
      await room.pages(pages - 1, 2).unmap();
      const left = [mapped[0]?.pages(0, pages - 1), mapped[1]?.pages(1, pages - 1)];
      for (const [i, { nonce }] of order.entries()) {
        const one = left[i];
        if (one !== undefined) await expect(one, 'without the border').toShowItsOwnPages(nonce);
      }
      await room.unmap();
    }
  });

  test('BND-14 so do two pieces of one buffer in the wrong order', async ({ buffers, agent }) => {
    const { pageBytes, promises } = buffers;
    test.skip(!promises.subOffset, 'a mapping always begins with the buffer');
    const buffer = await buffers.allocate({ bytes: 4 * pageBytes });
    const nonce = newNonce();
    await (await buffer.map()).sign(nonce, 0);
    const room = await agent.mmap({ length: 4 * pageBytes, shared: false, protection: 'none' });
    const piece = (at: number, place: number) =>
      buffer.map({
        at: at * pageBytes,
        bytes: 2 * pageBytes,
        address: room.address + place * pageBytes,
        flags: ['fixed'],
      });
    await expect([await piece(2, 0), await piece(0, 2)]).toShowItsOwnPages(nonce);
    await expect([await piece(0, 0), await piece(2, 2)], 'in order').toShowItsOwnPages(nonce);
  });
});
