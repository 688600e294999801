// SPDX-License-Identifier: GPL-2.0-only
/*
 * Shows a process its own page tables, read-only: pread() of /dev/bufrig-probe at an address gives the
 * runs of memory that are mapped from there on, up to the first hole. It says of each where it lies, at
 * which level of the tables it is mapped, and with which memory type. For tests on machines that are
 * thrown away: physical addresses are told to whoever may open the node, which is root.
 *
 * /proc/PID/pagemap has nothing of this for mappings without struct page references
 * (mm/pagewalk.c:walk_page_test), and nowhere does the kernel tell a memory type.
 */
#include <linux/highmem.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pgtable.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

/* What the reader gets, in the machine's byte order. */
struct probe_run {
	u64 address;	/* of the first byte, virtual */
	u64 physical;	/* the same byte's physical address */
	u64 bytes;
	u32 shift;	/* log2 of what one entry of the tables maps here */
	u32 type;	/* memory type as the CPU keeps it, see memory_type() */
};

/* As many as are looked up under one hold of the lock. */
#define RUNS_MOST 1024
#define TYPE_UNKNOWN 0xffffffff

/*
 * The byte that the entry selects: of MAIR_EL1 on arm64, MAIR0/1 with LPAE, IA32_PAT on x86. So it is told
 * what the CPU does, and not what the kernel calls it.
 */
static u32 memory_type(u64 entry, unsigned int shift)
{
#if defined(CONFIG_ARM64)
	u64 types = read_sysreg(mair_el1);

	return (types >> (8 * ((entry >> 2) & 7))) & 0xff;
#elif defined(CONFIG_ARM_LPAE)
	unsigned int index = (entry >> 2) & 7;
	u32 low, high;

	asm volatile("mrc p15, 0, %0, c10, c2, 0" : "=r" (low));
	asm volatile("mrc p15, 0, %0, c10, c2, 1" : "=r" (high));
	return ((index < 4 ? low : high) >> (8 * (index & 3))) & 0xff;
#elif defined(CONFIG_X86)
	/* PWT and PCD are bits 3 and 4; PAT is bit 7 of an entry for a page, and bit 12 of a larger one. */
	unsigned int pat = shift == PAGE_SHIFT ? 7 : 12;
	unsigned int index = ((entry >> 3) & 3) | (((entry >> pat) & 1) << 2);
	u32 low, high;

	asm volatile("rdmsr" : "=a" (low), "=d" (high) : "c" (0x277));
	return ((index < 4 ? low : high) >> (8 * (index & 3))) & 0xff;
#else
	return TYPE_UNKNOWN;
#endif
}

static void entry_found(struct probe_run *run, u64 entry, u64 pfn, unsigned int shift)
{
	u64 inside = run->address & ((1ULL << shift) - 1);

	run->physical = (pfn << PAGE_SHIFT) + inside;
	run->bytes = (1ULL << shift) - inside;
	run->shift = shift;
	run->type = memory_type(entry, shift);
}

static pte_t pte_of(pmd_t *pmd, unsigned long address)
{
#ifdef CONFIG_HIGHPTE
	pte_t *table = kmap_local_page(pmd_page(*pmd));
	pte_t pte = READ_ONCE(table[pte_index(address)]);

	kunmap_local(table);
	return pte;
#else
	return READ_ONCE(*pte_offset_kernel(pmd, address));
#endif
}

/* What one entry maps at run->address. The process's own mmap_lock is held for reading. */
static bool look(struct mm_struct *mm, struct probe_run *run)
{
	unsigned long address = run->address;
	pgd_t *pgd = pgd_offset(mm, address);
	p4d_t *p4d;
	pud_t *pud;
	pmd_t *pmd;
	pte_t pte;

	if (pgd_none(*pgd) || unlikely(pgd_bad(*pgd)))
		return false;
	p4d = p4d_offset(pgd, address);
	if (p4d_none(*p4d) || unlikely(p4d_bad(*p4d)))
		return false;
	pud = pud_offset(p4d, address);
	if (pud_none(*pud) || unlikely(pud_bad(*pud)))
		return false;
	pmd = pmd_offset(pud, address);
	if (pmd_none(*pmd) || !pmd_present(*pmd))
		return false;
	if (pmd_leaf(*pmd)) {
		u64 pfn = pmd_pfn(*pmd) & ~((1ULL << (PMD_SHIFT - PAGE_SHIFT)) - 1);

		entry_found(run, pmd_val(*pmd), pfn, PMD_SHIFT);
		return true;
	}
	if (pmd_bad(*pmd))
		return false;
	pte = pte_of(pmd, address);
	if (!pte_present(pte))
		return false;
	entry_found(run, pte_val(pte), pte_pfn(pte), PAGE_SHIFT);
	return true;
}

static bool follows(const struct probe_run *run, const struct probe_run *next)
{
	return next->physical == run->physical + run->bytes && next->shift == run->shift && next->type == run->type;
}

/* The runs from address on, up to the first hole. Returns how many. */
static size_t runs_from(struct mm_struct *mm, unsigned long address, struct probe_run *runs, size_t most)
{
	size_t count = 0;
	struct probe_run next = { .address = address };

	mmap_read_lock(mm);
	while (next.address < TASK_SIZE && look(mm, &next)) {
		if (count && follows(&runs[count - 1], &next))
			runs[count - 1].bytes += next.bytes;
		else if (count == most)
			break;
		else
			runs[count++] = next;
		next.address += next.bytes;
		cond_resched();
	}
	mmap_read_unlock(mm);
	return count;
}

static ssize_t probe_read(struct file *file, char __user *buffer, size_t bytes, loff_t *position)
{
	size_t count = min_t(size_t, bytes / sizeof(struct probe_run), RUNS_MOST);
	struct probe_run *runs;
	ssize_t result;

	if (*position < 0 || *position >= TASK_SIZE || !IS_ALIGNED(*position, PAGE_SIZE) || !count)
		return -EINVAL;
	runs = kvmalloc_array(count, sizeof(*runs), GFP_KERNEL | __GFP_ZERO);
	if (!runs)
		return -ENOMEM;
	count = runs_from(current->mm, *position, runs, count);
	result = count * sizeof(*runs);
	if (copy_to_user(buffer, runs, result))
		result = -EFAULT;
	kvfree(runs);
	return result;
}

static const struct file_operations probe_operations = {
	.owner = THIS_MODULE,
	.read = probe_read,
};

static struct miscdevice probe_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "bufrig-probe",
	.fops = &probe_operations,
	.mode = 0400,
};
module_misc_device(probe_device);

MODULE_DESCRIPTION("A process's own page tables, for tests");
MODULE_LICENSE("GPL");
