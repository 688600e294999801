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
  type Agent,
  type DriverBuffer,
  type Kernel,
} from '../../fixtures/index.ts';
import { size } from '../../harness/judge/judges.ts';
import type { PlotPoint, Sampled } from '../../harness/measure/measurement.ts';

// No guest is made ready beside a measurement.
test.use({ isolation: 'worker' });

const KIB = 1024;
const MIB = 1024 * KIB;

const kernels: { id: string; kernel: Kernel; what: string }[] = [
  { id: 'PRF-01', kernel: 'read', what: 'reading' },
  { id: 'PRF-02', kernel: 'write', what: 'writing' },
  { id: 'PRF-03', kernel: 'copy-from', what: 'copying from' },
  { id: 'PRF-03', kernel: 'copy-to', what: 'copying to' },
];

interface Side {
  kernel: Kernel;
  samples: number;
  pages?: 'small' | 'huge';
}

/** @returns MB/s of both sides */
async function measured(
  agent: Agent,
  buffer: DriverBuffer,
  { kernel, samples, pages = 'small' }: Side,
): Promise<Pick<Sampled, 'unit' | 'better' | 'samples' | 'baseline'>> {
  const { mapped, anonymous } = await mapSideBySide(agent, buffer, pages);
  const { a, b, passes } = await measureThroughput(agent, kernel, mapped, anonymous, { samples, seed: 1n });
  for (const side of [a, b]) {
    expect(side.minorFaults + side.majorFaults, 'page faults inside the timed regions').toBe(0);
  }
  const throughput = (ns: number[]) => ns.map((each) => (passes * buffer.bytes * 1000) / each);
  return {
    unit: 'MB/s',
    better: 'higher',
    samples: throughput(a.ns),
    baseline: { title: `anonymous memory, ${pages} pages`, samples: throughput(b.ns) },
  };
}

forEachStrategy(() => {
  for (const { id, kernel, what } of kernels) {
    // Sizes beside these two make the curve.
    for (const bytes of [4 * KIB, 64 * KIB, 256 * KIB, MIB, 4 * MIB, 16 * MIB, 64 * MIB]) {
      const tag = bytes === 256 * KIB || bytes === 16 * MIB ? [] : ['@plot'];
      const title = `${id} ${what} a mapping of ${size(bytes)}, against anonymous memory`;
      test(
        title,
        { tag: ['@bench', ...tag], lock: '-exclusive-' },
        async ({ agent, buffers, report, samples }) => {
          const cached = buffers.promises.cacheModes.includes('cached') ? { cache: 'cached' as const } : {};
          const buffer = await buffers.allocate({ bytes, ...cached });
          const { strategy } = buffers;
          const point: PlotPoint = {
            plot: `${what}, mapped over anonymous`,
            series: strategy,
            x: bytes,
            axis: 'bytes',
            shows: 'ratio',
          };
          await report({
            id: `mapped-over-anonymous/${kernel}/${strategy}/${size(bytes).replace(' ', '')}`,
            title: `${what} ${size(bytes)}, ${strategy}`,
            point,
            ...(await measured(agent, buffer, { kernel, samples })),
          });
        },
      );
    }
  }

  test(
    'PRF-05 reading memory that is not cached, against anonymous memory',
    { tag: '@bench', lock: '-exclusive-' },
    async ({ agent, buffers, report, samples }) => {
      const modes = buffers.promises.cacheModes.filter((cache) => cache !== 'cached');
      test.skip(modes.length === 0, 'the driver gives cached memory only');
      for (const cache of modes) {
        const { ok: buffer, errno } = await agent.attempt(() => buffers.allocate({ bytes: MIB, cache }));
        if (buffer === undefined) {
          expect(errno, `memory that is ${cache}`).toBe('EOPNOTSUPP');
          continue;
        }
        await report({
          id: `mapped-over-anonymous/uncached/${buffers.strategy}/${cache}`,
          title: `reading 1 MiB of ${cache} memory, ${buffers.strategy}`,
          ...(await measured(agent, buffer, { kernel: 'read', samples })),
        });
      }
    },
  );

  test(
    'PRF-01 PRF-02 memory of every cache mode, against small and huge pages',
    { tag: ['@bench', '@plot'], lock: '-exclusive-' },
    async ({ agent, buffers, report, samples }) => {
      for (const cache of buffers.promises.cacheModes) {
        for (const pages of ['small', 'huge'] as const) {
          for (const kernel of ['read', 'write'] as const) {
            const own = buffers.others();
            const { ok: buffer } = await agent.attempt(() => own.allocate({ bytes: 16 * MIB, cache }));
            // A mode that this machine does not have is refused, which is CAC-01's.
            if (buffer === undefined) continue;
            await report({
              id: `mapped-over-anonymous/other/${kernel}/${buffers.strategy}/${cache}/${pages}`,
              title: `${kernel} 16 MiB of ${cache} memory, ${buffers.strategy}`,
              ...(await measured(agent, buffer, { kernel, samples, pages })),
            });
            await buffer.release();
          }
        }
      }
    },
  );
});
