// SPDX-License-Identifier: MIT
/** The guests the rig boots, as playwright.config.ts makes projects of them; the first is the default. */
import { fileURLToPath } from 'node:url';
import type { QemuSpec } from './spec.ts';

const deviceTree = (name: string) =>
  fileURLToPath(new URL(`../../driver/device-tree/${name}.dtso`, import.meta.url));

const standard: QemuSpec = {
  kind: 'qemu',
  name: 'qemu-arm64',
  machine: 'virt-arm64',
  kernel: { flavour: 'arm64' },
  cpus: 2,
  memoryMiB: 768,
  append: ['cma=256M'],
};

/** Debian's amd64 kernels before 7 have no CMA, whatever their command line says. */
const amd64: QemuSpec = {
  ...standard,
  name: 'qemu-amd64',
  machine: 'q35-amd64',
  kernel: { flavour: 'amd64' },
  append: [],
};

/** The kernel copies what devices are to have (swiotlb), where caches would otherwise need no care. */
const bounce: QemuSpec = { ...amd64, name: 'qemu-amd64-bounce', append: ['swiotlb=force'] };

const amd64Middle: QemuSpec = {
  ...amd64,
  name: 'qemu-amd64-6.12',
  kernel: { flavour: 'amd64', suite: 'bookworm-backports' },
};

const newest: QemuSpec = {
  ...standard,
  name: 'qemu-arm64-newest',
  kernel: { flavour: 'arm64', suite: 'trixie-backports' },
  // Seen with Linux 7.3: when it has slept (PWR-01), nothing comes through its virtio ports any more.
  lines: false,
};

const middle: QemuSpec = {
  ...standard,
  name: 'qemu-arm64-6.12',
  kernel: { flavour: 'arm64', suite: 'bookworm-backports' },
};

/** The kernel of the rig's own, `npm run kernel:debug`, has every allocator of dma-bufs. */
const debug: QemuSpec = {
  ...standard,
  name: 'qemu-arm64-debug',
  kernel: { flavour: 'debug', suite: 'bookworm-backports' },
  // KASAN takes an eighth of it.
  memoryMiB: 1280,
  // What Debian's kernels do by themselves.
  append: [...standard.append, 'transparent_hugepage=always'],
  slowness: 5,
  // To make one ready, and to look for lost memory when it goes, takes a minute.
  isolation: 'worker',
};

/** For drivers that take much themselves; and where nothing tries again when movable pages are in the way, contiguous memory needs room. */
const roomy: QemuSpec = { ...standard, memoryMiB: 1536, append: ['cma=512M'] };

/**
 * What a device tree can say of the driver's device: memory set aside for it, in the upper 256 MiB of a GiB, with pages of
 * the kernel's or without, or as a pool of the DMA API; that it sees the CPU's caches; that it reaches half the memory,
 * at addresses of its own.
 */
const treesOn = (base: QemuSpec): QemuSpec[] =>
  ['reserved', 'reserved-no-map', 'reserved-cma', 'coherent', 'narrow-bus'].map((name) => ({
    ...base,
    name: `${base.name}-${name}`,
    deviceTree: deviceTree(name),
    // The kernel has no pages for it.
    ...(name === 'reserved-no-map' ? { without: ['dma-buf'] as const } : {}),
  }));

/** One for each thing in which kernels differ: page size, age, CMA, word size, 32-bit programs. */
export const guests: readonly [QemuSpec, ...QemuSpec[]] = [
  standard,
  {
    ...standard,
    name: 'qemu-arm64-16k',
    machine: 'virt-arm64-16k',
    kernel: { flavour: 'arm64-16k', suite: 'bookworm-backports' },
  },
  newest,
  debug,
  // Where lines are counted.
  ...treesOn(debug),
  // From Linux 6.12 on the kernel tells what is handed over to devices.
  ...treesOn({ ...middle, name: standard.name, memoryMiB: 1024 }),
  amd64,
  bounce,
  amd64Middle,
  { ...standard, name: 'qemu-armhf', machine: 'virt-armhf', kernel: { flavour: 'armmp-lpae' } },
  { ...standard, name: 'qemu-arm64-compat', programs: 'armhf' },
  { ...amd64, name: 'qemu-amd64-compat', programs: 'i386' },
];

/** Drivers that are not the rig's, each on the kernels that have it. */
export const peers: readonly { project: string; profile: string; guest: QemuSpec }[] = [
  { project: 'qemu-arm64-vgem', profile: 'vgem', guest: standard },
  { project: 'qemu-arm64-6.12-vgem', profile: 'vgem', guest: middle },
  { project: 'qemu-arm64-newest-vgem', profile: 'vgem', guest: newest },
  { project: 'qemu-arm64-vivid', profile: 'vivid', guest: roomy },
  { project: 'qemu-arm64-vivid-contig', profile: 'vivid-contig', guest: roomy },
  { project: 'qemu-arm64-u-dma-buf', profile: 'u-dma-buf', guest: roomy },
  { project: 'qemu-arm64-6.12-udmabuf', profile: 'udmabuf', guest: middle },
  { project: 'qemu-arm64-newest-udmabuf', profile: 'udmabuf', guest: newest },
  { project: 'qemu-amd64-6.12-dma-heap', profile: 'dma-heap', guest: amd64Middle },
  { project: 'qemu-arm64-debug-dma-heap', profile: 'dma-heap', guest: debug },
  { project: 'qemu-arm64-debug-dma-heap-cma', profile: 'dma-heap-cma', guest: debug },
];
