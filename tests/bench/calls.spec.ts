// SPDX-License-Identifier: MIT
/**
 * PRF-08 to PRF-10: what single calls cost that are made for each batch or each process: asking about a
 * buffer, handing it over, forking with it. How fast they were is reported, not judged.
 */
import {
  expect,
  forEachStrategy,
  measureIoctl,
  orSkip,
  test,
  timeSteps,
  type Agent,
} from '../../fixtures/index.ts';
import { size } from '../../harness/judge/judges.ts';
import { dmaBufRequests, dmaBufSync, dmaBufSyncFlags } from '../../harness/profile/dma-buf.ts';
import { drmRequests, primeHandle } from '../../harness/profile/drm.ts';

// No guest is made ready beside a measurement.
test.use({ isolation: 'worker' });

const KIB = 1024;
const MIB = 1024 * KIB;
const { READ, WRITE } = dmaBufSyncFlags;

/** Samples of the ioctl and of getppid(), in turns, in nanoseconds a call. */
async function callCost(agent: Agent, fd: number, request: number, argument: Buffer, samples: number) {
  const scratch = await agent.anonymous(agent.pageBytes);
  await scratch.poke(0, argument);
  const cost = await measureIoctl(agent, fd, request, scratch.address, { samples, seed: 1n });
  await scratch.unmap();
  const each = (ns: number[]) => ns.map((sample) => sample / cost.callsPerSample);
  return {
    ...{ unit: 'ns', better: 'lower' as const, samples: each(cost.a) },
    baseline: { title: 'getppid()', samples: each(cost.b) },
  };
}

test(
  'PRF-08 asking the driver, against the cheapest system call',
  { tag: '@bench', lock: '-exclusive-' },
  async ({ agent, ioctls, report, samples }) => {
    const asking = ioctls.calls.filter(({ query, tellsAbout }) => query ?? tellsAbout !== undefined);
    expect(asking.length, 'calls that ask').toBeGreaterThan(0);
    await ioctls.forEach(async ({ call: { name, request }, situation, argument }) => {
      const cost = await callCost(agent, situation.fd, request, argument(), samples);
      await report({ id: `call/${name}`, title: name, ...cost });
    }, asking);
  },
);

test.describe('dma-buf', { tag: ['@dma-buf', '@bench'] }, () => {
  test.use({ strategy: 'dma-buf' });
  for (const bytes of [64 * KIB, MIB, 16 * MIB]) {
    test(
      `PRF-09 handing over ${size(bytes)}, without an importer and with one`,
      { lock: '-exclusive-' },
      async ({ agent, buffers, importer, report, samples }) => {
        const buffer = await buffers.allocate({ bytes });
        const { fd } = buffer.allocated;
        const sync = dmaBufSync.encode({ flags: READ | WRITE });
        const cost = () => callCost(agent, fd, dmaBufRequests.SYNC, sync, samples);
        const ends = size(bytes).replace(' ', '');
        await report({
          id: `hand-over/alone/${ends}`,
          title: `handing over ${size(bytes)}`,
          ...(await cost()),
        });
        const file = await agent.open(importer, 'rdwr');
        await agent.ioctl(file, drmRequests.PRIME_FD_TO_HANDLE, primeHandle.encode({ fd }));
        const title = `handing over ${size(bytes)}, with an importer`;
        await report({ id: `hand-over/imported/${ends}`, title, ...(await cost()) });
        await agent.close(file);
      },
    );
  }
});

forEachStrategy(() => {
  test(
    'PRF-10 forking with 64 MiB mapped, against forking without',
    { tag: '@bench', lock: '-exclusive-' },
    async ({ agent, buffers, report, samples }) => {
      const buffer = await buffers.allocate({ bytes: 64 * MIB });
      const fork = async () =>
        orSkip((await timeSteps(agent, [['fork-end']]))[0], 'nothing was timed') / 1000;
      const without = [];
      const mapped = [];
      await fork();
      for (let sample = 0; sample < samples; sample++) {
        without.push(await fork());
        const { mapping } = await buffer.map();
        await mapping.touch('read');
        mapped.push(await fork());
        await mapping.unmap();
      }
      await report({
        id: `fork/${buffers.strategy}/64MiB`,
        title: `fork() with 64 MiB mapped, ${buffers.strategy}`,
        ...{ unit: 'µs', better: 'lower', samples: mapped },
        baseline: { title: 'fork() without', samples: without },
      });
    },
  );
});
