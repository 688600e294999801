// SPDX-License-Identifier: MIT
/** Ways to break a kernel, and as what each must be told; provoke.c and init do it. */
import type { Category } from '../../../harness/kernel-log/splats.ts';

export interface Way {
  /** As provoke.c calls it; `shell`: no module, but these words to a shell. */
  how: string;
  shell?: string;
  category: Category;
  /** Files that are written before, so that it does not take minutes. */
  settings?: Readonly<Record<string, string>>;
}

const sysctl = '/proc/sys/kernel';

/** Guests on which it takes more than the usual one, by the beginning of the kind's name. */
const guests: Readonly<Record<string, string>> = {
  // The kernel that checks everything.
  debug: 'qemu-arm64-debug',
  // A processor on which the kernel may not simply use what a program may.
  privileges: 'qemu-arm64-16k',
};

export function projectFor(kind: string): string {
  return Object.entries(guests).find(([begins]) => kind.startsWith(begins))?.[1] ?? 'qemu-arm64';
}

/** By what kind of trouble it is. */
export const ways: Readonly<Record<string, readonly Way[]>> = {
  privileges: [{ how: 'user-access', category: 'user-access' }],
  faults: [
    { how: 'null', category: 'null-dereference' },
    { how: 'paging', category: 'paging' },
    { how: 'undefined', category: 'oops' },
    { how: 'stack-guard', category: 'stack-overflow' },
    { how: 'stack-protector', category: 'stack-protector' },
    { how: 'panic', category: 'panic' },
    { how: 'sysrq', shell: 'echo c >/proc/sysrq-trigger', category: 'null-dereference' },
  ],
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
  memory: [
    { how: 'usercopy', category: 'usercopy' },
    { how: 'fortify', category: 'fortify' },
    { how: 'redzone', category: 'slab' },
    { how: 'double-free', category: 'slab' },
    { how: 'use-after-free', category: 'slab' },
    { how: 'cache-leak', category: 'slab' },
    { how: 'bad-page', category: 'bad-page' },
    { how: 'page-tables', category: 'page-tables' },
  ],
  hangs: [
    { how: 'soft-lockup', category: 'soft-lockup', settings: { [`${sysctl}/watchdog_thresh`]: '2' } },
    {
      how: 'rcu-stall',
      category: 'rcu-stall',
      settings: {
        [`${sysctl}/soft_watchdog`]: '0',
        '/sys/module/rcupdate/parameters/rcu_cpu_stall_timeout': '3',
      },
    },
    {
      how: 'hung-task',
      category: 'hung-task',
      settings: {
        [`${sysctl}/hung_task_timeout_secs`]: '5',
        [`${sysctl}/hung_task_check_interval_secs`]: '2',
      },
    },
  ],
  'debug-memory': [
    { how: 'write-after-free', category: 'kasan' },
    { how: 'shift', category: 'ubsan' },
    { how: 'dma-twice', category: 'dma-api' },
    { how: 'timer-twice', category: 'debug-objects' },
    {
      how: 'lose-memory',
      shell: `insmod "$1" how=lose-memory
        for scan in 1 2; do sleep 6; echo scan >/sys/kernel/debug/kmemleak; done`,
      category: 'leak',
    },
  ],
  'debug-locks': [
    { how: 'lock-order', category: 'lockdep' },
    { how: 'keep-lock', category: 'lock-held' },
    { how: 'spinlock', category: 'spinlock' },
    { how: 'sleep-in-spinlock', category: 'atomic-sleep' },
    { how: 'rcu-usage', category: 'rcu-usage' },
    {
      how: 'workqueue',
      category: 'workqueue',
      settings: { '/sys/module/workqueue/parameters/watchdog_thresh': '4' },
    },
  ],
};

/** What no guest of the rig can be made to say, and why; the decoder is tested on documented texts. */
export const outOfReach: Readonly<Partial<Record<Category, string>>> = {
  kmsan: 'no C compiler but clang builds such a kernel, and not for arm64',
  kcsan: 'excludes KASAN, so it would be a kernel of its own',
  kfence: 'checks one allocation in some ten thousands',
  'hard-lockup': "QEMU's arm64 machine has no interrupt that cannot be masked",
  'protection-fault': 'an exception of x86',
  'memory-type': 'x86 only: other processors do not keep such records',
  'unexpected-reboot': 'QEMU is told to end instead; that is told as a machine that is gone',
};
