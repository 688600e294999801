// SPDX-License-Identifier: MIT
/**
 * The table of splats: how the kernel announces that something is wrong, in its own categories. This
 * is the single place to extend; a row comes with a log in tests/selftest/data/kernel-log.
 *
 * A report may contain several of these lines (a list corruption is announced, then there is a `kernel
 * BUG at`, then an `Internal error`): rows are ordered from the specific to the general, and the first
 * row that matches a line of the report names its category.
 */

export type Category =
  | 'kasan'
  | 'kmsan'
  | 'kcsan'
  | 'kfence'
  | 'ubsan'
  | 'dma-api'
  | 'slab'
  | 'leak'
  | 'list-corruption'
  | 'refcount'
  | 'usercopy'
  | 'fortify'
  | 'debug-objects'
  | 'kobject'
  | 'bad-page'
  | 'page-tables'
  | 'lockdep'
  | 'lock-held'
  | 'spinlock'
  | 'atomic-sleep'
  | 'rcu-usage'
  | 'rcu-stall'
  | 'soft-lockup'
  | 'hard-lockup'
  | 'workqueue'
  | 'hung-task'
  | 'null-dereference'
  | 'user-access'
  | 'paging'
  | 'protection-fault'
  | 'stack-overflow'
  | 'stack-protector'
  | 'bug'
  | 'oops'
  | 'warning'
  | 'memory-type'
  | 'panic'
  | 'bug-other'
  | 'unexpected-reboot';

/** Where a report ends. */
export type Extent =
  /** With its own line. */
  | 'line'
  /** With its back trace, or the line that marks the trace's end. */
  | 'trace'
  /** With the next line of equals signs. */
  | 'ruled';

export interface SplatRow {
  category: Category;
  /** Matches the announcing line from its first character on. */
  pattern: RegExp;
  /** What this row tells apart from the rows below it. */
  tells: string;
  /** Lines that look like it and are not: matched before the pattern. */
  except?: RegExp;
  /** `trace` unless given. */
  extent?: Extent;
  /** Always the last words of something reported before it; starts a report only if nothing was. */
  secondary?: boolean;
}

