// SPDX-License-Identifier: MIT
/**
 * The profile of udmabuf, which makes a dma-buf of pages that a program has already: those of a memfd
 * that is sealed against shrinking. So the memory is the caller's, and in scattered pages.
 */
import type { Agent } from '../agent/client.ts';
import { SyscallError } from '../agent/errors.ts';
import { bufferThatIs } from './descriptors.ts';
import type { Deviation } from './deviations.ts';
import type { IoctlAbi, Mistake } from './ioctls.ts';
import { Layout } from './layout.ts';
import type { DriverProfile, Strategy } from './profile.ts';

const DEVICE = '/dev/udmabuf';
/** include/uapi/linux/udmabuf.h: _IOW('u', 0x42, struct udmabuf_create) */
const UDMABUF_CREATE = 0x4018_7542;
const UDMABUF_FLAGS_CLOEXEC = 1;
const create = new Layout('udmabuf_create', [
  ['memfd', 'u32'],
  ['flags', 'u32'],
  ['offset', 'u64'],
  ['size', 'u64'],
]);
/** include/uapi/linux/memfd.h: MFD_CLOEXEC, MFD_ALLOW_SEALING; fcntl.h: F_ADD_SEALS, F_SEAL_SHRINK */
const MFD_FLAGS = 3;
const F_ADD_SEALS = 1033;
const F_SEAL_SHRINK = 2;
const F_SEAL_WRITE = 8;

/** Where each agent has the name of its memfds: one place, since a test's threads may unmap what comes later. */
const names = new WeakMap<Agent, number>();

/** Address of an empty name: memory that was never written to. */
async function emptyName(agent: Agent): Promise<number> {
  const address = names.get(agent) ?? (await agent.anonymous(agent.pageBytes)).address;
  names.set(agent, address);
  return address;
}

/** A memfd of so many whole pages, none of which is there yet. */
async function memfd(agent: Agent, bytes: bigint, seals = F_SEAL_SHRINK): Promise<number> {
  const { returned } = await agent.request<{ returned: string }>(
    'syscall',
    'memfd_create',
    await emptyName(agent),
    MFD_FLAGS,
  );
  const fd = Number(returned);
  try {
    // A file is as long as its last byte says.
    if (bytes > 0n) await agent.write(fd, Buffer.alloc(1), bytes - 1n);
    await agent.request('syscall', 'fcntl', fd, F_ADD_SEALS, seals);
    return fd;
  } catch (error) {
    await agent.close(fd);
    throw error;
  }
}

/** A dma-buf for each buffer; its memfd stays open beside it. */
const dmaBuf: Strategy = {
  async open(agent) {
    const device = await agent.open(DEVICE, 'rdwr');
    return {
      async allocate({ bytes }) {
        const page = BigInt(agent.pageBytes);
        const size = ((BigInt(bytes) + page - 1n) / page) * page;
        const memory = await memfd(agent, size);
        try {
          const asked = create.encode({ memfd: memory, flags: UDMABUF_FLAGS_CLOEXEC, size });
          const { returned } = await agent.ioctl(device, UDMABUF_CREATE, asked);
          return bufferThatIs(agent, returned, bytes, [memory]);
        } catch (error) {
          // Nothing can be closed in a process that is no more.
          if (error instanceof SyscallError) await agent.close(memory);
          throw error;
        }
      },
    };
  },
};

/** The device and a page in a memfd, to make a buffer of. */
async function sealed(agent: Agent, seals: number) {
  const fd = await agent.open(DEVICE, 'rdwr');
  const memory = await memfd(agent, BigInt(agent.pageBytes), seals);
  return {
    fd,
    memory,
    async end() {
      await agent.close(memory);
      await agent.close(fd);
    },
  };
}

/** @param descriptor that is given for the memory */
function refused(
  says: string,
  error: string,
  seals: number,
  descriptor = (files: { fd: number; memory: number }) => files.memory,
): Mistake {
  return {
    says: `UDMABUF_CREATE of ${says}`,
    errors: [error],
    async prepare(agent) {
      const { fd, memory, end } = await sealed(agent, seals);
      const argument = create.encode({ memfd: descriptor({ fd, memory }), size: agent.pageBytes });
      return { fd, request: UDMABUF_CREATE, argument, end };
    },
  };
}

