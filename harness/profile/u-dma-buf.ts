// SPDX-License-Identifier: MIT
/**
 * The profile of u-dma-buf 5.5 (github.com/ikwzm/udmabuf), whose module BUFRIG_MODULE names. Its device is
 * one contiguous piece of memory that is there from loading to unloading. Buffers are ranges of it, each
 * exported as a dma-buf; who exports says which range, and here they are given out in turn.
 *
 * Measured on Linux 6.1. It exports only when built with U_DMA_BUF_IOCTL=2, as its own Makefile does.
 */
import type { Agent } from '../agent/client.ts';
import { SyscallError } from '../agent/errors.ts';
import { bufferThatIs, O_ACCMODE, O_CLOEXEC, O_RDWR } from './descriptors.ts';
import type { Deviation } from './deviations.ts';
import type { FieldRole, IoctlAbi } from './ioctls.ts';
import { Layout } from './layout.ts';
import type { Access, DriverProfile, Strategy } from './profile.ts';

const DEVICE = '/dev/udmabuf0';
/** More than a test has alive at once, so that no range comes round while it is in use. */
const DEVICE_BYTES = 256 * 1024 * 1024;
/** Its Readme: _IOWR('U', 10, u_dma_buf_ioctl_export_args), _IOW('U', 9, u_dma_buf_ioctl_sync_args). */
const EXPORT = 0xc028_550a;
const SET_SYNC = 0x4018_5509;
const exportArguments = new Layout('u_dma_buf_ioctl_export_args', [
  ['flags', 'u64'],
  ['size', 'u64'],
  ['offset', 'u64'],
  ['addr', 'u64'],
  ['fd', 's32'],
  ['padding', 'u32'],
]);
const syncArguments = new Layout('u_dma_buf_ioctl_sync_args', [
  ['flags', 'u64'],
  ['size', 'u64'],
  ['offset', 'u64'],
]);
/** asm-generic/fcntl.h */
const O_SYNC = 0o4010000;
/** SYNC_CMD in the lowest two bits: for the CPU. */
const SYNC_FOR_CPU = 1;
const accessFlags: Record<Access, number> = { rdonly: 0, wronly: 1, rdwr: O_RDWR };
const ignored: FieldRole = { kind: 'in' };

/** Where the next range begins. */
let next = 0;

function rangeOf(bytes: bigint): bigint {
  // What is larger than the device is refused wherever it begins.
  if (bytes > BigInt(DEVICE_BYTES)) return 0n;
  if (next + Number(bytes) > DEVICE_BYTES) next = 0;
  const offset = next;
  next += Number(bytes);
  return BigInt(offset);
}

const dmaBuf: Strategy = {
  // The dma-buf's memory lies inside the device's, so more of it lies behind.
  open: (agent, access = 'rdwr') =>
    Promise.resolve({
      async allocate({ bytes }) {
        const page = BigInt(agent.pageBytes);
        const size = ((BigInt(bytes) + page - 1n) / page) * page;
        const flags = O_CLOEXEC | accessFlags[access];
        const asked = exportArguments.encode({ flags, size, offset: rangeOf(size) });
        // A dma-buf needs no open device behind it, which would keep the module loaded.
        const device = await agent.open(DEVICE, 'rdwr');
        try {
          const { data } = await agent.ioctl(device, EXPORT, asked);
          const { fd, addr } = exportArguments.decode(data);
          await agent.close(device);
          return { ...bufferThatIs(agent, Number(fd), bytes), physicalAddress: Number(addr) };
        } catch (error) {
          // Nothing can be closed in a process that is no more.
          if (error instanceof SyscallError) await agent.close(device);
          throw error;
        }
      },
    }),
};

async function opened(agent: Agent, values: Record<string, number | bigint>) {
  const fd = await agent.open(DEVICE, 'rdwr');
  return { fd, values, bufferBytes: DEVICE_BYTES, end: () => agent.close(fd) };
}

