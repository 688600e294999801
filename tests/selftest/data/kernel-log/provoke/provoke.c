// SPDX-License-Identifier: GPL-2.0
/*
 * Breaks the kernel in one chosen way when it is loaded, so that the decoder of kernel logs can be
 * tested on logs that a kernel really wrote. For a guest that may be lost; never for a board.
 *
 *	insmod provoke.ko how=null
 */
#include <linux/delay.h>
#include <linux/dma-mapping.h>
#include <linux/highmem.h>
#include <linux/kthread.h>
#include <linux/list.h>
#include <linux/mman.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/platform_device.h>
#include <linux/rcupdate.h>
#include <linux/refcount.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/timer.h>
#include <linux/uaccess.h>
#include <linux/workqueue.h>

static char *how = "";
module_param(how, charp, 0444);

static void warn(void)
{
	WARN(1, "provoke: told to warn\n");
}

static void warn_on(void)
{
	WARN_ON(1);
}

static void bug(void)
{
	BUG();
}

static void null(void)
{
	*(int volatile *)8 = 1;
}

static void paging(void)
{
	*(int volatile *)0xffff0dead0000000 = 1;
}

/* Privileged access never: a user pointer used without get_user(). */
static void user_access(void)
{
	unsigned long address = vm_mmap(NULL, 0, PAGE_SIZE, PROT_READ | PROT_WRITE,
					MAP_ANONYMOUS | MAP_PRIVATE | MAP_POPULATE, 0);

	pr_info("provoke: user page at %lx\n", address);
	*(int volatile *)address = 1;
}

static void undefined(void)
{
	asm volatile(".inst 0x00000000");
}

/* Seconds of a busy loop that never gives the CPU up. */
static void spin(unsigned int seconds)
{
	u64 end = ktime_get_ns() + (u64)seconds * NSEC_PER_SEC;

	while (ktime_get_ns() < end)
		cpu_relax();
}

static void soft_lockup(void)
{
	preempt_disable();
	spin(12);
	preempt_enable();
}

static void rcu_stall(void)
{
	rcu_read_lock();
	preempt_disable();
	spin(12);
	preempt_enable();
	rcu_read_unlock();
}

static int sleeper(void *unused)
{
	set_current_state(TASK_UNINTERRUPTIBLE);
	schedule_timeout(60 * HZ);
	return 0;
}

static void hung_task(void)
{
	kthread_run(sleeper, NULL, "provoke_sleeper");
	ssleep(18);
}

static void panic_now(void)
{
	panic("provoke: told to panic");
}

static void list(void)
{
	static struct list_head head = LIST_HEAD_INIT(head);
	static struct list_head entry;

	list_add(&entry, &head);
	list_del(&entry);
	list_del(&entry);
}

static void refcount(void)
{
	refcount_t count = REFCOUNT_INIT(1);

	while (!refcount_dec_and_test(&count))
		;
	if (refcount_dec_and_test(&count))
		pr_info("provoke: zero again\n");
}

static void usercopy(void)
{
	char *object = kmalloc(128, GFP_KERNEL);
	unsigned long address = vm_mmap(NULL, 0, PAGE_SIZE, PROT_READ | PROT_WRITE,
					MAP_ANONYMOUS | MAP_PRIVATE, 0);
	unsigned long volatile length = 200;

	OPTIMIZER_HIDE_VAR(object);	/* or the compiler's own check speaks */
	if (copy_to_user((void __user *)address, object, length))
		pr_info("provoke: not copied\n");
	kfree(object);
}

static noinline void overflow_stack(void)
{
	char buffer[16];
	char *end = buffer;

	OPTIMIZER_HIDE_VAR(end);	/* or memset() itself is checked */
	memset(end, 0x41, 40);
	OPTIMIZER_HIDE_VAR(end);
}

static void fortify(void)
{
	char buffer[16];
	unsigned long volatile length = 64;

	memset(buffer, 0x41, length);
}

static noinline int recurse(int depth)
{
	char volatile space[512];

	space[depth % 512] = depth;
	return space[0] + recurse(depth + 1) + space[1];
}

