// SPDX-License-Identifier: GPL-2.0-only
/*
 * A buffer as a dma-buf, for other drivers and for passing on. The dma-buf holds
 * the buffer, so it outlives the id and the open file it came from.
 *
 * Copyright (C) 2026 the bufrig authors
 */
#include <linux/dma-buf.h>
#include <linux/dma-mapping.h>
#include <linux/ioport.h>
#include <linux/iosys-map.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/scatterlist.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "internal.h"

/* An entry of a scatterlist counts its bytes in 32 bits. */
#define ENTRY_MAX SZ_1G

/**
 * struct export - what a dma-buf of ours is about
 * @buffer: held
 * @lock: protects @importers; taken under the dma-buf's reservation lock
 * @importers: attached devices
 */
struct export {
	struct contigbuf_buffer *buffer;
	struct mutex lock;
	struct list_head importers;
};

/**
 * struct importer - one attached device
 * @dev: the device
 * @table: the buffer's pages, mapped for it while @mapped
 * @mapped: between map_dma_buf and unmap_dma_buf
 * @in_export: in export->importers
 */
struct importer {
	struct device *dev;
	struct sg_table table;
	bool mapped;
	struct list_head in_export;
};

static int fill_table(struct sg_table *table,
		      const struct contigbuf_buffer *buffer)
{
	size_t left = buffer->length;
	phys_addr_t phys = buffer->phys;
	struct scatterlist *entry;
	unsigned int i;
	int err;

	err = sg_alloc_table(table, DIV_ROUND_UP(left, ENTRY_MAX), GFP_KERNEL);
	if (err)
		return err;
	for_each_sgtable_sg(table, entry, i) {
		size_t length = min_t(size_t, left, ENTRY_MAX);

		sg_set_page(entry, pfn_to_page(PHYS_PFN(phys)), length, 0);
		phys += length;
		left -= length;
	}
	return 0;
}

static int contigbuf_dmabuf_attach(struct dma_buf *dmabuf,
				   struct dma_buf_attachment *attachment)
{
	struct export *export = dmabuf->priv;
	struct importer *importer;
	int err;

	importer = kzalloc(sizeof(*importer), GFP_KERNEL);
	if (!importer)
		return -ENOMEM;
	err = fill_table(&importer->table, export->buffer);
	if (err) {
		kfree(importer);
		return err;
	}
	importer->dev = attachment->dev;
	attachment->priv = importer;

	mutex_lock(&export->lock);
	list_add(&importer->in_export, &export->importers);
	mutex_unlock(&export->lock);
	return 0;
}

static void contigbuf_dmabuf_detach(struct dma_buf *dmabuf,
				    struct dma_buf_attachment *attachment)
{
	struct export *export = dmabuf->priv;
	struct importer *importer = attachment->priv;

	mutex_lock(&export->lock);
	list_del(&importer->in_export);
	mutex_unlock(&export->lock);
	sg_free_table(&importer->table);
	kfree(importer);
}

static struct sg_table *
contigbuf_dmabuf_map(struct dma_buf_attachment *attachment,
		     enum dma_data_direction direction)
{
	struct export *export = attachment->dmabuf->priv;
	struct importer *importer = attachment->priv;
	int err;

	err = dma_map_sgtable(importer->dev, &importer->table, direction, 0);
	if (err)
		return ERR_PTR(err);
	mutex_lock(&export->lock);
	importer->mapped = true;
	mutex_unlock(&export->lock);
	return &importer->table;
}

static void contigbuf_dmabuf_unmap(struct dma_buf_attachment *attachment,
				   struct sg_table *table,
				   enum dma_data_direction direction)
{
	struct export *export = attachment->dmabuf->priv;
	struct importer *importer = attachment->priv;

	mutex_lock(&export->lock);
	importer->mapped = false;
	mutex_unlock(&export->lock);
	dma_unmap_sgtable(importer->dev, table, direction, 0);
}

