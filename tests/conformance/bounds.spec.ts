// SPDX-License-Identifier: MIT
/**
 * BND: a mapping is wholly inside one buffer, or it is refused. Offsets count from the buffer's first
 * byte, whatever mmap offset the strategy gives that byte.
 */
import { expect, forEachStrategy, mapping, newNonce, test, type Range } from '../../fixtures/index.ts';

const MIB = 1024 * 1024;
const PAGES = 8;

forEachStrategy(() => {
  test('BND-01 a mapping one page longer than the buffer is refused', async ({ buffers }) => {
    const { pageBytes, promises } = buffers;
    for (const pages of [1, 2, PAGES]) {
      const buffer = await buffers.allocate({ bytes: pages * pageBytes });
      const call = mapping(buffer, { at: 0, bytes: buffer.bytes + pageBytes });
      await expect(call).toFailWith(promises.outOfBounds);
    }
  });

  test('BND-01 the bytes that rounding up adds do not make a further page', async ({ buffers }) => {
    const { pageBytes, promises } = buffers;
    const buffer = await buffers.allocate({ bytes: 2 * pageBytes + 1 });
    await (await buffer.map({ bytes: 3 * pageBytes })).unmap();
    await expect(mapping(buffer, { at: 0, bytes: 4 * pageBytes })).toFailWith(promises.outOfBounds);
  });

  test('BND-02 a mapping that begins at the end of the buffer is refused', async ({ buffers }) => {
    const { pageBytes, promises } = buffers;
    // Also of sizes that fill whatever unit places are given away in.
    for (const bytes of [PAGES * pageBytes, 2 * MIB, 32 * MIB]) {
      const buffer = await buffers.allocate({ bytes });
      // A neighbour, so that "one past the end" might lead somewhere.
      const next = await buffers.allocateNeighbour({ bytes });
      const beyond = mapping(buffer, { at: buffer.bytes, bytes: pageBytes });
      await expect(beyond).toFailWith(promises.outOfBounds);
      await next.release();
      await buffer.release();
    }
  });

  test('BND-03 a mapping that begins anywhere behind the buffer is refused', async ({ buffers }) => {
    const { pageBytes, promises } = buffers;
    const buffer = await buffers.allocate({ bytes: PAGES * pageBytes });
    for (const at of [BigInt(buffer.bytes + pageBytes), 1n << 32n, 1n << 40n, 1n << 43n]) {
      await expect(mapping(buffer, { at, bytes: pageBytes })).toFailWith(promises.outOfBounds);
    }
  });

  test('BND-03 a mapping that begins 2^44 bytes and more behind the buffer is refused', async ({
    buffers,
  }) => {
    const { pageBytes, promises } = buffers;
    const buffer = await buffers.allocate({ bytes: PAGES * pageBytes });
    for (const at of [44n, 52n, 63n].map((bits) => 1n << bits)) {
      await expect(mapping(buffer, { at, bytes: pageBytes })).toFailWith(promises.outOfBounds);
    }
  });

  test('BND-04 a mapping that begins inside the buffer and crosses its end is refused', async ({
    buffers,
  }) => {
    const { pageBytes, promises } = buffers;
    const buffer = await buffers.allocate({ bytes: PAGES * pageBytes });
    await buffers.allocateNeighbour({ bytes: PAGES * pageBytes });
    const crossing: Range[] = [];
    for (let first = 1; first < PAGES; first++) {
      for (let pages = PAGES - first + 1; pages <= PAGES + 1; pages++) {
        crossing.push({ at: first * pageBytes, bytes: pages * pageBytes });
      }
    }
    for (const range of crossing) await expect(mapping(buffer, range)).toFailWith(promises.outOfBounds);
  });

  test('BND-08 a mapping of part of the buffer has exactly those pages', async ({ buffers, agent }) => {
    const { pageBytes } = buffers;
    const buffer = await buffers.allocate({ bytes: PAGES * pageBytes });
    const nonce = newNonce();
    const whole = await buffer.map();
    await whole.sign(nonce, 0);

    for (let pages = 1; pages <= PAGES; pages++) {
      const bytes = pages * pageBytes;
      // A hole between two neighbours that a mapping which is too long would damage.
      const room = await agent.anonymous(bytes + 2 * pageBytes);
      await room.fill(0x5a);
      await room.pages(1, pages).unmap();
      const part = await buffer.map({ bytes, address: room.address + pageBytes });
      await expect(part).toEndWhereItShould(bytes);
      await expect(part).toShowItsOwnPages(nonce);
      for (const neighbour of [room.page(0), room.page(pages + 1)]) {
        expect(await neighbour.scanByte(0x5a), 'the neighbour of the mapping').toMatchObject({
          mismatches: 0,
        });
      }
      await part.unmap();
      await room.page(0).unmap();
      await room.page(pages + 1).unmap();
    }
  });
});
