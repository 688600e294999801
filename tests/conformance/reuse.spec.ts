// SPDX-License-Identifier: MIT
/** ZER-02, ZER-03: memory that one owner gives back is zero when the next one gets it, to its last byte. */
import { clearsMemory, expect, forEachStrategy, test } from '../../fixtures/index.ts';
import type { AllocationRequest, Properties } from '../../harness/profile/profile.ts';

const USER = 65_534;

/** Every kind of memory that can be asked for: a driver clears each in a place of its own. */
function kindsOf({ cacheModes, pageAllocatorMemory: memory }: Properties): Partial<AllocationRequest>[] {
  return [{}, ...cacheModes.map((cache) => ({ cache })), ...(memory === undefined ? [] : [{ memory }])];
}

test.beforeEach(async ({ target }) => {
  test.skip(
    await clearsMemory(target),
    'the kernel itself clears what it gives (init_on_alloc, init_on_free)',
  );
});

forEachStrategy(() => {
  test('ZER-02 memory that comes back from another owner is zero again', async ({ buffers, agent }) => {
    test.skip(!buffers.promises.zeroed, 'the driver does not promise zeros');
    // Fewer pages stay on the lists of single pages that each processor keeps (mm/page_alloc.c: struct per_cpu_pages).
    const bytes = 1024 * buffers.pageBytes;
    const owned = new Set<number>();
    let again = 0;
    for (let round = 0; round < 24; round++) {
      const buffer = await buffers.others().allocate({ bytes });
      const mapped = await buffer.map();
      await expect(mapped, `round ${round}`).toHoldOnly(0);
      const [place] = await buffers.whereabouts.of([mapped]);
      const pages = place?.sightings[0]?.pages.flat() ?? [];
      again += pages.filter((address) => owned.has(address)).length;
      for (const address of pages) owned.add(address);
      // Sometimes it is another user who writes last.
      const writer = round % 3 === 0 ? await agent.fork() : undefined;
      await writer?.agent.request('setuid', USER);
      await (writer === undefined ? mapped : mapped.in(writer.agent)).mapping.fill(0xa5);
      await writer?.exit();
      await mapped.unmap();
      await buffer.release();
      if (round > 2 && again > 0) break;
    }
    expect(again, 'pages that had another owner before').toBeGreaterThan(0);
  });

  test('ZER-03 the rest of the last page is zero, belongs to nobody else, and is zero again', async ({
    buffers,
    agent,
  }) => {
    const { pageBytes, promises } = buffers;
    test.skip(!promises.zeroed, 'the driver does not promise zeros');
    const bytes = 2 * pageBytes + 100;
    for (const kind of kindsOf(promises)) {
      const allocate = () => buffers.others().allocate({ bytes, ...kind });
      // A kind that this machine does not have is refused.
      const probe = await agent.attempt(allocate);
      if (probe.ok === undefined) continue;
      await probe.ok.release();
      for (let round = 0; round < 3; round++) {
        const pair = [await (await allocate()).map(), await (await allocate()).map()];
        for (const mapped of pair) {
          expect(mapped.bytes).toBe(3 * pageBytes);
          await expect(mapped, `${JSON.stringify(kind)}, round ${round}`).toHoldOnly(0);
        }
        const [first, second] = pair;
        await first?.mapping.part(bytes, pageBytes - 100).fill(0xa5);
        // usbfs once gave out what shared its page with others.
        if (second !== undefined) await expect(second, 'the neighbour').toHoldOnly(0);
        for (const mapped of pair) {
          await mapped.mapping.fill(0xa5);
          await mapped.unmap();
          await mapped.buffer.release();
        }
      }
    }
  });
});
