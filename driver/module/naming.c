// SPDX-License-Identifier: GPL-2.0-only
/*
 * From the offset of mmap() to a buffer and back, for each way of naming.
 *
 * Offsets are handled in pages (vm_pgoff), which is what mmap() can express: 2^52
 * bytes' worth on 64 bit kernels, 2^44 bytes with 4 KiB pages on 32 bit ones and
 * for 32 bit userspace (mmap2). Cookies are therefore narrower for those.
 *
 * Copyright (C) 2026 the bufrig authors
 */
#include <linux/compat.h>
#include <linux/err.h>
#include <linux/mm.h>

#include "internal.h"

/*
 * The offset of id's first byte is (COOKIE_MAGIC + id) << stride. The stride is
 * far larger than a page so that offsets inside a buffer, and the pieces of a
 * split mapping, never look like another id.
 */
#define COOKIE_MAGIC		0x100
#define COOKIE_SHIFT_WIDE	36
#define COOKIE_SHIFT_NARROW	27

static unsigned int cookie_shift(void)
{
	if (BITS_PER_LONG == 32 || in_compat_syscall())
		return COOKIE_SHIFT_NARROW;
	return COOKIE_SHIFT_WIDE;
}

u32 contigbuf_namings(void)
{
	return BIT(CONTIGBUF_NAMING_FD) | BIT(CONTIGBUF_NAMING_COOKIE);
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

/**
 * contigbuf_offset_of - the mmap() offset of a buffer's first byte
 * @file: open file with a naming in use
 * @buffer: with an id
 * @offset: result, in bytes
 *
 * Returns 0, or -EOVERFLOW when the naming has no room for the buffer.
 */
int contigbuf_offset_of(struct contigbuf_file *file,
			struct contigbuf_buffer *buffer, u64 *offset)
{
	switch (file->naming) {
	case CONTIGBUF_NAMING_FD:
		*offset = 0;
		return 0;
	case CONTIGBUF_NAMING_COOKIE:
		if (buffer->length > 1ULL << file->stride_shift)
			return -EOVERFLOW;
		*offset = (COOKIE_MAGIC + (u64)buffer->id) << file->stride_shift;
		return 0;
	}
	return -EINVAL;
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
	}
	if (!attachment)
		return ERR_PTR(-EINVAL);

	/* Written so that no sum can wrap. */
	pages = attachment->buffer->length >> PAGE_SHIFT;
	if (*first >= pages || count > pages - *first)
		return ERR_PTR(-EINVAL);
	return attachment;
}
