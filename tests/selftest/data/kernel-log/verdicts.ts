// SPDX-License-Identifier: MIT
/** What the decoder must make of every log in recorded/: each report in order, and the line it ends with. */
import type { Category } from '../../../../harness/kernel-log/splats.ts';

export interface Verdict {
  category: Category;
  title: string;
  place?: string;
  panic?: string;
  last: string;
}

export const verdicts: Record<string, Verdict[]> = {
  'atomic.console.log': [
    {
      category: 'atomic-sleep',
      title: 'BUG: scheduling while atomic: swapper/0',
      place: 'sleep_in_timer [provoke]',
      last: ' __primary_switched+0xbc/0xc4',
    },
    {
      category: 'atomic-sleep',
      title: 'bad: scheduling from the idle thread!',
      place: 'sleep_in_timer [provoke]',
      last: ' __primary_switched+0xbc/0xc4',
    },
    {
      category: 'paging',
      title: 'Unable to handle kernel paging request at virtual address ADDR',
      panic: 'Attempted to kill the idle task!',
      last: 'Kernel panic - not syncing: Attempted to kill the idle task!',
    },
  ],
  'bad-page.console.log': [
    {
      category: 'bad-page',
      title: 'BUG: Bad page state in process insmod  pfn:ADDR',
      place: 'bad_page [provoke]',
      last: 'Disabling lock debugging due to kernel taint',
    },
  ],
  'bug.console.log': [
    {
      category: 'bug',
      title: 'kernel BUG at provoke.c:40!',
      place: 'bug [provoke]',
      last: '---[ end trace 0000000000000000 ]---',
    },
    {
      category: 'warning',
      title: 'WARNING: at kernel/context_tracking.c:128 ct_kernel_exit.constprop.0',
      place: 'ct_kernel_exit.constprop.0',
      last: '---[ end trace 0000000000000000 ]---',
    },
  ],
  'cache-leak.console.log': [
    {
      category: 'slab',
      title: 'BUG provoke: Objects remaining in provoke on __kmem_cache_shutdown()',
      place: 'cache_leak [provoke]',
      last: 'Disabling lock debugging due to kernel taint',
    },
    {
      category: 'warning',
      title: 'WARNING: at mm/slab_common.c:493 kmem_cache_destroy',
      place: 'cache_leak [provoke]',
      last: '---[ end trace 0000000000000000 ]---',
    },
  ],
  'cma.console.log': [
    {
      category: 'warning',
      title: 'WARNING: at mm/page_alloc.c:5634 __alloc_pages',
      place: 'cma [provoke]',
      last: '---[ end trace 0000000000000000 ]---',
    },
  ],
  'double-free.console.log': [
    {
      category: 'slab',
      title: 'BUG kmalloc-128: Object already free',
      place: 'double_free [provoke]',
      last: 'FIX kmalloc-128: Object at 0xffff12f3c2f08980 not freed',
    },
    {
      category: 'slab',
      title: 'BUG kmalloc-128: Wrong object count. Counter is 10 but counted were 21',
      last: 'FIX kmalloc-128: Object count adjusted',
    },
    {
      category: 'null-dereference',
      title: 'Unable to handle kernel NULL pointer dereference at virtual address ADDR',
      place: 'get_partial_node.part.0',
      panic: 'Attempted to kill init! exitcode=0x0000000b',
      last: 'Kernel panic - not syncing: Attempted to kill init! exitcode=0x0000000b',
    },
  ],
  'duplicate.console.log': [
    {
      category: 'kobject',
      title: "sysfs: cannot create duplicate filename '/devices/virtual/misc/provoke'",
      place: 'duplicate [provoke]',
      last: "kobject_add_internal failed for provoke with -EEXIST, don't try to register things with the same name in the same directory.",
    },
  ],
  'fortify.console.log': [
    {
      category: 'fortify',
      title: 'detected buffer overflow in memset',
      place: 'provoke_init [provoke]',
      last: '---[ end trace 0000000000000000 ]---',
    },
    {
      category: 'warning',
      title: 'WARNING: at kernel/context_tracking.c:128 ct_kernel_exit.constprop.0',
      place: 'ct_kernel_exit.constprop.0',
      last: '---[ end trace 0000000000000000 ]---',
    },
  ],
  'healthy.console.log': [],
  'healthy.kmsg.log': [],
  'hung-task.console.log': [
    {
      category: 'hung-task',
      title: 'INFO: task insmod blocked.',
      place: 'hung_task [provoke]',
      last: ' el0t_64_sync+0x18c/0x190',
    },
    {
      category: 'hung-task',
      title: 'INFO: task provoke_sleeper blocked.',
      place: 'sleeper [provoke]',
      last: ' ret_from_fork+0x10/0x20',
    },
    {
      category: 'hung-task',
      title: 'INFO: task insmod blocked.',
      place: 'hung_task [provoke]',
      last: ' el0_svc_common.constprop.0+0x4c/0xf4',
    },
  ],
  'kill-init.console.log': [
    {
      category: 'panic',
      title: 'Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000100',
      last: 'Memory Limit: none',
    },
  ],
  'list.console.log': [
    {
      category: 'list-corruption',
      title: 'list_del corruption, ADDR->next is LIST_POISON1 (ADDR)',
      place: 'list [provoke]',
      last: '---[ end trace 0000000000000000 ]---',
    },
    {
      category: 'warning',
      title: 'WARNING: at kernel/context_tracking.c:128 ct_kernel_exit.constprop.0',
      place: 'ct_kernel_exit.constprop.0',
      last: '---[ end trace 0000000000000000 ]---',
    },
  ],
  'null.console.log': [
    {
      category: 'null-dereference',
      title: 'Unable to handle kernel NULL pointer dereference at virtual address ADDR',
      place: 'null [provoke]',
      last: '---[ end trace 0000000000000000 ]---',
    },
  ],
  'null.kmsg.log': [
    {
      category: 'null-dereference',
      title: 'Unable to handle kernel NULL pointer dereference at virtual address ADDR',
      place: 'null [provoke]',
      last: '---[ end trace 0000000000000000 ]---',
    },
  ],
  'oops-panic.console.log': [
    {
      category: 'null-dereference',
      title: 'Unable to handle kernel NULL pointer dereference at virtual address ADDR',
      place: 'null [provoke]',
      panic: 'Oops: Fatal exception',
      last: 'Kernel panic - not syncing: Oops: Fatal exception',
    },
  ],
  'page-allocation.console.log': [],
  'page-order.console.log': [
    {
      category: 'warning',
      title: 'WARNING: at mm/page_alloc.c:5634 __alloc_pages',
      place: 'page_order [provoke]',
      last: '---[ end trace 0000000000000000 ]---',
    },
  ],
  'page-tables.console.log': [
    {
      category: 'page-tables',
      title: 'BUG: non-zero pgtables_bytes on freeing mm: 4096',
      last: 'BUG: non-zero pgtables_bytes on freeing mm: 4096',
    },
  ],
  'paging.console.log': [
    {
      category: 'paging',
      title: 'Unable to handle kernel paging request at virtual address ADDR',
      place: 'paging [provoke]',
      last: '---[ end trace 0000000000000000 ]---',
    },
  ],
  'panic.console.log': [
    {
      category: 'panic',
      title: 'Kernel panic - not syncing: provoke: told to panic',
      place: 'panic_now [provoke]',
      last: 'Memory Limit: none',
    },
  ],
  'rcu-stall.console.log': [
    {
      category: 'rcu-stall',
      title: 'rcu: INFO: rcu_sched self-detected stall on CPU',
      place: 'provoke_init [provoke]',
      last: ' el0t_64_sync+0x18c/0x190',
    },
  ],
  'rcu-stall.kmsg.log': [
    {
      category: 'rcu-stall',
      title: 'rcu: INFO: rcu_sched self-detected stall on CPU',
      place: 'provoke_init [provoke]',
      last: ' el0t_64_sync+0x18c/0x190',
    },
  ],
  'reboot.console.log': [
    {
      category: 'unexpected-reboot',
      title: 'Booting Linux on physical CPU ADDR [ADDR]',
      last: 'Booting Linux on physical CPU 0x0000000000 [0x414fd0b1]',
    },
  ],
  'redzone.console.log': [
    {
      category: 'slab',
      title: 'BUG kmalloc-128: Right Redzone overwritten',
      place: 'redzone [provoke]',
      last: 'FIX kmalloc-128: Object at 0xffff32900396de80 not freed',
    },
  ],
  'refcount.console.log': [
    {
      category: 'refcount',
      title: 'refcount_t: underflow; use-after-free.',
      place: 'refcount [provoke]',
      last: '---[ end trace 0000000000000000 ]---',
    },
  ],
  'segfault.console.log': [],
  'soft-lockup.console.log': [
    {
      category: 'soft-lockup',
      title: 'watchdog: BUG: soft lockup - CPU stuck [insmod]',
      place: 'soft_lockup [provoke]',
      last: ' el0t_64_sync+0x18c/0x190',
    },
    {
      category: 'soft-lockup',
      title: 'watchdog: BUG: soft lockup - CPU stuck [insmod]',
      place: 'soft_lockup [provoke]',
      last: ' el0t_64_sync+0x18c/0x190',
    },
  ],
  'stack-guard.console.log': [
    {
      category: 'stack-overflow',
      title: 'Insufficient stack space to handle exception!',
      place: 'recurse [provoke]',
      panic: 'kernel stack overflow',
      last: 'Memory Limit: none',
    },
  ],
  'stack-protector.console.log': [
    {
      category: 'stack-protector',
      title:
        'Kernel panic - not syncing: stack-protector: Kernel stack is corrupted in: overflow_stack [provoke]',
      place: 'overflow_stack [provoke]',
      last: 'Memory Limit: none',
    },
  ],
  'sysrq.console.log': [
    {
      category: 'panic',
      title: 'Kernel panic - not syncing: sysrq triggered crash',
      last: 'Memory Limit: none',
    },
  ],
  'undefined.console.log': [
    {
      category: 'oops',
      title: 'Internal error: Oops - Undefined instruction: ADDR',
      place: 'undefined [provoke]',
      last: '---[ end trace 0000000000000000 ]---',
    },
  ],
  'use-after-free.console.log': [
    {
      category: 'slab',
      title: 'BUG provoke: Poison overwritten',
      place: 'use_after_free [provoke]',
      last: 'FIX provoke: Restoring Poison 0xffff518583aa4bda-0xffff518583aa4bda=0x6b',
    },
  ],
  'user-access.console.log': [
    {
      category: 'user-access',
      title: 'Unable to handle kernel access to user memory outside uaccess routines at virtual address ADDR',
      place: 'user_access [provoke]',
      last: '---[ end trace 0000000000000000 ]---',
    },
  ],
  'usercopy.console.log': [
    {
      category: 'usercopy',
      title:
        "usercopy: Kernel memory exposure attempt detected from SLUB object 'kmalloc-128' (offset 0, size 200)!",
      place: 'usercopy [provoke]',
      last: '---[ end trace 0000000000000000 ]---',
    },
    {
      category: 'warning',
      title: 'WARNING: at kernel/context_tracking.c:128 ct_kernel_exit.constprop.0',
      place: 'ct_kernel_exit.constprop.0',
      last: '---[ end trace 0000000000000000 ]---',
    },
  ],
  'warn-on.console.log': [
    {
      category: 'warning',
      title: 'WARNING: at provoke.c:35 warn_on [provoke]',
      place: 'warn_on [provoke]',
      last: '---[ end trace 0000000000000000 ]---',
    },
  ],
  'warn.console.log': [
    {
      category: 'warning',
      title: 'WARNING: at provoke.c:30 warn [provoke]',
      place: 'warn [provoke]',
      last: '---[ end trace 0000000000000000 ]---',
    },
  ],
  'warn.kmsg.log': [
    {
      category: 'warning',
      title: 'WARNING: at provoke.c:30 warn [provoke]',
      place: 'warn [provoke]',
      last: '---[ end trace 0000000000000000 ]---',
    },
  ],
};
