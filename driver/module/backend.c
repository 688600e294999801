// SPDX-License-Identifier: GPL-2.0-only
/*
 * Choosing where a buffer's memory comes from, and what the sources share.
 *
 * Copyright (C) 2026 the bufrig authors
 */
#include <linux/dma-direct.h>
#include <linux/dma-mapping.h>
#include <linux/mm.h>

#include "internal.h"

/* In the order in which CONTIGBUF_BACKEND_AUTO tries them. */
static const struct contigbuf_backend_ops *const backends[] = {
	&contigbuf_backend_dma,
	&contigbuf_backend_pages,
};

u32 contigbuf_backends(void)
{
	u32 bits = 0;
	int i;

	for (i = 0; i < ARRAY_SIZE(backends); i++)
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

/* More than the machine has is refused without trying. */
u64 contigbuf_size_max(void)
{
	return (u64)totalram_pages() << PAGE_SHIFT;
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
		buffer->backend = ops;
		buffer->cache = cache != CONTIGBUF_CACHE_DEFAULT ?
					cache :
					ops->preferred_cache(buffer->device);
		if (!(ops->caches(buffer->device) & BIT(buffer->cache)))
			continue;
		err = ops->allocate(buffer);
		if (err != -ENOMEM)
			return err;
	}
	return err;
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

	if (IS_ENABLED(CONFIG_ZONE_DMA) && device->dma_mask < DMA_BIT_MASK(32))
		gfp |= __GFP_DMA;
	else if (IS_ENABLED(CONFIG_ZONE_DMA32) &&
		 device->dma_mask <= DMA_BIT_MASK(32))
		gfp |= __GFP_DMA32;
	return gfp;
}

/**
 * contigbuf_map_for_device - make ordinary pages visible to the device
 * @buffer: @phys and @length are set, the content is final
 * @page: its first page
 *
 * Sets @dma. Returns 0, or -ENOMEM when the device cannot reach the memory.
 */
int contigbuf_map_for_device(struct contigbuf_buffer *buffer, struct page *page)
{
	struct device *dev = &buffer->device->dev;
	u64 last;

	/* Said before mapping, because mapping would use a bounce buffer. */
	if (!device_iommu_mapped(dev)) {
		last = phys_to_dma(dev, buffer->phys) + buffer->length - 1;
		if (last > buffer->device->dma_mask)
			return -ENOMEM;
	}
	buffer->dma = dma_map_page(dev, page, 0, buffer->length,
				   DMA_BIDIRECTIONAL);
	return dma_mapping_error(dev, buffer->dma) ? -ENOMEM : 0;
}

void contigbuf_unmap_for_device(struct contigbuf_buffer *buffer)
{
	dma_unmap_page(&buffer->device->dev, buffer->dma, buffer->length,
		       DMA_BIDIRECTIONAL);
}

/* Maps ordinary cached memory; the VMA's protection is right as it is. */
int contigbuf_map_cached(struct contigbuf_buffer *buffer,
			 struct vm_area_struct *vma, unsigned long first)
{
	return remap_pfn_range(vma, vma->vm_start,
			       PHYS_PFN(buffer->phys) + first,
			       vma->vm_end - vma->vm_start, vma->vm_page_prot);
}
