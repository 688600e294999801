// SPDX-License-Identifier: MIT
/** The ioctls of contigbuf as data for the checks of its ABI; driver/uapi/contigbuf.h is the source. */
import type { Agent } from '../agent/client.ts';
import { ioctlStep, type Step } from '../agent/repeat.ts';
import { call, DEVICE } from './contigbuf-call.ts';
import * as abi from './contigbuf-abi.ts';
import { factsOfBuffers, factsOfDriver } from './contigbuf-facts.ts';
import { contigbufMistakes } from './contigbuf-mistakes.ts';
import type { FieldRole, IoctlAbi, IoctlCall, Situation } from './ioctls.ts';

/** linux/capability.h */
const CAP_DAC_OVERRIDE = 1;
const CAP_SYS_RAWIO = 17;
const ALLOC_SHARED = 1;
const SYNC = { read: 1, write: 2, end: 4 };
/** asm-generic/fcntl.h; O_CLOEXEC is the same on every architecture of the rig. */
const O_RDWR = 2;
const O_CLOEXEC = 0o2000000;
const O_ACCMODE = 3;

const size: FieldRole = { kind: 'size' };
const input: FieldRole = { kind: 'in' };
const out: FieldRole = { kind: 'out' };
const reserved: FieldRole = { kind: 'reserved' };
const noFlags: FieldRole = { kind: 'flags', defined: 0 };
const naming: FieldRole = { kind: 'choice', values: Object.values(abi.naming) };

/** A file of many buffers holds none of them; in the aperture a buffer has a place beside its name. */
const namedByOffset = [
  { naming: abi.naming.CONTIGBUF_NAMING_COOKIE },
  { naming: abi.naming.CONTIGBUF_NAMING_APERTURE },
];

const PAGES = 4;

/** An open file without a buffer. */
async function fresh(agent: Agent, values: Situation['values']): Promise<Situation> {
  const fd = await agent.open(DEVICE, 'rdwr');
  return { fd, values, end: () => agent.close(fd) };
}

/** An open file that is bound to a buffer of {@link PAGES} pages, which id 0 names there. */
async function bound(
  agent: Agent,
  values: Situation['values'],
  {
    backend = abi.backend.CONTIGBUF_BACKEND_AUTO,
    cache = abi.cache.CONTIGBUF_CACHE_DEFAULT,
    flags = 0,
  }: { backend?: number; cache?: number; flags?: number } = {},
): Promise<Situation> {
  const situation = await fresh(agent, values);
  const bufferBytes = PAGES * agent.pageBytes;
  const { id } = await call(agent, situation.fd, abi.requests.CONTIGBUF_IOC_ALLOC, abi.alloc, {
    backend,
    cache,
    flags,
    // So that whoever does not round it up is found out.
    bytes: bufferBytes - 1,
    naming: abi.naming.CONTIGBUF_NAMING_FD,
  });
  return { ...situation, id: Number(id), bufferBytes };
}

/** A fresh open file, and a buffer on another one that it may attach. */
async function attachable(agent: Agent): Promise<Situation> {
  const owner = await bound(agent, {});
  const situation = await fresh(agent, { id: owner.id ?? 0, naming: abi.naming.CONTIGBUF_NAMING_FD });
  return {
    ...situation,
    ...(owner.id === undefined ? {} : { id: owner.id }),
    ...(owner.bufferBytes === undefined ? {} : { bufferBytes: owner.bufferBytes }),
    async end() {
      await situation.end();
      await owner.end();
    },
  };
}