static void exhaust_stack(void)
{
	pr_info("provoke: %d\n", recurse(0));
}

static void sleep_in_timer(struct timer_list *unused)
{
	msleep(20);
}

static DEFINE_TIMER(timer, sleep_in_timer);

static void atomic(void)
{
	mod_timer(&timer, jiffies + 1);
	msleep(500);
}

static void bad_page(void)
{
	struct page *page = alloc_pages(GFP_KERNEL, 5);

	page[3].mapping = (void *)0x8;
	__free_pages(page, 5);
}

static void page_tables(void)
{
	mm_inc_nr_ptes(current->mm);
}

static void redzone(void)
{
	char *object = kmalloc(128, GFP_KERNEL);

	OPTIMIZER_HIDE_VAR(object);
	object[128] = 0x41;
	kfree(object);
}

static void double_free(void)
{
	char *object = kmalloc(64, GFP_KERNEL);

	kfree(object);
	kfree(object);
}

static void use_after_free(void)
{
	struct kmem_cache *cache = kmem_cache_create("provoke", 200, 0, SLAB_POISON | SLAB_RED_ZONE, NULL);
	char *object = kmem_cache_alloc(cache, GFP_KERNEL);

	kmem_cache_free(cache, object);
	object[10] = 0x41;
	kmem_cache_shrink(cache);
	kmem_cache_destroy(cache);
}

static void cache_leak(void)
{
	struct kmem_cache *cache = kmem_cache_create("provoke", 200, 0, 0, NULL);

	kmem_cache_alloc(cache, GFP_KERNEL);
	kmem_cache_destroy(cache);
}

static struct miscdevice first = { .minor = MISC_DYNAMIC_MINOR, .name = "provoke" };
static struct miscdevice second = { .minor = MISC_DYNAMIC_MINOR, .name = "provoke" };

static void duplicate(void)
{
	if (misc_register(&first))
		return;
	if (!misc_register(&second))
		misc_deregister(&second);
	misc_deregister(&first);
}

/* Not splats: an allocation that may fail and says so. */
static void page_allocation(void)
{
	struct page *page = alloc_pages(GFP_KERNEL, 10);
	int count = 0;

	for (; page; count++)
		page = alloc_pages(GFP_KERNEL | __GFP_NORETRY, 10);
	pr_info("provoke: %d allocated\n", count);
}

static void page_order(void)
{
	struct page *page = alloc_pages(GFP_KERNEL, 15);

	pr_info("provoke: %s\n", page ? "allocated" : "not allocated");
}

static void cma(void)
{
	struct platform_device *device = platform_device_register_simple("provoke", -1, NULL, 0);
	dma_addr_t address;

	dma_set_mask_and_coherent(&device->dev, DMA_BIT_MASK(64));
	pr_info("provoke: %p\n", dma_alloc_coherent(&device->dev, 256 << 20, &address, GFP_KERNEL));
	platform_device_unregister(device);
}

static void bug_other(void)
{
	pr_alert("BUG: provoke was told to say so\n");
}

/* What follows needs a kernel that looks for it: KASAN, UBSAN, lockdep, DMA_API_DEBUG, ... */

static void write_after_free(void)
{
	char *object = kmalloc(64, GFP_KERNEL);

	OPTIMIZER_HIDE_VAR(object);
	kfree(object);
	*(volatile char *)(object + 8) = 0x41;
}

static void shift(void)
{
	int volatile bits = 40;

	pr_info("provoke: %d\n", 1 << bits);
}

static DEFINE_MUTEX(one);
static DEFINE_MUTEX(other);

static void lock_order(void)
{
	mutex_lock(&one);
	mutex_lock(&other);
	mutex_unlock(&other);
	mutex_unlock(&one);
	mutex_lock(&other);
	mutex_lock(&one);
	mutex_unlock(&one);
	mutex_unlock(&other);
}

static void keep_lock(void)
{
	mutex_lock(&one);
}

static DEFINE_SPINLOCK(spin_lock_here);

static void bad_spinlock(void)
{
#ifdef CONFIG_DEBUG_SPINLOCK
	spin_lock_here.rlock.magic = 0;
#endif
	spin_lock(&spin_lock_here);
	spin_unlock(&spin_lock_here);
}

