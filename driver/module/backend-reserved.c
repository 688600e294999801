// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory that the device tree sets aside for the device (memory-region).
 *
 * A region of the kind "shared-dma-pool" belongs to the DMA API: it is attached to
 * the device, and backend-dma.c gets it from there. Any other region is shared
 * out here, page by page. Regions outlive a rebinding while buffers in them live.
 *
 * Copyright (C) 2026 the bufrig authors
 */
#include <linux/bitmap.h>
#include <linux/dma-direct.h>
#include <linux/dma-map-ops.h>
#include <linux/err.h>
#include <linux/io.h>
#include <linux/ioport.h>
#include <linux/mm.h>
#include <linux/of.h>
#include <linux/of_reserved_mem.h>
#include <linux/slab.h>

#include "internal.h"

/**
 * struct contigbuf_region - one reserved region
 * @refs: devices that use it, buffers in it
 * @in_regions: in the list of all
 * @base: physical address
 * @pages: its size
 * @mapped: the kernel's linear mapping covers it; not so with no-map
 * @coherent: its devices see what is in the CPU's caches
 * @lock: protects @used
 * @used: one bit for each page
 */
struct contigbuf_region {
	struct kref refs;
	struct list_head in_regions;
	phys_addr_t base;
	unsigned long pages;
	bool mapped;
	bool coherent;
	struct mutex lock;
	unsigned long *used;
};

static LIST_HEAD(regions);
static DEFINE_MUTEX(regions_lock);

static void region_release(struct kref *refs)
{
	struct contigbuf_region *region =
		container_of(refs, struct contigbuf_region, refs);

	list_del(&region->in_regions);
	mutex_unlock(&regions_lock);
	bitmap_free(region->used);
	kfree(region);
}

static void region_put(struct contigbuf_region *region)
{
	kref_put_mutex(&region->refs, region_release, &regions_lock);
}

static struct contigbuf_region *region_create(phys_addr_t base, u64 bytes,
					      bool coherent)
{
	struct contigbuf_region *region;

	region = kzalloc(sizeof(*region), GFP_KERNEL);
	if (!region)
		return ERR_PTR(-ENOMEM);
	kref_init(&region->refs);
	mutex_init(&region->lock);
	region->base = PAGE_ALIGN(base);
	region->pages = (base + bytes - region->base) >> PAGE_SHIFT;
	region->mapped = region_intersects(base, bytes, IORESOURCE_SYSTEM_RAM,
					   IORES_DESC_NONE) == REGION_INTERSECTS;
	region->coherent = coherent;
	region->used = bitmap_zalloc(region->pages, GFP_KERNEL);
	if (!region->used) {
		kfree(region);
		return ERR_PTR(-ENOMEM);
	}
	list_add(&region->in_regions, &regions);
	return region;
}

/*
 * Two devices, or two bindings of one, may share a region. What the kernel does not
 * map is cached for coherent devices only: dirty lines that one of them leaves
 * behind would be written over what another has uncached.
 */
static struct contigbuf_region *region_find(phys_addr_t base, u64 bytes,
					    bool coherent)
{
	struct contigbuf_region *region;

	mutex_lock(&regions_lock);
	list_for_each_entry(region, &regions, in_regions) {
		if (region->base != PAGE_ALIGN(base))
			continue;
		if (region->mapped || region->coherent == coherent)
			kref_get(&region->refs);
		else
			region = ERR_PTR(-EINVAL);
		goto unlock;
	}
	region = region_create(base, bytes, coherent);
unlock:
	mutex_unlock(&regions_lock);
	return region;
}

/**
 * contigbuf_region_get - give a device the reserved memory it has, if any
 * @device: being set up
 *
 * Returns 0, also without such memory, or an error.
 */
int contigbuf_region_get(struct contigbuf_device *device)
{
	struct device *dev = &device->dev;
	struct contigbuf_region *region;
	struct reserved_mem *memory;
	struct device_node *node;
	bool pool;

	if (!dev->of_node)
		return 0;
	node = of_parse_phandle(dev->of_node, "memory-region", 0);
	if (!node)
		return 0;
	memory = of_reserved_mem_lookup(node);
	pool = of_device_is_compatible(node, "shared-dma-pool");
	of_node_put(node);

	if (pool)
		return of_reserved_mem_device_init_by_idx(dev, dev->of_node, 0);
	if (!memory || memory->size < 2 * PAGE_SIZE)
		return -EINVAL;
	region = region_find(memory->base, memory->size,
			     dev_is_dma_coherent(dev));
	if (IS_ERR(region))
		return PTR_ERR(region);
	device->region = region;
	return 0;
}

