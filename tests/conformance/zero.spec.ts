// SPDX-License-Identifier: MIT
/**
 * ZER: a fresh buffer shows nobody else's data. A guest's kernel poisons freed pages and does not zero them at
 * allocation, or the claim would be tested on the kernel and not on the driver; where a board's does, nothing is claimed.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import {
  beginRepeating,
  clearsMemory,
  dirtyMemory,
  expect,
  forEachStrategy,
  orSkip,
  test,
} from '../../fixtures/index.ts';

const KIB = 1024;
const MIB = 1024 * KIB;
/** Zeroing takes some milliseconds: at every point of it. Measured in an emulated guest: 20 take 4 s. */
const KILLED = [
  { kills: 8, step: 5, tag: [] },
  { kills: 40, step: 1, tag: '@slow' },
];

test.beforeEach(async ({ target }) => {
  test.skip(
    await clearsMemory(target),
    'the kernel itself clears what it gives (init_on_alloc, init_on_free)',
  );
});

forEachStrategy(() => {
  test('ZER-01 a fresh buffer reads as zero, to its last byte', async ({ buffers, startAgent }) => {
    await dirtyMemory(startAgent);
    const { pageBytes } = buffers;
    for (const bytes of [
      1,
      pageBytes,
      3 * pageBytes + 100,
      64 * KIB,
      MIB + pageBytes,
      4 * MIB,
      16 * MIB,
      64 * MIB,
    ]) {
      const buffer = await buffers.allocate({ bytes });
      const mapping = await buffer.map({ protection: 'r' });
      await expect(mapping).toHoldOnly(0);
      await mapping.unmap();
    }
  });

  test('ZER-01 a fresh buffer of the page allocator reads as zero, too', async ({ buffers, startAgent }) => {
    const { pageBytes, promises } = buffers;
    const memory = promises.pageAllocatorMemory;
    test.skip(memory === undefined, 'the driver takes no memory from the page allocator by name');
    await dirtyMemory(startAgent);
    // Each size a few times: what one buffer gets may be clean by chance.
    for (const bytes of [1, pageBytes, 3 * pageBytes + 100, 64 * KIB, MIB + pageBytes]) {
      for (let i = 0; i < 4; i++) {
        const mapping = await (await buffers.allocate({ bytes, memory })).map({ protection: 'r' });
        await expect(mapping).toHoldOnly(0);
      }
    }
  });
});

for (const { kills, step, tag } of KILLED) {
  test(
    `ZER-05 ${kills} allocations that are killed on their way show nothing of themselves`,
    { tag },
    async ({ agent, buffers, driver, ioctls, balanceOf, startAgent }) => {
      const churn = orSkip(
        ioctls.abi.churn,
        'nobody described how this driver makes a buffer by ioctls alone',
      );
      const bytes = 16 * MIB;
      await dirtyMemory(startAgent);
      // What stays open throughout is opened.
      await (await buffers.allocate({ bytes })).release();
      const balance = await balanceOf('allocations that were killed', async () => {
        for (let round = 0; round < kills; round++) {
          const child = await agent.fork();
          const fd = await child.agent.open(driver.profile.device, 'rdwr');
          const [make] = churn(fd, bytes);
          if (make === undefined) return;
          await beginRepeating(child, 1, [make]);
          await sleep(round * step);
          await child.kill();
          // What it had is free by now, and may well be the next one's.
          const next = await buffers.allocate({ bytes });
          const mapped = await next.map({ protection: 'r' });
          await expect(mapped).toHoldOnly(0);
          await mapped.unmap();
          await next.release();
        }
      });
      await expect(balance).toBalance();
    },
  );
}
