// SPDX-License-Identifier: MIT
/**
 * Announcements that the recorded kernel cannot make, written after the format in the kernel source that
 * is named, and lines that look like splats and are none.
 */
import type { Category } from '../../../../harness/kernel-log/splats.ts';

interface Documented {
  category: Category;
  /** File and function of the kernel that prints it. */
  source: string;
  lines: string[];
  title: string;
}

const rule = '='.repeat(66);
const trace = ['Call trace:', ' contigbuf_release+0x40/0x80 [contigbuf]', ' __fput+0x7c/0x250'];

export const documented: Documented[] = [
  {
    category: 'kasan',
    source: 'mm/kasan/report.c: print_error_description',
    lines: [
      rule,
      'BUG: KASAN: slab-use-after-free in contigbuf_release+0x40/0x80 [contigbuf]',
      'Write of size 4 at addr ffff00000a1b2c40 by task agent/311',
      '',
      ...trace,
      '',
      'Allocated by task 311:',
      ' kasan_save_stack+0x2c/0x54',
      '',
      'The buggy address belongs to the object at ffff00000a1b2c00',
      rule,
    ],
    title: 'BUG: KASAN: slab-use-after-free in contigbuf_release [contigbuf]',
  },
  {
    category: 'kmsan',
    source: 'mm/kmsan/report.c: kmsan_report',
    lines: [
      '='.repeat(53),
      'BUG: KMSAN: kernel-infoleak in _copy_to_user+0xbc/0x110',
      ...trace,
      '='.repeat(53),
    ],
    title: 'BUG: KMSAN: kernel-infoleak in _copy_to_user',
  },
  {
    category: 'kcsan',
    source: 'kernel/kcsan/report.c: print_report',
    lines: [rule, 'BUG: KCSAN: data-race in contigbuf_find / contigbuf_free', '', rule],
    title: 'BUG: KCSAN: data-race in contigbuf_find / contigbuf_free',
  },
  {
    category: 'kfence',
    source: 'mm/kfence/report.c: kfence_report_error',
    lines: [
      rule,
      'BUG: KFENCE: out-of-bounds read in contigbuf_info+0x5c/0xa0 [contigbuf]',
      '',
      ...trace,
      rule,
    ],
    title: 'BUG: KFENCE: out-of-bounds read in contigbuf_info [contigbuf]',
  },
  {
    category: 'ubsan',
    source: 'lib/ubsan.c: __ubsan_handle_shift_out_of_bounds, until 6.8',
    lines: [
      '='.repeat(80),
      'UBSAN: shift-out-of-bounds in buffer.c:30:12',
      'shift exponent 64 is too large',
      ...trace,
      '='.repeat(80),
    ],
    title: 'UBSAN: shift-out-of-bounds in buffer.c:30:12',
  },
  {
    category: 'ubsan',
    source: 'lib/ubsan.c: __ubsan_handle_out_of_bounds, since 6.9',
    lines: [
      '------------[ cut here ]------------',
      'UBSAN: array-index-out-of-bounds in buffer.c:30:12',
      'index 9 is out of range',
      ...trace,
      '---[ end trace ]---',
    ],
    title: 'UBSAN: array-index-out-of-bounds in buffer.c:30:12',
  },
  {
    category: 'dma-api',
    source: 'kernel/dma/debug.c: check_unmap through err_printk',
    lines: [
      '------------[ cut here ]------------',
      'DMA-API: contigbuf contigbuf.0: device driver frees DMA memory with different size [device address=0x0000000058000000] [map size=8192 bytes] [unmap size=4096 bytes]',
      'WARNING: CPU: 0 PID: 90 at kernel/dma/debug.c:1027 check_unmap+0x5f8/0x8b0',
      ...trace,
      '---[ end trace 0000000000000000 ]---',
    ],
    title:
      'DMA-API: contigbuf contigbuf.0: device driver frees DMA memory with different size [device address=ADDR] [map size=8192 bytes] [unmap size=4096 bytes]',
  },
  {
    category: 'leak',
    source: 'mm/kmemleak.c: kmemleak_scan',
    lines: ['kmemleak: 3 new suspected memory leaks (see /sys/kernel/debug/kmemleak)'],
    title: 'kmemleak: 3 new suspected memory leaks (see /sys/kernel/debug/kmemleak)',
  },
  {
    category: 'debug-objects',
    source: 'lib/debugobjects.c: debug_print_object',
    lines: [
      '------------[ cut here ]------------',
      'ODEBUG: free active (active state 0) object type: timer_list hint: contigbuf_timer+0x0/0x20 [contigbuf]',
      'WARNING: CPU: 0 PID: 90 at lib/debugobjects.c:514 debug_print_object+0x9c/0xd0',
      ...trace,
      '---[ end trace 0000000000000000 ]---',
    ],
    title: 'ODEBUG: free active (active state 0) object type: timer_list hint: contigbuf_timer [contigbuf]',
  },
  {
    category: 'kobject',
    source: 'lib/kobject.c: kobject_init',
    lines: [
      'kobject (ffff00000a1b2c40): tried to init an initialized object, something is seriously wrong.',
      ...trace,
    ],
    title: 'kobject (ADDR): tried to init an initialized object, something is seriously wrong.',
  },
  {
    category: 'kobject',
    source: 'lib/kobject.c: kobject_init, with a prefix',
    lines: [
      'kobject: kobject (ffff00000a1b2c40): tried to init an initialized object, something is seriously wrong.',
      ...trace,
    ],
    title: 'kobject: kobject (ADDR): tried to init an initialized object, something is seriously wrong.',
  },
  {
    category: 'kobject',
    source: 'lib/kobject.c: kobject_init, without a type',
    lines: ['kobject (ffff00000a1b2c40): must have a ktype to be initialized properly!', '', ...trace],
    title: 'kobject (ADDR): must have a ktype to be initialized properly!',
  },
  {
    category: 'kobject',
    source: 'lib/kobject.c: kobject_add',
    lines: [
      "kobject 'contigbuf' (ffff00000a1b2c40): tried to add an uninitialized object, something is seriously wrong.",
      ...trace,
    ],
    title: "kobject 'contigbuf' (ADDR): tried to add an uninitialized object, something is seriously wrong.",
  },
  {
    category: 'kobject',
    source: 'lib/kobject.c: kobject_put',
    lines: [
      '------------[ cut here ]------------',
      "kobject: 'contigbuf' (ffff00000a1b2c40): is not initialized, yet kobject_put() is being called.",
      'WARNING: CPU: 0 PID: 90 at lib/kobject.c:734 kobject_put+0x120/0x150',
      ...trace,
      '---[ end trace 0000000000000000 ]---',
    ],
    title: "kobject: 'contigbuf' (ADDR): is not initialized, yet kobject_put() is being called.",
  },
  {
    category: 'kobject',
    source: 'lib/kobject.c: kobject_add_internal, with a prefix',
    lines: ['kobject: kobject_add_internal failed for contigbuf (error: -2 parent: contigbuf.0)'],
    title: 'kobject: kobject_add_internal failed for contigbuf (error: -2 parent: contigbuf.0)',
  },
  {
    category: 'kobject',
    source: 'fs/sysfs/dir.c: sysfs_warn_dup, and kobject_add_internal with a prefix',
    lines: [
      "sysfs: cannot create duplicate filename '/devices/virtual/misc/contigbuf'",
      ...trace,
      "kobject: kobject_add_internal failed for contigbuf with -EEXIST, don't try to register things with the same name in the same directory.",
    ],
    title: "sysfs: cannot create duplicate filename '/devices/virtual/misc/contigbuf'",
  },
  {
    category: 'bad-page',
    source: 'mm/memory.c: print_bad_pte',
    lines: ['BUG: Bad page map in process agent  pte:00680000580f43 pmd:08000000481fb003', ...trace],
    title: 'BUG: Bad page map in process agent  pte:ADDR pmd:ADDR',
  },
  {
    category: 'page-tables',
    source: 'kernel/fork.c: check_mm',
    lines: ['BUG: Bad rss-counter state mm:00000000a7b1c2d3 type:MM_ANONPAGES val:1'],
    title: 'BUG: Bad rss-counter state mm:ADDR type:MM_ANONPAGES val:1',
  },
  {
    category: 'page-tables',
    source: 'mm/pgtable-generic.c: pmd_clear_bad, arm64',
    lines: ['mm/pgtable-generic.c:54: bad pmd 0068000048000f01.'],
    title: 'mm/pgtable-generic.c:54: bad pmd ADDR.',
  },
  {
    category: 'page-tables',
    source: 'mm/pgtable-generic.c: pud_clear_bad, x86',
    lines: ['mm/pgtable-generic.c:43: bad pud 00000000a7b1c2d3(80000000480000e7)'],
    title: 'mm/pgtable-generic.c:43: bad pud ADDR(ADDR)',
  },
  {
    category: 'page-tables',
    source: 'mm/pgtable-generic.c: p4d_clear_bad, x86',
    lines: ['mm/pgtable-generic.c:34: bad p4d 00000000a7b1c2d3(80000000480000e7)'],
    title: 'mm/pgtable-generic.c:34: bad p4d ADDR(ADDR)',
  },
  {
    category: 'page-tables',
    source: 'arch/arm/mm/fault.c: __pgd_error, through pgd_clear_bad',
    lines: ['mm/pgtable-generic.c:26: bad pgd 4800001f.'],
    title: 'mm/pgtable-generic.c:26: bad pgd ADDR.',
  },
  {
    category: 'page-tables',
    source: 'mm/page_table_check.c: page_table_check_set, through BUG_ON',
    lines: [
      '------------[ cut here ]------------',
      'kernel BUG at mm/page_table_check.c:119!',
      'Internal error: Oops - BUG: 00000000f2000800 [#1] SMP',
      ...trace,
      '---[ end trace 0000000000000000 ]---',
    ],
    title: 'kernel BUG at mm/page_table_check.c:119!',
  },
  {
    category: 'lockdep',
    source: 'kernel/locking/lockdep.c: print_circular_bug_header',
    lines: [
      '='.repeat(54),
      'WARNING: possible circular locking dependency detected',
      '6.12.0 #1 Tainted: G           O',
      '-'.repeat(54),
      'agent/90 is trying to acquire lock:',
      ...trace,
    ],
    title: 'WARNING: possible circular locking dependency detected',
  },
  {
    category: 'lockdep',
    source: 'kernel/locking/lockdep.c: print_bad_irq_dependency',
    lines: ['='.repeat(54), 'WARNING: HARDIRQ-safe -> HARDIRQ-unsafe lock order detected', ...trace],
    title: 'WARNING: HARDIRQ-safe -> HARDIRQ-unsafe lock order detected',
  },
  {
    category: 'lockdep',
    source: 'kernel/locking/lockdep.c: assign_lock_key',
    lines: [
      'INFO: trying to register non-static key.',
      'The code is fine but needs lockdep annotation, or maybe',
      "you didn't initialize this object before use?",
      'turning off the locking correctness validator.',
      ...trace,
    ],
    title: 'INFO: trying to register non-static key.',
  },
  {
    category: 'lockdep',
    source: 'kernel/locking/lockdep.c: print_lock_nested_lock_not_held',
    lines: ['='.repeat(34), 'WARNING: Nested lock was not taken', ...trace],
    title: 'WARNING: Nested lock was not taken',
  },
  {
    category: 'lockdep',
    source: 'kernel/locking/lockdep.c: print_lock_contention_bug',
    lines: ['='.repeat(33), 'WARNING: bad contention detected!', ...trace],
    title: 'WARNING: bad contention detected!',
  },
  {
    category: 'lock-held',
    source: 'kernel/locking/lockdep.c: print_held_locks_bug',
    lines: ['='.repeat(36), 'WARNING: agent/90 still has locks held!', ...trace],
    title: 'WARNING: agent still has locks held!',
  },
  {
    category: 'lock-held',
    source: 'kernel/locking/lockdep.c: lockdep_sys_exit',
    lines: ['='.repeat(54), 'WARNING: lock held when returning to user space!', ...trace],
    title: 'WARNING: lock held when returning to user space!',
  },
  {
    category: 'spinlock',
    source: 'kernel/locking/spinlock_debug.c: spin_dump',
    lines: ['BUG: spinlock bad magic on CPU#1, agent/90', ...trace],
    title: 'BUG: spinlock bad magic on CPU, agent/90',
  },
  {
    category: 'atomic-sleep',
    source: 'kernel/sched/core.c: __might_resched',
    lines: ['BUG: sleeping function called from invalid context at mm/page_alloc.c:5200', ...trace],
    title: 'BUG: sleeping function called from invalid context at mm/page_alloc.c:5200',
  },
  {
    category: 'rcu-usage',
    source: 'kernel/locking/lockdep.c: lockdep_rcu_suspicious',
    lines: ['='.repeat(29), 'WARNING: suspicious RCU usage', ...trace],
    title: 'WARNING: suspicious RCU usage',
  },
  {
    category: 'rcu-stall',
    source: 'kernel/rcu/tree_exp.h: synchronize_rcu_expedited_wait',
    lines: [
      'rcu: INFO: rcu_preempt detected expedited stalls on CPUs/tasks: { 1-.... } 21003 jiffies s: 57',
      ...trace,
    ],
    title: 'rcu: INFO: rcu_preempt detected expedited stalls on CPUs/tasks: { 1-.... } 21003 jiffies s: 57',
  },
  {
    category: 'hard-lockup',
    source: 'kernel/watchdog.c: watchdog_hardlockup_check',
    lines: ['watchdog: Watchdog detected hard LOCKUP on cpu 1', ...trace],
    title: 'watchdog: Watchdog detected hard LOCKUP',
  },
  {
    category: 'hard-lockup',
    source: 'kernel/watchdog.c: watchdog_hardlockup_check, with who noticed',
    lines: ['watchdog: CPU3: Watchdog detected hard LOCKUP on cpu 3', ...trace],
    title: 'watchdog: Watchdog detected hard LOCKUP',
  },
  {
    category: 'workqueue',
    source: 'kernel/workqueue.c: wq_watchdog_timer_fn',
    lines: ['BUG: workqueue lockup - pool cpus=0 node=0 flags=0x0 nice=0 stuck for 43s!'],
    title: 'BUG: workqueue lockup - pool cpus=0 node=0 flags=0x0 nice=0 stuck',
  },
  {
    category: 'null-dereference',
    source: 'arch/x86/mm/fault.c: show_fault_oops',
    lines: [
      'BUG: kernel NULL pointer dereference, address: 0000000000000008',
      '#PF: supervisor write access in kernel mode',
      'Oops: 0002 [#1] PREEMPT SMP PTI',
      'RIP: 0010:contigbuf_release+0x12/0x40 [contigbuf]',
      'Call Trace:',
      ' <TASK>',
      ' __fput+0x8c/0x250',
      ' </TASK>',
      '---[ end trace 0000000000000000 ]---',
    ],
    title: 'BUG: kernel NULL pointer dereference, address: ADDR',
  },
  {
    category: 'null-dereference',
    source: 'arch/arm/mm/fault.c: die_kernel_fault',
    lines: [
      '8<--- cut here ---',
      'Unable to handle kernel NULL pointer dereference at virtual address 00000008 when write',
      'Internal error: Oops: 805 [#1] SMP ARM',
      'PC is at contigbuf_release+0x10/0x30 [contigbuf]',
      ' contigbuf_release from __fput+0x8c/0x250',
      '---[ end trace 0000000000000000 ]---',
    ],
    title: 'Unable to handle kernel NULL pointer dereference at virtual address ADDR when write',
  },
  {
    category: 'paging',
    source: 'arch/x86/mm/fault.c: show_fault_oops',
    lines: [
      'BUG: unable to handle page fault for address: ffffdead00000000',
      'Oops: 0002 [#1] PREEMPT SMP PTI',
      ...trace,
    ],
    title: 'BUG: unable to handle page fault for address: ADDR',
  },
  {
    category: 'protection-fault',
    source: 'arch/x86/kernel/traps.c: exc_general_protection',
    lines: [
      'general protection fault, probably for non-canonical address 0xdead000000000100: 0000 [#1] PREEMPT SMP',
      ...trace,
    ],
    title: 'general protection fault, probably for non-canonical address ADDR: 0000',
  },
  {
    category: 'bug',
    source: 'arch/x86/kernel/traps.c: a BUG() is an invalid opcode there',
    lines: [
      '------------[ cut here ]------------',
      'kernel BUG at buffer.c:40!',
      'invalid opcode: 0000 [#1] PREEMPT SMP',
      ...trace,
      '---[ end trace 0000000000000000 ]---',
    ],
    title: 'kernel BUG at buffer.c:40!',
  },
  {
    category: 'stack-overflow',
    source: 'arch/x86/kernel/traps.c: handle_stack_overflow',
    lines: [
      'BUG: TASK stack guard page was hit at 00000000c1b2a3d4 (stack is 0000000011223344..0000000055667788)',
      ...trace,
    ],
    title: 'BUG: TASK stack guard page was hit at ADDR (stack is ADDR..ADDR)',
  },
  {
    category: 'warning',
    source: 'kernel/panic.c: __warn, since 6.17',
    lines: [
      '------------[ cut here ]------------',
      'WARNING: buffer.c:35 at contigbuf_release+0x20/0x30 [contigbuf], CPU#1: agent/90',
      ...trace,
      '---[ end trace 0000000000000000 ]---',
    ],
    title: 'WARNING: buffer.c:35 at contigbuf_release [contigbuf], CPU: agent/90',
  },
  {
    category: 'memory-type',
    source: 'arch/x86/mm/pat/memtype.c: reserve_pfn_range',
    lines: [
      'x86/PAT: agent:311 map pfn RAM range req write-combining for [mem 0x58000000-0x58000fff], got write-back',
    ],
    title: 'x86/PAT: agent map pfn RAM range req write-combining for [mem ADDR-ADDR], got write-back',
  },
  {
    category: 'bug-other',
    source: 'fs/dcache.c: umount_check',
    lines: ['BUG: Dentry 00000000a7b1c2d3{i=1,n=x}  still in use (1) [unmount of tmpfs tmpfs]'],
    title: 'BUG: Dentry ADDR{i=1,n=x}  still in use (1) [unmount of tmpfs tmpfs]',
  },
];

