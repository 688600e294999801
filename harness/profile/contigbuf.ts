// SPDX-License-Identifier: MIT
/** The profile of contigbuf, the reference driver. */
import { fileURLToPath } from 'node:url';
import type { Agent } from '../agent/client.ts';
import * as abi from './contigbuf-abi.ts';
import { call, DEVICE } from './contigbuf-call.ts';
import { contigbufIoctls } from './contigbuf-ioctls.ts';
import { contigbufSystem } from './contigbuf-system.ts';
import type { AllocatedBuffer, AllocationRequest, CacheMode, DriverProfile, Strategy } from './profile.ts';

const driverFolder = (name: string) => fileURLToPath(new URL(`../../driver/${name}`, import.meta.url));

/** What `AllocationRequest.memory` may be called for this driver. */
const memories: Record<string, number> = {
  dma: abi.backend.CONTIGBUF_BACKEND_DMA,
  pages: abi.backend.CONTIGBUF_BACKEND_PAGES,
};

const cacheModes: Record<CacheMode, number> = {
  coherent: abi.cache.CONTIGBUF_CACHE_COHERENT,
  cached: abi.cache.CONTIGBUF_CACHE_CACHED,
  'write-combined': abi.cache.CONTIGBUF_CACHE_WC,
};

/** Many buffers on one open file, each at an offset that the driver returns. */
const offsetCookie: Strategy = {
  async open(agent) {
    const fd = await agent.open(DEVICE, 'rdwr');
    return { allocate: (request) => allocate(agent, fd, abi.naming.CONTIGBUF_NAMING_COOKIE, request) };
  },
};

/** An open file for each buffer, which is mapped at offset 0. */
const fdPerBuffer: Strategy = {
  async open(agent) {
    return {
      async allocate(request) {
        const fd = await agent.open(DEVICE, 'rdwr');
        try {
          return await allocate(agent, fd, abi.naming.CONTIGBUF_NAMING_FD, request);
        } catch (error) {
          await agent.close(fd);
          throw error;
        }
      },
    };
  },
};

export const contigbuf: DriverProfile = {
  name: 'contigbuf',
  module: {
    name: 'contigbuf',
    source: driverFolder('module'),
    headers: [driverFolder('uapi')],
    parameters: [],
  },
  device: DEVICE,
  strategies: {
    'offset-cookie': offsetCookie,
    'fd-per-buffer': fdPerBuffer,
  },
  properties: {
    contiguous: true,
    zeroed: true,
    outOfBounds: ['EINVAL'],
    pageAllocatorMemory: 'pages',
    cacheModes: Object.keys(cacheModes) as CacheMode[],
  },
  helpers: [
    { strategy: 'offset-cookie', source: driverFolder('helpers/mmap-by-offset.c') },
    { strategy: 'fd-per-buffer', source: driverFolder('helpers/fd-per-buffer.c') },
  ],
  ioctls: contigbufIoctls,
  system: contigbufSystem,
  async version(agent) {
    const fd = await agent.open(DEVICE, 'rdwr');
    const { version } = await call(agent, fd, abi.requests.CONTIGBUF_IOC_CAPS, abi.caps, {});
    await agent.close(fd);
    return `ABI ${version}`;
  },
};

async function allocate(
  agent: Agent,
  fd: number,
  naming: number,
  request: AllocationRequest,
): Promise<AllocatedBuffer> {
  const { id } = await call(agent, fd, abi.requests.CONTIGBUF_IOC_ALLOC, abi.alloc, {
    bytes: request.bytes,
    align: request.alignBytes ?? 0,
    naming,
    backend: backendNamed(request.memory),
    cache: request.cache === undefined ? abi.cache.CONTIGBUF_CACHE_DEFAULT : cacheModes[request.cache],
  });
  const info = await call(agent, fd, abi.requests.CONTIGBUF_IOC_INFO, abi.info, { id });
  const place = await call(agent, fd, abi.requests.CONTIGBUF_IOC_RESOLVE, abi.resolve, { id });
  return {
    fd,
    mmapOffset: info.offset,
    requestedBytes: Number(info.bytes),
    allocatedBytes: Number(info.allocated),
    physicalAddress: Number(place.phys_addr),
    close: () => agent.close(fd),
    async free() {
      await call(agent, fd, abi.requests.CONTIGBUF_IOC_FREE, abi.free, { id });
    },
  };
}

function backendNamed(memory: string | undefined): number {
  if (memory === undefined) return abi.backend.CONTIGBUF_BACKEND_AUTO;
  const backend = memories[memory];
  if (backend === undefined) throw new TypeError(`contigbuf has no memory called ${memory}`);
  return backend;
}
