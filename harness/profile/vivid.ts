// SPDX-License-Identifier: MIT
/**
 * The profiles of vivid, Linux's virtual video driver, whose buffers are videobuf2's: scattered pages of
 * vmalloc, or one contiguous piece as drivers of real cameras have it. A queue belongs to one open file
 * and its buffers go together, so each buffer here has a device of its own.
 */
import type { Agent } from '../agent/client.ts';
import { attempt, SyscallError } from '../agent/errors.ts';
import { ioctlStep } from '../agent/repeat.ts';
import { LabError } from '../errors.ts';
import { SHOWN_FROM_PAGE_0, type Deviation } from './deviations.ts';
import type { Access, AllocatedBuffer, DriverProfile, Properties, Strategy } from './profile.ts';
import {
  createBuffers,
  exportBuffer,
  GREY,
  MEMORY_MMAP,
  pictureFormat,
  queryBuffer,
  requestBuffers,
  v4l2Requests,
  VIDEO_CAPTURE,
} from './v4l2.ts';

/** vivid-core.h: VIVID_MAX_DEVS */
const DEVICES = 64;
const node = (device: number) => `/dev/video${device}`;
/** vivid's inputs are a webcam, a tuner, S-Video and HDMI; the last one takes any size of picture. */
const HDMI = 3;
/** vivid-vid-common.c: vivid_min_rect */
const LEAST_BYTES = 48 * 48;
const PICTURE = { type: VIDEO_CAPTURE, width: 48, height: 48, pixelformat: GREY };
const O_CLOEXEC = 0o2000000;
const accessFlags: Record<Access, number> = { rdonly: 0, wronly: 1, rdwr: 2 };

/** The whole buffer is mapped, whatever part was asked for. */
const insideADmaBuf: Pick<Deviation, 'strategies' | 'reason' | 'source'> = {
  strategies: ['dma-buf'],
  reason: 'a mapping of a dma-buf that begins inside the buffer shows the buffer from page 0 on',
  source: 'drivers/media/common/videobuf2/videobuf2-vmalloc.c:vb2_vmalloc_mmap, from 0 on',
};

/** Nobody says no to them. */
const tellingPrivateMaps: Pick<Deviation, 'strategies' | 'reason' | 'source'> = {
  strategies: ['dma-buf'],
  reason: 'private mappings of a dma-buf are made, and of contiguous memory they tell its address',
  source: 'drivers/media/common/videobuf2/videobuf2-dma-contig.c:vb2_dc_dmabuf_ops_mmap',
};

const fdPerBuffer: Strategy = {
  // videobuf2-core.c: vb2_mmap(): capturing is for those who read.
  properties: { unreadableMaps: ['EINVAL'] },
  open: (agent, access = 'rdwr') =>
    Promise.resolve({ allocate: ({ bytes }) => onFreeDevice(agent, access, Number(bytes)) }),
  lifetime: ({ fd, bytes, pages, address }) => [
    ['open', node(0), 'rdwr'],
    ioctlStep(fd, v4l2Requests.S_INPUT, hdmi()),
    ioctlStep(fd, v4l2Requests.S_FMT, pictureFormat.encode(PICTURE)),
    ioctlStep(fd, v4l2Requests.CREATE_BUFS, oneBuffer(bytes)),
    // videobuf2-core.c:__setup_offsets: the first buffer lies at 0.
    ['mmap', bytes, 'rw', 'shared,fixed-noreplace', fd, 0, address],
    ['touch', address, pages, 'write'],
    ['munmap', address, bytes],
    ['close', fd],
  ],
};

const dmaBuf: Strategy = {
  properties: {
    file: { read: ['EINVAL'], write: ['EINVAL'], seek: ['EINVAL'] },
    outOfBounds: ['EINVAL', 'EOVERFLOW'],
    // Documentation/driver-api/dma-buf.rst: any part of a dma-buf can be mapped.
    subOffset: true,
    readOnlyFiles: 'allowed',
  },
  open: (agent, access = 'rdwr') =>
    Promise.resolve({
      allocate: async ({ bytes }) =>
        exported(agent, await onFreeDevice(agent, 'rdwr', Number(bytes)), access),
    }),
};

const WRONG_PAGES = /page-order: .* show the wrong memory[^]*counting begins anew with page 0 in every piece/;

