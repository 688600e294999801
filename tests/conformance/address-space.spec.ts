// SPDX-License-Identifier: MIT
/** BND-15: whatever is done to mappings, in any order, every page shows what the model says. */
import { expect, forEachStrategy, fuzzAddressSpace, test } from '../../fixtures/index.ts';

forEachStrategy(() => {
  for (const [operations, options] of [
    [2000, {}],
    // 50 times as many: 39 s.
    [100_000, { tag: '@slow' }],
  ] as const) {
    test(
      `BND-15 ${operations} random calls on mappings of four buffers end as the model says`,
      options,
      async ({ buffers, agent, seed }, testInfo) => {
        if ('tag' in options) test.setTimeout(8 * test.info().timeout);
        test.skip(!buffers.promises.subOffset, 'the model maps from any page of a buffer');
        const begin = seed ?? Date.now() % 2 ** 32;
        testInfo.annotations.push({ type: 'seed', description: String(begin) });
        const { failure } = await fuzzAddressSpace(buffers, agent, begin, operations);
        const program = failure === undefined ? '' : `${failure.program.join('\n')}\n`;
        expect(
          failure,
          `seed ${begin}\n${program}expected ${failure?.expected}, saw ${failure?.seen}`,
        ).toBeUndefined();
      },
    );
  }
});