static void sleep_in_spinlock(void)
{
	spin_lock(&spin_lock_here);
	mutex_lock(&one);
	mutex_unlock(&one);
	spin_unlock(&spin_lock_here);
}

static int __rcu *protected;

static void rcu_usage(void)
{
	pr_info("provoke: %p\n", rcu_dereference(protected));
}

static struct timer_list twice;

static void timer_twice(void)
{
	timer_setup(&twice, NULL, 0);
	mod_timer(&twice, jiffies + 100 * HZ);
	timer_setup(&twice, NULL, 0);
}

static void dma_twice(void)
{
	struct platform_device *device = platform_device_register_simple("provoke", -1, NULL, 0);
	void *memory = kmalloc(PAGE_SIZE, GFP_KERNEL);
	dma_addr_t address;

	dma_set_mask_and_coherent(&device->dev, DMA_BIT_MASK(64));
	address = dma_map_single(&device->dev, memory, PAGE_SIZE, DMA_TO_DEVICE);
	dma_unmap_single(&device->dev, address, PAGE_SIZE, DMA_TO_DEVICE);
	dma_unmap_single(&device->dev, address, PAGE_SIZE, DMA_TO_DEVICE);
	platform_device_unregister(device);
	kfree(memory);
}

/* Several, since a register or the stack may by chance still hold the last one's address. */
static void lose_memory(void)
{
	void *memory;
	int i;

	for (i = 0; i < 10; i++) {
		memory = kmalloc(300, GFP_KERNEL);
		OPTIMIZER_HIDE_VAR(memory);
	}
}

static void spin_in_work(struct work_struct *unused)
{
	spin(12);
}

static void nothing(struct work_struct *unused)
{
}

static DECLARE_WORK(long_work, spin_in_work);
static DECLARE_WORK(waiting_work, nothing);

static void busy_workqueue(void)
{
	schedule_work_on(1, &long_work);
	msleep(100);
	schedule_work_on(1, &waiting_work);
	flush_work(&waiting_work);
}

static const struct {
	const char *how;
	void (*provoke)(void);
} ways[] = {
	{ "warn", warn },	    { "warn-on", warn_on },
	{ "bug", bug },		    { "null", null },
	{ "paging", paging },	    { "user-access", user_access },
	{ "undefined", undefined }, { "soft-lockup", soft_lockup },
	{ "rcu-stall", rcu_stall }, { "hung-task", hung_task },
	{ "panic", panic_now },	    { "list", list },
	{ "refcount", refcount },   { "usercopy", usercopy },
	{ "stack-protector", overflow_stack },
	{ "stack-guard", exhaust_stack },
	{ "atomic", atomic },	    { "bad-page", bad_page },
	{ "fortify", fortify },	    { "page-tables", page_tables },
	{ "redzone", redzone },	    { "double-free", double_free },
	{ "use-after-free", use_after_free },
	{ "cache-leak", cache_leak },
	{ "duplicate", duplicate }, { "page-allocation", page_allocation },
	{ "page-order", page_order }, { "cma", cma },
	{ "bug-other", bug_other }, { "write-after-free", write_after_free },
	{ "shift", shift },	    { "lock-order", lock_order },
	{ "keep-lock", keep_lock }, { "spinlock", bad_spinlock },
	{ "sleep-in-spinlock", sleep_in_spinlock },
	{ "rcu-usage", rcu_usage }, { "timer-twice", timer_twice },
	{ "dma-twice", dma_twice }, { "lose-memory", lose_memory },
	{ "workqueue", busy_workqueue },
};

static int __init provoke_init(void)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(ways); i++) {
		if (strcmp(how, ways[i].how))
			continue;
		ways[i].provoke();
		return 0;	/* busybox tries again after an error */
	}
	return -EINVAL;
}
module_init(provoke_init);

static void __exit provoke_exit(void)
{
}
module_exit(provoke_exit);

MODULE_DESCRIPTION("Breaks the kernel in one chosen way");
MODULE_LICENSE("GPL");
