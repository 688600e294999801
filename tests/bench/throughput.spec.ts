// SPDX-License-Identifier: MIT
/**
 * PRF-01 to PRF-03: reading, writing and copying through a mapping, against anonymous memory of the
 * same size in the same process. What is claimed is that the figures are good: no page fault inside a
 * timed region, and the memory held what was written. How fast it was is reported, not judged.
 */
import {
  expect,
  forEachStrategy,
  mapSideBySide,
  measureThroughput,
  test,
  type Kernel,
} from '../../fixtures/index.ts';
import { size } from '../../harness/judge/judges.ts';

// No guest is made ready beside a measurement.
test.use({ isolation: 'worker' });

const MIB = 1024 * 1024;
const SAMPLES = 31;

const kernels: { id: string; kernel: Kernel; what: string }[] = [
  { id: 'PRF-01', kernel: 'read', what: 'reading' },
  { id: 'PRF-02', kernel: 'write', what: 'writing' },
  { id: 'PRF-03', kernel: 'copy-from', what: 'copying from' },
  { id: 'PRF-03', kernel: 'copy-to', what: 'copying to' },
];

forEachStrategy(() => {
  for (const { id, kernel, what } of kernels) {
    for (const bytes of [256 * 1024, 16 * MIB]) {
      const title = `${id} ${what} a mapping of ${size(bytes)}, against anonymous memory`;
      test(title, { tag: '@bench', lock: '-exclusive-' }, async ({ agent, buffers, report }) => {
        const cached = buffers.promises.cacheModes.includes('cached') ? { cache: 'cached' as const } : {};
        const buffer = await buffers.allocate({ bytes, ...cached });
        const { mapped, anonymous } = await mapSideBySide(agent, buffer);
        const { a, b, passes } = await measureThroughput(agent, kernel, mapped, anonymous, {
          samples: SAMPLES,
          seed: 1n,
        });
        for (const side of [a, b]) {
          expect(side.minorFaults + side.majorFaults, 'page faults inside the timed regions').toBe(0);
        }
        const throughput = (ns: number[]) => ns.map((each) => (passes * bytes * 1000) / each);
        await report({
          id: `${id}/${kernel}/${buffers.strategy}/${size(bytes).replace(' ', '')}`,
          title: `${what} ${size(bytes)}, ${buffers.strategy}`,
          unit: 'MB/s',
          better: 'higher',
          samples: throughput(a.ns),
          baseline: { title: 'anonymous memory, small pages', samples: throughput(b.ns) },
        });
      });
    }
  }
});
