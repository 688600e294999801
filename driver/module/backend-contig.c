// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory cleared for the purpose: looks for a range of ordinary memory whose
 * content can be moved away. For large buffers on kernels without CMA.
 *
 * Copyright (C) 2026 the bufrig authors
 */
#include <linux/gfp.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/pageblock-flags.h>
#include <linux/sched/signal.h>

#include "internal.h"

/* One search at a time: two would fight over the same ranges. */
static DEFINE_MUTEX(search_lock);

/* Cheap, and right most of the time; the allocator has the last word. */
static bool may_be_movable(struct zone *zone, unsigned long first,
			   unsigned long count)
{
	unsigned long pfn;
	struct page *page;

	for (pfn = first; pfn < first + count; pfn++) {
		page = pfn_to_online_page(pfn);
		if (!page || page_zone(page) != zone || PageReserved(page))
			return false;
	}
	return true;
}

/* From the top of the zone, where long-lived kernel memory is rare. */
static int search_zone(struct zone *zone, unsigned long count,
		       unsigned long step, unsigned long last, gfp_t gfp,
		       unsigned long *found)
{
	unsigned long end = min(zone_end_pfn(zone), last + 1);
	unsigned long first;

	if (end < count)
		return -ENOMEM;
	for (first = ALIGN_DOWN(end - count, step);
	     first >= zone->zone_start_pfn; first -= step) {
		if (fatal_signal_pending(current))
			return -EINTR;
		if (may_be_movable(zone, first, count) &&
		    !compat_alloc_contig_range(first, first + count, gfp)) {
			*found = first;
			return 0;
		}
		cond_resched();
		if (first < step)
			break;
	}
	return -ENOMEM;
}

/*
 * Not in what is kept movable (ZONE_MOVABLE), which a buffer never is: its memory
 * could not be unplugged any more. Nor in what the kernel does not map.
 */
static int search(unsigned long count, unsigned long step, unsigned long last,
		  gfp_t gfp, unsigned long *found)
{
	struct zone *zone;
	int node, i, err;

	for_each_online_node(node) {
		for (i = gfp_zone(gfp); i >= 0; i--) {
			zone = &NODE_DATA(node)->node_zones[i];
			if (!managed_zone(zone))
				continue;
			err = search_zone(zone, count, step, last, gfp, found);
			if (err != -ENOMEM)
				return err;
		}
	}
	return -ENOMEM;
}

static int contig_allocate(struct contigbuf_buffer *buffer)
{
	struct contigbuf_device *device = buffer->device;
	unsigned long count = buffer->length >> PAGE_SHIFT;
	unsigned long step = max_t(unsigned long, pageblock_nr_pages,
				   buffer->align >> PAGE_SHIFT);
	unsigned long last = min_t(u64, contigbuf_phys_limit(device) >> PAGE_SHIFT,
				   ULONG_MAX >> 1);
	/* The zone is given by the range, so its modifiers have no place here. */
	gfp_t gfp = contigbuf_gfp(device) & ~(__GFP_DMA | __GFP_DMA32);
	unsigned long pfn = 0, i;
	struct page *pages;
	int err;

	/* Another's search may take long: who is killed does not wait for it. */
	err = mutex_lock_killable(&search_lock);
	if (err)
		return err;
	err = search(count, step, last, gfp, &pfn);
	mutex_unlock(&search_lock);
	if (err)
		return err;

	pages = pfn_to_page(pfn);
	/* KASAN may have tagged each free block of the range differently. */
	for (i = 0; i < count; i++)
		page_kasan_tag_reset(pages + i);
	buffer->memory.pages = pages;
	buffer->vaddr = page_address(pages);
	buffer->phys = PFN_PHYS(pfn);
	memset(buffer->vaddr, 0, buffer->length);
	err = contigbuf_map_for_device(buffer, pages);
	if (err)
		free_contig_range(pfn, count);
	return err;
}

static void contig_release(struct contigbuf_buffer *buffer)
{
	contigbuf_unmap_for_device(buffer);
	free_contig_range(page_to_pfn(buffer->memory.pages),
			  buffer->length >> PAGE_SHIFT);
}

const struct contigbuf_backend_ops contigbuf_backend_contig = {
	.name = "contig",
	.id = CONTIGBUF_BACKEND_CONTIG,
	.caches = contigbuf_page_caches,
	.preferred_cache = contigbuf_page_preferred_cache,
	.allocate = contig_allocate,
	.release = contig_release,
	.map = contigbuf_map_pages,
};
