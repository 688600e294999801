// SPDX-License-Identifier: MIT
/**
 * ZER: a fresh buffer shows nobody else's data. The guest's kernel poisons freed pages and does not
 * zero them at allocation, or the claim would be tested on the kernel and not on the driver.
 */
import { dirtyMemory, expect, forEachStrategy, test } from '../../fixtures/index.ts';

const KIB = 1024;
const MIB = 1024 * KIB;

forEachStrategy(() => {
  test('ZER-01 a fresh buffer reads as zero, to its last byte', async ({ buffers, startAgent }) => {
    await dirtyMemory(startAgent);
    const { pageBytes } = buffers;
    for (const bytes of [
      1,
      pageBytes,
      3 * pageBytes + 100,
      64 * KIB,
      MIB + pageBytes,
      4 * MIB,
      16 * MIB,
      64 * MIB,
    ]) {
      const buffer = await buffers.allocate({ bytes });
      const mapping = await buffer.map({ protection: 'r' });
      await expect(mapping).toHoldOnly(0);
      await mapping.unmap();
    }
  });

  test('ZER-01 a fresh buffer of the page allocator reads as zero, too', async ({ buffers, startAgent }) => {
    const { pageBytes, promises } = buffers;
    const memory = promises.pageAllocatorMemory;
    test.skip(memory === undefined, 'the driver takes no memory from the page allocator by name');
    await dirtyMemory(startAgent);
    // Each size a few times: what one buffer gets may be clean by chance.
    for (const bytes of [1, pageBytes, 3 * pageBytes + 100, 64 * KIB, MIB + pageBytes]) {
      for (let i = 0; i < 4; i++) {
        const mapping = await (await buffers.allocate({ bytes, memory })).map({ protection: 'r' });
        await expect(mapping).toHoldOnly(0);
      }
    }
  });
});
