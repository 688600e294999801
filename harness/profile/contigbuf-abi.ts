// SPDX-License-Identifier: MIT
/** The ioctl ABI of contigbuf, as driver/uapi/contigbuf.h has it; a selftest compares the two. */
import { Layout } from './layout.ts';

/** linux/ioctl.h `_IO(type, nr)`; direction and size are 0. */
const io = (nr: number) => (0xbf << 8) | nr;

export const requests = {
  CONTIGBUF_IOC_CAPS: io(0x00),
  CONTIGBUF_IOC_ALLOC: io(0x01),
  CONTIGBUF_IOC_ATTACH: io(0x02),
  CONTIGBUF_IOC_DETACH: io(0x03),
  CONTIGBUF_IOC_FREE: io(0x04),
  CONTIGBUF_IOC_INFO: io(0x05),
  CONTIGBUF_IOC_RESOLVE: io(0x06),
  CONTIGBUF_IOC_SYNC: io(0x07),
  CONTIGBUF_IOC_EXPORT: io(0x08),
} as const;

/** CONTIGBUF_ATTACH_RDONLY. */
export const ATTACH_RDONLY = 1;

export const naming = {
  CONTIGBUF_NAMING_FD: 0,
  CONTIGBUF_NAMING_COOKIE: 1,
  CONTIGBUF_NAMING_APERTURE: 2,
  CONTIGBUF_NAMING_PHYSICAL: 3,
} as const;

export const backend = {
  CONTIGBUF_BACKEND_AUTO: 0,
  CONTIGBUF_BACKEND_DMA: 1,
  CONTIGBUF_BACKEND_PAGES: 2,
  CONTIGBUF_BACKEND_CONTIG: 3,
  CONTIGBUF_BACKEND_RESERVED: 4,
} as const;

export const cache = {
  CONTIGBUF_CACHE_DEFAULT: 0,
  CONTIGBUF_CACHE_COHERENT: 1,
  CONTIGBUF_CACHE_CACHED: 2,
  CONTIGBUF_CACHE_WC: 3,
} as const;

export const caps = new Layout('contigbuf_caps', [
  ['size', 'u32'],
  ['flags', 'u32'],
  ['version', 'u32'],
  ['namings', 'u32'],
  ['backends', 'u32'],
  ['caches', 'u32'],
  ['features', 'u64'],
  ['size_max', 'u64'],
  ['align_max', 'u64'],
  ['cookie_stride', 'u64'],
]);

export const alloc = new Layout('contigbuf_alloc', [
  ['size', 'u32'],
  ['flags', 'u32'],
  ['bytes', 'u64'],
  ['align', 'u64'],
  ['naming', 'u32'],
  ['backend', 'u32'],
  ['cache', 'u32'],
  ['id', 'u32'],
  ['offset', 'u64'],
  ['allocated', 'u64'],
  ['reserved', 'u64'],
]);

export const attach = new Layout('contigbuf_attach', [
  ['size', 'u32'],
  ['flags', 'u32'],
  ['id', 'u32'],
  ['naming', 'u32'],
  ['offset', 'u64'],
  ['allocated', 'u64'],
  ['reserved', 'u64'],
]);

export const detach = new Layout('contigbuf_detach', [
  ['size', 'u32'],
  ['flags', 'u32'],
  ['id', 'u32'],
  ['reserved', 'u32'],
]);

export const free = new Layout('contigbuf_free', [
  ['size', 'u32'],
  ['flags', 'u32'],
  ['id', 'u32'],
  ['reserved', 'u32'],
]);

export const info = new Layout('contigbuf_info', [
  ['size', 'u32'],
  ['flags', 'u32'],
  ['id', 'u32'],
  ['naming', 'u32'],
  ['bytes', 'u64'],
  ['allocated', 'u64'],
  ['align', 'u64'],
  ['offset', 'u64'],
  ['backend', 'u32'],
  ['cache', 'u32'],
  ['attached', 'u32'],
  ['reserved', 'u32'],
]);

export const resolve = new Layout('contigbuf_resolve', [
  ['size', 'u32'],
  ['flags', 'u32'],
  ['id', 'u32'],
  ['reserved', 'u32'],
  ['offset', 'u64'],
  ['phys_addr', 'u64'],
  ['dma_addr', 'u64'],
  ['length', 'u64'],
]);

export const sync = new Layout('contigbuf_sync', [
  ['size', 'u32'],
  ['flags', 'u32'],
  ['id', 'u32'],
  ['reserved', 'u32'],
  ['offset', 'u64'],
  ['length', 'u64'],
]);

export const exportArgument = new Layout('contigbuf_export', [
  ['size', 'u32'],
  ['flags', 'u32'],
  ['id', 'u32'],
  ['fd_flags', 'u32'],
  ['fd', 's32'],
  ['reserved', 'u32'],
]);

/** Every structure above, for the test that compares them with the header. */
export const layouts = [caps, alloc, attach, detach, free, info, resolve, sync, exportArgument];
