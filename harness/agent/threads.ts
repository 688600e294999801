// SPDX-License-Identifier: MIT
/**
 * Threads of the agent's process, which make a few system calls over and over while requests are served:
 * so that calls meet in one address space and one table of descriptors.
 */
import type { Agent } from './client.ts';
import type { Argument } from './message.ts';

/**
 * A call and its numbers as C has them. `fill` and `look` write and read memory, `[address, bytes]`, and
 * fail where it cannot be accessed; the others are the system calls of their names.
 */
export type ThreadCall = readonly [
  name: 'close' | 'fill' | 'ioctl' | 'look' | 'mmap' | 'mprotect' | 'mremap' | 'munmap' | 'yield',
  ...numbers: (number | bigint)[],
];

export interface Thread {
  /** Waits for the last round. @returns for each call how often it succeeded and failed */
  end(): Promise<{ ok: number; failed: number }[]>;
}

/** Begins a thread that makes these calls one after the other, `rounds` times. At most 4 at a time. */
export async function beginThread(
  agent: Agent,
  rounds: number,
  calls: readonly ThreadCall[],
): Promise<Thread> {
  const args = calls.flatMap((call, index): Argument[] => (index === 0 ? [...call] : [';', ...call]));
  const room = agent.makeRoom();
  if (room !== undefined) await room;
  const { thread } = await agent.request<{ thread: number }>('thread-begin', rounds, ...args);
  return {
    end: async () =>
      (await agent.request<{ steps: { ok: number; failed: number }[] }>('thread-end', thread)).steps,
  };
}