/** Lines that are no splats, with where they come from. */
export const lookalikes: readonly (readonly [source: string, line: string])[] = [
  ['kernel/dma/debug.c: dma_debug_init', 'DMA-API: preallocated 65536 debug entries'],
  ['kernel/dma/debug.c: dma_debug_init', 'DMA-API: debugging enabled by kernel config'],
  ['kernel/dma/debug.c: dma_debug_cmdline', 'DMA-API: debugging disabled on kernel command line'],
  ['arch/x86/mm/pat/memtype.c: pat_bp_init', 'x86/PAT: Configuration [0-7]: WB  WC  UC- UC  WB  WP  UC- WT'],
  [
    'kernel/watchdog.c: lockup_detector_init',
    'NMI watchdog: Enabled. Permanently consumes one hw-PMU counter.',
  ],
  [
    'lib/kobject.c: kobject_add_internal, without memory',
    'kobject_add_internal failed for contigbuf (error: -12 parent: contigbuf.0)',
  ],
  [
    'lib/kobject.c: kobject_add_internal, without memory, with a prefix',
    'kobject: kobject_add_internal failed for contigbuf (error: -12 parent: contigbuf.0)',
  ],
  [
    'lib/kobject.c: kobject_add_internal, with its pr_debug()',
    "kobject: 'contigbuf' (ffff00000a1b2c40): kobject_add_internal: parent: 'misc', set: 'devices'",
  ],
  [
    'lib/kobject.c: kobject_cleanup, with its pr_debug()',
    "kobject: 'contigbuf' (ffff00000a1b2c40): calling ktype release",
  ],
  ['kernel/watchdog.c: watchdog_nmi_probe', 'watchdog: NMI not fully supported'],
  ['kernel/watchdog_perf.c', 'NMI watchdog: Perf NMI watchdog permanently disabled'],
  [
    'kernel/rcu/tree_stall.h',
    'rcu: INFO: rcu_sched self-detected stall on CPU, stall ended before state dump',
  ],
  ['kernel/locking/lockdep.c', 'BUG: MAX_LOCKDEP_ENTRIES too low!'],
  ['kernel/locking/lockdep.c: debug_locks_off', 'INFO: lockdep is turned off.'],
  ['arch/x86/kernel/nmi.c', 'INFO: NMI handler (perf_event_nmi_handler) took too long to run: 1.234 msecs'],
  [
    'arch/x86/kernel/traps.c, from user space',
    'traps: agent[90] general protection fault ip:401136 sp:7ffd error:0 in agent[401000+1000]',
  ],
  [
    'arch/x86/mm/fault.c, from user space',
    'agent[90]: segfault at 10 ip 0000000000401114 sp 00007ffd error 6 in agent[401000+1000]',
  ],
  ['arch/arm/mm/fault.c, from user space', 'Unhandled fault: page domain fault (0x01b) at 0xb6f00000'],
  [
    'arch/arm/mm/alignment.c, from user space',
    'Alignment trap: agent (90) PC=0x00010400 Instr=0xe5921000 Address=0xb6f00001 FSR 0x001',
  ],
  [
    'arch/x86/kernel/cpu/bugs.c',
    'WARNING: Spectre v2 mitigation leaves CPU vulnerable to RETBleed attacks, data leaks possible!',
  ],
  [
    'mm/kfence/core.c: kfence_init_enable',
    'kfence: initialized - using 2097152 bytes for 255 objects at 0x(____ptrval____)',
  ],
  [
    'mm/kmemleak.c: kmemleak_late_init',
    'kmemleak: Kernel memory leak detector initialized (mem pool available: 15678)',
  ],
  ['arch/arm64/mm/kasan_init.c', 'KernelAddressSanitizer initialized (generic)'],
  ['kernel/module/main.c', 'contigbuf: loading out-of-tree module taints kernel.'],
  ['drivers/tty/sysrq.c', 'sysrq: Trigger a crash'],
  ['lib/debugobjects.c', 'ODEBUG: selftest passed'],
  ['kernel/hung_task.c, the sysctl', 'INFO: task blocked for more than what the sysctl says is reported'],
];