const ioctls: IoctlAbi = {
  calls: [
    {
      name: 'U_DMA_BUF_IOCTL_EXPORT',
      request: EXPORT,
      layout: exportArguments,
      firstBytes: exportArguments.bytes,
      roles: {
        flags: { kind: 'flags', defined: O_CLOEXEC | O_SYNC | O_ACCMODE },
        size: { kind: 'in', refused: [1n, 2n ** 64n - 1n] },
        offset: { kind: 'range', length: 'size' },
        addr: { kind: 'out' },
        fd: { kind: 'out-descriptor' },
        padding: ignored,
      },
      makesDmaBuf: { flags: 'flags', readOnly: 0, readWrite: O_RDWR, closeOnExec: O_CLOEXEC },
      errors: ['ENOMEM', 'EMFILE'],
      prepare: (agent) => opened(agent, { flags: O_CLOEXEC | O_RDWR, size: agent.pageBytes }),
    },
    {
      name: 'U_DMA_BUF_IOCTL_SET_SYNC',
      request: SET_SYNC,
      layout: syncArguments,
      firstBytes: syncArguments.bytes,
      roles: { flags: ignored, size: ignored, offset: { kind: 'range', length: 'size' } },
      errors: [],
      prepare: (agent) => opened(agent, { flags: SYNC_FOR_CPU, size: agent.pageBytes }),
    },
  ],
  unknown: ['ENOTTY'],
  malformed: ['EINVAL'],
  commandNumber: 'fixed',
};

const privateMaps: Pick<Deviation, 'reason' | 'source'> = {
  reason: 'private mappings are made, and tell where the memory lies once they are written to',
  source: 'u-dma-buf.c:udmabuf_export_mmap, which asks for no VM_SHARED',
};
const emptyRange: Pick<Deviation, 'reason' | 'source'> = {
  reason: 'a dma-buf of no bytes is made',
  source: 'u-dma-buf.c:udmabuf_export_create_entry; measured on Linux 6.1',
};
const leftBehind: Pick<Deviation, 'reason' | 'source'> = {
  reason: 'a descriptor whose number cannot be told is in the process before that is noticed, and stays',
  source: 'u-dma-buf.c:udmabuf_device_file_ioctl, copy_to_user() after dma_buf_fd()',
};

