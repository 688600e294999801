// SPDX-License-Identifier: MIT
/** The profile of contigbuf, the reference driver. */
import { fileURLToPath } from 'node:url';
import type { Agent } from '../agent/client.ts';
import { attempt } from '../agent/errors.ts';
import { DriverError } from '../errors.ts';
import * as abi from './contigbuf-abi.ts';
import { call, DEVICE } from './contigbuf-call.ts';
import { allocationStep, contigbufIoctls } from './contigbuf-ioctls.ts';
import { lifetimeAsDmaBuf, lifetimeOnItsOwnFile, lifetimeOnOneFile } from './contigbuf-lifetimes.ts';
import { contigbufSystem } from './contigbuf-system.ts';
import { absenceOfOwnMemory, snoops } from './contigbuf-tree.ts';
import type {
  Access,
  AllocatedBuffer,
  AllocationRequest,
  CacheMode,
  DriverProfile,
  Strategy,
} from './profile.ts';

const MIB = 1024 * 1024;
const driverFolder = (name: string) => fileURLToPath(new URL(`../../driver/${name}`, import.meta.url));

/** The module's source, with its Kbuild file. */
export const moduleFolder = driverFolder('module');

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

const FD = abi.naming.CONTIGBUF_NAMING_FD;

/** Flags of asm-generic/fcntl.h, which x86 and ARM have, too. */
const O_CLOEXEC = 0o2000000;
const accessFlags: Record<Access, number> = { rdonly: 0, wronly: 1, rdwr: 2 };

/** Many buffers on one open file, each at an offset that the driver returns. */
function onOneFile(naming: number): Strategy {
  return {
    async open(agent, access = 'rdwr') {
      const fd = await agent.open(DEVICE, access);
      return {
        allocate: (request) => allocate(agent, fd, naming, request),
        attach: (name, readOnly) => attach(agent, fd, naming, name, readOnly),
        freeNamed: (name) => freeNamed(agent, fd, name),
      };
    },
    lifetime: (plan) => lifetimeOnOneFile(naming, plan),
  };
}

/** The offset is the address that the driver resolves, which is not what ALLOC returned. */
const offsetPhysical: Strategy = {
  ...onOneFile(abi.naming.CONTIGBUF_NAMING_PHYSICAL),
  // What lies behind a buffer in memory lies behind it in offsets, so it may be a buffer, too.
  neighbours: 'reachable',
  async open(agent, access) {
    const onFile = await onOneFile(abi.naming.CONTIGBUF_NAMING_PHYSICAL).open(agent, access);
    return {
      ...onFile,
      async allocate(request) {
        const buffer = await onFile.allocate(request);
        const { name, physicalAddress: address } = buffer;
        if (address === undefined)
          throw new DriverError(
            'RESOLVE',
            `buffer ${name} is named by an address that its user may not know`,
          );
        return { ...buffer, mmapOffset: BigInt(address) };
      },
    };
  },
};

/** An open file for each buffer, which is mapped at offset 0. */
const fdPerBuffer: Strategy = {
  holdsBuffers: true,
  open: (agent, access = 'rdwr') =>
    Promise.resolve({
      allocate: (request) => onItsOwnFile(agent, access, (fd) => allocate(agent, fd, FD, request)),
      attach: (name, readOnly) => onItsOwnFile(agent, access, (fd) => attach(agent, fd, FD, name, readOnly)),
      freeNamed: (name) => freeThroughAnyFile(agent, name),
    }),
  lifetime: lifetimeOnItsOwnFile,
};

