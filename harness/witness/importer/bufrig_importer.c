// SPDX-License-Identifier: GPL-2.0-only
/*
 * Imports dma-bufs as graphics drivers do, with DRM's own three ioctls: a descriptor becomes a handle, and
 * the memory stays mapped for a device, and for the kernel, until the handle is let go or the file closed;
 * a handle becomes a descriptor again. For kernels that have no such driver, on machines that are thrown away.
 *
 * Beyond that, pread() shows what an importer sees of the last dma-buf: through the kernel's mapping, and, from
 * DEVICE_VIEW on, at the addresses that its device got.
 */
#include <linux/dma-buf.h>
#include <linux/dma-direct.h>
#include <linux/dma-mapping.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/highmem.h>
#include <linux/io.h>
#include <linux/iosys-map.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/platform_device.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 2, 0)
/* Nobody had to hold a lock for these. */
#define dma_buf_vmap_unlocked dma_buf_vmap
#define dma_buf_vunmap_unlocked dma_buf_vunmap
#endif

/* include/uapi/drm/drm.h: struct drm_prime_handle and its ioctls. */
struct prime_handle {
	__u32 handle;
	__u32 flags;
	__s32 fd;
};

#define PRIME_HANDLE_TO_FD _IOWR('d', 0x2d, struct prime_handle)
#define PRIME_FD_TO_HANDLE _IOWR('d', 0x2e, struct prime_handle)

/* include/uapi/drm/drm_mode.h: struct drm_mode_destroy_dumb, which is nothing but a handle. */
#define DESTROY_DUMB _IOWR('d', 0xb4, __u32)

/* Where in the file the device's view begins; the kernel's begins at 0. */
#define DEVICE_VIEW (1LL << 40)

static struct platform_device *device;

static unsigned int dma_bits = 64;
module_param(dma_bits, uint, 0644);
MODULE_PARM_DESC(dma_bits, "Address bits that the device drives from the next import on");

/* A dma-buf in use; its place in the file's list is its handle. */
struct import {
	struct list_head in_file;
	u32 handle;
	struct dma_buf *dmabuf;
	struct dma_buf_attachment *attachment;
	struct sg_table *table;
	struct iosys_map map;
};

struct imports {
	struct mutex lock;
	struct list_head all;
	u32 last;
};

/* As whoever reads the result when its device has let go: then there is nothing to hand over to it. */
static void look_once_more(struct dma_buf *dmabuf)
{
	if (!dma_buf_begin_cpu_access(dmabuf, DMA_BIDIRECTIONAL))
		dma_buf_end_cpu_access(dmabuf, DMA_BIDIRECTIONAL);
}

static void import_end(struct import *import)
{
	if (!iosys_map_is_null(&import->map))
		dma_buf_vunmap_unlocked(import->dmabuf, &import->map);
	if (!IS_ERR_OR_NULL(import->table)) {
		dma_buf_unmap_attachment_unlocked(import->attachment, import->table, DMA_BIDIRECTIONAL);
		look_once_more(import->dmabuf);
	}
	if (!IS_ERR_OR_NULL(import->attachment))
		dma_buf_detach(import->dmabuf, import->attachment);
	dma_buf_put(import->dmabuf);
	kfree(import);
}

/* What an importer of the same memory would do first: one that only the CPU uses may have no vmap. */
static int import_begin(struct import *import)
{
	int err;

	/* Written to directly: dma_set_mask() refuses one that no memory lies below. */
	*device->dev.dma_mask = DMA_BIT_MASK(dma_bits);
	import->attachment = dma_buf_attach(import->dmabuf, &device->dev);
	if (IS_ERR(import->attachment))
		return PTR_ERR(import->attachment);
	import->table = dma_buf_map_attachment_unlocked(import->attachment, DMA_BIDIRECTIONAL);
	if (IS_ERR(import->table))
		return PTR_ERR(import->table);
	/* As whoever looks at what its device wrote; where caches need care, the DMA API's events tell of it. */
	dma_sync_sgtable_for_cpu(&device->dev, import->table, DMA_BIDIRECTIONAL);
	dma_sync_sgtable_for_device(&device->dev, import->table, DMA_BIDIRECTIONAL);
	err = dma_buf_vmap_unlocked(import->dmabuf, &import->map);
	return err == -EINVAL ? 0 : err;
}

static int fd_to_handle(struct imports *imports, struct prime_handle *argument)
{
	struct import *import = kzalloc(sizeof(*import), GFP_KERNEL);
	int err;

	if (!import)
		return -ENOMEM;
	import->dmabuf = dma_buf_get(argument->fd);
	if (IS_ERR(import->dmabuf)) {
		err = PTR_ERR(import->dmabuf);
		kfree(import);
		return err;
	}
	err = import_begin(import);
	if (err) {
		import_end(import);
		return err;
	}
	mutex_lock(&imports->lock);
	argument->handle = import->handle = ++imports->last;
	list_add(&import->in_file, &imports->all);
	mutex_unlock(&imports->lock);
	return 0;
}

static int handle_to_fd(struct imports *imports, struct prime_handle *argument)
{
	struct import *import;
	int fd = -ENOENT;

	mutex_lock(&imports->lock);
	list_for_each_entry(import, &imports->all, in_file)
		if (import->handle == argument->handle) {
			get_dma_buf(import->dmabuf);
			fd = dma_buf_fd(import->dmabuf, argument->flags & O_CLOEXEC);
			if (fd < 0)
				dma_buf_put(import->dmabuf);
			break;
		}
	mutex_unlock(&imports->lock);
	argument->fd = fd;
	return fd < 0 ? fd : 0;
}

