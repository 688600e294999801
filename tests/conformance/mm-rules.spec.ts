// SPDX-License-Identifier: MIT
/**
 * MAP-18 and the table of what mm decides by itself (fixtures/mm-rules.ts): the class of a mapping is
 * read from VmFlags, and then everything that mm does to mappings of that class is tried.
 */
import {
  expect,
  forEachStrategy,
  observed,
  rulesFor,
  signedBuffer,
  test,
  type Expectation,
} from '../../fixtures/index.ts';

const PAGES = 4;

forEachStrategy(() => {
  test('MAP-18 mm treats a mapping as its class demands, and its contents survive', async ({
    buffers,
    agent,
  }) => {
    const { pageBytes } = buffers;
    const { buffer, nonce } = await signedBuffer(buffers, { bytes: PAGES * pageBytes });
    const scratch = await agent.anonymous(pageBytes);
    const sample = (await buffer.map()).mapping;
    await sample.touch('read');
    const vma = await sample.vma();
    const calls: Expectation[] = [];
    for (const { call, accepted, run } of rulesFor(vma ?? { flags: [] }, agent.hello.kernelRelease)) {
      const mapped = await buffer.map();
      const { mapping } = mapped;
      await mapping.touch('read');
      calls.push(await observed(call, accepted, () => run({ agent, buffer, mapping, scratch })));
      // A call that moved the mapping would have been one too many already.
      if ((await mapping.vma()) === undefined) continue;
      await expect(mapped, `after ${call}`).toShowItsOwnPages(nonce);
      const word = await mapping.load(0);
      const store = () => mapping.store(0, word);
      calls.push(await observed(`a store after ${call}`, ['success'], store));
      await mapped.unmap();
    }
    await expect(calls).toEndAsExpected();
  });

  test('MAP-18 memory that mm cannot page is not counted as locked or resident', async ({
    buffers,
    agent,
  }) => {
    const buffer = await buffers.allocate({ bytes: PAGES * buffers.pageBytes });
    const { mapping } = await buffer.map();
    await mapping.touch('write');
    const vma = await mapping.vma();
    const special = ['pf', 'io'].some((flag) => vma?.flags.includes(flag));
    test.skip(!special, 'pages of this mapping class are counted');
    await mapping.lock();
    expect(await agent.readText('/proc/self/status')).toMatch(/^VmLck:\s+0 kB$/m);
    expect((await mapping.vma())?.sizes['Rss']).toBe(0);
    // mm/pagewalk.c: walk_page_test() takes a PFN mapping for a hole.
    expect(await mapping.pagemap()).toEqual(Array.from({ length: PAGES }, () => undefined));
  });
});