/** A dma-buf for each buffer, which is mapped at offset 0. The device's file stays open beside it. */
const dmaBuf: Strategy = {
  holdsBuffers: true,
  // drivers/dma-buf/dma-buf.c: dma_buf_llseek() knows the two ends and nothing between.
  // mm/mmap.c: file_mmap_ok() knows no offset above ULONG_MAX of a file that is not the driver's own.
  properties: {
    file: { read: ['EINVAL'], write: ['EINVAL'], seek: ['EINVAL'] },
    outOfBounds: ['EINVAL', 'EOVERFLOW'],
    // Nor does it ask the exporter where to put a mapping.
    choosesAddresses: false,
  },
  open: (agent, access = 'rdwr') =>
    Promise.resolve({
      async allocate(request) {
        const buffer = await onItsOwnFile(agent, 'rdwr', (fd) => allocate(agent, fd, FD, request));
        return exported(agent, buffer, access);
      },
      async attach(name, readOnly = false) {
        const buffer = await onItsOwnFile(agent, 'rdwr', (fd) => attach(agent, fd, FD, name, readOnly));
        return exported(agent, buffer, readOnly ? 'rdonly' : access);
      },
      freeNamed: (name) => freeThroughAnyFile(agent, name),
    }),
  lifetime: lifetimeAsDmaBuf,
};

export const contigbuf: DriverProfile = {
  name: 'contigbuf',
  module: {
    name: 'contigbuf',
    source: { folder: moduleFolder },
    parameters: [],
  },
  headers: [driverFolder('uapi')],
  device: DEVICE,
  strategies: {
    'offset-cookie': onOneFile(abi.naming.CONTIGBUF_NAMING_COOKIE),
    'offset-aperture': {
      ...onOneFile(abi.naming.CONTIGBUF_NAMING_APERTURE),
      places: {
        // driver/module/naming.c: 2^43 bytes, of which the first 32 MiB are nobody's and each buffer takes as many.
        count: 2 ** 18 - 1,
        take: (fd, pageBytes) => allocationStep(fd, pageBytes, abi.naming.CONTIGBUF_NAMING_APERTURE),
      },
    },
    'offset-physical': offsetPhysical,
    'fd-per-buffer': fdPerBuffer,
    'dma-buf': dmaBuf,
  },
  properties: {
    contiguous: true,
    tellsAddresses: true,
    zeroed: true,
    outOfBounds: ['EINVAL'],
    tooLarge: ['ENOMEM', 'EINVAL'],
    pageAllocatorMemory: 'pages',
    memories: {
      dma: { anyAlignment: true, cacheModes: modesUnlessSnooped(['coherent', 'cached', 'write-combined']) },
      pages: { cacheModes: modesUnlessSnooped(['cached']) },
      contig: { anyAlignment: true, cacheModes: modesUnlessSnooped(['cached']) },
      reserved: { anyAlignment: true, absence: absenceOfOwnMemory },
    },
    absentMemory: ['EOPNOTSUPP'],
    cacheModes: Object.keys(cacheModes) as CacheMode[],
    mappingClass: 'pfn-io',
    prefaulted: true,
    largePages: true,
    subOffset: true,
    privateMaps: ['EINVAL'],
    readOnlyFiles: 'allowed',
    executableMaps: ['EPERM'],
    debuggable: true,
    freeWhileMapped: 'orphan',
    alignmentMost: 16 * MIB,
    leavesToOthers: 1 / 16,
    namesUnusedFor: 65_536,
    file: { read: ['EINVAL'], write: ['EINVAL'], seek: ['ESPIPE'] },
  },
  helpers: [
    { strategy: 'offset-cookie', source: driverFolder('helpers/mmap-by-offset.c') },
    { strategy: 'offset-aperture', source: driverFolder('helpers/offset-aperture.c') },
    { strategy: 'offset-physical', source: driverFolder('helpers/offset-physical.c') },
    { strategy: 'fd-per-buffer', source: driverFolder('helpers/fd-per-buffer.c') },
    { strategy: 'dma-buf', source: driverFolder('helpers/dma-buf.c') },
  ],
  drawing: driverFolder('helpers/draw.c'),
  ioctls: contigbufIoctls,
  system: contigbufSystem,
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

/** The table of driver/README.md. */
function modesUnlessSnooped(modes: readonly CacheMode[]): (agent: Agent) => Promise<readonly CacheMode[]> {
  return async (agent) => ((await snoops(agent)) ? ['coherent', 'cached'] : modes);
}

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
  const [info, place] = await Promise.all([
    call(agent, fd, abi.requests.CONTIGBUF_IOC_INFO, abi.info, { id }),
    attempt(() => call(agent, fd, abi.requests.CONTIGBUF_IOC_RESOLVE, abi.resolve, { id })),
  ]);
  // Users without rights are not told where it lies.
  if (place.errno !== undefined && place.errno !== 'EPERM') {
    throw new DriverError('RESOLVE', `the address of buffer ${id} was refused with ${place.errno}`);
  }
  return {
    name: Number(id),
    fd,
    mmapOffset: info.offset,
    requestedBytes: Number(info.bytes),
    allocatedBytes: Number(info.allocated),
    memory: memoryOf(Number(info.backend)),
    cache: cacheModeOf(info.cache),
    ...(place.ok === undefined
      ? {}
      : { physicalAddress: Number(place.ok.phys_addr), deviceAddress: Number(place.ok.dma_addr) }),
    close: () => agent.close(fd),
    free: () => freeNamed(agent, fd, Number(id)),
    release: () => letGo(agent, fd, naming, Number(id)),
    detach: () => detach(agent, fd, Number(id)),
  };
}

