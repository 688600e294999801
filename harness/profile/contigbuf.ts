// SPDX-License-Identifier: MIT
/** The profile of contigbuf, the reference driver. */
import { fileURLToPath } from 'node:url';
import type { Agent } from '../agent/client.ts';
import * as abi from './contigbuf-abi.ts';
import type { Fields, Layout } from './layout.ts';
import type { AllocatedBuffer, AllocationRequest, CacheMode, DriverProfile, Strategy } from './profile.ts';

const DEVICE = '/dev/contigbuf';
const driverFolder = (name: string) => fileURLToPath(new URL(`../../driver/${name}`, import.meta.url));

/** What `AllocationRequest.memory` may be called for this driver. */
const memories: Record<string, number> = {
  dma: abi.backend.CONTIGBUF_BACKEND_DMA,
  pages: abi.backend.CONTIGBUF_BACKEND_PAGES,
  contig: abi.backend.CONTIGBUF_BACKEND_CONTIG,
  reserved: abi.backend.CONTIGBUF_BACKEND_RESERVED,
};

const cacheModes: Record<CacheMode, number> = {
  coherent: abi.cache.CONTIGBUF_CACHE_COHERENT,
  cached: abi.cache.CONTIGBUF_CACHE_CACHED,
  'write-combined': abi.cache.CONTIGBUF_CACHE_WC,
};

/** O_CLOEXEC and O_RDWR of asm-generic/fcntl.h, which x86 and ARM have, too. */
const EXPORT_FLAGS = 0o2000002;

/** Many buffers on one open file, each at an offset that the driver returns. */
function onOneFile(naming: number): Strategy {
  return {
    async open(agent) {
      const fd = await agent.open(DEVICE, 'rdwr');
      return { allocate: (request) => allocate(agent, fd, naming, request) };
    },
  };
}

/** The offset is the address that the driver resolves, which is not what ALLOC returned. */
const offsetPhysical: Strategy = {
  // What lies behind a buffer in memory lies behind it in offsets, so it may be a buffer, too.
  neighbours: 'reachable',
  async open(agent) {
    const fd = await agent.open(DEVICE, 'rdwr');
    return {
      async allocate(request) {
        const buffer = await allocate(agent, fd, abi.naming.CONTIGBUF_NAMING_PHYSICAL, request);
        return { ...buffer, mmapOffset: BigInt(buffer.physicalAddress) };
      },
    };
  },
};

/** An open file for each buffer, which is mapped at offset 0. */
const fdPerBuffer: Strategy = {
  open: (agent) => Promise.resolve({ allocate: (request) => allocateOnItsOwnFile(agent, request) }),
};

/** A dma-buf for each buffer, which is mapped at offset 0. The device's file stays open beside it. */
const dmaBuf: Strategy = {
  // mm/mmap.c: file_mmap_ok() knows no offset above ULONG_MAX of a file that is not the driver's own.
  properties: { outOfBounds: ['EINVAL', 'EOVERFLOW'] },
  open: (agent) =>
    Promise.resolve({
      async allocate(request) {
        const buffer = await allocateOnItsOwnFile(agent, request);
        try {
          const fd = await exportBuffer(agent, buffer.fd);
          return { ...buffer, fd, close: () => closeAll(agent, [buffer.fd, fd]) };
        } catch (error) {
          await agent.close(buffer.fd);
          throw error;
        }
      },
    }),
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
    'offset-cookie': onOneFile(abi.naming.CONTIGBUF_NAMING_COOKIE),
    'offset-aperture': onOneFile(abi.naming.CONTIGBUF_NAMING_APERTURE),
    'offset-physical': offsetPhysical,
    'fd-per-buffer': fdPerBuffer,
    'dma-buf': dmaBuf,
  },
  properties: {
    contiguous: true,
    zeroed: true,
    outOfBounds: ['EINVAL'],
    pageAllocatorMemory: 'pages',
    memories: { dma: {}, pages: {}, contig: {}, reserved: { absence: absenceOfReservedMemory } },
    absentMemory: ['EOPNOTSUPP'],
    cacheModes: Object.keys(cacheModes) as CacheMode[],
  },
  helpers: [
    { strategy: 'offset-cookie', source: driverFolder('helpers/mmap-by-offset.c') },
    { strategy: 'offset-aperture', source: driverFolder('helpers/offset-aperture.c') },
    { strategy: 'offset-physical', source: driverFolder('helpers/offset-physical.c') },
    { strategy: 'fd-per-buffer', source: driverFolder('helpers/fd-per-buffer.c') },
    { strategy: 'dma-buf', source: driverFolder('helpers/dma-buf.c') },
  ],
  async offeredMemories(agent) {
    const { backends } = await capabilities(agent);
    return Object.keys(memories).filter((name) => backends & (1n << BigInt(backendNamed(name))));
  },
  async version(agent) {
    return `ABI ${(await capabilities(agent)).version}`;
  },
};

