// SPDX-License-Identifier: MIT
/**
 * MAP-09, MAP-10: mm cuts mappings to pieces, moves them and puts holes into them without asking the
 * driver (mm/vma.c: __split_vma; mm/mremap.c). A piece has another start and another offset than the
 * mapping it was cut from: a driver that computes with the wrong one shows the wrong page, one that
 * counts mappings wrongly gives memory back too early or never.
 *
 * Drivers that got it wrong: drm_gem_shmem_fault() (vm_start, vm_pgoff), uio_find_mem_index()
 * (vm_pgoff), xen/privcmd (CVE-2026-31787, freed once per piece).
 */
import {
  expect,
  forEachStrategy,
  freeBytes,
  isAccounted,
  observed,
  signedBuffer,
  test,
  type Expectation,
  type MappedBuffer,
} from '../../fixtures/index.ts';

const MIB = 1024 * 1024;

/** Cuts a mapping of six units that was never touched. What is left of it, and lies where by now? */
interface Cut {
  title: string;
  apply: (mapping: MappedBuffer, unit: number) => Promise<MappedBuffer[]>;
  /** First unit and number of units of each part that nothing is mapped at any more. */
  holes?: [first: number, units: number][];
}

const cuts: Cut[] = [
  {
    title: 'munmap of the head',
    async apply(mapping, unit) {
      await mapping.pages(0, unit).unmap();
      return [mapping.pages(unit, 5 * unit)];
    },
    holes: [[0, 1]],
  },
  {
    title: 'munmap of the middle',
    async apply(mapping, unit) {
      await mapping.pages(2 * unit, unit).unmap();
      return [mapping.pages(0, 2 * unit), mapping.pages(3 * unit, 3 * unit)];
    },
    holes: [[2, 1]],
  },
  {
    title: 'munmap of the tail',
    async apply(mapping, unit) {
      await mapping.pages(5 * unit, unit).unmap();
      return [mapping.pages(0, 5 * unit)];
    },
    holes: [[5, 1]],
  },
  {
    title: 'munmap of every other part',
    async apply(mapping, unit) {
      for (const part of [0, 2, 4]) await mapping.pages(part * unit, unit).unmap();
      return [1, 3, 5].map((part) => mapping.pages(part * unit, unit));
    },
    holes: [
      [0, 1],
      [2, 1],
      [4, 1],
    ],
  },
  {
    title: 'mprotect of a part in the middle',
    async apply(mapping, unit) {
      await mapping.mapping.pages(unit, unit).protect('r');
      return [mapping];
    },
  },
  {
    title: 'mprotect to nothing and back',
    async apply(mapping, unit) {
      await mapping.mapping.pages(3 * unit, 2 * unit).protect('none');
      await mapping.mapping.pages(3 * unit, unit).protect('rw');
      await mapping.mapping.pages(4 * unit, unit).protect('r');
      return [mapping];
    },
  },
  {
    title: 'MADV_DONTFORK of a part in the middle',
    async apply(mapping, unit) {
      await mapping.mapping.pages(2 * unit, unit).advise('dontfork');
      return [mapping];
    },
  },
  {
    title: 'mlock of a part in the middle',
    async apply(mapping, unit) {
      await mapping.mapping.pages(2 * unit, unit).lock();
      return [mapping];
    },
  },
  {
    title: 'MAP_FIXED of other memory over the middle',
    async apply(mapping, unit) {
      const { address, bytes } = mapping.pages(2 * unit, 2 * unit);
      await mapping.mapping.agent.mmap({ length: bytes, shared: false, at: address, flags: ['fixed'] });
      return [mapping.pages(0, 2 * unit), mapping.pages(4 * unit, 2 * unit)];
    },
  },
  {
    title: 'mremap of the middle to another place',
    async apply(mapping, unit) {
      const middle = mapping.pages(2 * unit, 2 * unit);
      const room = await mapping.mapping.agent.mmap({
        length: middle.bytes,
        shared: false,
        protection: 'none',
      });
      const there = await middle.mapping.remap(middle.bytes, ['maymove', 'fixed'], room.address);
      return [middle.movedTo(there), mapping.pages(0, 2 * unit), mapping.pages(4 * unit, 2 * unit)];
    },
    holes: [[2, 2]],
  },
];

/** Orders in which the six parts of a mapping can go. */
const orders = [
  [0, 1, 2, 3, 4, 5],
  [5, 4, 3, 2, 1, 0],
  [2, 3, 1, 4, 0, 5],
];

