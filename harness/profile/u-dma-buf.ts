// SPDX-License-Identifier: MIT
/**
 * The profile of u-dma-buf 5.5 (github.com/ikwzm/udmabuf), whose module BUFRIG_MODULE names. Its device is
 * one contiguous piece of memory that is there from loading to unloading. Buffers are ranges of it, each
 * exported as a dma-buf; who exports says which range, and here they are given out in turn.
 *
 * Written from its documentation. The module was built for Linux 6.1 and 6.12, but no run of the suite with
 * it was seen to its end yet: so nothing is on record, and a first run will be red.
 */
import type { Agent } from '../agent/client.ts';
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
  async open(agent, access = 'rdwr') {
    const device = await agent.open(DEVICE, 'rdwr');
    return {
      async allocate({ bytes }) {
        const page = BigInt(agent.pageBytes);
        const size = ((BigInt(bytes) + page - 1n) / page) * page;
        const flags = O_CLOEXEC | accessFlags[access];
        const asked = exportArguments.encode({ flags, size, offset: rangeOf(size) });
        const { data } = await agent.ioctl(device, EXPORT, asked);
        const { fd, addr } = exportArguments.decode(data);
        return { ...bufferThatIs(agent, Number(fd), bytes), physicalAddress: Number(addr) };
      },
    };
  },
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
        flags: { kind: 'flags', defined: O_CLOEXEC | O_ACCMODE },
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

const deviations: readonly Deviation[] = [];

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
    prefaulted: true,
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
