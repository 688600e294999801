// SPDX-License-Identifier: MIT
/** What every dma-buf can be asked, whoever exported it: include/uapi/linux/dma-buf.h. */
import { Layout } from './layout.ts';

export const dmaBufRequests = {
  /** _IOW('b', 0, struct dma_buf_sync) */
  SYNC: 0x4008_6200,
  /** _IOW('b', 1, __u64): the address of a name of at most 32 bytes */
  SET_NAME: 0x4008_6201,
  /** _IOWR('b', 2, struct dma_buf_export_sync_file) */
  EXPORT_SYNC_FILE: 0xc008_6202,
} as const;

export const dmaBufSync = new Layout('dma_buf_sync', [['flags', 'u64']]);
export const dmaBufSyncFlags = { READ: 1, WRITE: 2, END: 4 } as const;

export const dmaBufSyncFile = new Layout('dma_buf_export_sync_file', [
  ['flags', 'u32'],
  ['fd', 's32'],
]);
