// SPDX-License-Identifier: MIT
/**
 * PRF-04: what it costs to read one word here and one there, against anonymous memory of small and of huge
 * pages: the further apart, the more the page tables count. How fast it was is reported, not judged.
 */
import {
  anonymousSide,
  forEachStrategy,
  mapSideBySide,
  measureThroughput,
  sideOf,
  test,
  type Kernel,
} from '../../fixtures/index.ts';
import { size } from '../../harness/judge/judges.ts';
import type { PlotPoint } from '../../harness/measure/measurement.ts';

// No guest is made ready beside a measurement.
test.use({ isolation: 'worker' });

/** Of a cache line, of eight, and of a small page. */
const [LINE, NEAR, FAR] = [64, 512, 4096];
const BYTES = 32 * 1024 * 1024;

const patterns: { kernel: Kernel; stepBytes: number; what: string }[] = [
  ...[LINE, NEAR, FAR].map((stepBytes) => ({
    ...{ kernel: 'stride' as const, stepBytes },
    what: `a word every ${stepBytes} bytes`,
  })),
  { kernel: 'scattered', stepBytes: FAR, what: 'words all over' },
  { kernel: 'chain', stepBytes: FAR, what: 'a chain of words' },
];

forEachStrategy(() => {
  for (const pages of ['small', 'huge'] as const) {
    test(
      `PRF-04 words far apart in ${size(BYTES)}, against anonymous memory of ${pages} pages`,
      { tag: ['@bench', ...(pages === 'small' ? [] : ['@plot'])], lock: '-exclusive-' },
      async ({ agent, buffers, report, samples }) => {
        const buffer = await buffers.allocate({ bytes: BYTES });
        const { mapped, anonymous } = await mapSideBySide(
          agent,
          sideOf(buffer),
          anonymousSide(agent, BYTES, pages),
        );
        const { strategy } = buffers;
        for (const { kernel, stepBytes, what } of patterns) {
          const { a, b, passes } = await measureThroughput(agent, kernel, mapped, anonymous, {
            ...{ samples, seed: 1n, stepBytes },
          });
          const words = (passes * BYTES) / stepBytes;
          const each = (ns: number[]) => ns.map((sample) => sample / words);
          const point: PlotPoint = {
            plot: `${kernel}, mapped over anonymous, ${pages} pages`,
            series: strategy,
            x: stepBytes,
            axis: 'bytes',
            shows: 'ratio',
          };
          await report({
            id: `access/${kernel}/${strategy}/${stepBytes}B/${pages}`,
            title: `${what} of ${size(BYTES)}, ${strategy}`,
            ...{ unit: 'ns', better: 'lower', samples: each(a.ns) },
            baseline: { title: `anonymous memory, ${pages} pages`, samples: each(b.ns) },
            ...(kernel === 'stride' ? { point } : {}),
          });
        }
      },
    );
  }
});
