// SPDX-License-Identifier: MIT
/** PRF-11: what it costs two processes to exchange a word through a buffer, against anonymous memory. */
import { forEachStrategy, measureExchange, test } from '../../fixtures/index.ts';

// No guest is made ready beside a measurement.
test.use({ isolation: 'worker' });

const TRIPS = 2000;

forEachStrategy(() => {
  test(
    'PRF-11 a word to and fro between two processes, against anonymous memory',
    { tag: '@bench', lock: '-exclusive-' },
    async ({ agent, buffers, report, samples }) => {
      const shared = await agent.mmap({ length: buffers.pageBytes });
      const buffer = await buffers.allocate({ bytes: buffers.pageBytes });
      const { mapping } = await buffer.map();
      const child = await agent.fork();
      // Not every driver lets a child have the mapping of its parent.
      const theirs = (await buffer.in(child.agent).map()).mapping;
      const { a, b } = await measureExchange(agent, child, [mapping, shared], [theirs, shared], {
        ...{ samples, seed: 1n, trips: TRIPS },
      });
      const each = (ns: number[]) => ns.map((sample) => sample / TRIPS);
      await report({
        id: `exchange/${buffers.strategy}`,
        title: `a word to and fro between two processes, ${buffers.strategy}`,
        ...{ unit: 'ns', better: 'lower', samples: each(a) },
        baseline: { title: 'shared anonymous memory', samples: each(b) },
      });
      await child.exit();
    },
  );
});
