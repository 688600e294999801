// SPDX-License-Identifier: MIT
/** Ways to break a kernel, and as what each must be told; provoke.c and init do it. */
import type { Category } from '../../../harness/kernel-log/splats.ts';

export interface Way {
  /** As provoke.c calls it. */
  how: string;
  /** Words to a shell, which gets the module and `how`, instead of loading the module once. */
  shell?: string;
  category: Category;
  /** Files that are written before, so that it does not take minutes. */
  settings?: Readonly<Record<string, string>>;
}

/** Guests on which it takes more than the usual one, by the beginning of the kind's name. */
const guests: Readonly<Record<string, string>> = {
  // A processor on which the kernel may not simply use what a program may.
  privileges: 'qemu-arm64-16k',
};

export function projectFor(kind: string): string {
  return Object.entries(guests).find(([begins]) => kind.startsWith(begins))?.[1] ?? 'qemu-arm64';
}

/** By what kind of trouble it is. */
export const ways: Readonly<Record<string, readonly Way[]>> = {
  privileges: [{ how: 'user-access', category: 'user-access' }],
  complaints: [
    { how: 'warn', category: 'warning' },
    { how: 'warn-on', category: 'warning' },
    { how: 'bug', category: 'bug' },
    { how: 'bug-other', category: 'bug-other' },
    { how: 'refcount', category: 'refcount' },
    { how: 'list', category: 'list-corruption' },
    { how: 'duplicate', category: 'kobject' },
    { how: 'atomic', category: 'atomic-sleep' },
  ],
  faults: [
    { how: 'null', category: 'null-dereference' },
    { how: 'paging', category: 'paging' },
    { how: 'undefined', category: 'oops' },
    { how: 'stack-guard', category: 'stack-overflow' },
    { how: 'stack-protector', category: 'stack-protector' },
    { how: 'panic', category: 'panic' },
  ],
  memory: [
    { how: 'usercopy', category: 'usercopy' },
    { how: 'fortify', category: 'fortify' },
    { how: 'bad-page', category: 'bad-page' },
    { how: 'redzone', category: 'slab' },
    { how: 'double-free', category: 'slab' },
    { how: 'cache-leak', category: 'slab' },
  ],
  hangs: [
    {
      how: 'soft-lockup',
      category: 'soft-lockup',
      settings: { '/proc/sys/kernel/watchdog_thresh': '2' },
    },
    {
      how: 'rcu-stall',
      // Only what somebody waits for can stall, and that is left to chance: not so in one of two runs on a busy machine.
      shell: 'for time in 1 2 3; do insmod "$1" "how=$2"; rmmod provoke; done',
      category: 'rcu-stall',
      settings: {
        '/proc/sys/kernel/soft_watchdog': '0',
        '/sys/module/rcupdate/parameters/rcu_cpu_stall_timeout': '3',
      },
    },
    {
      how: 'hung-task',
      category: 'hung-task',
      settings: {
        '/proc/sys/kernel/hung_task_timeout_secs': '5',
        '/proc/sys/kernel/hung_task_check_interval_secs': '2',
      },
    },
  ],
};
