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
      // Requests that go out together are served in their order.
      const touched = mapping.touch('read');
      const called = observed(call, accepted, () => run({ agent, buffer, mapping, scratch }));
      const [, ended] = await Promise.all([touched, called]);
      calls.push(ended);
      // A call that moved the mapping would have been one too many already.
      const [vma, word] = await Promise.all([mapping.vma(), agent.attempt(() => mapping.load(0))]);
      if (vma === undefined) continue;
      if (word.fault !== undefined) {
        const outcome = { kind: 'signal' as const, signal: word.fault.signal };
        calls.push({ call: `a load after ${call}`, accepted: ['success'], outcome });
        await mapped.unmap();
        continue;
      }
      await expect(mapped, `after ${call}`).toShowItsOwnPages(nonce);
      const store = observed(`a store after ${call}`, ['success'], () => mapping.store(0, word.ok ?? 0n));
      const [stored] = await Promise.all([store, mapped.unmap()]);
      calls.push(stored);
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