async function capabilities(agent: Agent) {
  const fd = await agent.open(DEVICE, 'rdwr');
  try {
    return await call(agent, fd, abi.requests.CONTIGBUF_IOC_CAPS, abi.caps, {});
  } finally {
    await agent.close(fd);
  }
}

/** Documentation/devicetree/bindings/reserved-memory: regions are children of that one node. */
async function absenceOfReservedMemory(agent: Agent): Promise<string | undefined> {
  const node = '/proc/device-tree/reserved-memory';
  const { ok: fd } = await agent.attempt(() => agent.open(node, 'rdonly'));
  if (fd === undefined) return 'no device tree of this machine reserves memory';
  await agent.close(fd);
  return undefined;
}

async function allocate(
  agent: Agent,
  fd: number,
  naming: number,
  request: AllocationRequest,
): Promise<AllocatedBuffer & { physicalAddress: number }> {
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
    memory: memoryOf(Number(info.backend)),
    close: () => agent.close(fd),
    async free() {
      await call(agent, fd, abi.requests.CONTIGBUF_IOC_FREE, abi.free, { id });
    },
  };
}

async function allocateOnItsOwnFile(agent: Agent, request: AllocationRequest): Promise<AllocatedBuffer> {
  const fd = await agent.open(DEVICE, 'rdwr');
  try {
    return await allocate(agent, fd, abi.naming.CONTIGBUF_NAMING_FD, request);
  } catch (error) {
    await agent.close(fd);
    throw error;
  }
}

/** @returns a dma-buf of the buffer that `fd` is bound to */
async function exportBuffer(agent: Agent, fd: number): Promise<number> {
  const { CONTIGBUF_IOC_EXPORT } = abi.requests;
  const exported = await call(agent, fd, CONTIGBUF_IOC_EXPORT, abi.exportArgument, {
    fd_flags: EXPORT_FLAGS,
  });
  return Number(exported.fd);
}

async function closeAll(agent: Agent, fds: readonly number[]): Promise<void> {
  for (const fd of fds) await agent.close(fd);
}

function memoryOf(backend: number): string {
  return Object.keys(memories).find((name) => memories[name] === backend) ?? `backend ${backend}`;
}

function backendNamed(memory: string | undefined): number {
  if (memory === undefined) return abi.backend.CONTIGBUF_BACKEND_AUTO;
  const backend = memories[memory];
  if (backend === undefined) throw new TypeError(`contigbuf has no memory called ${memory}`);
  return backend;
}

/** One ioctl; every structure of this ABI begins with its own size. */
async function call<F extends Fields>(
  agent: Agent,
  fd: number,
  request: number,
  layout: Layout<F>,
  values: Partial<Record<F[number][0], number | bigint>>,
): Promise<Record<F[number][0], bigint>> {
  const argument = layout.encode({ size: layout.bytes, ...values });
  return layout.decode((await agent.ioctl(fd, request, argument)).data);
}
