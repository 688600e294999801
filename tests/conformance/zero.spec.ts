// SPDX-License-Identifier: MIT
/**
 * ZER: a fresh buffer shows nobody else's data. A guest's kernel poisons freed pages and does not zero them at
 * allocation, or the claim would be tested on the kernel and not on the driver; where a board's does, nothing is claimed.
 */
import {
  beginRepeating,
  clearsMemory,
  dirtyMemory,
  expect,
  finishRepeating,
  forEachStrategy,
  orSkip,
  outcomeInASacrifice,
  test,
  timeSteps,
  type Agent,
  type Step,
} from '../../fixtures/index.ts';
import type { Child } from '../../harness/agent/child.ts';

const KIB = 1024;
const MIB = 1024 * KIB;
/** On every machine (include/uapi/asm-generic/signal.h). */
const SIGKILL = 9;
/** At as many points of an allocation. Measured in an emulated guest: 20 take 4 s. */
const KILLED = [
  { kills: 8, tag: [] },
  { kills: 40, tag: '@slow' },
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

for (const { kills, tag } of KILLED) {
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
      let met = 0;
      const balance = await balanceOf('allocations that were killed', async () => {
        const took = await timeOf(agent, (fd) => churn(fd, bytes).slice(0, 1), driver.profile.device);
        for (let round = 0; round < kills; round++) {
          const child = await agent.fork();
          const fd = await child.agent.open(driver.profile.device, 'rdwr');
          const after = Math.floor(((round + 1) / (kills + 1)) * took);
          if (await killed(agent, child, churn(fd, bytes).slice(0, 1), after)) met += 1;
          // What it had is free by now, and may well be the next one's.
          const next = await buffers.allocate({ bytes });
          const mapped = await next.map({ protection: 'r' });
          await expect(mapped).toHoldOnly(0);
          await mapped.unmap();
          await next.release();
        }
      });
      await expect(balance).toBalance();
      const description = `${met} allocations that were not over when they were killed`;
      test.info().annotations.push({ type: 'met', description });
      test.skip(met === 0, 'each allocation was over before it was killed');
    },
  );
}

/** Milliseconds that the steps take on the target, in a process of their own. */
async function timeOf(agent: Agent, stepsOn: (fd: number) => Step[], device: string): Promise<number> {
  const child = await agent.fork();
  const ns = await timeSteps(child.agent, stepsOn(await child.agent.open(device, 'rdwr')));
  await child.exit();
  return ns.reduce((sum, each) => sum + each, 0) / 1e6;
}

/**
 * Has a child make the steps, and kills it from beside it.
 * @param after milliseconds that it has had
 * @returns whether it was not over with them; it may not have come to them where they are very short
 */
async function killed(agent: Agent, child: Child, steps: readonly Step[], after: number): Promise<boolean> {
  await agent.makeRoom();
  // In one go: a link may be slower than an allocation.
  const [, , , { kind }] = await Promise.all([
    beginRepeating(child, 1, steps),
    agent.request('sleep-ms', after),
    agent.request('syscall', 'kill', child.pid, SIGKILL),
    outcomeInASacrifice(() => finishRepeating(child)),
  ]);
  if (kind === 'signal') return true;
  await child.wait();
  return false;
}
