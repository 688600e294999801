// SPDX-License-Identifier: MIT
/**
 * The profile of vgem, Linux's virtual GEM driver: dumb buffers of scattered pages, as every user of
 * drm_gem_shmem_helper.c has them, at made-up offsets of one open file or as dma-bufs.
 */
import type { Agent } from '../agent/client.ts';
import { SHOWN_FROM_PAGE_0, type Deviation } from './deviations.ts';
import { createDumb, destroyDumb, drmRequests, mapDumb, primeHandle } from './drm.ts';
import type { Access, AllocatedBuffer, AllocationRequest, DriverProfile, Strategy } from './profile.ts';

const DEVICE = '/dev/dri/card0';
/** drm.h: DRM_CLOEXEC and DRM_RDWR are O_CLOEXEC and O_RDWR. */
const DRM_CLOEXEC = 0o2000000;
const accessFlags: Record<Access, number> = { rdonly: 0, wronly: 1, rdwr: 2 };
const WIDTH_MOST = 0xffff_ffffn;

/** Many buffers on one open file, each at an offset that MAP_DUMB returns. */
const offsetCookie: Strategy = {
  // Offsets follow one another without a gap, and the next one may be another buffer's first.
  neighbours: 'reachable',
  async open(agent, access = 'rdwr') {
    const fd = await agent.open(DEVICE, `${access},nonblock`);
    return { allocate: async (request) => (await allocateDumb(agent, fd, request)).buffer };
  },
};

/** A dma-buf for each buffer, exported by an open file of its own that stays open beside it. */
const dmaBuf: Strategy = {
  properties: {
    // drivers/dma-buf/dma-buf.c: dma_buf_llseek() knows the two ends and nothing between.
    file: { read: ['EINVAL'], write: ['EINVAL'], seek: ['EINVAL'] },
    outOfBounds: ['EINVAL', 'EOVERFLOW'],
    // drm_prime_handle_to_fd_ioctl() takes DRM_RDWR or nothing.
    accesses: ['rdonly', 'rdwr'],
    // Documentation/driver-api/dma-buf.rst: any part of a dma-buf can be mapped.
    subOffset: true,
  },
  open: (agent, access = 'rdwr') =>
    Promise.resolve({
      async allocate(request) {
        const fd = await agent.open(DEVICE, 'rdwr');
        try {
          return await exported(agent, fd, await allocateDumb(agent, fd, request), access);
        } catch (error) {
          await agent.close(fd);
          throw error;
        }
      },
    }),
};

const SPLIT: Pick<Deviation, 'says' | 'reason' | 'source'> = {
  says: /page-order: .* show the wrong memory[^]*counting begins anew with page 0 in every piece/,
  reason: 'a fault shows the wrong page once mm has split the mapping',
  source: 'drivers/gpu/drm/drm_gem_shmem_helper.c:drm_gem_shmem_fault; measured on Linux 6.1, 6.12 and 7.3',
};

/** The same mistake: a mapping that does not begin with the buffer is one that lost its first pages. */
const INSIDE: Pick<Deviation, 'strategies' | 'reason' | 'source'> = {
  strategies: ['dma-buf'],
  reason: 'a mapping of a dma-buf that begins inside the buffer shows the buffer from page 0 on',
  source: SPLIT.source,
};

const deviations: readonly Deviation[] = [
  { claim: 'MAP-09', ...SPLIT },
  { claim: 'MAP-08', title: 'parts of them move', ...SPLIT },
  { claim: 'MAP-10', ...SPLIT },
  { claim: 'BND-14', title: 'two pieces', says: SPLIT.says, ...INSIDE },
  { claim: 'DBF-04', says: SPLIT.says, ...INSIDE },
  { claim: 'MAP-14', says: SPLIT.says, ...INSIDE },
  // The pages that are seen, against those that belong there.
  { claim: 'BND-10', says: SHOWN_FROM_PAGE_0, ...INSIDE },
  // A program that ends with a load of what lies elsewhere.
  { claim: 'BND-15', says: /^Error: seed \d+\n[^]*\nexpected ok \d+, saw ok \d+\n/, ...INSIDE },
  { claim: 'FRK-01', title: 'MADV_DONTFORK', ...SPLIT },
  {
    claim: 'MAP-16',
    strategies: ['dma-buf'],
    // drm_vma_manager.h: DRM_FILE_PAGE_OFFSET_START, 4 GiB on 64-bit machines; a page number follows.
    says: /Expected: \d{1,5}n\nReceived: 429\d{7}n/,
    reason: '/proc/PID/maps tells an offset that nobody asked for: the one of the buffer in the device file',
    source: 'drivers/gpu/drm/drm_prime.c:drm_gem_prime_mmap adds the start of the node to vm_pgoff',
  },
];