const calls: readonly IoctlCall[] = [
  {
    name: 'CONTIGBUF_IOC_CAPS',
    request: abi.requests.CONTIGBUF_IOC_CAPS,
    layout: abi.caps,
    firstBytes: 56,
    query: true,
    roles: {
      size,
      flags: noFlags,
      version: out,
      namings: out,
      backends: out,
      caches: out,
      features: out,
      size_max: out,
      align_max: out,
      cookie_stride: out,
    },
    errors: [],
    prepare: (agent) => fresh(agent, {}),
  },
  {
    name: 'CONTIGBUF_IOC_ALLOC',
    request: abi.requests.CONTIGBUF_IOC_ALLOC,
    layout: abi.alloc,
    firstBytes: 64,
    roles: {
      size,
      flags: { kind: 'flags', defined: ALLOC_SHARED },
      bytes: { kind: 'in', refused: [0n, 2n ** 64n - 1n] },
      align: { kind: 'in', refused: [3n, 24n, 2n ** 63n] },
      naming,
      backend: { kind: 'choice', values: Object.values(abi.backend) },
      cache: { kind: 'choice', values: Object.values(abi.cache) },
      id: out,
      offset: out,
      allocated: out,
      reserved,
    },
    makesBuffer: true,
    otherwise: namedByOffset,
    sizedBy: 'bytes',
    tellsBytes: 'allocated',
    errors: ['EBUSY', 'EOPNOTSUPP', 'EPERM', 'EDQUOT', 'ENOMEM', 'EOVERFLOW', 'ENOSPC'],
    prepare: (agent) => fresh(agent, { bytes: agent.pageBytes + 1, naming: abi.naming.CONTIGBUF_NAMING_FD }),
  },
  {
    name: 'CONTIGBUF_IOC_ATTACH',
    request: abi.requests.CONTIGBUF_IOC_ATTACH,
    layout: abi.attach,
    firstBytes: 40,
    roles: {
      size,
      flags: { kind: 'flags', defined: 1 },
      id: input,
      naming,
      offset: out,
      allocated: out,
      reserved,
    },
    byId: { field: 'id', missing: ['ENOENT'], stranger: ['EACCES'], everybody: [] },
    otherwise: namedByOffset,
    tellsBytes: 'allocated',
    errors: ['ENOENT', 'EACCES', 'EEXIST', 'EBUSY', 'EPERM', 'EOVERFLOW', 'ENOMEM'],
    prepare: attachable,
  },
  {
    name: 'CONTIGBUF_IOC_DETACH',
    request: abi.requests.CONTIGBUF_IOC_DETACH,
    layout: abi.detach,
    firstBytes: 16,
    roles: { size, flags: noFlags, id: input, reserved },
    byId: { field: 'id', missing: ['ENOENT'], stranger: ['ENOENT'], everybody: ['ENOENT'] },
    errors: ['ENOENT'],
    prepare: (agent) => bound(agent, {}),
  },
  {
    name: 'CONTIGBUF_IOC_FREE',
    request: abi.requests.CONTIGBUF_IOC_FREE,
    layout: abi.free,
    firstBytes: 16,
    roles: { size, flags: noFlags, id: input, reserved },
    byId: { field: 'id', missing: ['ENOENT'], stranger: ['EACCES'], everybody: ['EACCES'] },
    errors: ['ENOENT', 'EACCES'],
    prepare: (agent) => bound(agent, {}),
  },
  {
    name: 'CONTIGBUF_IOC_INFO',
    request: abi.requests.CONTIGBUF_IOC_INFO,
    layout: abi.info,
    firstBytes: 64,
    roles: {
      size,
      flags: noFlags,
      id: { kind: 'in-out' },
      naming: out,
      bytes: out,
      allocated: out,
      align: out,
      offset: out,
      backend: out,
      cache: out,
      attached: out,
      reserved,
    },
    byId: { field: 'id', missing: ['ENOENT'], stranger: ['EACCES'], everybody: [] },
    tellsAbout: 'allocated',
    tellsBytes: 'allocated',
    errors: ['ENOENT', 'EACCES'],
    prepare: (agent) => bound(agent, {}),
  },
  {
    name: 'CONTIGBUF_IOC_RESOLVE',
    request: abi.requests.CONTIGBUF_IOC_RESOLVE,
    layout: abi.resolve,
    firstBytes: 48,
    roles: {
      size,
      flags: noFlags,
      id: input,
      reserved,
      offset: { kind: 'range' },
      phys_addr: out,
      dma_addr: out,
      length: out,
    },
    byId: {
      field: 'id',
      missing: ['ENOENT'],
      stranger: ['EPERM'],
      capable: ['EACCES'],
      everybody: ['EPERM'],
    },
    tellsPlace: {
      ...{ offset: 'offset', physical: 'phys_addr', device: 'dma_addr', left: 'length' },
      beyond: ['EINVAL'],
    },
    privileged: ['EPERM'],
    errors: ['EPERM', 'ENOENT', 'EACCES'],
    prepare: (agent) => bound(agent, {}),
  },
  {
    name: 'CONTIGBUF_IOC_SYNC',
    request: abi.requests.CONTIGBUF_IOC_SYNC,
    layout: abi.sync,
    firstBytes: 32,
    roles: {
      size,
      flags: {
        kind: 'flags',
        defined: SYNC.read | SYNC.write | SYNC.end,
        oneOf: SYNC.read | SYNC.write,
      },
      id: input,
      reserved,
      offset: { kind: 'range', length: 'length' },
      length: input,
    },
    byId: { field: 'id', missing: ['ENOENT'], stranger: ['ENOENT'], everybody: ['ENOENT'] },
    synchronises: SYNC,
    errors: ['ENOENT'],
    // Of the memory for which it has something to do.
    prepare: (agent) =>
      bound(
        agent,
        { flags: SYNC.read | SYNC.write, length: agent.pageBytes },
        { cache: abi.cache.CONTIGBUF_CACHE_CACHED },
      ),
  },
  {
    name: 'CONTIGBUF_IOC_EXPORT',
    request: abi.requests.CONTIGBUF_IOC_EXPORT,
    layout: abi.exportArgument,
    firstBytes: 24,
    roles: {
      size,
      flags: noFlags,
      id: input,
      fd_flags: { kind: 'flags', defined: O_CLOEXEC | O_ACCMODE },
      fd: { kind: 'out-descriptor' },
      reserved,
    },
    byId: { field: 'id', missing: ['ENOENT'], stranger: ['ENOENT'], everybody: ['ENOENT'] },
    makesDmaBuf: { flags: 'fd_flags', readOnly: 0, readWrite: O_RDWR, closeOnExec: O_CLOEXEC },
    errors: ['ENOENT', 'EACCES', 'EOPNOTSUPP', 'EMFILE', 'ENFILE', 'ENOMEM'],
    // Memory that the device tree sets aside need not be fit for it.
    prepare: (agent) =>
      bound(agent, { fd_flags: O_RDWR | O_CLOEXEC }, { backend: abi.backend.CONTIGBUF_BACKEND_PAGES }),
  },
];

