// SPDX-License-Identifier: GPL-2.0-only
/*
 * Choosing where a buffer's memory comes from, and what the sources share.
 *
 * Copyright (C) 2026 the bufrig authors
 */
#include <linux/cc_platform.h>
#include <linux/dma-direct.h>
#include <linux/dma-map-ops.h>
#include <linux/dma-mapping.h>
#include <linux/error-injection.h>
#include <linux/mm.h>
#include <linux/vmstat.h>

#include "internal.h"

/*
 * In the order in which CONTIGBUF_BACKEND_AUTO tries them. Without CMA the DMA
 * API comes last: it rounds sizes up to a power of two.
 */
static const struct contigbuf_backend_ops *const backends[] = {
	&contigbuf_backend_reserved,
#if IS_ENABLED(CONFIG_DMA_CMA)
	&contigbuf_backend_dma,
#endif
	&contigbuf_backend_pages,
#if IS_ENABLED(CONFIG_CONTIG_ALLOC)
	&contigbuf_backend_contig,
#endif
#if !IS_ENABLED(CONFIG_DMA_CMA)
	&contigbuf_backend_dma,
#endif
};

u32 contigbuf_backends(struct contigbuf_device *device)
{
	u32 bits = 0;
	int i;

	for (i = 0; i < ARRAY_SIZE(backends); i++)
		if (backends[i]->caches(device))
			bits |= BIT(backends[i]->id);
	return bits;
}

u32 contigbuf_caches(struct contigbuf_device *device)
{
	u32 bits = 0;
	int i;

	for (i = 0; i < ARRAY_SIZE(backends); i++)
		bits |= backends[i]->caches(device);
	return bits;
}

/* More than the machine has, or can count, is refused without trying. */
u64 contigbuf_size_max(struct contigbuf_device *device)
{
	u64 bytes = max((u64)totalram_pages() << PAGE_SHIFT,
			contigbuf_region_bytes(device));

	return min_t(u64, bytes, LONG_MAX & PAGE_MASK);
}

/*
 * Buffers cannot be reclaimed. Those that take ordinary memory leave the rest of
 * the system a sixteenth of it, or the OOM killer would come for somebody else.
 */
static bool would_starve(long count)
{
	long cma = global_zone_page_state(NR_FREE_CMA_PAGES);
	long reserve = totalram_pages() / 16;

	return si_mem_available() - cma - count < reserve;
}

/*
 * CMA is there for us. What is free of it may be another device's or lie in
 * pieces, and then the DMA API takes ordinary memory: that is seen afterwards.
 */
static int allocate_from_cma(struct contigbuf_buffer *buffer, long count)
{
	long cma = global_zone_page_state(NR_FREE_CMA_PAGES);
	int err;

	err = contigbuf_backend_dma.allocate(buffer);
	if (err)
		return err;
	cma -= global_zone_page_state(NR_FREE_CMA_PAGES);
	if (cma * 2 < count && would_starve(0)) {
		contigbuf_backend_dma.release(buffer);
		return -ENOMEM;
	}
	return 0;
}

/*
 * What cannot be had is refused before anything is moved out of its way. Who asks
 * at the same time is let pass, too, and a source may take more than it was asked
 * for: what is left in the end decides.
 */
static int allocate_ordinary(const struct contigbuf_backend_ops *ops,
			     struct contigbuf_buffer *buffer, long count)
{
	int err;

	if (would_starve(count))
		return -ENOMEM;
	err = ops->allocate(buffer);
	if (err)
		return err;
	if (would_starve(0)) {
		ops->release(buffer);
		return -ENOMEM;
	}
	return 0;
}

/* A CMA area that the device tree sets aside for the device. */
static bool has_cma_area(struct contigbuf_device *device)
{
#if IS_ENABLED(CONFIG_DMA_CMA)
	return device->dev.cma_area;
#else
	return false;
#endif
}

static int allocate_from(const struct contigbuf_backend_ops *ops,
			 struct contigbuf_buffer *buffer)
{
	long count = buffer->length >> PAGE_SHIFT;
	long cma = global_zone_page_state(NR_FREE_CMA_PAGES);

	/* What is set aside for the device is nobody else's to miss. */
	if (ops == &contigbuf_backend_reserved ||
	    (ops == &contigbuf_backend_dma && contigbuf_has_pool(buffer->device)))
		return ops->allocate(buffer);
	/* Single pages come from CMA only when the area is the device's own. */
	if (ops == &contigbuf_backend_dma && count <= cma &&
	    (count > 1 || has_cma_area(buffer->device)))
		return allocate_from_cma(buffer, count);
	return allocate_ordinary(ops, buffer, count);
}

