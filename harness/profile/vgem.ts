// SPDX-License-Identifier: MIT
/**
 * The profile of vgem, Linux's virtual GEM driver: dumb buffers of scattered pages, as every user of
 * drm_gem_shmem_helper.c has them, at made-up offsets of one open file or as dma-bufs.
 */
import type { Agent } from '../agent/client.ts';
import type { Deviation } from './deviations.ts';
import { createDumb, destroyDumb, drmRequests, mapDumb, primeHandle } from './drm.ts';
import type { Access, AllocatedBuffer, AllocationRequest, DriverProfile, Strategy } from './profile.ts';

const DEVICE = '/dev/dri/card0';
/** drm.h: DRM_CLOEXEC and DRM_RDWR are O_CLOEXEC and O_RDWR. */
const DRM_CLOEXEC = 0o2000000;
const accessFlags: Record<Access, number> = { rdonly: 0, wronly: 1, rdwr: 2 };
const WIDTH_MOST = 0xffff_ffffn;

/** Many buffers on one open file, each at an offset that MAP_DUMB returns. */
const offsetCookie: Strategy = {
  async open(agent, access = 'rdwr') {
    const fd = await agent.open(DEVICE, access);
    return { allocate: async (request) => (await allocateDumb(agent, fd, request)).buffer };
  },
};

/** A dma-buf for each buffer, exported by an open file of its own that stays open beside it. */
const dmaBuf: Strategy = {
  properties: {
    // drivers/dma-buf/dma-buf.c: dma_buf_llseek() knows the two ends and nothing between.
    file: { read: ['EINVAL'], write: ['EINVAL'], seek: ['EINVAL'] },
    outOfBounds: ['EINVAL', 'EOVERFLOW'],
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

const deviations: readonly Deviation[] = [];

export const vgem: DriverProfile = {
  name: 'vgem',
  module: { name: 'vgem', source: 'kernel', parameters: [] },
  device: DEVICE,
  strategies: { 'offset-cookie': offsetCookie, 'dma-buf': dmaBuf },
  properties: {
    contiguous: false,
    tellsAddresses: false,
    zeroed: true,
    outOfBounds: ['EINVAL'],
    // drm_vma_manager.c: drm_vma_offset_add(), when no range of offsets is long enough.
    tooLarge: ['ENOMEM', 'EINVAL', 'ENOSPC'],
    // drm_gem_shmem_helper.c: drm_gem_shmem_get_pages(), with the first fault or import.
    filledOnTouch: true,
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
    file: { read: ['EINVAL'], write: ['EINVAL'], seek: ['ESPIPE'] },
  },
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
