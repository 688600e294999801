// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mappings with pages of a PMD's size (2 MiB with 4 KiB pages), where the kernel
 * takes them for memory without page references and where the physical and the
 * virtual address are congruent. They are installed on first touch; what does not
 * fit a whole large page gets ordinary ones.
 *
 * Copyright (C) 2026 the bufrig authors
 */
#include <linux/cc_platform.h>
#include <linux/mm.h>

#include "internal.h"

#if COMPAT_PMD_PFNMAP

#define PAGES_PER_PMD (PMD_SIZE >> PAGE_SHIFT)

/**
 * contigbuf_can_map_huge - whether at least one large page fits
 * @buffer: the buffer
 * @vma: where it is to be mapped
 * @first: page of the buffer at the beginning of @vma
 */
bool contigbuf_can_map_huge(const struct contigbuf_buffer *buffer,
			    const struct vm_area_struct *vma,
			    unsigned long first)
{
	unsigned long page = (vma->vm_start >> PAGE_SHIFT) -
			     (PHYS_PFN(buffer->phys) + first);
	unsigned long start = ALIGN(vma->vm_start, PMD_SIZE);

	/* Encrypted memory needs what only the DMA API knows. */
	if (cc_platform_has(CC_ATTR_MEM_ENCRYPT))
		return false;
	return IS_ALIGNED(page, PAGES_PER_PMD) && start < vma->vm_end &&
	       vma->vm_end - start >= PMD_SIZE;
}

/**
 * contigbuf_map_huge - prepare a VMA for being filled on first touch
 * @buffer: the buffer
 * @vma: gets the same flags as remap_pfn_range() would give it
 */
void contigbuf_map_huge(struct contigbuf_buffer *buffer,
			struct vm_area_struct *vma)
{
	vm_flags_set(vma, VM_IO | VM_PFNMAP | VM_DONTEXPAND | VM_DONTDUMP);
	vma->vm_page_prot = contigbuf_protection(buffer, vma->vm_page_prot);
}

static unsigned long buffer_pages(const struct contigbuf_buffer *buffer)
{
	return buffer->length >> PAGE_SHIFT;
}

/* The page of the buffer at an address of the VMA, wherever that is by now. */
static unsigned long page_at(const struct vm_area_struct *vma,
			     unsigned long address)
{
	const struct contigbuf_mapping *mapping = vma->vm_private_data;

	return vma->vm_pgoff + ((address - vma->vm_start) >> PAGE_SHIFT) -
	       mapping->base;
}

static vm_fault_t insert_page(struct vm_area_struct *vma, unsigned long address)
{
	const struct contigbuf_mapping *mapping = vma->vm_private_data;
	const struct contigbuf_buffer *buffer = mapping->buffer;
	unsigned long page = page_at(vma, address);

	if (page >= buffer_pages(buffer))
		return VM_FAULT_SIGBUS;
	return vmf_insert_pfn(vma, address, PHYS_PFN(buffer->phys) + page);
}

/*
 * Installs as many pages as a large one would have covered, because the kernel
 * may refuse large ones altogether (transparent_hugepage=never, small machines).
 */
vm_fault_t contigbuf_vm_fault(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	unsigned long block = ALIGN_DOWN(vmf->address, PMD_SIZE);
	unsigned long address = max(block, vma->vm_start);
	vm_fault_t result;

	result = insert_page(vma, vmf->address);
	while (result == VM_FAULT_NOPAGE && address < vma->vm_end &&
	       address - block < PMD_SIZE) {
		if (insert_page(vma, address) != VM_FAULT_NOPAGE)
			break;
		address += PAGE_SIZE;
	}
	return result;
}

vm_fault_t contigbuf_vm_huge_fault(struct vm_fault *vmf, unsigned int order)
{
	struct vm_area_struct *vma = vmf->vma;
	const struct contigbuf_mapping *mapping = vma->vm_private_data;
	const struct contigbuf_buffer *buffer = mapping->buffer;
	unsigned long start = ALIGN_DOWN(vmf->address, PMD_SIZE);
	unsigned long page, pfn;

	if (order != PMD_SHIFT - PAGE_SHIFT)
		return VM_FAULT_FALLBACK;
	/* The large page has to lie in the VMA as it is now, after any split. */
	if (start < vma->vm_start || vma->vm_end - start < PMD_SIZE)
		return VM_FAULT_FALLBACK;
	page = page_at(vma, start);
	pfn = PHYS_PFN(buffer->phys) + page;
	if (!IS_ALIGNED(pfn, PAGES_PER_PMD) ||
	    page >= buffer_pages(buffer) ||
	    buffer_pages(buffer) - page < PAGES_PER_PMD)
		return VM_FAULT_FALLBACK;
	return compat_insert_pmd(vmf, pfn, vmf->flags & FAULT_FLAG_WRITE);
}

#else

bool contigbuf_can_map_huge(const struct contigbuf_buffer *buffer,
			    const struct vm_area_struct *vma,
			    unsigned long first)
{
	return false;
}

void contigbuf_map_huge(struct contigbuf_buffer *buffer,
			struct vm_area_struct *vma)
{
}

#endif
