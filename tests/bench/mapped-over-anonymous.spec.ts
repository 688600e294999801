// SPDX-License-Identifier: MIT
/**
 * PRF-01 to PRF-03: reading, writing and copying through a mapping, against anonymous memory of the
 * same size in the same process. What is claimed is that the figures are good: no page fault inside a
 * timed region, and the memory held what was written. How fast it was is reported, not judged.
 */
import {
  anonymousSide,
  expect,
  forEachStrategy,
  mapSideBySide,
  measureThroughput,
  sideOf,
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

const SIZES = [4 * KIB, 64 * KIB, 256 * KIB, MIB, 4 * MIB, 16 * MIB, 64 * MIB];

const kernels: { id: string; kernel: Kernel; what: string }[] = [
  { id: 'PRF-01', kernel: 'read', what: 'reading' },
  { id: 'PRF-02', kernel: 'write', what: 'writing' },
  { id: 'PRF-03', kernel: 'copy-from', what: 'copying from' },
  { id: 'PRF-03', kernel: 'copy-to', what: 'copying to' },
];

/**
 * Samples taken before both sides are mapped anew, elsewhere: which pages and addresses they happen to have made up
 * to 8 % under emulation, at 4 KiB once 34 %, between two pieces of anonymous memory.
 */
const IN_ONE_PLACE = 8;
/** Bytes that one side may have in all its places together. */
const ROOM = 128 * MIB;

interface How {
  kernel: Kernel;
  /** As many are taken at most; fewer where there is no room for enough places. */
  samples: number;
  bytes: number;
  /** Of the baseline. */
  pages?: 'small' | 'huge';
  /** What is measured; without it, anonymous memory is. */
  allocate?: () => Promise<DriverBuffer>;
}

/** Throughput of both sides, in MB/s. */
async function measured(
  agent: Agent,
  { kernel, samples, bytes, pages = 'small', allocate }: How,
): Promise<Pick<Sampled, 'unit' | 'better' | 'samples' | 'baseline'>> {
  const places = Math.max(1, Math.floor(Math.min(samples / IN_ONE_PLACE, ROOM / bytes)));
  const own: number[] = [];
  const base: number[] = [];
  // They stay until the end, so that the next ones lie elsewhere.
  const stay: (() => Promise<unknown>)[] = [];
  for (let place = 0; place < places; place++) {
    const buffer = await allocate?.();
    const side = buffer === undefined ? anonymousSide(agent, bytes) : sideOf(buffer);
    const baseline = anonymousSide(agent, side.bytes, pages);
    const { mapped, anonymous } = await mapSideBySide(agent, side, baseline, place % 2 === 1);
    stay.push(
      () => mapped.unmap(),
      () => anonymous.unmap(),
      async () => buffer?.release(),
    );
    const { a, b, passes } = await measureThroughput(agent, kernel, mapped, anonymous, {
      ...{ samples: Math.min(samples, IN_ONE_PLACE), seed: BigInt(place + 1) },
    });
    for (const taken of [a, b]) {
      expect(taken.minorFaults + taken.majorFaults, 'page faults inside the timed regions').toBe(0);
    }
    const throughput = (ns: number[]) => ns.map((each) => (passes * side.bytes * 1000) / each);
    own.push(...throughput(a.ns));
    base.push(...throughput(b.ns));
  }
  for (const leave of stay) await leave();
  return {
    ...{ unit: 'MB/s', better: 'higher', samples: own },
    baseline: { title: `anonymous memory, ${pages} pages`, samples: base },
  };
}

function pointOf(what: string, series: string, bytes: number): PlotPoint {
  const plot = `${what}, mapped over anonymous`;
  return { plot, series, x: bytes, axis: 'bytes', shows: 'ratio' };
}

// What the method itself leaves: whatever the figures of a driver differ by less than these do is chance.
for (const { id, kernel, what } of kernels) {
  test(
    `${id} ${what} anonymous memory, against anonymous memory (${kernel})`,
    { tag: ['@bench', '@plot'], lock: '-exclusive-' },
    async ({ agent, report, samples }) => {
      for (const bytes of SIZES) {
        await report({
          id: `mapped-over-anonymous/control/${kernel}/${size(bytes).replace(' ', '')}`,
          title: `${what} ${size(bytes)}, anonymous memory`,
          point: pointOf(what, 'anonymous over anonymous', bytes),
          ...(await measured(agent, { kernel, samples, bytes })),
        });
      }
    },
  );
}

forEachStrategy(() => {
  for (const { id, kernel, what } of kernels) {
    // Sizes beside these two make the curve.
    for (const bytes of SIZES) {
      const tag = bytes === 256 * KIB || bytes === 16 * MIB ? [] : ['@plot'];
      const title = `${id} ${what} a mapping of ${size(bytes)}, against anonymous memory`;
      test(
        title,
        { tag: ['@bench', ...tag], lock: '-exclusive-' },
        async ({ agent, buffers, report, samples }) => {
          const cached = buffers.promises.cacheModes.includes('cached') ? { cache: 'cached' as const } : {};
          const { strategy } = buffers;
          const allocate = () => buffers.others().allocate({ bytes, ...cached });
          await report({
            id: `mapped-over-anonymous/${kernel}/${strategy}/${size(bytes).replace(' ', '')}`,
            title: `${what} ${size(bytes)}, ${strategy}`,
            point: pointOf(what, strategy, bytes),
            ...(await measured(agent, { kernel, samples, bytes, allocate })),
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
        const allocate = () => buffers.others().allocate({ bytes: MIB, cache });
        const { ok: first, errno } = await agent.attempt(allocate);
        if (first === undefined) {
          expect(errno, `memory that is ${cache}`).toBe('EOPNOTSUPP');
          continue;
        }
        await first.release();
        await report({
          id: `mapped-over-anonymous/other/uncached/${buffers.strategy}/${cache}`,
          title: `reading 1 MiB of ${cache} memory, ${buffers.strategy}`,
          ...(await measured(agent, { kernel: 'read', samples, bytes: MIB, allocate })),
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
            const bytes = 16 * MIB;
            const allocate = () => buffers.others().allocate({ bytes, cache });
            const { ok: first } = await agent.attempt(allocate);
            // A mode that this machine does not have is refused, which is CAC-01's.
            if (first === undefined) continue;
            await first.release();
            await report({
              id: `mapped-over-anonymous/other/${kernel}/${buffers.strategy}/${cache}/${pages}`,
              title: `${kernel} 16 MiB of ${cache} memory, ${buffers.strategy}`,
              ...(await measured(agent, { kernel, samples, bytes, pages, allocate })),
            });
          }
        }
      }
    },
  );
});