static int contigbuf_dmabuf_begin(struct dma_buf *dmabuf,
				  enum dma_data_direction direction)
{
	struct export *export = dmabuf->priv;
	struct importer *importer;

	mutex_lock(&export->lock);
	list_for_each_entry(importer, &export->importers, in_export)
		if (importer->mapped)
			dma_sync_sgtable_for_cpu(importer->dev,
						 &importer->table, direction);
	mutex_unlock(&export->lock);
	return 0;
}

static int contigbuf_dmabuf_end(struct dma_buf *dmabuf,
				enum dma_data_direction direction)
{
	struct export *export = dmabuf->priv;
	struct importer *importer;

	mutex_lock(&export->lock);
	list_for_each_entry(importer, &export->importers, in_export)
		if (importer->mapped)
			dma_sync_sgtable_for_device(importer->dev,
						    &importer->table, direction);
	mutex_unlock(&export->lock);
	return 0;
}

static int contigbuf_dmabuf_mmap(struct dma_buf *dmabuf,
				 struct vm_area_struct *vma)
{
	struct export *export = dmabuf->priv;

	return contigbuf_map_buffer(export->buffer, vma, vma->vm_pgoff);
}

static int contigbuf_dmabuf_vmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	struct export *export = dmabuf->priv;

	/* The kernel's mapping is there as long as the buffer. */
	iosys_map_set_vaddr(map, export->buffer->vaddr);
	return 0;
}

static void contigbuf_dmabuf_release(struct dma_buf *dmabuf)
{
	struct export *export = dmabuf->priv;

	contigbuf_buffer_put(export->buffer);
	mutex_destroy(&export->lock);
	kfree(export);
}

static const struct dma_buf_ops contigbuf_dmabuf_ops = {
	.attach = contigbuf_dmabuf_attach,
	.detach = contigbuf_dmabuf_detach,
	.map_dma_buf = contigbuf_dmabuf_map,
	.unmap_dma_buf = contigbuf_dmabuf_unmap,
	.begin_cpu_access = contigbuf_dmabuf_begin,
	.end_cpu_access = contigbuf_dmabuf_end,
	.mmap = contigbuf_dmabuf_mmap,
	.vmap = contigbuf_dmabuf_vmap,
	.release = contigbuf_dmabuf_release,
};

/**
 * contigbuf_dmabuf_create - export a buffer
 * @buffer: a reference is taken for the dma-buf
 * @mode: O_RDONLY, O_WRONLY or O_RDWR
 *
 * Returns the dma-buf with one reference for the caller, or -EOPNOTSUPP for
 * reserved memory that the kernel does not map (no-map), -ENOMEM.
 */
struct dma_buf *contigbuf_dmabuf_create(struct contigbuf_buffer *buffer,
					int mode)
{
	DEFINE_DMA_BUF_EXPORT_INFO(info);
	struct dma_buf *dmabuf;
	struct export *export;

	/* Cache maintenance and bouncing go by the kernel's linear mapping. */
	if (region_intersects(buffer->phys, buffer->length,
			      IORESOURCE_SYSTEM_RAM,
			      IORES_DESC_NONE) != REGION_INTERSECTS)
		return ERR_PTR(-EOPNOTSUPP);

	export = kzalloc(sizeof(*export), GFP_KERNEL_ACCOUNT);
	if (!export)
		return ERR_PTR(-ENOMEM);
	mutex_init(&export->lock);
	INIT_LIST_HEAD(&export->importers);
	export->buffer = buffer;
	contigbuf_buffer_get(buffer);

	info.exp_name = "contigbuf";
	info.ops = &contigbuf_dmabuf_ops;
	info.size = buffer->length;
	info.flags = mode;
	info.priv = export;
	dmabuf = dma_buf_export(&info);
	if (IS_ERR(dmabuf)) {
		contigbuf_buffer_put(buffer);
		kfree(export);
	}
	return dmabuf;
}

COMPAT_IMPORT_NS_DMA_BUF;
