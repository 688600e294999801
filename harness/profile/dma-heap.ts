// SPDX-License-Identifier: MIT
/**
 * The profiles of dma-heaps, the kernel's own allocators of dma-bufs: `system` gives scattered pages, a
 * heap over the CMA area gives contiguous ones. A buffer is a dma-buf from the first moment on.
 */
import type { Agent } from '../agent/client.ts';
import { ioctlStep, leftBy } from '../agent/repeat.ts';
import { bufferThatIs, O_ACCMODE, O_CLOEXEC, O_RDWR } from './descriptors.ts';
import type { Deviation } from './deviations.ts';
import type { FieldRole, IoctlAbi } from './ioctls.ts';
import { Layout } from './layout.ts';
import type { Access, DriverProfile, Properties, Strategy } from './profile.ts';

/** include/uapi/linux/dma-heap.h: _IOWR('H', 0, struct dma_heap_allocation_data) */
const ALLOC = 0xc018_4800;
const allocation = new Layout('dma_heap_allocation_data', [
  ['len', 'u64'],
  ['fd', 'u32'],
  ['fd_flags', 'u32'],
  ['heap_flags', 'u64'],
]);
const accessFlags: Record<Access, number> = { rdonly: 0, wronly: 1, rdwr: O_RDWR };
const input: FieldRole = { kind: 'in', refused: [0n, 2n ** 64n - 1n] };

/** A dma-buf for each buffer; the heap's file stays open, and no buffer needs it. */
function strategyOf(device: string): Strategy {
  return {
    async open(agent, access = 'rdwr') {
      const heap = await agent.open(device, 'rdonly');
      const fdFlags = O_CLOEXEC | accessFlags[access];
      return {
        async allocate({ bytes }) {
          const asked = allocation.encode({ len: bytes, fd_flags: fdFlags });
          const { fd } = allocation.decode((await agent.ioctl(heap, ALLOC, asked)).data);
          return bufferThatIs(agent, Number(fd), bytes);
        },
      };
    },
  };
}

function ioctlsOf(device: string): IoctlAbi {
  const page = (pageBytes: number) => allocation.encode({ len: pageBytes, fd_flags: O_CLOEXEC | O_RDWR });
  return {
    header: 'linux/dma-heap.h',
    calls: [
      {
        name: 'DMA_HEAP_IOCTL_ALLOC',
        request: ALLOC,
        layout: allocation,
        firstBytes: allocation.bytes,
        roles: {
          len: input,
          fd: { kind: 'out-descriptor', zeroBefore: true },
          fd_flags: { kind: 'flags', defined: O_CLOEXEC | O_ACCMODE },
          heap_flags: { kind: 'flags', defined: 0 },
        },
        makesBuffer: true,
        sizedBy: 'len',
        makesDmaBuf: { flags: 'fd_flags', readOnly: 0, readWrite: O_RDWR, closeOnExec: O_CLOEXEC },
        errors: ['ENOMEM', 'EMFILE'],
        async prepare(agent: Agent) {
          const fd = await agent.open(device, 'rdonly');
          const values = { len: agent.pageBytes + 1, fd_flags: O_CLOEXEC | O_RDWR };
          return { fd, values, end: () => agent.close(fd) };
        },
      },
    ],
    unknown: ['ENOTTY'],
    malformed: ['EINVAL'],
    // drivers/dma-buf/dma-heap.c: dma_heap_ioctl() takes structures that are shorter or longer.
    commandNumber: 'size-in-number',
    churn: (fd, bytes) => {
      const made = leftBy(1, 8, 4).number;
      return [ioctlStep(fd, ALLOC, page(bytes)), ['lseek', made, 0, 'end'], ['close', made]];
    },
  };
}

/** What drivers/dma-buf/dma-heap.c does, whatever heap is behind it. */
const ofEveryHeap: readonly Deviation[] = [
  {
    claim: 'IOC-01',
    says: /\n\n(ending: DMA_HEAP_IOCTL_ALLOC as number \d+ failed with EINVAL, expected ENOTTY\n){12}ending: and 243 more of 256 calls/,
    reason: 'a command with an unknown number is an invalid argument',
    source: 'drivers/dma-buf/dma-heap.c:dma_heap_ioctl; measured on Linux 6.12',
  },
  {
    claim: 'IOC-02',
    // 8 bits of the number, and 8 of the type, at which nobody looks.
    says: /\n\n(ending: DMA_HEAP_IOCTL_ALLOC with bit [0-7] flipped failed with EINVAL, expected ENOTTY\n){8}(must-fail: DMA_HEAP_IOCTL_ALLOC with bit \d+ flipped succeeded [^\n]+\n){4}must-fail: and 4 more of 17 calls/,
    reason: 'only the number of a command is looked at, so commands of other drivers are taken for one’s own',
    source: 'drivers/dma-buf/dma-heap.c:dma_heap_ioctl, which switches by _IOC_NR; measured on Linux 6.12',
  },
  {
    claim: 'IOC-03',
    title: 'a result that cannot be written',
    kernels: { before: [7, 0] },
    says: /balance: calls with results that cannot be written: descriptors went from (\d+) to \d+\s*$/,
    reason: 'a descriptor is installed before its number is told, and stays when that fails',
    source: 'drivers/dma-buf/dma-heap.c:dma_heap_buffer_alloc; measured on Linux 6.12',
  },
  {
    claim: 'IOC-07',
    kernels: { before: [7, 0] },
    says: /balance: 200 calls whose descriptor cannot be told: descriptors went from 3 to 203\s*$/,
    reason: 'a descriptor is installed before its number is told, and stays when that fails',
    source: 'drivers/dma-buf/dma-heap.c:dma_heap_buffer_alloc; measured on Linux 6.12',
  },
];

