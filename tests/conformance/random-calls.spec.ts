// SPDX-License-Identifier: MIT
/**
 * IOC-13: whatever is called on the driver, its buffers and its mappings, in any order, by several
 * processes at once: the kernel has nothing to complain of, and nothing is left. What breaks that is told
 * as the shortest program that was found.
 */
import { expect, fuzzCalls, newNonce, skipWithoutLimit, test } from '../../fixtures/index.ts';

const PROCESSES = 3;

/** A million, in parts that take minutes each. */
const MILLION = [1, 2, 3, 4].map((part) => ({
  ...{ calls: 250_000, tag: ['@fuzz', '@slow'] },
  which: ` (part ${part} of 4)`,
}));

for (const { calls, tag, which } of [{ calls: 5000, tag: ['@fuzz'], which: '' }, ...MILLION]) {
  test(
    `IOC-13 ${calls} calls at random, of ${PROCESSES} processes at once, leave the kernel whole${which}`,
    { tag },
    async ({ ready, driver, spare, ioctls, buffers, seed }, testInfo) => {
      skipWithoutLimit(driver.profile);
      // Should it fail, much is tried to tell why.
      test.setTimeout(8 * test.info().timeout);
      const begin = seed ?? Date.now() % 2 ** 31;
      testInfo.annotations.push({ type: 'seed', description: String(begin) });
      // Nobody can name it any more, so none of the calls leads there.
      const bystander = await buffers.allocate({ bytes: 8 * buffers.pageBytes });
      const { mapping } = await bystander.map();
      const nonce = newNonce();
      await mapping.writePattern(nonce);
      if (await buffers.haveNames()) await buffers.free(bystander.allocated);
      const { did } = await fuzzCalls(ready, ioctls.abi, { seed: begin, calls, processes: PROCESSES }, spare);
      expect(await mapping.verifyPattern(nonce), 'a buffer without a name').toMatchObject({ mismatches: 0 });
      testInfo.annotations.push({ type: 'calls', description: JSON.stringify(did) });
      const idle = [...ioctls.calls.map(({ name }) => `ioctl ${name}`), 'mmap', 'store'].filter(
        (what) => (did[what]?.ok ?? 0) === 0,
      );
      expect(idle, `calls that never succeeded, seed ${begin}`).toEqual([]);
    },
  );
}
