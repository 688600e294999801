// SPDX-License-Identifier: MIT
/**
 * CON-06, CON-07, DBF-07, DBF-12, LIF-10: what only a kernel sees that looks for it. It complains in its log, which fails
 * any test; here calls of all kinds are made, and the kernel has to be still looking afterwards: lockdep
 * ends with the first complaint, whoever it is about.
 */
import {
  expect,
  fuzzCalls,
  isBuiltWith,
  lifetimeOf,
  repeat,
  signedBuffer,
  skipWithoutLimit,
  test,
} from '../../fixtures/index.ts';
import type { Agent, Buffers } from '../../fixtures/index.ts';
import { dmaBufRequests, dmaBufSync, dmaBufSyncFlags } from '../../harness/profile/dma-buf.ts';
import { drmRequests, primeHandle } from '../../harness/profile/drm.ts';

const CALLS = 3000;
const LIVES = 20;
const SHARINGS = 10;
const PAGES = 8;
/** fcntl.h, as DRM_CLOEXEC and DRM_RDWR. */
const O_RDWR = 2;
const O_CLOEXEC = 0o2000000;
const { READ, WRITE, END } = dmaBufSyncFlags;
const LOCKDEP = '/proc/lockdep_stats';

for (const { claim, option } of [
  { claim: 'CON-06 locks are taken in one order, whatever is called', option: 'CONFIG_PROVE_LOCKING' },
  {
    claim: 'CON-07 nothing sleeps where it must not, whatever is called',
    option: 'CONFIG_DEBUG_ATOMIC_SLEEP',
  },
]) {
  test(claim, async ({ agent, driver, ready, spare, ioctls, seed }, testInfo) => {
    skipWithoutLimit(driver.profile);
    test.skip(!(await isBuiltWith(ready.target, option)), `the kernel does not look for it (${option})`);
    test.setTimeout(8 * test.info().timeout);
    expect(await locksAreWatched(agent), 'lockdep before').toBe(true);
    const begin = seed ?? Date.now() % 2 ** 31;
    testInfo.annotations.push({ type: 'seed', description: String(begin) });
    const { calls } = await fuzzCalls(ready, ioctls.abi, { seed: begin, calls: CALLS, processes: 2 }, spare);
    expect(calls).toBe(CALLS);
    expect(await locksAreWatched(agent), 'lockdep afterwards').toBe(true);
  });
}

test.describe('dma-buf', { tag: '@dma-buf' }, () => {
  test.use({ strategy: 'dma-buf' });
  for (const { claim, option } of [
    { claim: 'DBF-07 the locks of a dma-buf are taken in one order', option: 'CONFIG_PROVE_LOCKING' },
    // Such a kernel hides the pages in what an importer is given (drivers/dma-buf/dma-buf.c: mangle_sg_table).
    { claim: 'DBF-12 importers do not need pages', option: 'CONFIG_DMABUF_DEBUG' },
  ]) {
    test(claim, async ({ agent, buffers, importer, ready }) => {
      test.skip(!(await isBuiltWith(ready.target, option)), `the kernel does not look for it (${option})`);
      expect(await locksAreWatched(agent), 'lockdep before').toBe(true);
      const children = await Promise.all([agent.fork(), agent.fork()]);
      // At once, so that one waits for what the other holds.
      await Promise.all(
        children.map(async (child) => {
          for (let round = 0; round < SHARINGS; round++)
            await shareWith(importer, buffers.others({ agent: child.agent }), child.agent);
        }),
      );
      for (const child of children) await child.exit();
      expect(await locksAreWatched(agent), 'lockdep afterwards').toBe(true);
    });
  }
});

test('LIF-10 when the driver is gone nothing is left that nobody points to', async ({
  agent,
  driver,
  strategy,
  lifecycle,
}) => {
  test.skip(
    !(await lifecycle.looksForLostMemory()),
    'the kernel does not look for it (CONFIG_DEBUG_KMEMLEAK)',
  );
  const steps = await lifetimeOf(agent, driver.profile, strategy);
  expect(await repeat(agent, LIVES, steps)).toEqual(steps.map(() => ({ ok: LIVES, failed: {} })));
  await agent.end();
  await lifecycle.unload();
  expect((await lifecycle.lostMemory()).join('\n')).toBe('');
});

/** A buffer's life with an importer that maps it for its device and for the kernel. */
async function shareWith(importer: string, buffers: Buffers, agent: Agent): Promise<void> {
  const { buffer, nonce } = await signedBuffer(buffers, { bytes: PAGES * buffers.pageBytes });
  const { fd } = buffer.allocated;
  const file = await agent.open(importer, 'rdwr');
  const { data } = await agent.ioctl(file, drmRequests.PRIME_FD_TO_HANDLE, primeHandle.encode({ fd }));
  const { handle } = primeHandle.decode(data);
  for (const flags of [READ | WRITE, END | READ | WRITE])
    await agent.ioctl(fd, dmaBufRequests.SYNC, dmaBufSync.encode({ flags }));
  await buffer.free();
  await buffer.close();
  buffers.reopen();
  const asked = primeHandle.encode({ handle, flags: O_CLOEXEC | O_RDWR });
  const again = await agent.ioctl(file, drmRequests.PRIME_HANDLE_TO_FD, asked);
  const last = Number(primeHandle.decode(again.data).fd);
  const mapping = await agent.mmap({ length: buffer.bytes, fd: last });
  expect(await mapping.verifySign(nonce, 0), 'the memory').toMatchObject({ pages: PAGES, mismatches: 0 });
  await agent.close(file);
  await mapping.unmap();
  await agent.close(last);
}

async function locksAreWatched(agent: Agent): Promise<boolean> {
  return /^\s*debug_locks:\s+1$/m.test(await agent.readText(LOCKDEP));
}
