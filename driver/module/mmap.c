// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mappings. All pages are installed by mmap() itself; a mapping holds a reference
 * of its buffer, so nothing that happens to ids, files or the device can take
 * the memory away from under it.
 *
 * Copyright (C) 2026 the bufrig authors
 */
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "internal.h"

/**
 * struct contigbuf_mapping - what the VMAs of one mmap() call share
 * @refs: VMAs: one at first, more after a split or a fork
 * @buffer: held
 * @base: the vm_pgoff that page 0 of the buffer would have. A split or a move
 *	changes a VMA's vm_start and vm_pgoff together, so vm_pgoff - @base is
 *	always the right page, and vm_start alone never is.
 */
struct contigbuf_mapping {
	refcount_t refs;
	struct contigbuf_buffer *buffer;
	unsigned long base;
};

static void contigbuf_vm_open(struct vm_area_struct *vma)
{
	struct contigbuf_mapping *mapping = vma->vm_private_data;

	refcount_inc(&mapping->refs);
}

static void contigbuf_vm_close(struct vm_area_struct *vma)
{
	struct contigbuf_mapping *mapping = vma->vm_private_data;

	if (!refcount_dec_and_test(&mapping->refs))
		return;
	contigbuf_buffer_put(mapping->buffer);
	kfree(mapping);
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
	len = min_t(u64, len, buffer->length - offset);
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

/* Finds the buffer and takes a reference. Returns the attachment's rights. */
static int find_and_hold(struct contigbuf_file *file, struct vm_area_struct *vma,
			 struct contigbuf_buffer **buffer, unsigned long *first,
			 bool *read_only)
{
	struct contigbuf_device *device = file->device;
	struct contigbuf_attachment *attachment;
	int err = 0;

	mutex_lock(&device->lock);
	if (device->dead) {
		err = -ENODEV;
		goto unlock;
	}
	attachment = contigbuf_find_pages(file, vma->vm_pgoff, vma_pages(vma),
					  first);
	if (IS_ERR(attachment)) {
		err = PTR_ERR(attachment);
		goto unlock;
	}
	*buffer = attachment->buffer;
	*read_only = attachment->read_only;
	contigbuf_buffer_get(*buffer);
unlock:
	mutex_unlock(&device->lock);
	return err;
}

/**
 * contigbuf_mmap - map a range that lies inside one buffer
 * @filp: open file of the device
 * @vma: the range: vm_pgoff and its length name it
 *
 * Errors: EINVAL for a range that does not, and for any private mapping that
 * could be written to; EACCES for a writable mapping of a read-only attachment;
 * EPERM for an executable one; ENODEV when unbound; ENOMEM.
 */
int contigbuf_mmap(struct file *filp, struct vm_area_struct *vma)
{
	struct contigbuf_file *file = filp->private_data;
	struct contigbuf_mapping *mapping;
	struct contigbuf_buffer *buffer;
	unsigned long first;
	bool read_only;
	int err;

	/* A private copy of device memory makes no sense, and would tell the
	 * physical address through the offset column of /proc/pid/maps. */
	if ((vma->vm_flags & (VM_SHARED | VM_MAYWRITE)) == VM_MAYWRITE)
		return -EINVAL;
	/* Memory that devices write to is no place for code. */
	if (vma->vm_flags & VM_EXEC)
		return -EPERM;

	mapping = kmalloc(sizeof(*mapping), GFP_KERNEL);
	if (!mapping)
		return -ENOMEM;
	err = find_and_hold(file, vma, &buffer, &first, &read_only);
	if (err)
		goto free_mapping;

	if (read_only && (vma->vm_flags & VM_WRITE)) {
		err = -EACCES;
		goto put_buffer;
	}
	vm_flags_clear(vma, VM_MAYEXEC | (read_only ? VM_MAYWRITE : 0));

	err = buffer->backend->map(buffer, vma, first);
	if (err)
		goto put_buffer;

	refcount_set(&mapping->refs, 1);
	mapping->buffer = buffer;
	mapping->base = vma->vm_pgoff - first;
	vma->vm_private_data = mapping;
	vma->vm_ops = &contigbuf_vm_ops;
	return 0;

put_buffer:
	contigbuf_buffer_put(buffer);
free_mapping:
	kfree(mapping);
	return err;
}
