// SPDX-License-Identifier: MIT
/** FRK: what fork() and exec() do to mappings (mm/memory.c: copy_page_range, vm_operations_struct.open). */
import {
  canFailAllocations,
  expect,
  failingNth,
  forEachStrategy,
  freeBytes,
  isAccounted,
  observed,
  signedBuffer,
  test,
  whileItCannotFork,
  type Agent,
  type Buffers,
} from '../../fixtures/index.ts';

const MIB = 1024 * 1024;
/** Of forks that fail. */
const ROUNDS = 20;
/** Of one fork; reaching it means that they never ended. */
const MOST_ALLOCATIONS = 2000;

forEachStrategy(() => {
  test('FRK-01 parent and child see the same memory, both ways', async ({ buffers, agent }) => {
    const { buffer, nonce } = await signedBuffer(buffers, { bytes: 4 * buffers.pageBytes });
    const mapped = await buffer.map();
    const child = await agent.fork();
    const there = mapped.in(child.agent);
    await expect(there, 'in the child').toShowItsOwnPages(nonce);
    await there.mapping.store(100, 0x1234n);
    expect(await mapped.mapping.load(100), 'what the child wrote').toBe(0x1234n);
    await mapped.mapping.store(100, 0x5678n);
    expect(await there.mapping.load(100), 'what the parent wrote').toBe(0x5678n);
    await child.exit();
    await expect(mapped, 'after the child is gone').toShowItsOwnPages(nonce);
  });

  test('FRK-01 MADV_DONTFORK keeps a page from the child and from nobody else', async ({
    buffers,
    agent,
  }) => {
    const { buffer, nonce } = await signedBuffer(buffers, { bytes: 4 * buffers.pageBytes });
    const mapped = await buffer.map();
    await mapped.mapping.page(1).advise('dontfork');
    const child = await agent.fork();
    const there = mapped.in(child.agent);
    const load = await observed('a load from the page in the child', ['SIGSEGV'], () =>
      there.mapping.page(1).load(0),
    );
    await expect([load]).toEndAsExpected();
    await expect([there.pages(0, 1), there.pages(2, 2)], 'in the child').toShowItsOwnPages(nonce);
    await expect(mapped, 'in the parent').toShowItsOwnPages(nonce);
    await child.exit();
  });

  test('FRK-02 a child keeps the memory that its parent has let go of, and gives it back', async ({
    buffers,
    agent,
  }) => {
    const bytes = 16 * MIB;
    const before = await freeBytes(agent);
    const { buffer, nonce } = await signedBuffer(buffers, { bytes });
    const mapped = await buffer.map();
    const child = await agent.fork();
    await mapped.unmap();
    await buffer.release();
    await buffer
      .in(child.agent)
      .allocated.close()
      .catch(() => {});
    const other = await (await buffers.others().allocate({ bytes })).map();
    await other.mapping.fill(0xa5);
    await expect(mapped.in(child.agent)).toShowItsOwnPages(nonce);
    await other.unmap();
    await other.buffer.release();
    await child.exit();
    await expect
      .poll(async () => before - (await freeBytes(agent)), { message: 'bytes still in use' })
      .toBeLessThan(bytes / 2);
  });

  for (const [children, options] of [
    [48, {}],
    // 18 s.
    [1002, { tag: '@slow' }],
  ] as const) {
    test(
      `FRK-02 ${children} children that come, go and are killed in any order leave nothing`,
      options,
      async ({ buffers, agent }) => {
        await comeAndGo(buffers, agent, children / 6);
      },
    );
  }

  test('FRK-03 a fork that fails when all is copied leaves nothing', async ({
    buffers,
    agent,
    target,
    balanceOf,
  }) => {
    const { buffer, nonce } = await signedBuffer(buffers, { bytes: 4 * MIB });
    const mapped = await buffer.map();
    const parent = await agent.fork();
    // The kernel counts processes last (kernel/fork.c: copy_process, cgroup_can_fork).
    await whileItCannotFork(target, parent.pid, async () => {
      const balance = await balanceOf('forks that fail', async () => {
        for (let round = 0; round < ROUNDS; round++)
          expect(await parent.agent.attempt(() => parent.agent.fork())).toMatchObject({ errno: 'EAGAIN' });
      });
      await expect(balance).toBalance();
      await expect(mapped.in(parent.agent), 'in who cannot fork').toShowItsOwnPages(nonce);
    });
    const child = await parent.agent.fork();
    await expect(mapped.in(child.agent), 'in a child at last').toShowItsOwnPages(nonce);
    await child.exit();
    await parent.exit();
    await expect(mapped, 'in the first').toShowItsOwnPages(nonce);
  });

  test('FRK-03 a fork in which any allocation fails leaves nothing', async ({
    buffers,
    agent,
    balanceOf,
  }) => {
    test.skip(!(await canFailAllocations(agent)), 'the kernel has no fault injection (CONFIG_FAILSLAB)');
    const { buffer, nonce } = await signedBuffer(buffers, { bytes: 4 * MIB });
    const mapped = await buffer.map();
    const parent = await agent.fork();
    let refused = 0;
    const fork = async () => {
      const child = await parent.agent.fork();
      await child.exit();
    };
    await fork();
    const balance = await balanceOf('forks with a failing allocation', async () => {
      for (let nth = 1, last = 1; last > 0; nth++) {
        expect(nth, 'allocations in one fork').toBeLessThan(MOST_ALLOCATIONS);
        const { outcome, failed } = await failingNth(parent.agent, nth, fork);
        if (outcome.errno !== undefined) refused++;
        last = failed;
      }
    });
    expect(refused, 'forks that were refused').toBeGreaterThan(10);
    await expect(balance).toBalance();
    await expect(mapped.in(parent.agent), 'in who could not fork').toShowItsOwnPages(nonce);
    await parent.exit();
    await expect(mapped, 'in the first').toShowItsOwnPages(nonce);
  });

  test('FRK-04 exec() ends the mappings and gives their memory back', async ({ buffers, agent }) => {
    const bytes = 16 * MIB;
    const accounted = await isAccounted(buffers, agent);
    const before = await freeBytes(agent);
    const buffer = await buffers.allocate({ bytes });
    const mapped = await buffer.map();
    const child = await agent.fork();
    await mapped.unmap();
    await buffer.release();
    const held = before - (await freeBytes(agent));
    if (accounted) expect(held, 'bytes the child holds').toBeGreaterThan(0.8 * bytes);
    await child.agent.request('exec-self');
    const { path } = (await mapped.in(child.agent).mapping.vma()) ?? { path: 'nothing' };
    expect(path, 'what is mapped there now').not.toMatch(/contigbuf|dmabuf|\/dev\//);
    // Descriptors without O_CLOEXEC are still there, and hold what they hold.
    for (const { fd } of (await child.agent.openFiles()).filter(({ file }) => /\/dev\/|dmabuf/.test(file))) {
      if (fd > 2) await child.agent.close(fd);
    }
    await expect
      .poll(async () => before - (await freeBytes(agent)), { message: 'bytes still in use' })
      .toBeLessThan(bytes / 2);
    await child.kill();
  });
});

/** Six children a round; each leaves another state behind. */
async function comeAndGo(buffers: Buffers, agent: Agent, rounds: number): Promise<void> {
  const bytes = 8 * MIB;
  const before = await freeBytes(agent);
  const { buffer, nonce } = await signedBuffer(buffers, { bytes });
  const mapped = await buffer.map();
  for (let round = 0; round < rounds; round++) {
    const children = await Promise.all(Array.from({ length: 6 }, () => agent.fork()));
    for (const [i, child] of children.entries()) {
      const there = mapped.in(child.agent);
      // Each leaves another state behind: nothing done, one piece gone, everything gone.
      if (i % 3 === 1) await there.pages(round % (mapped.pageCount - 3), 3).unmap();
      if (i % 3 === 2) await there.unmap();
    }
    for (const child of round % 2 === 0 ? children : children.toReversed()) {
      await (child.pid % 2 === 0 ? child.kill() : child.exit());
    }
  }
  await expect(mapped).toShowItsOwnPages(nonce);
  await mapped.unmap();
  await buffer.release();
  await expect
    .poll(async () => before - (await freeBytes(agent)), { message: 'bytes still in use' })
    .toBeLessThan(bytes / 2);
}