/**
 * contigbuf_backend_allocate - get memory for a buffer
 * @buffer: @length and @align are set
 * @backend: enum contigbuf_backend
 * @cache: enum contigbuf_cache
 *
 * Returns 0 with the memory zeroed, or -EINVAL for an unknown value, -EOPNOTSUPP
 * when no source gives that cache mode, -ENOMEM.
 */
int contigbuf_backend_allocate(struct contigbuf_buffer *buffer, u32 backend,
			       u32 cache)
{
	int i, err = -EOPNOTSUPP;

	if (backend > CONTIGBUF_BACKEND_RESERVED || cache > CONTIGBUF_CACHE_WC)
		return -EINVAL;

	for (i = 0; i < ARRAY_SIZE(backends); i++) {
		const struct contigbuf_backend_ops *ops = backends[i];

		if (backend != CONTIGBUF_BACKEND_AUTO && backend != ops->id)
			continue;
		if (!ops->caches(buffer->device))
			continue;
		buffer->backend = ops;
		buffer->cache = cache != CONTIGBUF_CACHE_DEFAULT ?
					cache :
					ops->preferred_cache(buffer->device);
		if (!(ops->caches(buffer->device) & BIT(buffer->cache)))
			continue;
		err = allocate_from(ops, buffer);
		/* Another source may have it, or have it without more beside it. */
		if (err != -ENOMEM && err != -EDQUOT)
			return err;
	}
	return err;
}
ALLOW_ERROR_INJECTION(contigbuf_backend_allocate, ERRNO);

/* The last address of its own that the device can put on its bus. */
static u64 dma_limit(struct contigbuf_device *device)
{
	return min_not_zero(device->dma_mask, device->dev.bus_dma_limit);
}

/**
 * contigbuf_phys_limit - the last physical address that a device reaches
 * @device: the device
 *
 * What lies below need not be in reach; see contigbuf_reaches().
 */
u64 contigbuf_phys_limit(struct contigbuf_device *device)
{
	return dma_to_phys(&device->dev, dma_limit(device));
}

/**
 * contigbuf_gfp - how memory for a device is asked for
 * @device: whose address bits count
 *
 * Tries hard, but neither kills processes nor writes to the log.
 */
gfp_t contigbuf_gfp(struct contigbuf_device *device)
{
	gfp_t gfp = GFP_KERNEL | __GFP_RETRY_MAYFAIL | __GFP_NOWARN;
	u64 limit = contigbuf_phys_limit(device);

	if (IS_ENABLED(CONFIG_ZONE_DMA) && limit < DMA_BIT_MASK(32))
		gfp |= __GFP_DMA;
	else if (IS_ENABLED(CONFIG_ZONE_DMA32) && limit <= DMA_BIT_MASK(32))
		gfp |= __GFP_DMA32;
	return gfp;
}

/*
 * A bus may move one part of the memory elsewhere than the next (dma-ranges). An
 * IOMMU makes up for that.
 */
static bool is_contiguous_on_bus(const struct contigbuf_buffer *buffer)
{
	struct device *dev = &buffer->device->dev;
	size_t last = buffer->length - 1;

	return device_iommu_mapped(dev) ||
	       phys_to_dma(dev, buffer->phys + last) -
	       phys_to_dma(dev, buffer->phys) == last;
}

/**
 * contigbuf_reaches - whether the device can use a buffer at an address of its own
 * @buffer: @phys and @length are set; its device's address bits and bus count
 * @dma: as translated from @phys, which there may be none for
 */
bool contigbuf_reaches(const struct contigbuf_buffer *buffer, dma_addr_t dma)
{
	u64 most = dma_limit(buffer->device);

	if (dma == DMA_MAPPING_ERROR || !is_contiguous_on_bus(buffer))
		return false;
	return (u64)dma <= most && buffer->length - 1 <= most - dma;
}

/**
 * contigbuf_map_for_device - make ordinary pages visible to the device
 * @buffer: @phys and @length are set, the content is final
 * @page: its first page
 *
 * Sets @dma. Returns 0, or -ENOMEM when the device cannot reach the memory
 * itself: a bounce buffer would not be the memory that userspace maps.
 */
