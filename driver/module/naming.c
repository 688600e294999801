// SPDX-License-Identifier: GPL-2.0-only
/*
 * From the offset of mmap() to a buffer and back, for each way of naming.
 *
 * Offsets are handled in pages (vm_pgoff), which is what mmap() can express: 2^64
 * bytes on 64 bit kernels, 2^44 bytes with 4 KiB pages on 32 bit ones and for 32
 * bit userspace (mmap2). Cookies are therefore narrower for those.
 *
 * Copyright (C) 2026 the bufrig authors
 */
#include <linux/compat.h>
#include <linux/err.h>
#include <linux/mm.h>
#include <linux/sizes.h>

#include "internal.h"

/*
 * The offset of id's first byte is (COOKIE_MAGIC + id) << shift. The stride is
 * far larger than a page so that offsets inside a buffer, and the pieces of a
 * split mapping, never look like another id. With ids below 2^17 (attach.c) the
 * wide ones stay below 2^53, which scripting languages count exactly.
 */
#define COOKIE_MAGIC		0x100
#define COOKIE_SHIFT_WIDE	36
#define COOKIE_SHIFT_NARROW	27

/*
 * In the aperture every buffer begins at a multiple of the grain, which is a
 * PMD's size or a multiple of it, and at least one page after each one is a hole,
 * so that running over the end of a buffer never ends in the next.
 */
#define APERTURE_GRAIN		((unsigned long)(SZ_32M >> PAGE_SHIFT))
#define APERTURE_END		((unsigned long)((1ULL << 43) >> PAGE_SHIFT))

/* The first offset that mmap2() with its 32 bits of 4 KiB cannot express. */
#define NARROW_END		(1ULL << 44)

static bool is_narrow(void)
{
	return BITS_PER_LONG == 32 || in_compat_syscall();
}

static unsigned int cookie_shift(void)
{
	return is_narrow() ? COOKIE_SHIFT_NARROW : COOKIE_SHIFT_WIDE;
}

u32 contigbuf_namings(void)
{
	return BIT(CONTIGBUF_NAMING_FD) | BIT(CONTIGBUF_NAMING_COOKIE) |
	       BIT(CONTIGBUF_NAMING_APERTURE) | BIT(CONTIGBUF_NAMING_PHYSICAL);
}

u64 contigbuf_cookie_stride(void)
{
	return 1ULL << cookie_shift();
}

/* Under device->lock, when a fresh file gets its first buffer. */
void contigbuf_naming_begin(struct contigbuf_file *file, u32 naming)
{
	file->naming = naming;
	file->stride_shift = cookie_shift();
}

static unsigned long pages_of(const struct contigbuf_buffer *buffer)
{
	return buffer->length >> PAGE_SHIFT;
}

/*
 * Looks for a hole from @start on and takes it. The list is in the order of the
 * places, so one pass over it is enough.
 */
static bool take_hole(struct contigbuf_buffer *buffer, unsigned long start)
{
	struct contigbuf_device *device = buffer->device;
	struct list_head *before = &device->aperture;
	unsigned long count = pages_of(buffer) + 1;
	struct contigbuf_buffer *other;
	unsigned long after;

	list_for_each_entry(other, &device->aperture, in_aperture) {
		if (start + count <= other->aperture)
			break;
		after = ALIGN(other->aperture + pages_of(other) + 1,
			      APERTURE_GRAIN);
		start = max(start, after);
		before = &other->in_aperture;
	}
	if (count > APERTURE_END || start > APERTURE_END - count)
		return false;
	buffer->aperture = start;
	list_add(&buffer->in_aperture, before);
	device->next_aperture = ALIGN(start + count, APERTURE_GRAIN);
	return true;
}

/* Goes on after the last place taken: a freed one stays a hole for long. */
static int enter_aperture(struct contigbuf_buffer *buffer)
{
	struct contigbuf_device *device = buffer->device;

	if (!list_empty(&buffer->in_aperture))
		return 0;
	if (take_hole(buffer, max(device->next_aperture, APERTURE_GRAIN)) ||
	    take_hole(buffer, APERTURE_GRAIN))
		return 0;
	return -EOVERFLOW;
}

/* Under device->lock, when the buffer loses its name. */
void contigbuf_leave_aperture(struct contigbuf_buffer *buffer)
{
	list_del_init(&buffer->in_aperture);
}