async function attach(
  agent: Agent,
  fd: number,
  naming: number,
  name: number,
  readOnly = false,
): Promise<AllocatedBuffer> {
  const { offset } = await call(agent, fd, abi.requests.CONTIGBUF_IOC_ATTACH, abi.attach, {
    id: name,
    naming,
    flags: readOnly ? abi.ATTACH_RDONLY : 0,
  });
  const info = await call(agent, fd, abi.requests.CONTIGBUF_IOC_INFO, abi.info, { id: name });
  return {
    name,
    fd,
    mmapOffset: offset,
    requestedBytes: Number(info.bytes),
    allocatedBytes: Number(info.allocated),
    close: () => agent.close(fd),
    free: () => freeNamed(agent, fd, name),
    release: () => letGo(agent, fd, naming, name),
    detach: () => detach(agent, fd, name),
  };
}

async function freeNamed(agent: Agent, fd: number, name: number): Promise<void> {
  await call(agent, fd, abi.requests.CONTIGBUF_IOC_FREE, abi.free, { id: name });
}

async function detach(agent: Agent, fd: number, name: number): Promise<void> {
  await call(agent, fd, abi.requests.CONTIGBUF_IOC_DETACH, abi.detach, { id: name });
}

/** A file of its own is closed; one that other buffers share stays open. */
async function letGo(agent: Agent, fd: number, naming: number, name: number): Promise<void> {
  await (naming === FD ? agent.close(fd) : freeNamed(agent, fd, name));
}

async function freeThroughAnyFile(agent: Agent, name: number): Promise<void> {
  const fd = await agent.open(DEVICE, 'rdwr');
  try {
    await freeNamed(agent, fd, name);
  } finally {
    await agent.close(fd);
  }
}

/** Opens the device, and closes it again when what is done with the file fails. */
async function onItsOwnFile(
  agent: Agent,
  access: Access,
  work: (fd: number) => Promise<AllocatedBuffer>,
): Promise<AllocatedBuffer> {
  const fd = await agent.open(DEVICE, access);
  try {
    return await work(fd);
  } catch (error) {
    await agent.close(fd);
    throw error;
  }
}

/** The same buffer as a dma-buf. */
async function exported(agent: Agent, buffer: AllocatedBuffer, access: Access): Promise<AllocatedBuffer> {
  try {
    const { CONTIGBUF_IOC_EXPORT } = abi.requests;
    const { fd } = await call(agent, buffer.fd, CONTIGBUF_IOC_EXPORT, abi.exportArgument, {
      fd_flags: O_CLOEXEC | accessFlags[access],
    });
    const closeBoth = async () => {
      await Promise.all([buffer.fd, Number(fd)].map((each) => agent.close(each)));
    };
    return {
      ...buffer,
      fd: Number(fd),
      close: closeBoth,
      release: closeBoth,
    };
  } catch (error) {
    await agent.close(buffer.fd);
    throw error;
  }
}

function cacheModeOf(value: bigint): CacheMode {
  const found = Object.entries(cacheModes).find(([, mode]) => BigInt(mode) === value);
  if (found === undefined)
    throw new DriverError('INFO', `INFO tells the cache mode ${value}, which does not exist`);
  return found[0] as CacheMode;
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