export const splatRows: readonly SplatRow[] = [
  // Memory checkers: mm/kasan/report.c, mm/kmsan/report.c, kernel/kcsan/report.c, mm/kfence/report.c, lib/ubsan.c
  { category: 'kasan', pattern: /^BUG: KASAN: /, tells: 'bad access, found by KASAN', extent: 'ruled' },
  { category: 'kmsan', pattern: /^BUG: KMSAN: /, tells: 'use of uninitialized memory', extent: 'ruled' },
  { category: 'kcsan', pattern: /^BUG: KCSAN: /, tells: 'data race', extent: 'ruled' },
  { category: 'kfence', pattern: /^BUG: KFENCE: /, tells: 'bad access, found by KFENCE', extent: 'ruled' },
  { category: 'ubsan', pattern: /^UBSAN: /, tells: 'undefined behaviour', extent: 'ruled' },
  // kernel/dma/debug.c
  {
    category: 'dma-api',
    // A complaint names driver and device; what the checker says about itself does not.
    pattern: /^DMA-API: (\S+ \S+: |exceeded \d+ overlapping mappings)/,
    tells: 'a driver breaks the rules of the DMA API',
  },
  // mm/slub.c
  {
    category: 'slab',
    pattern: /^BUG [\w.:-]+ \((Tainted|Not tainted)/,
    tells: 'damaged or leaked slab objects: red zone, poison, double free, objects remaining at shutdown',
  },
  // mm/kmemleak.c
  {
    category: 'leak',
    pattern: /^(kmemleak: \d+ new suspected memory leaks|BUG: memory leak)/,
    tells: 'memory nobody points to any more',
    extent: 'line',
  },
  // lib/list_debug.c, lib/refcount.c, mm/usercopy.c and mm/maccess.c, lib/string_helpers.c, lib/debugobjects.c
  {
    category: 'list-corruption',
    pattern: /^list_(add|del)(_tail)?( double add| corruption)/,
    tells: 'a list entry added twice, removed twice, or overwritten',
  },
  { category: 'refcount', pattern: /^refcount_t: /, tells: 'a reference count went below zero or saturated' },
  {
    category: 'usercopy',
    pattern: /^(usercopy: Kernel memory (exposure|overwrite) attempt|Buffer overflow detected \()/,
    tells: 'a copy to or from user space leaves its object',
  },
  {
    category: 'fortify',
    pattern: /^(detected buffer overflow in|memcpy: detected field-spanning write)/,
    tells: 'a string function writes past its buffer',
  },
  {
    category: 'debug-objects',
    pattern: /^ODEBUG: /,
    except: /^ODEBUG: (selftest|\d+ of)/,
    tells: 'life cycle of a timer or work',
  },
  // lib/kobject.c, fs/sysfs/dir.c
  {
    category: 'kobject',
    pattern:
      // Newer kernels put `kobject: ` before what begins with that word already.
      /^(sysfs: cannot create duplicate filename|(kobject: )?kobject:? ('.*' )?\(\S+\): (tried to|is not initialized|must have a ktype|invalid kobject))/,
    tells: 'a device or object registered twice or not initialized',
  },
  {
    category: 'kobject',
    pattern: /^(kobject: )?kobject_add_internal failed /,
    // -ENOMEM: there was no memory for it, which is no mistake.
    except: /\(error: -12 /,
    tells: 'a device or object that could not be registered',
    extent: 'line',
  },
  // mm/page_alloc.c, mm/memory.c, mm/page_table_check.c, kernel/fork.c
  {
    category: 'bad-page',
    pattern: /^BUG: Bad page (state|map|cache)/,
    tells: 'a page freed or mapped while its bookkeeping says otherwise',
  },
  {
    category: 'page-tables',
    pattern: /^BUG: (non-zero pgtables_bytes on freeing mm|Bad rss-counter state)/,
    tells: 'page tables or pages left over when an address space went',
    extent: 'line',
  },
  // mm/pgtable-generic.c prints what each architecture's asm/pgtable.h says
  {
    category: 'page-tables',
    pattern: /^\S+:\d+: bad (pgd|p4d|pud|pmd)\b/,
    tells: 'an entry of the page tables that is none',
    extent: 'line',
  },
  {
    category: 'page-tables',
    pattern: /^kernel BUG at .*page_table_check\.c/,
    tells: 'a page mapped in two incompatible ways',
  },
  // kernel/locking/lockdep.c, lib/debug_locks.c, kernel/locking/spinlock_debug.c
  {
    category: 'lockdep',
    pattern:
      /^(WARNING: (possible (circular|recursive) locking|possible irq lock inversion|inconsistent lock state|.*-(safe|unsafe).* lock order detected|bad (unlock balance|contention)|held lock freed|Nested lock was not taken)|\[ BUG: |INFO: (possible|inconsistent|trying to register non-static key))/,
    tells: 'an order of locks that can deadlock, or a lock that is not used as one',
  },
  {
    category: 'lock-held',
    pattern:
      /^(WARNING: lock held when returning to user space|(WARNING|BUG): .* still has locks held!|INFO: lockdep .* still holding)/,
    tells: 'a lock not given back',
  },
  {
    category: 'spinlock',
    pattern: /^BUG: (spinlock|rwlock|rt_spin_lock)/,
    tells: 'a spinlock taken twice, released by another, or never initialized',
  },
  // kernel/sched/core.c, lib/smp_processor_id.c
  {
    category: 'atomic-sleep',
    pattern:
      /^(BUG: (scheduling while atomic|sleeping function called from invalid context|using .* in preemptible|workqueue leaked)|bad: scheduling from the idle thread)/,
    tells: 'sleeping where it is not allowed',
  },
  { category: 'rcu-usage', pattern: /^WARNING: suspicious RCU usage/, tells: 'RCU used without its lock' },
  // kernel/rcu/tree_stall.h, kernel/watchdog.c, kernel/workqueue.c, kernel/hung_task.c
  {
    category: 'rcu-stall',
    pattern:
      /^rcu: INFO: rcu_\w+ (self-detected stall|detected (expedited )?stalls?)|^INFO: rcu_\w+ (self-detected|detected)/,
    except: /stall ended before state dump/,
    tells: 'a CPU that never came to rest',
  },
  {
    category: 'soft-lockup',
    pattern: /^(watchdog: )?BUG: soft lockup/,
    tells: 'a CPU that does not schedule',
  },
  {
    category: 'hard-lockup',
    pattern: /^(NMI )?[Ww]atchdog: ((CPU\d+: )?Watchdog detected hard LOCKUP|BUG: hard)/,
    tells: 'a CPU that does not take interrupts',
  },
  {
    category: 'workqueue',
    pattern: /^BUG: workqueue lockup/,
    tells: 'work that is never run',
    extent: 'line',
  },
  {
    category: 'hung-task',
    pattern: /^INFO: task \S+:\d+ (blocked|is blocked)|^INFO: task \S+ (can't die|blocked)/,
    tells: 'a task that waits and cannot be killed',
  },
  // arch/*/mm/fault.c, arch/*/kernel/traps.c
  {
    category: 'null-dereference',
    pattern: /^(Unable to handle kernel NULL pointer dereference|BUG: kernel NULL pointer dereference)/,
    tells: 'access near address zero',
  },
  {
    category: 'user-access',
    pattern:
      /^(Unable to handle kernel access to user memory|Unable to handle kernel .*user|Accessing user space memory outside uaccess)/,
    tells: 'a user address used without copy_to_user() or its like',
  },
  {
    category: 'paging',
    pattern: /^(Unable to handle kernel|BUG: unable to handle|Unhandled prefetch abort)/,
    tells: 'access to an address that is not mapped, or not that way',
  },
  // kernel/panic.c, arch/arm64/kernel/traps.c, arch/x86/kernel/traps.c
  {
    category: 'stack-protector',
    pattern: /^Kernel panic - not syncing: stack-protector: /,
    tells: 'a local variable overflowed',
  },
  {
    category: 'stack-overflow',
    pattern:
      /^(Insufficient stack space to handle exception|BUG: (.* )?stack guard page was hit|Kernel panic - not syncing: (kernel stack overflow|corrupted stack end)|PANIC: double fault)/,
    tells: 'the kernel stack is used up',
  },
  { category: 'bug', pattern: /^[Kk]ernel BUG at /, tells: 'BUG() in the source' },
  {
    category: 'protection-fault',
    pattern: /^(general protection fault|stack segment|divide error|invalid opcode|int3)[,:] /,
    except: /\b(ip|sp):[0-9a-f]+ .*error:/,
    tells: 'an x86 exception in the kernel',
  },
  {
    category: 'oops',
    pattern: /^(Internal error: |Oops(: | \[))/,
    tells: 'any other exception in the kernel',
  },
  // arch/x86/mm/pat/memtype.c
  {
    category: 'memory-type',
    pattern: /^x86\/PAT: .*(got|conflicting memory types|invalid memory type|freeing invalid memtype)/,
    tells: 'one page of memory mapped with two cache attributes',
    extent: 'line',
  },
  // kernel/panic.c: after the ones above that come inside a warning
  {
    category: 'warning',
    // The second form since 6.17.
    pattern: /^WARNING: (CPU: \d+ PID: \d+ at |\S+:\d+ at )/,
    tells: 'WARN() in the source',
  },
  {
    category: 'panic',
    pattern: /^Kernel panic - not syncing: /,
    tells: 'the kernel gave up',
    secondary: true,
  },
  // Whatever else the kernel calls a bug.
  {
    category: 'bug-other',
    pattern: /^BUG: /,
    // lockdep ran out of its own tables: it is off from here on, nothing else is wrong.
    except: /^BUG: MAX_\w+ too low/,
    tells: 'a BUG: message without a row of its own',
  },
  // init/main.c, arch/*/kernel/setup.c: seen again after the log began
  {
    category: 'unexpected-reboot',
    pattern: /^(Booting Linux on physical CPU 0x|Linux version \d)/,
    tells: 'the machine started again',
    extent: 'line',
  },
];

/**
 * Panics that only tell that the report before them was grave enough, by its place or by a setting. Any other
 * panic has a reason of its own.
 */
export const panicsByReport: readonly RegExp[] = [
  // arch/*/kernel/traps.c: die(), and arm64's panic_bad_stack()
  /(^|: )Fatal exception( in interrupt)?$/,
  /^kernel stack overflow$/,
  // kernel/exit.c: make_task_dead(), which only an oops calls
  /^(Aiee, killing interrupt handler!|Attempted to kill the idle task!|Oopsed too often )/,
  // kernel/panic.c, mm/kasan/report.c, mm/kmsan/report.c
  /(^|: )(panic_on_warn|kasan\.fault=\w+|kmsan\.panic) set \.\.\./,
  /: system warned too often /,
  // kernel/watchdog.c, kernel/hung_task.c, kernel/rcu/tree_stall.h
  /^(softlockup: hung tasks|Hard LOCKUP|hung_task: blocked tasks|RCU Stall)/,
];
