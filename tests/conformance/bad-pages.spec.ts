// SPDX-License-Identifier: MIT
/**
 * DBG-05: the machine reports a page of a buffer as bad. mm/memory-failure.c: memory_failure, entered as
 * drivers/base/memory.c: hard_offline_page_store does. A guest that lost a page is thrown away.
 */
import { expect, forEachStrategy, observed, signedBuffer, test } from '../../fixtures/index.ts';

const OFFLINE = '/sys/devices/system/memory/hard_offline_page';
const PAGES = 8;
const BAD = 3;

test.use({ isolation: 'test' });
forEachStrategy(() => {
  test('DBG-05 a page that goes bad costs its readers at most a signal, and the others nothing', async ({
    agent,
    buffers,
    kernelSays,
    pageTables,
    spare,
  }) => {
    test.skip(spare === undefined, 'the machine stays, and the page would be lost to it');
    const { pageBytes } = buffers;
    const { buffer, nonce } = await signedBuffer(buffers, { bytes: PAGES * pageBytes });
    const mapped = await buffer.map();
    await mapped.mapping.touch('read');
    const page = mapped.mapping.page(BAD);
    const [there] = await pageTables(page);
    const offline = await agent.attempt(() => agent.open(OFFLINE, 'wronly'));
    test.skip(
      offline.errno === 'ENOENT',
      'the kernel takes no page for bad (CONFIG_MEMORY_FAILURE, CONFIG_MEMORY_HOTPLUG)',
    );
    expect(there, 'where the page lies').toBeDefined();
    const address = there?.physicalAddress ?? Number.NaN;
    const physical = Buffer.from(`0x${address.toString(16)}`);
    // Who reports it may be told that nothing could be done, or be killed as one of its users.
    const calls = [
      await observed('reporting the page', ['success', 'EBUSY', 'EIO', 'EOPNOTSUPP'], () =>
        agent.write(offline.ok ?? -1, physical),
      ),
    ];
    const frame = `0x${(address / pageBytes).toString(16)}:`;
    expect((await kernelSays()).join('\n'), 'what the kernel says').toContain(`Memory failure: ${frame}`);
    const child = await agent.fork();
    const reading = mapped.in(child.agent).mapping.page(BAD);
    calls.push(await observed('reading it', ['success', 'SIGBUS'], () => reading.load(0)));
    await expect(calls).toEndAsExpected();
    await expect([mapped.pages(0, BAD), mapped.pages(BAD + 1, PAGES - BAD - 1)]).toShowItsOwnPages(nonce);
    await child.exit();
    await mapped.unmap();
    await buffer.release();
    const others = await (await buffers.allocate({ bytes: PAGES * pageBytes })).map();
    await others.mapping.fill(0x5a);
    await expect(others, 'a buffer made afterwards').toHoldOnly(0x5a);
  });
});