static int destroy(struct imports *imports, __u32 handle)
{
	struct import *import, *found = NULL;

	mutex_lock(&imports->lock);
	list_for_each_entry(import, &imports->all, in_file)
		if (import->handle == handle) {
			found = import;
			list_del(&found->in_file);
			break;
		}
	mutex_unlock(&imports->lock);
	if (!found)
		return -ENOENT;
	import_end(found);
	return 0;
}

static long importer_ioctl(struct file *file, unsigned int command, unsigned long user)
{
	struct imports *imports = file->private_data;
	struct prime_handle argument;
	int err = -ENOTTY;
	__u32 handle;

	if (command == DESTROY_DUMB)
		return get_user(handle, (__u32 __user *)user) ? -EFAULT : destroy(imports, handle);
	if (command != PRIME_FD_TO_HANDLE && command != PRIME_HANDLE_TO_FD)
		return err;
	if (copy_from_user(&argument, (void __user *)user, sizeof(argument)))
		return -EFAULT;
	err = command == PRIME_FD_TO_HANDLE ? fd_to_handle(imports, &argument) : handle_to_fd(imports, &argument);
	if (err)
		return err;
	return copy_to_user((void __user *)user, &argument, sizeof(argument)) ? -EFAULT : 0;
}

/* Without a machine's own translation in between, as in all guests. */
static int copy_for_device(const struct sg_table *table, u64 position, void *to, size_t bytes)
{
	struct scatterlist *entry;
	unsigned int i;

	for_each_sgtable_dma_sg(table, entry, i) {
		if (position < sg_dma_len(entry)) {
			phys_addr_t phys = dma_to_phys(&device->dev, sg_dma_address(entry) + position);
			bool paged = pfn_valid(PHYS_PFN(phys));
			void *page;

			/* A page of the buffer never lies in two entries. */
			if (bytes > sg_dma_len(entry) - position)
				return -ERANGE;
			page = paged ? kmap_local_page(pfn_to_page(PHYS_PFN(phys)))
				     : memremap(phys & PAGE_MASK, PAGE_SIZE, MEMREMAP_WB);
			if (!page)
				return -ENOMEM;
			memcpy(to, page + offset_in_page(phys), bytes);
			if (paged)
				kunmap_local(page);
			else
				memunmap(page);
			return 0;
		}
		position -= sg_dma_len(entry);
	}
	return -ENXIO;
}

static int copy_for_kernel(const struct import *import, u64 position, void *to, size_t bytes)
{
	if (iosys_map_is_null(&import->map))
		return -EOPNOTSUPP;
	if (position >= import->dmabuf->size)
		return -ENXIO;
	iosys_map_memcpy_from(to, &import->map, position, bytes);
	return 0;
}

/* Of one page at a time. ENXIO: the view ends before; EOPNOTSUPP: there is none. */
static ssize_t importer_read(struct file *file, char __user *user, size_t bytes, loff_t *position)
{
	struct imports *imports = file->private_data;
	struct import *import;
	int err = -ENOENT;
	void *copy;

	bytes = min_t(size_t, bytes, PAGE_SIZE - offset_in_page(*position));
	copy = kmalloc(bytes, GFP_KERNEL);
	if (!copy)
		return -ENOMEM;
	mutex_lock(&imports->lock);
	import = list_first_entry_or_null(&imports->all, struct import, in_file);
	if (import && *position >= DEVICE_VIEW)
		err = copy_for_device(import->table, *position - DEVICE_VIEW, copy, bytes);
	else if (import)
		err = copy_for_kernel(import, *position, copy, bytes);
	mutex_unlock(&imports->lock);
	if (!err && copy_to_user(user, copy, bytes))
		err = -EFAULT;
	kfree(copy);
	return err ?: bytes;
}

static int importer_open(struct inode *inode, struct file *file)
{
	struct imports *imports = kzalloc(sizeof(*imports), GFP_KERNEL);

	if (!imports)
		return -ENOMEM;
	mutex_init(&imports->lock);
	INIT_LIST_HEAD(&imports->all);
	file->private_data = imports;
	return 0;
}

static int importer_release(struct inode *inode, struct file *file)
{
	struct imports *imports = file->private_data;
	struct import *import, *next;

	list_for_each_entry_safe(import, next, &imports->all, in_file)
		import_end(import);
	mutex_destroy(&imports->lock);
	kfree(imports);
	return 0;
}

static const struct file_operations importer_operations = {
	.owner = THIS_MODULE,
	.open = importer_open,
	.release = importer_release,
	.read = importer_read,
	.unlocked_ioctl = importer_ioctl,
};

static struct miscdevice importer_node = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "bufrig-importer",
	.fops = &importer_operations,
	.mode = 0600,
};

static int __init importer_init(void)
{
	int err;

	device = platform_device_register_simple("bufrig-importer", -1, NULL, 0);
	if (IS_ERR(device))
		return PTR_ERR(device);
	/* As of a device that takes contiguous memory; without a word it is 64 KiB. */
	dma_set_max_seg_size(&device->dev, UINT_MAX);
	err = dma_set_mask_and_coherent(&device->dev, DMA_BIT_MASK(64));
	if (!err)
		err = misc_register(&importer_node);
	if (err)
		platform_device_unregister(device);
	return err;
}
module_init(importer_init);

static void __exit importer_exit(void)
{
	misc_deregister(&importer_node);
	platform_device_unregister(device);
}
module_exit(importer_exit);

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
MODULE_IMPORT_NS("DMA_BUF");
#else
MODULE_IMPORT_NS(DMA_BUF);
#endif
MODULE_DESCRIPTION("Imports dma-bufs, for tests");
MODULE_LICENSE("GPL");
