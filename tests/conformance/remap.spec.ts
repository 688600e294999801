// SPDX-License-Identifier: MIT
/**
 * MAP-08: mremap() (mm/mremap.c: vma_to_resize, check_prep_vma). A mapping that grew past its buffer,
 * or that was duplicated behind the driver's back, is how CVE-2024-46852 (CMA heap), CVE-2023-2008
 * (udmabuf) and CVE-2026-23056 (uacce) got at memory that is not theirs.
 */
import { expect, forEachStrategy, observed, signedBuffer, test } from '../../fixtures/index.ts';

const PAGES = 6;

forEachStrategy(() => {
  test('MAP-08 a mapping neither grows nor is duplicated', async ({ buffers }) => {
    const { pageBytes } = buffers;
    const { buffer, nonce } = await signedBuffer(buffers, { bytes: PAGES * pageBytes });
    // One mapping to the end of the buffer, one that would even have room to grow inside of it.
    for (const pages of [PAGES, 2]) {
      const mapped = await buffer.map({ bytes: pages * pageBytes });
      const { mapping } = mapped;
      const calls = [
        await observed('one page more, in place', ['EFAULT'], () => mapping.remap(mapping.bytes + pageBytes)),
        await observed('one page more, anywhere', ['EFAULT'], () =>
          mapping.remap(mapping.bytes + pageBytes, ['maymove']),
        ),
        await observed('four times as long', ['EFAULT'], () => mapping.remap(4 * mapping.bytes, ['maymove'])),
        await observed('its last page grows', ['EFAULT'], () =>
          mapping.page(pages - 1).remap(2 * pageBytes, ['maymove']),
        ),
        // old_size 0 asks for a second mapping of the same memory.
        await observed('a duplicate', ['EFAULT'], () => mapping.part(0, 0).remap(mapping.bytes, ['maymove'])),
        // MREMAP_DONTUNMAP is for anonymous memory, and since 5.13 for files, never for VM_SPECIAL.
        await observed('MREMAP_DONTUNMAP', ['EINVAL'], () =>
          mapping.remap(mapping.bytes, ['maymove', 'dontunmap']),
        ),
      ];
      await expect(calls).toEndAsExpected();
      await expect(mapped, 'after all that').toShowItsOwnPages(nonce);
    }
  });

  test('MAP-08 a mapping that shrinks loses its tail and nothing else', async ({ buffers }) => {
    const { pageBytes } = buffers;
    const { buffer, nonce } = await signedBuffer(buffers, { bytes: PAGES * pageBytes });
    const mapped = await buffer.map();
    await mapped.mapping.remap(2 * pageBytes);
    await expect(mapped.pages(0, 2)).toShowItsOwnPages(nonce);
    const calls = [];
    for (let page = 2; page < PAGES; page++) {
      const load = () => mapped.mapping.load(page * pageBytes);
      calls.push(await observed(`a load from page ${page}, which was cut off`, ['SIGSEGV'], load));
    }
    await expect(calls).toEndAsExpected();
  });

  test('MAP-08 mappings and parts of them move with their contents, and leave nothing behind', async ({
    buffers,
    agent,
  }) => {
    const { pageBytes } = buffers;
    const { buffer, nonce } = await signedBuffer(buffers, { bytes: PAGES * pageBytes });
    for (const [first, count] of [
      [0, PAGES],
      [0, 2],
      [2, 2],
      [PAGES - 1, 1],
    ] as const) {
      const room = await agent.mmap({ length: PAGES * pageBytes, shared: false, protection: 'none' });
      const mapped = await buffer.map();
      const part = mapped.pages(first, count);
      const there = await part.mapping.remap(part.bytes, ['maymove', 'fixed'], room.address);
      const moved = part.movedTo(there);
      const rest = [mapped.pages(0, first), mapped.pages(first + count, PAGES - first - count)];
      const pieces = [moved, ...rest.filter(({ bytes }) => bytes > 0)];
      await expect(pieces, `pages ${first} to ${first + count - 1} moved`).toShowItsOwnPages(nonce);
      const behind = await observed('a load from where they were', ['SIGSEGV'], () => part.mapping.load(0));
      await expect([behind]).toEndAsExpected();

      // And home again, cut once more on the way.
      const back = await there.page(0).remap(pageBytes, ['maymove', 'fixed'], part.address);
      await expect(mapped.pages(first, 1).movedTo(back)).toShowItsOwnPages(nonce);
      await mapped.unmap();
      await room.unmap();
    }
  });
});