forEachStrategy(() => {
  // Soft, because which cuts a driver gets wrong tells what it computes with.
  test('MAP-09 a mapping that is cut before it is touched shows the right pages in every piece', async ({
    buffers,
  }) => {
    const { buffer, nonce } = await signedBuffer(buffers, { bytes: 6 * buffers.pageBytes });
    for (const { title, apply } of cuts) {
      const pieces = await apply(await buffer.map(), 1);
      await expect.soft(pieces, title).toShowItsOwnPages(nonce);
      for (const piece of pieces) await piece.unmap();
    }
  });

  test('MAP-09 HUG-04 cuts inside what could be one large page leave the right pages, and no others', async ({
    buffers,
  }) => {
    // The size of a PMD where the kernel has 4 KiB pages; larger ones are beyond what buffers align to.
    const large = 2 * MIB;
    const aligned = (buffers.promises.alignmentMost ?? 0) >= large ? { alignBytes: large } : {};
    const { buffer, nonce } = await signedBuffer(buffers, { bytes: 3 * large, ...aligned });
    const calls: Expectation[] = [];
    for (const { title, apply, holes = [] } of cuts) {
      // A sixth of three large pages: every cut at an odd unit goes through the middle of one.
      const unit = buffer.pages / 6;
      const mapped = await buffer.map();
      const pieces = await apply(mapped, unit);
      await expect.soft(pieces, title).toShowItsOwnPages(nonce);
      // A large page that reached out of its piece would be found where nothing is mapped.
      for (const page of holes.flatMap(([first, units]) => [first * unit, (first + units) * unit - 1])) {
        const load = () => mapped.pages(page, 1).mapping.load(0);
        calls.push(
          await observed(`${title}: a load from page ${page}, which was cut off`, ['SIGSEGV'], load),
        );
      }
      for (const piece of pieces) await piece.unmap();
    }
    await expect(calls).toEndAsExpected();
  });

  test('MAP-09 HUG-04 other memory that is put inside a large page stays what it is', async ({ buffers }) => {
    const aligned = (buffers.promises.alignmentMost ?? 0) >= 2 * MIB ? { alignBytes: 2 * MIB } : {};
    const { buffer, nonce } = await signedBuffer(buffers, { bytes: 6 * MIB, ...aligned });
    const mapped = await buffer.map();
    const unit = buffer.pages / 6;
    const { mapping } = mapped.pages(2 * unit, unit);
    const other = await mapping.agent.mmap({
      length: mapping.bytes,
      shared: false,
      at: mapping.address,
      flags: ['fixed'],
    });
    const pieces = [mapped.pages(0, 2 * unit), mapped.pages(3 * unit, 3 * unit)];
    await expect(pieces, 'around it').toShowItsOwnPages(nonce);
    await other.fill(0x5a);
    expect(await other.scanByte(0x5a), 'the other memory').toMatchObject({ mismatches: 0 });
    await expect(pieces, 'around it, afterwards').toShowItsOwnPages(nonce);
    for (const piece of pieces) await piece.unmap();
    await expect(await buffer.map()).toShowItsOwnPages(nonce);
  });

  test('MAP-09 a child that is forked between the cut and the first touch sees the right pages', async ({
    buffers,
    agent,
  }) => {
    const { buffer, nonce } = await signedBuffer(buffers, { bytes: 6 * buffers.pageBytes });
    // What MADV_DONTFORK is for is FRK-01's.
    for (const { title, apply } of cuts.filter((cut) => !cut.title.includes('DONTFORK'))) {
      const pieces = await apply(await buffer.map(), 1);
      const child = await agent.fork();
      await expect
        .soft(
          pieces.map((piece) => piece.in(child.agent)),
          `${title}, in the child`,
        )
        .toShowItsOwnPages(nonce);
      await expect.soft(pieces, `${title}, in the parent`).toShowItsOwnPages(nonce);
      await child.exit();
      for (const piece of pieces) await piece.unmap();
    }
  });

  test('MAP-10 the pieces of a mapping hold the memory until the last one goes, in any order', async ({
    buffers,
    agent,
  }) => {
    const bytes = 24 * MIB;
    const accounted = await isAccounted(buffers, agent);
    for (const order of orders) {
      const before = await freeBytes(agent);
      const { buffer, nonce } = await signedBuffer(buffers, { bytes });
      const mapping = await buffer.map();
      await buffer.close();
      buffers.reopen();
      const unit = mapping.pageCount / 6;
      const left = new Map(order.map((part) => [part, mapping.pages(part * unit, unit)]));
      for (const part of order.slice(0, -1)) {
        await left.get(part)?.unmap();
        left.delete(part);
        // Whoever gets memory that was given back too early overwrites it.
        const other = await (await buffers.allocate({ bytes: 4 * MIB })).map();
        await other.mapping.fill(0xa5);
        await expect([...left.values()], `after unmapping part ${part} of ${order.join()}`).toShowItsOwnPages(
          nonce,
        );
        await other.unmap();
        await other.buffer.release();
        const used = before - (await freeBytes(agent));
        if (accounted) expect(used, 'bytes in use').toBeGreaterThan(0.8 * bytes);
      }
      for (const piece of [...left.values()]) await piece.unmap();
      await expect
        .poll(async () => before - (await freeBytes(agent)), { message: 'bytes in use at the end' })
        .toBeLessThan(0.2 * bytes);
    }
  });
});