/** What videobuf2 does, whatever allocates for it. */
const deviations: readonly Deviation[] = [
  {
    claim: 'BND-02',
    strategies: ['fd-per-buffer'],
    kernels: { before: [6, 12] },
    says: /must-fail: mmap of 4 KiB from page 8 of the .* succeeded/,
    reason: 'offsets are an aperture, where the queue’s next buffer lies behind the end of one',
    source: 'drivers/media/common/videobuf2/videobuf2-core.c:__setup_offsets, up to Linux 6.1',
  },
  {
    claim: 'BND-10',
    strategies: ['fd-per-buffer'],
    kernels: { before: [6, 12] },
    // All that is wrong begins just where the buffer ends; of much, a dozen is told and an example of the rest.
    says: /\n\n(must-fail: mmap of \d+ pages from page (\d+) of \2, [rwx]+, shared succeeded [^\n]+(\n|$))+(must-fail: and \d+ more of \d+ calls, for example:\nmmap of \d+ pages from page (\d+) of \5, |\s*$)/,
    reason: 'offsets are an aperture, where the queue’s next buffer lies behind the end of one',
    source: 'drivers/media/common/videobuf2/videobuf2-core.c:__setup_offsets, up to Linux 6.1',
  },
  {
    claim: 'LIF-11',
    strategies: ['fd-per-buffer'],
    kernels: { before: [6, 12] },
    // The mapping behind the end that has to fail is made.
    says: /-   "errno": StringMatching \/EINVAL\/,\n\+   "ok": MappedBuffer \{\n\+     "at": 4096,/,
    reason: 'offsets are an aperture, where the queue’s next buffer lies behind the end of one',
    source: 'drivers/media/common/videobuf2/videobuf2-core.c:__setup_offsets, up to Linux 6.1',
  },
  {
    claim: 'SHR-02',
    title: 'opening a descriptor anew',
    strategies: ['fd-per-buffer'],
    says: /\n\nmust-fail: mmap of a file that was opened anew succeeded and returned 0, expected EINVAL\s*$/,
    reason: 'whoever opens the device can map the buffers of whoever has them: the queue is the device’s',
    source: 'drivers/media/common/videobuf2/videobuf2-v4l2.c:vb2_fop_mmap, which asks for no owner',
  },
  {
    claim: 'GEO-08',
    says: /\n\nslope: memory that is free or in small objects of the kernel, buffers of 5 pages: each round changes it by -(3[5-9]|4\d)\d{3}\b/,
    reason: 'a device takes some 60 KiB when it is used first, and here each buffer has one of its own',
    source: 'measured on Linux 6.1',
  },
  {
    claim: 'MAP-13',
    title: 'a mapping that fails',
    says: /\n\n(must-fail: a private mmap succeeded and returned 0, expected EINVAL\n)+(must-fail: and \d+ more of \d+ calls, for example:\na private mmap succeeded and returned 0, expected EINVAL)?\s*$/,
    ...tellingPrivateMaps,
  },
  {
    claim: 'MAP-02',
    says: /\n\n(must-fail: mmap of (4096|8192) bytes, MAP_PRIVATE, (r|rw|none), of a file opened (rdwr|rdonly) succeeded [^\n]+\n?){12}\s*$/,
    ...tellingPrivateMaps,
  },
];

/** What vmalloc does beneath it. */
const ofVmalloc: readonly Deviation[] = [
  { claim: 'BND-14', title: 'two pieces', says: WRONG_PAGES, ...insideADmaBuf },
  { claim: 'DBF-04', says: WRONG_PAGES, ...insideADmaBuf },
  { claim: 'MAP-14', says: WRONG_PAGES, ...insideADmaBuf },
  // The pages that are seen, against those that belong there.
  { claim: 'BND-10', says: SHOWN_FROM_PAGE_0, ...insideADmaBuf },
  { claim: 'BND-15', says: /^Error: seed \d+\n[^]*\nexpected ok \d+, saw ok \d+\n/, ...insideADmaBuf },
  ...(['DBF-08', 'LIF-08'] as const).map((claim): Deviation => ({
    claim,
    strategies: ['dma-buf'],
    says: /must-fail: unloading the module succeeded and returned 0, expected EAGAIN\s*$/,
    reason: 'a dma-buf keeps videobuf2 loaded, which exported it and has its memory, and lets vivid go',
    source: 'drivers/media/common/videobuf2/videobuf2-vmalloc.c:vb2_vmalloc_get_dmabuf, THIS_MODULE as owner',
  })),
  {
    claim: 'MAP-18',
    title: 'mm treats',
    says: /\n\nmust-succeed: a load after madvise dontneed \(mixed\) raised SIGBUS, expected success\s*$/,
    reason: 'what MADV_DONTNEED has taken out of a mapping never comes back: there is no fault handler',
    source: 'drivers/media/common/videobuf2/videobuf2-memops.c:vb2_common_vm_ops; measured on Linux 6.1',
  },
  {
    claim: 'RES-01',
    says: /what the kernel logged\n[^]*vmalloc error: size \d+, exceeds total pages/,
    reason: 'a size beyond all memory is refused, and the kernel complains about it with a trace',
    source: 'drivers/media/common/videobuf2/videobuf2-vmalloc.c:vb2_vmalloc_alloc, without __GFP_NOWARN',
  },
  {
    claim: 'RES-02',
    says: /how the last one was refused[^]*"signal": "SIGKILL"/,
    reason: 'memory is not refused when there is no more, and processes are killed for it',
    source: 'drivers/media/common/videobuf2/videobuf2-vmalloc.c:vb2_vmalloc_alloc, GFP_KERNEL page by page',
  },
];

/** What contiguous memory does beneath it. */
const ofContiguous: readonly Deviation[] = [
  {
    claim: 'BND-10',
    title: 'every protection',
    says: /\n\n(must-fail: mmap of \d+ pages from page \d+ of \d+, \w+, private succeeded [^\n]+(\n|$))+(must-fail: and \d+ more of \d+ calls, for example:\nmmap of \d+ pages from page \d+ of \d+, \w+, private |\s*$)/,
    ...tellingPrivateMaps,
  },
  {
    claim: 'DBF-04',
    says: /\n\nmust-fail: a private mapping succeeded and returned 0, expected EINVAL\s*$/,
    ...tellingPrivateMaps,
  },
  ...(['DBF-08', 'LIF-08'] as const).map((claim): Deviation => ({
    claim,
    strategies: ['dma-buf'],
    crash: true,
    says: /must-fail: unloading the module succeeded and returned 0, expected EAGAIN\s*$|^KernelCrash \[PAGING\][^\n]* in vb2_dc_put \[videobuf2_dma_contig\]/,
    reason:
      'a dma-buf lets vivid go and keeps using its device: the kernel crashes when the dma-buf is closed after that',
    source:
      'drivers/media/common/videobuf2/videobuf2-dma-contig.c:vb2_dc_get_dmabuf, THIS_MODULE as owner; vb2_dc_put, buf->dev',
  })),
  ...(['GEO-06', 'RES-01', 'RES-02'] as const).map((claim): Deviation => ({
    claim,
    crash: true,
    says: /what the kernel logged\n[^]*WARNING: CPU: \d+ PID: \d+ at mm\/page_alloc\.c:\d+ __alloc_pages|^KernelCrash \[WARNING\][^\n]* at mm\/page_alloc\.c:\d+ __alloc_pages in vb2_dc_alloc/,
    reason: 'a size that no page allocator has is refused, and the kernel warns of it, once in each boot',
    source: 'drivers/media/common/videobuf2/videobuf2-dma-contig.c:vb2_dc_alloc, without __GFP_NOWARN',
  })),
];

/** @param allocator vivid's parameter: 0 for vmalloc, 1 for contiguous memory */
function vividProfile(
  name: string,
  allocator: 0 | 1,
  properties: Pick<Properties, 'contiguous' | 'mappingClass' | 'prefaulted'>,
  more: readonly Deviation[],
): DriverProfile {
  const each = (value: number) => Array.from({ length: DEVICES }, () => value).join();
  return {
    name,
    module: {
      name: 'vivid',
      source: 'kernel',
      // Of all the nodes a device can have, the one that captures video.
      parameters: [`n_devs=${DEVICES}`, `node_types=${each(1)}`, `allocators=${each(allocator)}`],
    },
    device: node(DEVICES - 1),
    strategies: { 'fd-per-buffer': fdPerBuffer, 'dma-buf': dmaBuf },
    properties: {
      ...properties,
      tellsAddresses: false,
      zeroed: true,
      outOfBounds: ['EINVAL'],
      tooLarge: ['ENOMEM', 'EINVAL'],
      sizeMost: 2n ** 32n - 1n,
      memories: {},
      absentMemory: [],
      cacheModes: [],
      // videobuf2-core.c: vb2_mmap() finds a buffer by the offset of its first byte.
      subOffset: false,
      privateMaps: ['EINVAL'],
      // The same: of a file opened read-only, VM_SHARED is gone.
      readOnlyFiles: ['EINVAL'],
      executableMaps: 'allowed',
      debuggable: false,
      freeWhileMapped: 'orphan',
      file: { read: ['EBUSY'], write: ['EINVAL'], seek: ['ESPIPE'] },
    },
    exporterName: `videobuf2_${allocator === 0 ? 'vmalloc' : 'dma_contig'}`,
    system: { nodeMode: 0o660, shown: ['/sys/module/vivid/'], alive: {} },
    helpers: [],
    deviations: [...deviations, ...more],
    offeredMemories: () => Promise.resolve([]),
    version: (agent) => Promise.resolve(`of Linux ${agent.hello.kernelRelease}`),
  };
}

// Pages are there and clean, so that on ARM the first write to each is a fault (mm/memory.c: insert_page, remap_pfn_range).
export const vivid = vividProfile(
  'vivid',
  0,
  { contiguous: false, mappingClass: 'mixed', prefaulted: false },
  ofVmalloc,
);
export const vividContig = vividProfile(
  'vivid-contig',
  1,
  { contiguous: true, mappingClass: 'pfn-io', prefaulted: false },
  ofContiguous,
);

/** The first one that is free: what a device takes when it is used first, it keeps. */
async function onFreeDevice(agent: Agent, access: Access, bytes: number): Promise<AllocatedBuffer> {
  for (let device = 0; device < DEVICES; device++) {
    const fd = await agent.open(node(device), access);
    try {
      return await allocate(agent, fd, bytes);
    } catch (error) {
      // Nothing can be closed in a process that is no more.
      if (!(error instanceof SyscallError)) throw error;
      await agent.close(fd);
      if (error.errno !== 'EBUSY') throw error;
    }
  }
  throw new LabError('PROFILE', `all ${DEVICES} devices of vivid have a buffer already`);
}

/** The one buffer of the device. A picture may be larger than its format says, so it takes any size. */
async function allocate(agent: Agent, fd: number, bytes: number): Promise<AllocatedBuffer> {
  await agent.ioctl(fd, v4l2Requests.S_INPUT, hdmi());
  await agent.ioctl(fd, v4l2Requests.S_FMT, pictureFormat.encode(PICTURE));
  const made = await agent.ioctl(fd, v4l2Requests.CREATE_BUFS, oneBuffer(bytes));
  const { index } = createBuffers.decode(made.data);
  const asked = queryBuffer.encode({ index: index ?? 0n, type: VIDEO_CAPTURE });
  const { offset, length } = queryBuffer.decode((await agent.ioctl(fd, v4l2Requests.QUERYBUF, asked)).data);
  const free = async () => {
    const none = requestBuffers.encode({ count: 0, type: VIDEO_CAPTURE, memory: MEMORY_MMAP });
    await agent.ioctl(fd, v4l2Requests.REQBUFS, none);
  };
  const close = () => agent.close(fd);
  return {
    fd,
    mmapOffset: offset ?? 0n,
    requestedBytes: bytes,
    // vb2_mmap() counts in whole pages, and the allocators do.
    allocatedBytes: Math.ceil(Number(length) / agent.pageBytes) * agent.pageBytes,
    close,
    free,
    release: close,
  };
}

/** The argument of S_INPUT. */
function hdmi(): Buffer {
  const input = Buffer.alloc(4);
  input.writeInt32LE(HDMI);
  return input;
}

/** That of CREATE_BUFS. What is smaller than the picture is refused; it takes a page all the same. */
function oneBuffer(bytes: number): Buffer {
  const sizeimage = bytes === 0 ? 0 : Math.max(bytes, LEAST_BYTES);
  return createBuffers.encode({ ...PICTURE, count: 1, memory: MEMORY_MMAP, sizeimage });
}

/** The same buffer as a dma-buf; the device's file stays open beside it. */
async function exported(agent: Agent, buffer: AllocatedBuffer, access: Access): Promise<AllocatedBuffer> {
  const device = buffer.fd;
  const { ok, errno } = await attempt(() =>
    agent.ioctl(
      device,
      v4l2Requests.EXPBUF,
      exportBuffer.encode({ type: VIDEO_CAPTURE, flags: O_CLOEXEC | accessFlags[access] }),
    ),
  );
  if (ok === undefined) {
    await agent.close(device);
    throw new LabError('PROFILE', `vivid exports no dma-buf: ${errno}`);
  }
  const fd = Number(exportBuffer.decode(ok.data).fd);
  const closeBoth = async () => {
    await Promise.all([device, fd].map((each) => agent.close(each)));
  };
  return { ...buffer, fd, mmapOffset: 0n, close: closeBoth, release: closeBoth };
}
