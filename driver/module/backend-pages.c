// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory from the page allocator: quick and without CMA, but it ends at the
 * allocator's largest order (4 MiB with 4 KiB pages on most machines).
 *
 * Copyright (C) 2026 the bufrig authors
 */
#include <linux/gfp.h>
#include <linux/mm.h>

#include "internal.h"

static void free_pages_from(struct page *pages, unsigned long from,
			    unsigned long to)
{
	for (; from < to; from++)
		__free_page(pages + from);
}

/*
 * A block of the next order is aligned to its size; what is not needed of it is
 * given back at once, so that a buffer costs what it holds.
 */
static struct page *alloc_exact(gfp_t gfp, size_t length, u64 align)
{
	unsigned int order = get_order(max_t(u64, length, align));
	struct page *pages;

	pages = alloc_pages(gfp, order);
	if (!pages)
		return NULL;
	split_page(pages, order);
	free_pages_from(pages, length >> PAGE_SHIFT, 1UL << order);
	return pages;
}

static int pages_allocate(struct contigbuf_buffer *buffer)
{
	unsigned long count = buffer->length >> PAGE_SHIFT;
	struct page *pages;
	int err;

	pages = alloc_exact(contigbuf_gfp(buffer->device), buffer->length,
			    buffer->align);
	if (!pages)
		return -ENOMEM;

	buffer->memory.pages = pages;
	buffer->vaddr = page_address(pages);
	buffer->phys = PFN_PHYS(page_to_pfn(pages));
	memset(buffer->vaddr, 0, buffer->length);
	err = contigbuf_map_for_device(buffer, pages);
	if (err)
		free_pages_from(pages, 0, count);
	return err;
}

static void pages_release(struct contigbuf_buffer *buffer)
{
	contigbuf_unmap_for_device(buffer);
	free_pages_from(buffer->memory.pages, 0, buffer->length >> PAGE_SHIFT);
}

const struct contigbuf_backend_ops contigbuf_backend_pages = {
	.name = "pages",
	.id = CONTIGBUF_BACKEND_PAGES,
	.caches = contigbuf_page_caches,
	.preferred_cache = contigbuf_page_preferred_cache,
	.allocate = pages_allocate,
	.release = pages_release,
	.map = contigbuf_map_pages,
};
