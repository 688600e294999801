// SPDX-License-Identifier: MIT
/**
 * MAP-02: a private mapping that may be written to makes no sense for memory a device works on. Of PFN
 * mappings it tells the physical address to anybody in the offset column of /proc/PID/maps (mm/memory.c:
 * remap_pfn_range keeps the frame number in vm_pgoff of copy-on-write mappings), and a lazy one ends in
 * BUG_ON (vmf_insert_pfn_prot; CVE-2024-39497).
 */
import { expect, forEachStrategy, observed, sign, test } from '../../fixtures/index.ts';
import type { Expectation } from '../../fixtures/index.ts';

forEachStrategy(() => {
  test('MAP-02 private mappings are refused, or copy and give no address away', async ({
    buffers,
    agent,
  }) => {
    const { pageBytes, promises } = buffers;
    const refused = promises.privateMaps;
    const calls: Expectation[] = [];
    for (const access of ['rdwr', 'rdonly'] as const) {
      if (promises.accesses?.includes(access) === false) continue;
      const buffer = await buffers.others({ access }).allocate({ bytes: 2 * pageBytes });
      for (const protection of ['r', 'rw', 'none'] as const) {
        for (const bytes of [pageBytes, 2 * pageBytes]) {
          const what = `mmap of ${bytes} bytes, MAP_PRIVATE, ${protection}, of a file opened ${access}`;
          const map = () => buffer.map({ bytes, protection, shared: false });
          calls.push(await observed(what, refused === 'allowed' ? ['success'] : refused, map));
        }
      }
    }
    await expect(calls).toEndAsExpected();
    if (refused !== 'allowed') return;

    const buffer = await buffers.allocate({ bytes: 2 * pageBytes });
    const nonce = await sign(buffer);
    const copy = await buffer.map({ shared: false });
    expect((await copy.mapping.vma())?.offset, 'the offset column').toBe(buffer.offsetOf(0n));
    // In a child, because mm kills whoever touches what it cannot copy.
    const child = await agent.fork();
    await expect(copy.in(child.agent)).toShowItsOwnPages(nonce);
    await copy.in(child.agent).mapping.fill(0x5a);
    await child.exit();
    await expect(await buffer.map({ protection: 'r' })).toShowItsOwnPages(nonce);
  });
});
