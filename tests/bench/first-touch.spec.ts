// SPDX-License-Identifier: MIT
/** PRF-06: what it costs to map a buffer and touch every page for the first time, against anonymous memory. */
import { expect, forEachStrategy, measureFirstTouch, test } from '../../fixtures/index.ts';

// No guest is made ready beside a measurement.
test.use({ isolation: 'worker' });

const SAMPLES = 31;

forEachStrategy(() => {
  for (const pages of [1, 64, 1024]) {
    const title = `PRF-06 first touch of ${pages} pages, against anonymous memory`;
    test(title, { tag: '@bench', lock: '-exclusive-' }, async ({ agent, buffers, report }) => {
      const buffer = await buffers.allocate({ bytes: pages * buffers.pageBytes });
      const { fd, mmapOffset: offset } = buffer.allocated;
      const { a, b } = await measureFirstTouch(agent, fd, { offset, pages, samples: SAMPLES, seed: 1n });
      expect(Math.min(...b.faults), 'page faults of anonymous memory').toBeGreaterThanOrEqual(pages);
      const id = `${buffers.strategy}/${pages}pages`;
      await report({
        id: `PRF-06/touch/${id}`,
        title: `first touch of ${pages} pages, ${buffers.strategy}`,
        unit: 'ns',
        better: 'lower',
        samples: a.touchNs,
        baseline: { title: 'anonymous memory, small pages', samples: b.touchNs },
      });
      await report({
        id: `PRF-06/map-touch-unmap/${id}`,
        title: `map, first touch and unmap of ${pages} pages, ${buffers.strategy}`,
        unit: 'ns',
        better: 'lower',
        samples: a.mapNs.map((ns, i) => ns + (a.touchNs[i] ?? 0) + (a.unmapNs[i] ?? 0)),
        baseline: {
          title: 'anonymous memory, small pages',
          samples: b.mapNs.map((ns, i) => ns + (b.touchNs[i] ?? 0) + (b.unmapNs[i] ?? 0)),
        },
      });
    });
  }
});
