// SPDX-License-Identifier: MIT
/** PRF-06: what it costs to map a buffer and touch every page for the first time, against anonymous memory. */
import { expect, forEachStrategy, measureFirstTouch, test } from '../../fixtures/index.ts';
import type { PlotPoint } from '../../harness/measure/measurement.ts';

// No guest is made ready beside a measurement.
test.use({ isolation: 'worker' });

forEachStrategy(() => {
  for (const pages of [1, 16, 64, 256, 1024, 4096, 16384]) {
    const tag = [1, 64, 1024].includes(pages) ? [] : ['@plot'];
    const title = `PRF-06 first touch of ${pages} pages, against anonymous memory`;
    test(
      title,
      { tag: ['@bench', ...tag], lock: '-exclusive-' },
      async ({ agent, buffers, report, samples }) => {
        const buffer = await buffers.allocate({ bytes: pages * buffers.pageBytes });
        const { fd, mmapOffset: offset } = buffer.allocated;
        const { a, b } = await measureFirstTouch(agent, fd, { offset, pages, samples, seed: 1n });
        expect(Math.min(...b.faults), 'page faults of anonymous memory').toBeGreaterThanOrEqual(pages);
        const { strategy } = buffers;
        const pointIn = (plot: string): PlotPoint => ({
          plot,
          series: strategy,
          x: buffer.bytes,
          axis: 'bytes',
          shows: 'ratio',
        });
        await report({
          id: `first-touch/${strategy}/${pages}pages`,
          title: `first touch of ${pages} pages, ${strategy}`,
          unit: 'ns',
          better: 'lower',
          samples: a.touchNs,
          baseline: { title: 'anonymous memory, small pages', samples: b.touchNs },
          point: pointIn('first touch over anonymous'),
        });
        await report({
          id: `first-touch/whole/${strategy}/${pages}pages`,
          title: `map, first touch and unmap of ${pages} pages, ${strategy}`,
          unit: 'ns',
          better: 'lower',
          samples: a.mapNs.map((ns, i) => ns + (a.touchNs[i] ?? 0) + (a.unmapNs[i] ?? 0)),
          baseline: {
            title: 'anonymous memory, small pages',
            samples: b.mapNs.map((ns, i) => ns + (b.touchNs[i] ?? 0) + (b.unmapNs[i] ?? 0)),
          },
          point: pointIn('map, first touch and unmap over anonymous'),
        });
      },
    );
  }
});
