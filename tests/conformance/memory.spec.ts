// SPDX-License-Identifier: MIT
/** GEO-03, the other half: where the page allocator cannot give contiguous memory, it says so and no more. */
import { allocation, expect, forEachStrategy, test } from '../../fixtures/index.ts';

forEachStrategy(() => {
  test('GEO-03 the page allocator refuses what is above its largest order, quietly', async ({
    buffers,
    kernelSays,
  }) => {
    const { pageBytes } = buffers;
    const memory = buffers.promises.pageAllocatorMemory;
    test.skip(memory === undefined, 'the driver takes no memory from the page allocator by name');
    // Orders end at 10 with 4 KiB pages and 11 with 16 KiB: 16 MiB and 64 MiB are out of reach.
    const tooLarge = pageBytes * 4096;
    await expect(allocation(buffers, { bytes: tooLarge, memory })).toFailWith(['ENOMEM']);
    expect(await kernelSays(), 'what the kernel logged').toEqual([]);

    // It is the size that was refused: less of the same memory is to be had, and in one piece.
    const mapping = await (await buffers.allocate({ bytes: 64 * pageBytes, memory })).map();
    await expect(mapping).toBePhysicallyContiguous();
  });
});