/** An allocation of a page, as the agent repeats it. */
export function allocationStep(fd: number, pageBytes: number, naming: number): Step {
  const values = { size: abi.alloc.bytes, bytes: pageBytes, naming };
  return ioctlStep(fd, abi.requests.CONTIGBUF_IOC_ALLOC, abi.alloc.encode(values));
}

export const contigbufIoctls: IoctlAbi = {
  calls,
  header: 'contigbuf.h',
  capability: CAP_SYS_RAWIO,
  ownsAll: CAP_DAC_OVERRIDE,
  forEverybody: (agent) => bound(agent, {}, { flags: ALLOC_SHARED }),
  churn: (fd, bytes) => [
    allocationStep(fd, bytes, abi.naming.CONTIGBUF_NAMING_FD),
    ioctlStep(fd, abi.requests.CONTIGBUF_IOC_INFO, abi.info.encode({ size: abi.info.bytes })),
    ioctlStep(fd, abi.requests.CONTIGBUF_IOC_FREE, abi.free.encode({ size: abi.free.bytes })),
  ],
  pile: (fd, pageBytes) => allocationStep(fd, pageBytes, abi.naming.CONTIGBUF_NAMING_COOKIE),
  unknown: ['ENOTTY'],
  malformed: ['EINVAL'],
  commandNumber: 'fixed',
  growth: { field: 'size', short: ['EINVAL'], unknownTail: ['E2BIG'] },
  factsOfDriver,
  factsOfBuffers,
  mistakes: contigbufMistakes,
};
