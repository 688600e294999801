// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mappings. A mapping holds a reference of its buffer, so nothing that happens to
 * ids, files or the device can take the memory away from under it. mmap() itself
 * installs all pages, except where larger ones are possible (huge.c).
 *
 * Copyright (C) 2026 the bufrig authors
 */
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "internal.h"

static void mapping_put(struct contigbuf_mapping *mapping)
{
	if (!refcount_dec_and_test(&mapping->refs))
		return;
	contigbuf_buffer_put(mapping->buffer);
	kfree(mapping);
}

static void contigbuf_vm_open(struct vm_area_struct *vma)
{
	struct contigbuf_mapping *mapping = vma->vm_private_data;

	refcount_inc(&mapping->refs);
	atomic_inc(&mapping->buffer->mappings);
}

static void contigbuf_vm_close(struct vm_area_struct *vma)
{
	struct contigbuf_mapping *mapping = vma->vm_private_data;

	atomic_dec(&mapping->buffer->mappings);
	mapping_put(mapping);
}

/* For debuggers: ptrace and /proc/pid/mem cannot take pages of this mapping. */
static int contigbuf_vm_access(struct vm_area_struct *vma, unsigned long addr,
			       void *data, int len, int write)
{
	struct contigbuf_mapping *mapping = vma->vm_private_data;
	struct contigbuf_buffer *buffer = mapping->buffer;
	u64 offset;

	/* The force that debuggers use must not turn read-only into writable. */
	if (write && !(vma->vm_flags & VM_WRITE))
		return -EACCES;

	offset = ((u64)(vma->vm_pgoff - mapping->base) << PAGE_SHIFT) +
		 (addr - vma->vm_start);
	if (offset >= buffer->length)
		return -EINVAL;
	/* What lies beyond is another mapping's, with rights of its own. */
	len = min3((u64)len, buffer->length - offset, (u64)(vma->vm_end - addr));
	if (write)
		memcpy(buffer->vaddr + offset, data, len);
	else
		memcpy(data, buffer->vaddr + offset, len);
	return len;
}

static const struct vm_operations_struct contigbuf_vm_ops = {
	.open = contigbuf_vm_open,
	.close = contigbuf_vm_close,
	.access = contigbuf_vm_access,
};

static const struct vm_operations_struct contigbuf_vm_huge_ops = {
	.open = contigbuf_vm_open,
	.close = contigbuf_vm_close,
	.access = contigbuf_vm_access,
#if COMPAT_PMD_PFNMAP
	.fault = contigbuf_vm_fault,
	.huge_fault = contigbuf_vm_huge_fault,
#endif
};

static struct contigbuf_mapping *mapping_create(struct contigbuf_buffer *buffer,
						unsigned long base)
{
	struct contigbuf_mapping *mapping;

	mapping = kmalloc(sizeof(*mapping), GFP_KERNEL_ACCOUNT);
	if (!mapping)
		return NULL;
	refcount_set(&mapping->refs, 1);
	contigbuf_buffer_get(buffer);
	mapping->buffer = buffer;
	mapping->base = base;
	return mapping;
}

/*
 * On ARM a page that was never written to is write-protected until its first
 * write. Nobody asks whether pages of a buffer are dirty: they are from the start.
 */
static pgprot_t without_write_faults(const struct vm_area_struct *vma)
{
	pte_t pte = pfn_pte(0, vma->vm_page_prot);

	if (!IS_ENABLED(CONFIG_ARM) && !IS_ENABLED(CONFIG_ARM64))
		return vma->vm_page_prot;
	if (!(vma->vm_flags & VM_WRITE))
		return vma->vm_page_prot;
	return __pgprot(pte_val(pte_mkyoung(pte_mkdirty(pte))));
}

/**
 * contigbuf_map_buffer - map a part of a buffer
 * @buffer: the mapping takes a reference
 * @vma: to be filled; its protection is checked here, its range was before
 * @first: page of the buffer that it begins with
 *
 * Returns 0, or -EINVAL for a private mapping that could be written to, -EPERM
 * for an executable one, -ENOMEM. On failure nothing is held.
 */
int contigbuf_map_buffer(struct contigbuf_buffer *buffer,
			 struct vm_area_struct *vma, unsigned long first)
{
	struct contigbuf_mapping *mapping;
	int err;

	/*
	 * A private copy of device memory makes no sense, and would tell the
	 * physical address through the offset column of /proc/pid/maps.
	 */
	if ((vma->vm_flags & (VM_SHARED | VM_MAYWRITE)) == VM_MAYWRITE)
		return -EINVAL;
	/* Memory that devices write to is no place for code. */
	if (vma->vm_flags & VM_EXEC)
		return -EPERM;
	vm_flags_clear(vma, VM_MAYEXEC);

	mapping = mapping_create(buffer, vma->vm_pgoff - first);
	if (!mapping)
		return -ENOMEM;
	vma->vm_page_prot = without_write_faults(vma);
	if (contigbuf_can_map_huge(buffer, vma, first)) {
		contigbuf_map_huge(buffer, vma);
		vma->vm_ops = &contigbuf_vm_huge_ops;
	} else {
		err = buffer->backend->map(buffer, vma, first);
		if (err) {
			mapping_put(mapping);
			return err;
		}
		vma->vm_ops = &contigbuf_vm_ops;
	}
	/* From here on the VMA's close() gives the reference back. */
	vma->vm_private_data = mapping;
	atomic_inc(&buffer->mappings);
	return 0;
}

/* Finds what a range names. Returns the buffer with a reference. */
static struct contigbuf_buffer *find_and_hold(struct contigbuf_file *file,
					      struct vm_area_struct *vma,
					      unsigned long *first)
{
	struct contigbuf_device *device = file->device;
	struct contigbuf_attachment *attachment;
	struct contigbuf_buffer *buffer;

	mutex_lock(&device->lock);
	if (device->dead)
		attachment = ERR_PTR(-ENODEV);
	else
		attachment = contigbuf_find_pages(file, vma->vm_pgoff,
						  vma_pages(vma), first);
	/* Other mappings cannot be written to, or are refused as private. */
	if (!IS_ERR(attachment) && attachment->read_only &&
	    (vma->vm_flags & VM_SHARED)) {
		if (vma->vm_flags & VM_WRITE)
			attachment = ERR_PTR(-EACCES);
		else
			vm_flags_clear(vma, VM_MAYWRITE);
	}
	if (IS_ERR(attachment)) {
		buffer = ERR_CAST(attachment);
	} else {
		buffer = attachment->buffer;
		contigbuf_buffer_get(buffer);
	}
	mutex_unlock(&device->lock);
	return buffer;
}

/**
 * contigbuf_mmap - map a range that lies inside one buffer
 * @filp: open file of the device
 * @vma: the range: vm_pgoff and its length name it
 *
 * Errors: EINVAL for a range that does not, EACCES for a writable mapping of a
 * read-only attachment, ENODEV when unbound, and those of contigbuf_map_buffer().
 */
int contigbuf_mmap(struct file *filp, struct vm_area_struct *vma)
{
	struct contigbuf_buffer *buffer;
	unsigned long first;
	int err;

	buffer = find_and_hold(filp->private_data, vma, &first);
	if (IS_ERR(buffer))
		return PTR_ERR(buffer);
	err = contigbuf_map_buffer(buffer, vma, first);
	contigbuf_buffer_put(buffer);
	return err;
}