export const vgem: DriverProfile = {
  name: 'vgem',
  module: { name: 'vgem', source: 'kernel', parameters: [] },
  device: DEVICE,
  strategies: { 'offset-cookie': offsetCookie, 'dma-buf': dmaBuf },
  properties: {
    contiguous: false,
    tellsAddresses: false,
    zeroed: true,
    // drm_gem.c: drm_gem_mmap(): EACCES for the buffers of other files.
    outOfBounds: ['EINVAL', 'EACCES'],
    // drm_vma_manager.c: drm_vma_offset_add(), when no range of offsets is long enough.
    tooLarge: ['ENOMEM', 'EINVAL', 'ENOSPC'],
    // drm_gem_shmem_helper.c: drm_gem_shmem_get_pages(), with the first fault or import.
    filledOnTouch: true,
    charged: true,
    memories: {},
    absentMemory: [],
    cacheModes: [],
    // drm_gem_mmap_obj(): VM_PFNMAP, and no VM_IO since 6.1's drm_gem_shmem_mmap() takes it away.
    mappingClass: 'pfn',
    prefaulted: false,
    // drm_vma_offset_exact_lookup_locked(): a mapping begins where the buffer does.
    subOffset: false,
    privateMaps: ['EINVAL'],
    readOnlyFiles: 'allowed',
    executableMaps: 'allowed',
    debuggable: false,
    freeWhileMapped: 'orphan',
    // drm_file.c: drm_read() waits for events, unless it must not; no llseek that moves.
    file: { read: ['EAGAIN'], write: ['EINVAL'], seek: ['success'] },
  },
  exporterName: 'drm',
  system: { nodeMode: 0o660, shown: ['/sys/module/vgem/', '/sys/class/drm/card0/'], alive: {} },
  helpers: [],
  deviations,
  offeredMemories: () => Promise.resolve([]),
  version: async (agent) => `of Linux ${agent.hello.kernelRelease}`,
};

/** A picture of 8 bits a pixel and one line; what a line cannot hold makes several. */
function pictureOf(bytes: bigint): { width: bigint; height: bigint; bpp: number } {
  const height = bytes <= WIDTH_MOST ? 1n : (bytes + WIDTH_MOST - 1n) / WIDTH_MOST;
  const least = (one: bigint) => (one < WIDTH_MOST ? one : WIDTH_MOST);
  return { width: least(bytes), height: least(height), bpp: 8 };
}

/** A buffer of the file, by the handle that it has there. */
interface Dumb {
  handle: bigint;
  buffer: AllocatedBuffer;
}

async function allocateDumb(agent: Agent, fd: number, request: AllocationRequest): Promise<Dumb> {
  const picture = createDumb.encode(pictureOf(BigInt(request.bytes)));
  const { handle, size } = createDumb.decode((await agent.ioctl(fd, drmRequests.CREATE_DUMB, picture)).data);
  const named = mapDumb.encode({ handle });
  const { offset } = mapDumb.decode((await agent.ioctl(fd, drmRequests.MAP_DUMB, named)).data);
  const destroy = async () => {
    await agent.ioctl(fd, drmRequests.DESTROY_DUMB, destroyDumb.encode({ handle }));
  };
  const buffer: AllocatedBuffer = {
    fd,
    mmapOffset: offset,
    requestedBytes: Number(request.bytes),
    allocatedBytes: Number(size),
    close: () => agent.close(fd),
    free: destroy,
    release: destroy,
  };
  return { handle, buffer };
}

/** The same buffer as a dma-buf. */
async function exported(agent: Agent, device: number, dumb: Dumb, access: Access): Promise<AllocatedBuffer> {
  const argument = primeHandle.encode({ handle: dumb.handle, flags: DRM_CLOEXEC | accessFlags[access] });
  const { data } = await agent.ioctl(device, drmRequests.PRIME_HANDLE_TO_FD, argument);
  const fd = Number(primeHandle.decode(data).fd);
  const closeBoth = async () => {
    await Promise.all([device, fd].map((each) => agent.close(each)));
  };
  return { ...dumb.buffer, fd, mmapOffset: 0n, close: closeBoth, release: closeBoth };
}
