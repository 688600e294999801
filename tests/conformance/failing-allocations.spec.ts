// SPDX-License-Identifier: MIT
/**
 * RES-05: any allocation inside the driver may fail. The kernel lets the first one of every system
 * call fail, then the second one, until none is left: each call is refused or succeeds in full, and
 * nothing is lost. Documentation/fault-injection/fault-injection.rst, fail-nth.
 */
import { canFailAllocations, expect, failingNth, forEachStrategy, test } from '../../fixtures/index.ts';

const PAGES = 5;
/** More allocations than one call may make; reaching it means that they never ended. */
const MOST = 500;

forEachStrategy(() => {
  test('RES-05 any allocation of the kernel may fail while a buffer is made, mapped and freed', async ({
    agent,
    buffers,
    balanceOf,
    kernelSays,
  }) => {
    test.skip(!(await canFailAllocations(agent)), 'the kernel has no fault injection (CONFIG_FAILSLAB)');
    const failures: number[] = [];
    const refusals = new Set<string>();
    const life = (own: typeof buffers) => async () => {
      const buffer = await own.allocate({ bytes: PAGES * buffers.pageBytes });
      const mapped = await buffer.map();
      await mapped.mapping.touch('write');
      await mapped.pages(1, 1).unmap();
      await mapped.unmap();
      await buffer.release();
    };
    // What is made once and kept is made here.
    await life(buffers)();
    const balance = await balanceOf('lives with a failing allocation', async () => {
      for (let nth = 1, last = 1; last > 0; nth++) {
        expect(nth, 'allocations in one call').toBeLessThan(MOST);
        // What a refused step leaves behind goes with its process.
        const child = await agent.fork();
        const own = buffers.others({ agent: child.agent });
        const { outcome, failed } = await failingNth(child.agent, nth, life(own));
        if (outcome.errno !== undefined) refusals.add(outcome.errno);
        expect(outcome.fault, `allocation ${nth} of each call failing`).toBeUndefined();
        await child.exit();
        failures.push(failed);
        last = failed;
      }
    });
    expect(failures.length, 'rounds in which something failed').toBeGreaterThan(1);
    expect([...refusals], 'how calls were refused').toEqual(['ENOMEM']);
    await expect(balance).toBalance();
    expect(await kernelSays(), 'what the kernel logged').toEqual([]);
  });
});
