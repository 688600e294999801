// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory from the DMA API: CMA where the kernel has it, and the attributes that
 * suit the device.
 *
 * Copyright (C) 2026 the bufrig authors
 */
#include <linux/cc_platform.h>
#include <linux/dma-map-ops.h>
#include <linux/dma-mapping.h>
#include <linux/mm.h>
#include <linux/vmalloc.h>

#include "internal.h"

/**
 * contigbuf_has_pool - whether a device has memory that the DMA API gives to it only
 * @device: the device
 *
 * That is a shared-dma-pool in the device tree which is not reusable. A device that
 * has one is given no other coherent memory.
 */
bool contigbuf_has_pool(struct contigbuf_device *device)
{
#if IS_ENABLED(CONFIG_DMA_DECLARE_COHERENT)
	return device->dev.dma_mem;
#else
	return false;
#endif
}

static u32 dma_caches(struct contigbuf_device *device)
{
	u32 bits = BIT(CONTIGBUF_CACHE_COHERENT);

	/*
	 * Where memory is encrypted only the DMA API knows how to map what it gave,
	 * and from a device's own pool it gives nothing cached.
	 */
	if (!cc_platform_has(CC_ATTR_MEM_ENCRYPT) && !contigbuf_has_pool(device))
		bits |= BIT(CONTIGBUF_CACHE_CACHED);
	/* For a coherent device the DMA API maps cached, whatever is asked. */
	if (!dev_is_dma_coherent(&device->dev))
		bits |= BIT(CONTIGBUF_CACHE_WC);
	return bits;
}

static u32 dma_preferred_cache(struct contigbuf_device *device)
{
	return CONTIGBUF_CACHE_COHERENT;
}

static unsigned long attributes(const struct contigbuf_buffer *buffer)
{
	unsigned long attrs = DMA_ATTR_FORCE_CONTIGUOUS | DMA_ATTR_NO_WARN;

	if (buffer->cache == CONTIGBUF_CACHE_WC)
		attrs |= DMA_ATTR_WRITE_COMBINE;
	return attrs;
}

/* The DMA API chooses the zone itself, from the device's mask. */
static gfp_t dma_gfp(const struct contigbuf_buffer *buffer)
{
	return contigbuf_gfp(buffer->device) & ~(__GFP_DMA | __GFP_DMA32);
}

static unsigned long pfn_of(const void *vaddr)
{
	if (is_vmalloc_addr(vaddr))
		return vmalloc_to_pfn(vaddr);
	return PHYS_PFN(virt_to_phys((void *)vaddr));
}

/* An IOMMU may make scattered pages look contiguous to the device only. */
static bool is_contiguous(const void *vaddr, size_t length)
{
	unsigned long first = pfn_of(vaddr);
	unsigned long i;

	for (i = 1; i < length >> PAGE_SHIFT; i++)
		if (pfn_of(vaddr + (i << PAGE_SHIFT)) != first + i)
			return false;
	return true;
}

static int get_memory(struct contigbuf_buffer *buffer, size_t length)
{
	struct device *dev = &buffer->device->dev;
	struct page *page;
	dma_addr_t dma;
	void *vaddr;

	if (buffer->cache == CONTIGBUF_CACHE_CACHED) {
		page = dma_alloc_pages(dev, length, &dma, DMA_BIDIRECTIONAL,
				       dma_gfp(buffer));
		vaddr = page ? page_address(page) : NULL;
	} else {
		vaddr = dma_alloc_attrs(dev, length, &dma, dma_gfp(buffer),
					attributes(buffer));
	}
	if (!vaddr)
		return -ENOMEM;
	buffer->memory.dma.vaddr = vaddr;
	buffer->memory.dma.dma = dma;
	buffer->memory.dma.length = length;
	return 0;
}

static void put_memory(struct contigbuf_buffer *buffer)
{
	struct device *dev = &buffer->device->dev;
	void *vaddr = buffer->memory.dma.vaddr;
	dma_addr_t dma = buffer->memory.dma.dma;
	size_t length = buffer->memory.dma.length;

	if (buffer->cache == CONTIGBUF_CACHE_CACHED)
		dma_free_pages(dev, length, virt_to_page(vaddr), dma,
			       DMA_BIDIRECTIONAL);
	else
		dma_free_attrs(dev, length, vaddr, dma, attributes(buffer));
}

