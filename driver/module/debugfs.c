// SPDX-License-Identifier: GPL-2.0-only
/*
 * The list of a device's buffers in debugfs, for root: it tells addresses.
 *
 * Copyright (C) 2026 the bufrig authors
 */
#include <linux/debugfs.h>
#include <linux/seq_file.h>

#include "internal.h"

static struct dentry *root;

static const char *cache_name(u32 cache)
{
	switch (cache) {
	case CONTIGBUF_CACHE_COHERENT:
		return "coherent";
	case CONTIGBUF_CACHE_CACHED:
		return "cached";
	case CONTIGBUF_CACHE_WC:
		return "wc";
	}
	return "?";
}

/* A buffer whose last reference is just going shows with 0 refs. */
static int buffers_show(struct seq_file *out, void *unused)
{
	struct contigbuf_device *device = out->private;
	struct contigbuf_attachment *attachment;
	struct contigbuf_buffer *buffer;
	unsigned int files;

	seq_puts(out, "id bytes allocated refs files maps backend cache phys\n");
	mutex_lock(&device->lock);
	list_for_each_entry(buffer, &device->all, in_all) {
		files = 0;
		list_for_each_entry(attachment, &buffer->attachments, in_buffer)
			files += contigbuf_is_visible(attachment);
		seq_printf(out, "%u %llu %zu %u %u %d %s %s %pa\n", buffer->id,
			   buffer->bytes, buffer->length,
			   kref_read(&buffer->refs), files,
			   atomic_read(&buffer->mappings), buffer->backend->name,
			   cache_name(buffer->cache), &buffer->phys);
	}
	mutex_unlock(&device->lock);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(buffers);

void contigbuf_debugfs_init(void)
{
	root = debugfs_create_dir("contigbuf", NULL);
}

void contigbuf_debugfs_exit(void)
{
	debugfs_remove(root);
}

void contigbuf_debugfs_add(struct contigbuf_device *device)
{
	device->debugfs = debugfs_create_dir(dev_name(&device->dev), root);
	debugfs_create_file("buffers", 0400, device->debugfs, device,
			    &buffers_fops);
}

void contigbuf_debugfs_remove(struct contigbuf_device *device)
{
	debugfs_remove(device->debugfs);
}
