// SPDX-License-Identifier: MIT
/** MAP-11 to MAP-15 and MAP-17: how mappings come about, many of them, and what a failing one leaves. */
import {
  expect,
  forEachStrategy,
  freeBytes,
  observed,
  signedBuffer,
  test,
  type Expectation,
} from '../../fixtures/index.ts';

const MIB = 1024 * 1024;

forEachStrategy(() => {
  test('MAP-11 touching a mapping takes as many page faults as the driver says', async ({ buffers }) => {
    const { pageBytes, promises } = buffers;
    const buffer = await buffers.allocate({ bytes: 64 * pageBytes });
    // The first touch of all takes the agent's own faults.
    await (await buffer.map()).mapping.touch('write');
    // __mm_populate() skips VM_IO and VM_PFNMAP, so MAP_POPULATE is no way out for a lazy driver.
    for (const flags of [[], ['populate']] as const) {
      for (const how of ['read', 'write'] as const) {
        const { mapping } = await buffer.map({ flags: [...flags] });
        const { minorFaults, majorFaults } = await mapping.touch(how);
        // Twice for each page where the CPU leaves it to the kernel to note that a page was written.
        const most = promises.prefaulted ? 0 : 2 * 64;
        expect(minorFaults, `faults to ${how} 64 pages, ${flags.join() || 'no flag'}`).toBeLessThanOrEqual(
          most,
        );
        expect(majorFaults).toBe(0);
        await mapping.unmap();
      }
    }
  });

  test('MAP-12 one write is seen in 64 mappings and in 16 processes', async ({ buffers, agent }) => {
    const { buffer } = await signedBuffer(buffers, { bytes: 2 * buffers.pageBytes });
    const mappings = await Promise.all(Array.from({ length: 64 }, () => buffer.map()));
    const children = await Promise.all(Array.from({ length: 16 }, () => agent.fork()));
    for (const [value, writer] of [mappings[0], mappings[63]].entries()) {
      await writer?.mapping.store(8, 0xabc0 + value);
      const seen = await Promise.all([
        ...mappings.map(({ mapping }) => mapping.load(8)),
        ...children.map((child) => mappings[7]?.in(child.agent).mapping.load(8)),
      ]);
      expect(new Set(seen)).toEqual(new Set([BigInt(0xabc0 + value)]));
    }
    // The other way round: a child writes.
    await mappings[3]?.in(children[5]?.agent ?? agent).mapping.store(8, 77);
    expect(await mappings[63]?.mapping.load(8)).toBe(77n);
    for (const child of children) await child.exit();
  });

  test('MAP-13 a mapping that fails leaves nothing behind', async ({ buffers, agent }) => {
    const { pageBytes } = buffers;
    const bytes = 16 * MIB;
    const before = await freeBytes(agent);
    const buffer = await buffers.allocate({ bytes });
    const taken = await agent.anonymous(pageBytes);
    const calls: Promise<Expectation>[] = [];
    const { privateMaps, executableMaps } = buffers.promises;
    for (let round = 0; round < 20; round++) {
      calls.push(
        observed('mmap over something else', ['EEXIST'], () => buffer.map({ address: taken.address })),
        observed('mmap past the end', buffers.promises.outOfBounds, () =>
          buffer.map({ bytes: bytes + pageBytes }),
        ),
        // These are refused when the driver has found the buffer already.
        ...(privateMaps === 'allowed'
          ? []
          : [observed('a private mmap', privateMaps, () => buffer.map({ shared: false }))]),
        ...(executableMaps === 'allowed'
          ? []
          : [observed('an executable mmap', executableMaps, () => buffer.map({ protection: 'rx' }))]),
      );
    }
    const { soft } = await agent.request<{ soft: string }>('rlimit', 'as', 'unlimited');
    await agent.request('rlimit', 'as', 4 * MIB);
    for (let round = 0; round < 20; round++) {
      calls.push(observed('mmap beyond RLIMIT_AS', ['ENOMEM'], () => buffer.map()));
    }
    await agent.request('rlimit', 'as', soft === 'unlimited' ? soft : Number(soft));
    await expect(await Promise.all(calls)).toEndAsExpected();
    // A reference that was taken and not given back would keep the memory.
    await buffer.release();
    await expect
      .poll(async () => before - (await freeBytes(agent)), { message: 'bytes still in use' })
      .toBeLessThan(bytes / 2);
  });

  // 28 s.
  test(
    'MAP-13 running out of mappings is an error like any other',
    { tag: '@slow' },
    async ({ buffers, agent, startAgent }) => {
      test.setTimeout(4 * test.info().timeout);
      // vm.max_map_count mappings, 65530.
      const { pageBytes } = buffers;
      const most = Number(await agent.readText('/proc/sys/vm/max_map_count'));
      const before = await freeBytes(agent);
      const other = await startAgent();
      const { buffer, nonce } = await signedBuffer(buffers.others({ agent: other }), {
        bytes: 2 * pageBytes,
      });
      let made = 0;
      let refusal: string | undefined;
      while (refusal === undefined && made <= most) {
        // Alternating protections, so that mm has no two neighbours to merge.
        const batch = await Promise.all(
          Array.from({ length: 4096 }, (_, i) =>
            other.attempt(() => buffer.map({ bytes: pageBytes, protection: i % 2 === 0 ? 'r' : 'rw' })),
          ),
        );
        made += batch.filter(({ ok }) => ok !== undefined).length;
        refusal = batch.find(({ errno }) => errno !== undefined)?.errno;
        if (made <= 4096) await expect(batch.flatMap(({ ok }) => ok ?? [])).toShowItsOwnPages(nonce);
      }
      expect(refusal, `after ${made} mappings`).toBe('ENOMEM');
      expect(made).toBeGreaterThan(most / 2);
      await other.end();
      await expect.poll(async () => before - (await freeBytes(agent))).toBeLessThan(2 * MIB);
    },
  );

  test('MAP-14 a mapping that is put over another one of the same buffer replaces it', async ({
    buffers,
    agent,
  }) => {
    const { pageBytes, promises } = buffers;
    const bytes = 16 * MIB;
    const before = await freeBytes(agent);
    const { buffer, nonce } = await signedBuffer(buffers, { bytes });
    const first = await buffer.map();
    for (let round = 0; round < 8; round++) {
      const again = await buffer.map({ address: first.address, flags: ['fixed'] });
      expect(again.address).toBe(first.address);
      await expect(again).toShowItsOwnPages(nonce);
    }
    if (promises.subOffset) {
      const shifted = await buffer.map({
        at: 3 * pageBytes,
        bytes: 2 * pageBytes,
        address: first.address + pageBytes,
        flags: ['fixed'],
      });
      await expect([first.pages(0, 1), shifted, first.pages(3, 61)]).toShowItsOwnPages(nonce);
    }
    await first.unmap();
    await buffer.release();
    await expect
      .poll(async () => before - (await freeBytes(agent)), { message: 'bytes still in use' })
      .toBeLessThan(bytes / 2);
  });

  test('MAP-15 a sealed mapping stays as it is until its process ends', async ({ buffers, agent }) => {
    const { buffer, nonce } = await signedBuffer(buffers, { bytes: 3 * buffers.pageBytes });
    const child = await agent.fork();
    const there = await buffer.in(child.agent).map();
    const { mapping } = there;
    const seal = await agent.attempt(() =>
      child.agent.request('syscall', 'mseal', mapping.address, mapping.bytes, 0),
    );
    // Since Linux 6.10, on 64-bit kernels.
    test.skip(seal.errno === 'ENOSYS', 'this kernel has no mseal()');
    expect(seal.errno, 'how mseal() ended').toBeUndefined();
    const calls = [
      await observed('munmap of a sealed mapping', ['EPERM'], () => mapping.unmap()),
      await observed('mprotect of a sealed mapping', ['EPERM'], () => mapping.protect('r')),
      await observed('mremap of a sealed mapping', ['EPERM'], () =>
        mapping.remap(buffers.pageBytes, ['maymove']),
      ),
    ];
    await expect(calls).toEndAsExpected();
    await expect(there).toShowItsOwnPages(nonce);
    expect(await child.exit()).toMatchObject({ code: 0 });
  });

  test('MAP-17 hints about the address are taken or ignored, never refused', async ({ buffers, agent }) => {
    const { pageBytes } = buffers;
    const { buffer, nonce } = await signedBuffer(buffers, { bytes: 4 * pageBytes });
    const free = await agent.anonymous(64 * pageBytes);
    await free.unmap();
    const hints = [free.address + 7 * pageBytes, free.address + 1, pageBytes, 2 ** 30, 2 ** 31 - pageBytes];
    for (const address of hints) {
      const mapped = await buffer.map({ address, flags: [] });
      expect(mapped.address % pageBytes, `with the hint ${address.toString(16)}`).toBe(0);
      await expect(mapped).toShowItsOwnPages(nonce);
      await mapped.unmap();
    }
  });
});