/* Places the buffer at its alignment in what the DMA API gave. */
static int place(struct contigbuf_buffer *buffer)
{
	void *vaddr = buffer->memory.dma.vaddr;
	phys_addr_t phys = PFN_PHYS(pfn_of(vaddr));
	size_t skip = 0;

	if (!is_contiguous(vaddr, buffer->memory.dma.length))
		return -ENOMEM;
	if (buffer->align)
		skip = ALIGN((u64)phys, buffer->align) - phys;
	if (skip > buffer->memory.dma.length - buffer->length)
		return -ENOMEM;
	buffer->vaddr = vaddr + skip;
	buffer->phys = phys + skip;
	buffer->dma = buffer->memory.dma.dma + skip;
	/* 32 bit ARM takes a mask that no memory lies below, and gives what lies beyond. */
	if (!contigbuf_reaches(buffer, buffer->dma))
		return -ENOMEM;
	return 0;
}

static int try_length(struct contigbuf_buffer *buffer, size_t length)
{
	int err;

	err = get_memory(buffer, length);
	if (err)
		return err;
	err = place(buffer);
	if (err)
		put_memory(buffer);
	return err;
}

/* What is taken beside the buffer is charged, too: nobody else can have it. */
static int try_more(struct contigbuf_buffer *buffer, u64 extra)
{
	int err;

	err = contigbuf_charge(buffer->account, extra);
	if (err)
		return err;
	err = try_length(buffer, buffer->length + extra);
	if (err)
		contigbuf_uncharge(buffer->account, extra);
	return err;
}

/*
 * CMA aligns to 2^CONFIG_CMA_ALIGNMENT pages at most. A stricter alignment may
 * be met by chance; otherwise more is taken and the buffer placed inside.
 */
static int dma_allocate(struct contigbuf_buffer *buffer)
{
	int err;

	err = try_length(buffer, buffer->length);
	if (err && buffer->align > PAGE_SIZE)
		err = try_more(buffer, buffer->align - PAGE_SIZE);
	if (err)
		return err;

	/* dma_alloc_attrs() promises zeroes, dma_alloc_pages() does not. */
	if (buffer->cache == CONTIGBUF_CACHE_CACHED) {
		memset(buffer->vaddr, 0, buffer->length);
		dma_sync_single_for_device(&buffer->device->dev, buffer->dma,
					   buffer->length, DMA_BIDIRECTIONAL);
	}
	return 0;
}

static void dma_release(struct contigbuf_buffer *buffer)
{
	put_memory(buffer);
	contigbuf_uncharge(buffer->account,
			   buffer->memory.dma.length - buffer->length);
}

/*
 * dma_mmap_attrs() takes vm_pgoff for the offset in the memory; it is put back
 * because it names the range in this open file.
 */
static int dma_map(struct contigbuf_buffer *buffer, struct vm_area_struct *vma,
		   unsigned long first)
{
	unsigned long pgoff = vma->vm_pgoff;
	size_t skip = buffer->vaddr - buffer->memory.dma.vaddr;
	int err;

	if (buffer->cache == CONTIGBUF_CACHE_CACHED)
		return contigbuf_map_pages(buffer, vma, first);

	vma->vm_pgoff = first + (skip >> PAGE_SHIFT);
	err = dma_mmap_attrs(&buffer->device->dev, vma,
			     buffer->memory.dma.vaddr, buffer->memory.dma.dma,
			     buffer->memory.dma.length, attributes(buffer));
	vma->vm_pgoff = pgoff;
	return err;
}

const struct contigbuf_backend_ops contigbuf_backend_dma = {
	.name = "dma",
	.id = CONTIGBUF_BACKEND_DMA,
	.caches = dma_caches,
	.preferred_cache = dma_preferred_cache,
	.allocate = dma_allocate,
	.release = dma_release,
	.map = dma_map,
};
