// SPDX-License-Identifier: MIT
/**
 * GEO-03 for each place that memory can come from; and where a place cannot give contiguous memory,
 * it says so and no more.
 */
import { allocation, expect, forEachStrategy, test } from '../../fixtures/index.ts';
import { profiles } from '../../harness/profile/profiles.ts';

const MIB = 1024 * 1024;
const { memories } = profiles.contigbuf.properties;

forEachStrategy(() => {
  for (const [memory, kind] of Object.entries(memories)) {
    test(`GEO-03 ${memory} memory is contiguous, zeroed, and where the driver says`, async ({
      agent,
      buffers,
    }) => {
      test.skip(!(memory in buffers.promises.memories), `the driver has no memory called ${memory}`);
      const reason = await kind.absence?.(agent);
      test.skip(reason !== undefined, reason);
      const request = { bytes: MIB + buffers.pageBytes, memory };
      // What is free in that place has been somebody's.
      const used = await buffers.allocate(request);
      const before = await used.map();
      await before.mapping.fill(0x5a);
      await before.unmap();
      await used.close();
      buffers.reopen();

      const buffer = await buffers.allocate(request);
      expect(buffer.allocated.memory, 'where the driver says the memory is from').toBe(memory);
      const mapping = await buffer.map({ bytes: request.bytes });
      await expect(mapping).toHoldOnly(0);
      await expect(mapping).toBePhysicallyContiguous();
      await expect(mapping).toLieWhereTheDriverSays();
    });
  }

  test('GEO-03 the page allocator refuses what is above its largest order, quietly', async ({
    buffers,
    kernelSays,
  }) => {
    const { pageBytes } = buffers;
    const memory = buffers.promises.pageAllocatorMemory;
    test.skip(memory === undefined, 'the driver takes no memory from the page allocator by name');
    // Orders end at 10 with 4 KiB pages (11 on 32-bit ARM), 11 with 16 KiB and 13 with 64 KiB (arch/arm64/Kconfig).
    const tooLarge = pageBytes * 2 ** (pageBytes > 16 * 1024 ? 14 : 12);
    await expect(allocation(buffers, { bytes: tooLarge, memory })).toFailWith(['ENOMEM']);
    expect(await kernelSays('warning'), 'what the kernel logged').toEqual([]);

    // It is the size that was refused: less of the same memory is to be had, and in one piece.
    const mapping = await (await buffers.allocate({ bytes: 64 * pageBytes, memory })).map();
    await expect(mapping).toBePhysicallyContiguous();
  });

  test('GEO-03 memory that the device does not have is refused', async ({ agent, buffers }) => {
    const reasons = await Promise.all(
      Object.entries(buffers.promises.memories).map(async ([name, kind]) => ({
        name,
        reason: await kind.absence?.(agent),
      })),
    );
    const absent = reasons.filter(({ reason }) => reason !== undefined);
    test.skip(absent.length === 0, 'this device has every kind of memory');
    for (const { name } of absent) {
      const call = allocation(buffers, { bytes: buffers.pageBytes, memory: name });
      await expect(call).toFailWith(buffers.promises.absentMemory);
    }
  });
});

test('GEO-03 the driver offers the memory that the device has, and no other', async ({ agent, driver }) => {
  const there = await Promise.all(
    Object.entries(driver.profile.properties.memories).map(async ([name, kind]) =>
      (await kind.absence?.(agent)) === undefined ? [name] : [],
    ),
  );
  expect(await driver.profile.offeredMemories(agent)).toEqual(there.flat());
});