const deviations: readonly Deviation[] = [
  {
    claim: 'BND-10',
    title: 'every protection',
    says: /\n\n(must-fail: mmap of \d+ pages from page \d+ of \d+, \w+, private succeeded [^\n]+(\n|$))+(must-fail: and \d+ more of \d+ calls, for example:\nmmap of \d+ pages from page \d+ of \d+, \w+, private |\s*$)/,
    ...privateMaps,
  },
  {
    claim: 'DBF-04',
    says: /\n\nmust-fail: a private mapping succeeded and returned 0, expected EINVAL\s*$/,
    ...privateMaps,
  },
  {
    claim: 'MAP-02',
    says: /\n\n(must-fail: mmap of (4096|8192) bytes, MAP_PRIVATE, (r|rw|none), of a file opened (rdwr|rdonly) succeeded [^\n]+\n?){12}\s*$/,
    ...privateMaps,
  },
  {
    claim: 'MAP-13',
    title: 'a mapping that fails',
    says: /\n\n(must-fail: a private mmap succeeded and returned 0, expected EINVAL\n)+must-fail: and \d+ more of \d+ calls, for example:\na private mmap succeeded and returned 0, expected EINVAL\s*$/,
    ...privateMaps,
  },
  {
    claim: 'GEO-06',
    says: /\n\nmust-fail: allocation of 0 bytes succeeded and returned 0, expected EINVAL\s*$/,
    ...emptyRange,
  },
  { claim: 'LIF-11', says: /\+ +"requestedBytes": 0,/, ...emptyRange },
  {
    claim: 'CAC-08',
    says: /must-fail: U_DMA_BUF_IOCTL_EXPORT at 4096 for 18446744073709547520 bytes of 268435456 succeeded [^]*must-fail: U_DMA_BUF_IOCTL_SET_SYNC at 4096 for 18446744073709547520 bytes of 268435456 succeeded /,
    reason: 'a range whose end wraps around is taken, by an export and for cache maintenance',
    source: 'u-dma-buf.c:udmabuf_export_create_entry, offset + size > alloc_size; measured on Linux 6.1',
  },
  {
    claim: 'IOC-05',
    title: 'a flag without a meaning',
    says: /\n\n(must-fail: U_DMA_BUF_IOCTL_EXPORT with bit 0x[1248]0{8,} in flags succeeded [^\n]+\n){12}must-fail: and 20 more of \d+ calls, for example:\nU_DMA_BUF_IOCTL_EXPORT with bit 0x[1248]0{8,} in flags /,
    reason: 'of 64 bits of flags only the lower 32 are looked at',
    source: 'u-dma-buf.c:udmabuf_export_create_entry, int fd_flags',
  },
  {
    claim: 'IOC-03',
    title: 'a result that cannot be written',
    says: /\n\nbalance: calls with results that cannot be written: descriptors went from (\d+) to \d+\nbalance: [^\n]* module users went from 0 to 1\s*$/,
    ...leftBehind,
  },
  {
    claim: 'IOC-07',
    says: /\n\nbalance: (\d+) calls whose descriptor cannot be told: descriptors went from \d+ to \d+\nbalance: [^\n]* module users went from 0 to \1\s*$/,
    ...leftBehind,
  },
  {
    claim: 'RES-01',
    says: /what the kernel logged\n[^]*udmabuf_export_create_entry\(\) offset \+ size is over buffer size/,
    reason: 'whoever asks for too much writes an error into the kernel’s log',
    source: 'u-dma-buf.c:udmabuf_export_create_entry, dev_err()',
  },
  {
    claim: 'LOG-02',
    says: /what the kernel logged each time\n[^]*\n\+ Array \[\n(\+ +"u-dma-buf udmabuf0: udmabuf_export_create_entry\(\) [^\n]+\n){3}\+ \]/,
    reason: 'every export that is refused writes an error into the kernel’s log',
    source: 'u-dma-buf.c:udmabuf_export_create_entry, dev_err(); measured on Linux 6.1',
  },
  {
    claim: 'RES-08',
    crash: true,
    says: /^KernelCrash \[LIST_CORRUPTION\][^\n]* in udmabuf_export_release \[u_dma_buf\]/,
    reason:
      'when a dma-buf gets no descriptor, its list is left by what was never in it, and the kernel stops',
    source: 'u-dma-buf.c:udmabuf_export_create_entry, dma_buf_put() of a dma-buf that is in no list',
  },
  {
    claim: 'CON-09',
    crash: true,
    // Lost in six of seven runs.
    chance: true,
    // Who was stopped held the list's lock, for which the agent waits then.
    says: /^KernelCrash \[LIST_CORRUPTION\][^\n]* in udmabuf_export_release \[u_dma_buf\]|^TargetHang \[AGENT_SILENT\]/,
    reason:
      'a dma-buf that is closed at once leaves its list before it was entered there, and the kernel stops',
    source: 'u-dma-buf.c:udmabuf_export_create_entry; measured on Linux 6.1',
  },
];

export const uDmaBuf: DriverProfile = {
  name: 'u-dma-buf',
  module: {
    name: 'u_dma_buf',
    source: 'file',
    // Mode 2, what ARM has unless told otherwise, makes private mappings that end in a BUG (CVE-2024-39497).
    parameters: [`udmabuf0=${DEVICE_BYTES}`, 'quirk_mmap_mode=1', 'info_enable=0'],
  },
  device: DEVICE,
  strategies: { 'dma-buf': dmaBuf },
  properties: {
    contiguous: true,
    tellsAddresses: true,
    zeroed: true,
    outOfBounds: ['EINVAL', 'EOVERFLOW'],
    tooLarge: ['EINVAL'],
    ownLimit: ['EINVAL'],
    madeAtLoad: true,
    sizeMost: 2n ** 63n - 1n,
    memories: {},
    absentMemory: [],
    cacheModes: [],
    // dma_mmap_coherent(), which maps at once.
    mappingClass: 'pfn-io',
    // Its pages are clean, so that on ARM the first write to each is a fault (mm/memory.c: remap_pfn_range).
    prefaulted: false,
    choosesAddresses: false,
    subOffset: true,
    privateMaps: ['EINVAL'],
    accesses: ['rdonly', 'rdwr'],
    readOnlyFiles: 'allowed',
    executableMaps: 'allowed',
    debuggable: false,
    freeWhileMapped: 'orphan',
    file: { read: ['EINVAL'], write: ['EINVAL'], seek: ['EINVAL'] },
  },
  exporterName: 'udmabuf0',
  ioctls,
  system: { nodeMode: 0o660, shown: ['/sys/class/u-dma-buf/udmabuf0/', '/sys/module/u_dma_buf/'], alive: {} },
  helpers: [],
  deviations,
  offeredMemories: () => Promise.resolve([]),
  version: async (agent) =>
    (await agent.readText('/sys/class/u-dma-buf/udmabuf0/driver_version').catch(() => 'unknown')).trim(),
};