const ioctls: IoctlAbi = {
  header: 'linux/udmabuf.h',
  calls: [
    {
      name: 'UDMABUF_CREATE',
      request: UDMABUF_CREATE,
      layout: create,
      firstBytes: create.bytes,
      roles: {
        memfd: { kind: 'in' },
        flags: { kind: 'flags', defined: UDMABUF_FLAGS_CLOEXEC },
        offset: { kind: 'in', refused: [1n, 512n, 2n ** 64n - 1n] },
        size: { kind: 'in', refused: [0n, 1n, 2n ** 64n - 1n] },
      },
      returnsDescriptor: true,
      sizedBy: 'size',
      errors: ['EBADF', 'EBADFD', 'ENOMEM', 'EMFILE'],
      async prepare(agent) {
        const { fd, memory, end } = await sealed(agent, F_SEAL_SHRINK);
        return { fd, values: { memfd: memory, flags: UDMABUF_FLAGS_CLOEXEC, size: agent.pageBytes }, end };
      },
    },
  ],
  // drivers/dma-buf/udmabuf.c:check_memfd_seals
  mistakes: [
    refused('memory that can shrink', 'EINVAL', 0),
    refused('memory that nobody can write to', 'EINVAL', F_SEAL_SHRINK | F_SEAL_WRITE),
    refused('a file that is no memory', 'EBADFD', F_SEAL_SHRINK, ({ fd }) => fd),
    refused('no file', 'EBADFD', F_SEAL_SHRINK, () => 0xffff_ffff),
  ],
  unknown: ['ENOTTY'],
  malformed: ['EINVAL'],
  commandNumber: 'fixed',
};

const deviations: readonly Deviation[] = [
  {
    claim: 'IOC-05',
    title: 'a flag without a meaning',
    // Of 32 bits one has a meaning, so 31 are taken; all else ends as it should.
    says: /\n\n(must-fail: UDMABUF_CREATE with bit 0x[0-9a-f]+ in flags succeeded [^\n]+\n){12}must-fail: and 19 more of 32 calls/,
    reason: 'flags without a meaning are taken, so none of these bits can ever be given one',
    source: 'drivers/dma-buf/udmabuf.c:udmabuf_ioctl_create; measured on Linux 6.12 and 7.3',
  },
  {
    claim: 'RES-01',
    kernels: { from: [7, 0] },
    crash: true,
    says: /\n\nending: allocation of \d+ bytes raised SIGKILL, expected ENOMEM or EOVERFLOW or EINVAL|^KernelCrash [^]*WARNING: mm\/slub\.c:\d+ at __kvmalloc_node_noprof/,
    reason: 'a size beyond all memory ends in the OOM killer, and a larger one in a warning of the allocator',
    // The warning was seen, in GEO-06 and IOC-13; the killing is what a process that vanished suggests.
    source: 'drivers/dma-buf/udmabuf.c:udmabuf_create, which takes any size',
  },
  {
    claim: 'CAC-06',
    says: /\n\nmust-succeed: SYNC 7 failed with EINVAL, expected success\s*$/,
    reason: 'who ends an access before anybody began one is refused, which no other exporter does',
    source: 'drivers/dma-buf/udmabuf.c:end_cpu_udmabuf, which wants a table that begin_cpu_udmabuf makes',
  },
];

export const udmabuf: DriverProfile = {
  name: 'udmabuf',
  device: DEVICE,
  strategies: { 'dma-buf': dmaBuf },
  properties: {
    contiguous: false,
    tellsAddresses: false,
    zeroed: true,
    outOfBounds: ['EINVAL', 'EOVERFLOW'],
    // udmabuf.c: size_limit_mb; and a memfd has an end of its own.
    tooLarge: ['EINVAL'],
    ownLimit: ['EINVAL'],
    callersMemory: true,
    // Since Linux 7 nothing limits a buffer but the memory that there is.
    overcommits: true,
    charged: true,
    // What a file can be as long as: loff_t.
    sizeMost: 2n ** 62n,
    memories: {},
    absentMemory: [],
    cacheModes: [],
    // mmap_udmabuf() since 6.9: VM_PFNMAP, and the pages come with the first touch.
    mappingClass: 'pfn',
    prefaulted: false,
    choosesAddresses: false,
    subOffset: true,
    privateMaps: ['EINVAL'],
    // udmabuf_create() exports for reading and writing, whatever was asked for.
    accesses: ['rdwr'],
    readOnlyFiles: 'allowed',
    executableMaps: 'allowed',
    debuggable: false,
    freeWhileMapped: 'orphan',
    file: { read: ['EINVAL'], write: ['EINVAL'], seek: ['EINVAL'] },
  },
  ioctls,
  system: { nodeMode: 0o660, shown: ['/sys/class/misc/udmabuf/'], alive: {} },
  helpers: [],
  deviations,
  offeredMemories: () => Promise.resolve([]),
  version: (agent) => Promise.resolve(`of Linux ${agent.hello.kernelRelease}`),
};