int contigbuf_map_for_device(struct contigbuf_buffer *buffer, struct page *page)
{
	struct device *dev = &buffer->device->dev;
	dma_addr_t direct = phys_to_dma(dev, buffer->phys);
	bool translated = device_iommu_mapped(dev);

	if (!translated && !contigbuf_reaches(buffer, direct))
		return -ENOMEM;
	/* Nothing to translate and no cache to clean: nothing to do. */
	if (!translated && dev_is_dma_coherent(dev) &&
	    !cc_platform_has(CC_ATTR_MEM_ENCRYPT)) {
		buffer->dma = direct;
		return 0;
	}

	buffer->dma = dma_map_page_attrs(dev, page, 0, buffer->length,
					 DMA_BIDIRECTIONAL, DMA_ATTR_NO_WARN);
	if (dma_mapping_error(dev, buffer->dma))
		return -ENOMEM;
	buffer->mapped = true;
	if (!translated && buffer->dma != direct) {
		contigbuf_unmap_for_device(buffer);
		return -ENOMEM;
	}
	return 0;
}

void contigbuf_unmap_for_device(struct contigbuf_buffer *buffer)
{
	if (buffer->mapped)
		dma_unmap_page(&buffer->device->dev, buffer->dma,
			       buffer->length, DMA_BIDIRECTIONAL);
	buffer->mapped = false;
}

/* Cache modes that ordinary pages, mapped as the kernel maps them, amount to. */
u32 contigbuf_page_caches(struct contigbuf_device *device)
{
	if (dev_is_dma_coherent(&device->dev))
		return BIT(CONTIGBUF_CACHE_CACHED) |
		       BIT(CONTIGBUF_CACHE_COHERENT);
	return BIT(CONTIGBUF_CACHE_CACHED);
}

u32 contigbuf_page_preferred_cache(struct contigbuf_device *device)
{
	if (dev_is_dma_coherent(&device->dev))
		return CONTIGBUF_CACHE_COHERENT;
	return CONTIGBUF_CACHE_CACHED;
}

static enum dma_data_direction direction_of(u32 flags)
{
	switch (flags & (CONTIGBUF_SYNC_READ | CONTIGBUF_SYNC_WRITE)) {
	case CONTIGBUF_SYNC_READ:
		return DMA_FROM_DEVICE;
	case CONTIGBUF_SYNC_WRITE:
		return DMA_TO_DEVICE;
	}
	return DMA_BIDIRECTIONAL;
}

/**
 * contigbuf_sync - hand a range over between CPU and device
 * @buffer: the buffer
 * @flags: CONTIGBUF_SYNC_* bits, checked
 * @offset: first byte, checked
 * @length: bytes, checked
 */
void contigbuf_sync(struct contigbuf_buffer *buffer, u32 flags, u64 offset,
		    u64 length)
{
	struct device *dev = &buffer->device->dev;

	if (buffer->cache != CONTIGBUF_CACHE_CACHED ||
	    dev_is_dma_coherent(dev))
		return;
	if (flags & CONTIGBUF_SYNC_END)
		dma_sync_single_range_for_device(dev, buffer->dma, offset,
						 length, direction_of(flags));
	else
		dma_sync_single_range_for_cpu(dev, buffer->dma, offset, length,
					      direction_of(flags));
}

/**
 * contigbuf_protection - how user mappings of a buffer are to be made
 * @buffer: the buffer
 * @protection: of the VMA as it is
 *
 * The same as the kernel's own mapping of it: one memory seen with two types is
 * undefined on some architectures.
 */
pgprot_t contigbuf_protection(const struct contigbuf_buffer *buffer,
			      pgprot_t protection)
{
	if (dev_is_dma_coherent(&buffer->device->dev))
		return protection;
	switch (buffer->cache) {
	case CONTIGBUF_CACHE_COHERENT:
		return pgprot_dmacoherent(protection);
	case CONTIGBUF_CACHE_WC:
		return pgprot_writecombine(protection);
	}
	return protection;
}

/* Installs the pages of memory that is not the DMA API's to map. */
int contigbuf_map_pages(struct contigbuf_buffer *buffer,
			struct vm_area_struct *vma, unsigned long first)
{
	vma->vm_page_prot = contigbuf_protection(buffer, vma->vm_page_prot);
	return remap_pfn_range(vma, vma->vm_start,
			       PHYS_PFN(buffer->phys) + first,
			       vma->vm_end - vma->vm_start, vma->vm_page_prot);
}