function heapProfile(
  name: string,
  heap: string,
  properties: Pick<Properties, 'contiguous' | 'mappingClass' | 'prefaulted' | 'overcommits'>,
  deviations: readonly Deviation[],
): DriverProfile {
  const device = `/dev/dma_heap/${heap}`;
  return {
    name,
    device,
    strategies: { 'dma-buf': strategyOf(device) },
    properties: {
      ...properties,
      tellsAddresses: false,
      zeroed: true,
      privateMaps: ['EINVAL'],
      outOfBounds: ['EINVAL', 'EOVERFLOW'],
      tooLarge: ['ENOMEM', 'EINVAL'],
      memories: {},
      absentMemory: [],
      cacheModes: [],
      // drivers/dma-buf/dma-buf.c has no get_unmapped_area().
      choosesAddresses: false,
      subOffset: true,
      readOnlyFiles: 'allowed',
      executableMaps: 'allowed',
      debuggable: false,
      freeWhileMapped: 'orphan',
      // dma_buf_llseek() knows the two ends and nothing between.
      file: { read: ['EINVAL'], write: ['EINVAL'], seek: ['EINVAL'] },
    },
    exporterName: heap,
    ioctls: ioctlsOf(device),
    system: { nodeMode: 0o660, shown: [`/sys/class/dma_heap/${heap}/`], alive: {} },
    helpers: [],
    deviations: [...ofEveryHeap, ...deviations],
    offeredMemories: () => Promise.resolve([]),
    version: (agent) => Promise.resolve(`of Linux ${agent.hello.kernelRelease}`),
  };
}

export const dmaHeap = heapProfile(
  'dma-heap',
  'system',
  // system_heap.c: system_heap_mmap() maps every page at once with remap_pfn_range().
  { contiguous: false, mappingClass: 'pfn-io', prefaulted: true, overcommits: true },
  [
    {
      claim: 'RES-01',
      says: /\n\nending: allocation of \d+ bytes raised SIGKILL, expected ENOMEM or EOVERFLOW\n/,
      reason: 'more memory than there is ends in the OOM killer, and not in an error',
      source: 'drivers/dma-buf/heaps/system_heap.c:system_heap_allocate, page by page until there are none',
    },
    {
      claim: 'RES-02',
      says: /how the last one was refused[^]*"signal": "SIGKILL"/,
      reason: 'memory is not refused when there is no more, and processes are killed for it',
      source: 'drivers/dma-buf/heaps/system_heap.c:alloc_largest_available, LOW_ORDER_GFP',
    },
    {
      claim: 'MAP-02',
      says: /\n\n(must-fail: mmap of 4096 bytes, MAP_PRIVATE, (r|rw|none), of a file opened (rdwr|rdonly) succeeded [^\n]+\s*){6}$/,
      reason: 'private mappings of a page are made, and tell its address in /proc/PID/maps',
      source: 'drivers/dma-buf/heaps/system_heap.c:system_heap_mmap; mm/memory.c:remap_pfn_range_internal',
    },
    {
      claim: 'BND-10',
      title: 'every protection',
      says: /\n\n(must-fail: mmap of 1 pages from page \d of 3, \w+, private succeeded [^\n]+\n){12}must-fail: and 12 more of/,
      reason: 'private mappings of a page are made, and tell its address in /proc/PID/maps',
      source: 'drivers/dma-buf/heaps/system_heap.c:system_heap_mmap',
    },
  ],
);

export const dmaHeapCma = heapProfile(
  'dma-heap-cma',
  // The name of the area that `cma=` makes: kernel/dma/contiguous.c:dma_contiguous_reserve_area().
  'reserved',
  // cma_heap.c: cma_heap_vm_fault() maps a page when it is touched.
  { contiguous: true, mappingClass: 'pfn', prefaulted: false },
  [],
);
