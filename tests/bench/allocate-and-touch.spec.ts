// SPDX-License-Identifier: MIT
/**
 * PRF-07: allocating memory, mapping it, touching every page and giving it back: the driver, whatever
 * contiguous allocators the kernel has beside it, and anonymous memory. All in turns in one process,
 * each step timed where it happens. A further peer is one more entry in `peersOf`.
 */
import { expect, lowestFree, roomFor, test, timeSteps, type Agent, type Step } from '../../fixtures/index.ts';
import { size } from '../../harness/judge/judges.ts';
import type { PlotPoint } from '../../harness/measure/measurement.ts';
import { vividContig } from '../../harness/profile/vivid.ts';

// No guest is made ready beside a measurement.
test.use({ isolation: 'worker' });

const KIB = 1024;
const MIB = 1024 * KIB;
/** linux/dma-heap.h: DMA_HEAP_IOCTL_ALLOC. */
const DMA_HEAP_ALLOC = 0xc018_4800;
const O_RDWR_CLOEXEC = 0o2000002;
/** Parameters of vivid: one device, which captures video into contiguous memory. */
const ONE_CONTIGUOUS = ['n_devs=1', 'node_types=1', 'allocators=1'];

interface Subject {
  name: string;
  /** Whether what it gives is contiguous by its nature, as the driver's is. */
  contiguous: boolean;
  /** One round, which leaves nothing behind. */
  steps: (bytes: number) => Step[];
}

for (const bytes of [4 * KIB, 64 * KIB, MIB, 16 * MIB, 64 * MIB]) {
  const tag = bytes === MIB ? [] : ['@plot'];
  test(
    `PRF-07 allocating and touching ${size(bytes)}, against anonymous memory and other allocators`,
    {
      tag: ['@bench', ...tag],
      lock: '-exclusive-',
    },
    async ({ loadBeside, agent, driver, ioctls, report, samples }) => {
      const { churn } = ioctls.abi;
      const mapsFiles = churn !== undefined && ioctls.abi.pile !== undefined;
      test.skip(!mapsFiles, 'open files of this driver hold no buffers that they could map');
      if (churn === undefined) return;
      const address = await roomFor(agent, bytes);
      const peers = await peersOf(agent, address);
      // Layouts of its calls are those of 64-bit programs.
      if (agent.hello.pointerBytes === 8 && (await loadBeside('vivid', ONE_CONTIGUOUS)))
        peers.push(await videobuf2(agent, address));
      const fd = lowestFree((await agent.openFiles()).map((file) => file.fd));
      const [allocation] = churn(fd, bytes);
      expect(allocation, 'the driver can be asked for memory').toBeDefined();
      if (allocation === undefined) return;
      const own: Subject = {
        name: driver.profile.name,
        contiguous: true,
        steps: () => [
          ['open', driver.profile.device, 'rdwr'],
          allocation,
          ...use(bytes, address, fd, agent),
          ['close', fd],
        ],
      };
      const subjects = [own, ...peers];
      const taken = new Map(subjects.map(({ name }) => [name, [] as number[]]));
      // The first round warms up.
      for (let sample = -1; sample < samples; sample++) {
        for (const { name, steps } of subjects) {
          const ns = await timeSteps(agent, steps(bytes));
          if (sample >= 0) taken.get(name)?.push(ns.reduce((sum, each) => sum + each, 0) / 1000);
        }
      }
      for (const peer of peers) {
        const kind = peer.contiguous ? 'peer' : 'over';
        const point: PlotPoint = {
          plot: `allocating and touching, ${own.name} over others`,
          series: peer.name,
          x: bytes,
          axis: 'bytes',
          shows: 'ratio',
        };
        await report({
          id: `allocate-and-touch/${kind}/${peer.name.replaceAll(' ', '-')}/${size(bytes).replace(' ', '')}`,
          title: `${own.name}, ${size(bytes)}`,
          unit: 'µs',
          better: 'lower',
          samples: taken.get(own.name) ?? [],
          baseline: { title: peer.name, samples: taken.get(peer.name) ?? [] },
          point,
        });
      }
    },
  );
}

/** Mapping, first touch of every page, unmapping. */
function use(bytes: number, address: number, fd: number, { pageBytes }: Agent): Step[] {
  const pages = Math.ceil(bytes / pageBytes);
  return [
    ['mmap', bytes, 'rw', 'shared,fixed-noreplace', fd, 0, address],
    ['touch', address, pages, 'write', 1],
    ['munmap', address, bytes],
  ];
}

/** What this kernel can give memory with. */
async function peersOf(agent: Agent, address: number): Promise<Subject[]> {
  const anonymous = (advice: 'hugepage' | 'nohugepage') => (bytes: number) =>
    [
      ['mmap', bytes, 'rw', 'private,anonymous,fixed-noreplace', -1, 0, address],
      ['madvise', address, bytes, advice],
      ['touch', address, Math.ceil(bytes / agent.pageBytes), 'write', 1],
      ['munmap', address, bytes],
    ] satisfies Step[];
  const subjects: Subject[] = [
    { name: 'anonymous memory, small pages', contiguous: false, steps: anonymous('nohugepage') },
  ];
  const probe = await agent.anonymous(agent.pageBytes);
  const huge = await agent.attempt(() => probe.advise('hugepage'));
  await probe.unmap();
  if (huge.errno === undefined)
    subjects.push({ name: 'anonymous memory, huge pages', contiguous: false, steps: anonymous('hugepage') });
  for (const heap of ['linux,cma', 'default_cma_region', 'reserved', 'system']) {
    const opened = await agent.attempt(() => agent.open(`/dev/dma_heap/${heap}`, 'rdwr'));
    if (opened.ok !== undefined) subjects.push(await dmaHeap(agent, heap, opened.ok, address));
  }
  return subjects;
}

/** drivers/media/common/videobuf2/videobuf2-dma-contig.c: the buffers of cameras and codecs. */
async function videobuf2(agent: Agent, address: number): Promise<Subject> {
  const { lifetime } = vividContig.strategies['fd-per-buffer'] ?? {};
  if (lifetime === undefined) throw new TypeError('the profile of vivid has no lifetime');
  const fd = lowestFree((await agent.openFiles()).map((file) => file.fd));
  const { pageBytes } = agent;
  return {
    name: 'videobuf2-dma-contig',
    contiguous: true,
    steps: (bytes) => lifetime({ fd, bytes, pages: Math.ceil(bytes / pageBytes), address }),
  };
}

/** drivers/dma-buf/dma-heap.c; the heap's own file stays open. */
async function dmaHeap(agent: Agent, heap: string, heapFd: number, address: number): Promise<Subject> {
  const fd = lowestFree((await agent.openFiles()).map((file) => file.fd));
  return {
    name: `dma-heap ${heap}`,
    contiguous: heap !== 'system',
    steps: (bytes) => {
      const request = Buffer.alloc(24);
      request.writeBigUInt64LE(BigInt(bytes), 0);
      request.writeUInt32LE(O_RDWR_CLOEXEC, 12);
      return [
        ['ioctl', heapFd, DMA_HEAP_ALLOC, request.toString('hex')],
        ...use(bytes, address, fd, agent),
        ['close', fd],
      ];
    },
  };
}
