// SPDX-License-Identifier: GPL-2.0-only
/*
 * An open file of the device: from open() to the last close().
 *
 * Copyright (C) 2026 the bufrig authors
 */
#include <linux/compat.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

#include "internal.h"

static int contigbuf_open(struct inode *inode, struct file *filp)
{
	/* The cdev, found under the kernel's lock, keeps the device alive. */
	struct contigbuf_device *device =
		container_of(inode->i_cdev, struct contigbuf_device, cdev);
	struct contigbuf_file *file;
	bool dead;

	mutex_lock(&device->lock);
	dead = device->dead;
	mutex_unlock(&device->lock);
	if (dead)
		return -ENODEV;

	file = kzalloc(sizeof(*file), GFP_KERNEL_ACCOUNT);
	if (!file)
		return -ENOMEM;
	file->account = contigbuf_account_create();
	if (!file->account) {
		kfree(file);
		return -ENOMEM;
	}
	INIT_LIST_HEAD(&file->attachments);
	get_device(&device->dev);
	file->device = device;

	filp->private_data = file;
	compat_allow_unsigned_offset(filp);
	return nonseekable_open(inode, filp);
}

static int contigbuf_release(struct inode *inode, struct file *filp)
{
	struct contigbuf_file *file = filp->private_data;

	contigbuf_detach_all(file);
	contigbuf_account_put(file->account);
	contigbuf_device_put(file->device);
	kfree(file);
	return 0;
}

static const char *const naming_names[] = {
	[CONTIGBUF_NAMING_FD] = "fd",
	[CONTIGBUF_NAMING_COOKIE] = "cookie",
	[CONTIGBUF_NAMING_APERTURE] = "aperture",
	[CONTIGBUF_NAMING_PHYSICAL] = "physical",
};

/* For /proc/pid/fdinfo: no offset, which may be an address. */
static void contigbuf_show_fdinfo(struct seq_file *out, struct file *filp)
{
	struct contigbuf_file *file = filp->private_data;
	struct contigbuf_attachment *attachment;

	seq_printf(out, "charged:\t%lld\n",
		   (s64)atomic64_read(&file->account->bytes));
	mutex_lock(&file->device->lock);
	seq_printf(out, "naming:\t%s\n",
		   file->users ? naming_names[file->naming] : "none");
	list_for_each_entry(attachment, &file->attachments, in_file)
		seq_printf(out, "buffer:\t%u %zu\n", attachment->buffer->id,
			   attachment->buffer->length);
	mutex_unlock(&file->device->lock);
}

const struct file_operations contigbuf_fops = {
	.owner = THIS_MODULE,
	.open = contigbuf_open,
	.release = contigbuf_release,
	.unlocked_ioctl = contigbuf_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.mmap = contigbuf_mmap,
	.show_fdinfo = contigbuf_show_fdinfo,
#if COMPAT_PMD_PFNMAP
	/* Every naming's offset of a buffer is a multiple of a PMD's size, or
	 * the physical address itself, so this makes addresses congruent. */
	.get_unmapped_area = thp_get_unmapped_area,
#endif
	COMPAT_FOP_UNSIGNED_OFFSET
};
