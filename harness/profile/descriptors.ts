// SPDX-License-Identifier: MIT
/** Buffers that are descriptors and nothing else: who closes the last one gives the buffer back. */
import type { Agent } from '../agent/client.ts';
import type { AllocatedBuffer } from './profile.ts';

/** fcntl.h, the same on every architecture of the rig. */
export const O_RDWR = 2;
export const O_ACCMODE = 3;
export const O_CLOEXEC = 0o2000000;

/**
 * A dma-buf that is mapped at offset 0, and what its allocator keeps open beside it.
 * @param bytes asked for; the dma-buf has whole pages
 */
export function bufferThatIs(
  agent: Agent,
  fd: number,
  bytes: number | bigint,
  beside: readonly number[] = [],
): AllocatedBuffer {
  let open = [fd, ...beside];
  const close = async () => {
    const all = open;
    // A number that was closed may be another file's by now.
    open = [];
    await Promise.all(all.map((each) => agent.close(each)));
  };
  return {
    fd,
    mmapOffset: 0n,
    requestedBytes: Number(bytes),
    allocatedBytes: Math.ceil(Number(bytes) / agent.pageBytes) * agent.pageBytes,
    sizeUntold: true,
    close,
    free: close,
    release: close,
  };
}