void contigbuf_region_put(struct contigbuf_device *device)
{
	of_reserved_mem_device_release(&device->dev);
	if (device->region)
		region_put(device->region);
}

u64 contigbuf_region_bytes(struct contigbuf_device *device)
{
	return device->region ? (u64)device->region->pages << PAGE_SHIFT : 0;
}

static u32 reserved_caches(struct contigbuf_device *device)
{
	if (!device->region)
		return 0;
	if (device->region->mapped || dev_is_dma_coherent(&device->dev))
		return contigbuf_page_caches(device);
	/*
	 * Nobody else maps it, so mapping it uncached conflicts with nothing, but
	 * cached it could not be synchronised: that goes by the linear mapping.
	 */
	return BIT(CONTIGBUF_CACHE_COHERENT) | BIT(CONTIGBUF_CACHE_WC);
}

static u32 reserved_preferred_cache(struct contigbuf_device *device)
{
	if (device->region->mapped)
		return contigbuf_page_preferred_cache(device);
	return CONTIGBUF_CACHE_COHERENT;
}

static bool is_uncached(const struct contigbuf_buffer *buffer)
{
	return buffer->cache != CONTIGBUF_CACHE_CACHED &&
	       !dev_is_dma_coherent(&buffer->device->dev);
}

static void return_pages(struct contigbuf_buffer *buffer)
{
	struct contigbuf_region *region = buffer->memory.region;

	mutex_lock(&region->lock);
	bitmap_clear(region->used, (buffer->phys - region->base) >> PAGE_SHIFT,
		     buffer->length >> PAGE_SHIFT);
	mutex_unlock(&region->lock);
	region_put(region);
}

static int take_pages(struct contigbuf_buffer *buffer)
{
	struct contigbuf_region *region = buffer->device->region;
	unsigned long count = buffer->length >> PAGE_SHIFT;
	unsigned long mask = 0, first;

	if (buffer->align > PAGE_SIZE)
		mask = (buffer->align >> PAGE_SHIFT) - 1;
	mutex_lock(&region->lock);
	first = bitmap_find_next_zero_area_off(region->used, region->pages, 0,
					       count, mask,
					       PHYS_PFN(region->base) & mask);
	if (first < region->pages)
		bitmap_set(region->used, first, count);
	mutex_unlock(&region->lock);
	if (first >= region->pages)
		return -ENOMEM;

	kref_get(&region->refs);
	buffer->memory.region = region;
	buffer->phys = region->base + PFN_PHYS(first);
	return 0;
}

static int make_visible(struct contigbuf_buffer *buffer)
{
	struct device *dev = &buffer->device->dev;

	if (buffer->memory.region->mapped)
		return contigbuf_map_for_device(buffer,
						pfn_to_page(PHYS_PFN(buffer->phys)));
	/* No struct page, and nothing in a cache: the address is all there is. */
	buffer->dma = phys_to_dma(dev, buffer->phys);
	return contigbuf_reaches(buffer, buffer->dma) ? 0 : -ENOMEM;
}

static int reserved_allocate(struct contigbuf_buffer *buffer)
{
	int err;

	err = take_pages(buffer);
	if (err)
		return err;

	err = -ENOMEM;
	buffer->vaddr = memremap(buffer->phys, buffer->length,
				 is_uncached(buffer) ? MEMREMAP_WC : MEMREMAP_WB);
	if (!buffer->vaddr)
		goto return_pages;
	memset(buffer->vaddr, 0, buffer->length);
	err = make_visible(buffer);
	if (err)
		goto unmap;
	return 0;

unmap:
	memunmap(buffer->vaddr);
return_pages:
	return_pages(buffer);
	return err;
}

static void reserved_release(struct contigbuf_buffer *buffer)
{
	contigbuf_unmap_for_device(buffer);
	memunmap(buffer->vaddr);
	return_pages(buffer);
}

const struct contigbuf_backend_ops contigbuf_backend_reserved = {
	.name = "reserved",
	.id = CONTIGBUF_BACKEND_RESERVED,
	.caches = reserved_caches,
	.preferred_cache = reserved_preferred_cache,
	.allocate = reserved_allocate,
	.release = reserved_release,
	.map = contigbuf_map_pages,
};