/* Who opened the file may have been wider than who asks. */
static int within_reach(u64 offset, const struct contigbuf_buffer *buffer)
{
	return is_narrow() && offset + buffer->length > NARROW_END ?
		       -EOVERFLOW : 0;
}

/**
 * contigbuf_offset_of - the mmap() offset of a buffer's first byte
 * @file: open file with a naming in use
 * @buffer: with an id, or without one when @file is bound to it
 * @offset: result, in bytes
 *
 * Under device->lock. Returns 0, or -EOVERFLOW when the naming has no room for
 * the buffer or the caller cannot express the offset.
 */
int contigbuf_offset_of(struct contigbuf_file *file,
			struct contigbuf_buffer *buffer, u64 *offset)
{
	int err = 0;

	lockdep_assert_held(&file->device->lock);
	switch (file->naming) {
	case CONTIGBUF_NAMING_FD:
		*offset = 0;
		break;
	case CONTIGBUF_NAMING_COOKIE:
		if (buffer->length > 1ULL << file->stride_shift)
			return -EOVERFLOW;
		*offset = (COOKIE_MAGIC + (u64)buffer->id) << file->stride_shift;
		err = within_reach(*offset, buffer);
		break;
	case CONTIGBUF_NAMING_APERTURE:
		err = enter_aperture(buffer);
		*offset = (u64)buffer->aperture << PAGE_SHIFT;
		break;
	case CONTIGBUF_NAMING_PHYSICAL:
		*offset = buffer->phys;
		err = within_reach(*offset, buffer);
		break;
	}
	return err;
}

static struct contigbuf_attachment *find_cookie(struct contigbuf_file *file,
						unsigned long pgoff,
						unsigned long *first)
{
	unsigned int shift = file->stride_shift - PAGE_SHIFT;
	unsigned long slot = pgoff >> shift;
	struct contigbuf_buffer *buffer;

	if (slot <= COOKIE_MAGIC)
		return NULL;
	buffer = xa_load(&file->device->ids, slot - COOKIE_MAGIC);
	if (!buffer)
		return NULL;
	*first = pgoff - (slot << shift);
	return contigbuf_attachment_of(file, buffer);
}

/* Only among this file's buffers: anything else might as well not exist. */
static struct contigbuf_attachment *find_place(struct contigbuf_file *file,
					       unsigned long pgoff,
					       unsigned long *first)
{
	struct contigbuf_attachment *attachment;
	unsigned long start;

	list_for_each_entry(attachment, &file->attachments, in_file) {
		start = file->naming == CONTIGBUF_NAMING_APERTURE ?
				attachment->buffer->aperture :
				PHYS_PFN(attachment->buffer->phys);
		if (pgoff >= start &&
		    pgoff - start < pages_of(attachment->buffer)) {
			*first = pgoff - start;
			return attachment;
		}
	}
	return NULL;
}

/**
 * contigbuf_find_pages - what a range of mmap() offsets names on an open file
 * @file: open file
 * @pgoff: offset in pages
 * @count: length in pages, not 0
 * @first: result, the page of the buffer that @pgoff names
 *
 * Under device->lock. Returns the attachment of the buffer that the whole range
 * lies in, or -EINVAL: which of the things that can be wrong with a range it
 * was is none of the caller's business.
 */
struct contigbuf_attachment *
contigbuf_find_pages(struct contigbuf_file *file, unsigned long pgoff,
		     unsigned long count, unsigned long *first)
{
	struct contigbuf_attachment *attachment = NULL;
	unsigned long pages;

	lockdep_assert_held(&file->device->lock);
	if (!file->users)
		return ERR_PTR(-EINVAL);

	switch (file->naming) {
	case CONTIGBUF_NAMING_FD:
		attachment = list_first_entry_or_null(&file->attachments,
						      struct contigbuf_attachment,
						      in_file);
		*first = pgoff;
		break;
	case CONTIGBUF_NAMING_COOKIE:
		attachment = find_cookie(file, pgoff, first);
		break;
	case CONTIGBUF_NAMING_APERTURE:
	case CONTIGBUF_NAMING_PHYSICAL:
		attachment = find_place(file, pgoff, first);
		break;
	}
	if (!attachment)
		return ERR_PTR(-EINVAL);

	/* Written so that no sum can wrap. */
	pages = pages_of(attachment->buffer);
	if (*first >= pages || count > pages - *first)
		return ERR_PTR(-EINVAL);
	return attachment;
}
