// SPDX-License-Identifier: MIT
/** MAP-01, MAP-16: what the kernel shows of a mapping in /proc/PID/smaps and /proc/PID/maps. */
import { expect, forEachStrategy, test } from '../../fixtures/index.ts';

/**
 * VmFlags by mapping class. VM_DONTEXPAND and VM_DONTDUMP belong to every mapping of device memory
 * (include/linux/mm.h: VM_SPECIAL; mm/memory.c: remap_pfn_range sets all four). Without the first
 * mremap() grows a mapping past its buffer (CVE-2024-46852), without the second, or VM_IO, a core
 * dump reads the memory (CVE-2004-1057).
 */
const flagsOf: Record<string, string[]> = {
  'pfn-io': ['pf', 'io', 'de', 'dd'],
  pfn: ['pf', 'de', 'dd'],
  mixed: ['mm', 'de', 'dd'],
  file: ['de', 'dd'],
};
const kinds = ['pf', 'io', 'mm'];

const MIB = 1024 * 1024;

forEachStrategy(() => {
  test('MAP-01 a mapping is marked as what it is, and as nothing to grow or dump', async ({ buffers }) => {
    const { pageBytes, promises } = buffers;
    const large = {
      bytes: 4 * MIB,
      ...((promises.alignmentMost ?? 0) < 2 * MIB ? {} : { alignBytes: 2 * MIB }),
    };
    // The last is one that large pages suit, which drivers fill in another way.
    for (const request of [{ bytes: pageBytes }, { bytes: 7 * pageBytes }, { bytes: 4 * MIB }, large]) {
      const { mapping } = await (await buffers.allocate(request)).map();
      await mapping.touch('write');
      const flags = (await mapping.vma())?.flags ?? [];
      expect(flags).toEqual(expect.arrayContaining(['rd', 'wr', 'sh', 'mr', 'mw', 'ms']));
      const expected = flagsOf[promises.mappingClass] ?? [];
      expect(flags).toEqual(expect.arrayContaining(expected));
      const others = kinds.filter((flag) => !expected.includes(flag));
      expect(
        flags.filter((flag) => others.includes(flag)),
        `flags that ${promises.mappingClass} has not`,
      ).toEqual([]);
      expect(flags, 'executable').not.toContain('ex');
    }
  });

  test('MAP-16 /proc/PID/maps names the file and the offset that was asked for', async ({ buffers }) => {
    const { pageBytes, promises } = buffers;
    const buffer = await buffers.allocate({ bytes: 4 * pageBytes });
    for (const at of promises.subOffset ? [0, pageBytes, 3 * pageBytes] : [0]) {
      const { mapping } = await buffer.map({ at, bytes: pageBytes });
      const vma = await mapping.vma();
      // Anything else would be an address that user space has no business to know.
      expect(vma?.offset).toBe(buffer.offsetOf(BigInt(at)));
      expect(vma?.path).toMatch(/^\/./);
      expect(vma?.permissions).toBe('rw-s');
    }
  });

  test('MAP-16 a piece of a split mapping still tells where in the file it lies', async ({ buffers }) => {
    const { pageBytes } = buffers;
    const buffer = await buffers.allocate({ bytes: 5 * pageBytes });
    const { mapping } = await buffer.map();
    await mapping.page(1).unmap();
    await mapping.page(3).protect('r');
    for (const page of [0, 2, 3, 4]) {
      const vma = await mapping.page(page).vma();
      expect(vma?.offset, `page ${page}`).toBe(buffer.offsetOf(BigInt(page * pageBytes)));
    }
  });
});
