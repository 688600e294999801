/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of the module share: the objects, who holds what, and each
 * file's entry points.
 *
 * Who holds what
 *   device      a reference of its struct device: the platform driver's binding,
 *               every open file, every buffer
 *   buffer      a kref: its id, every attachment of an open file that is bound
 *               to it, every mapping, every dma-buf, every call at work on it
 *   attachment  belongs to one open file; the id goes with the last one
 *   account     a refcount: its open file, every buffer charged to it
 *
 * Locks
 *   device->lock  the ids, the aperture, every attachment, what a file names,
 *                 the list of buffers, @dead. Taken under mmap_lock (by mmap and
 *                 munmap), so nothing that may fault on userspace happens under
 *                 it, nor is a buffer's memory allocated or freed.
 *   Everything else is atomic or constant once the buffer is published.
 *
 * Copyright (C) 2026 the bufrig authors
 */
#ifndef CONTIGBUF_INTERNAL_H
#define CONTIGBUF_INTERNAL_H

#include <linux/atomic.h>
#include <linux/bits.h>
#include <linux/cdev.h>
#include <linux/device.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mm_types.h>
#include <linux/mutex.h>
#include <linux/refcount.h>
#include <linux/types.h>
#include <linux/uidgid.h>
#include <linux/xarray.h>

#include <contigbuf.h>

#include "compat.h"

struct contigbuf_backend_ops;
struct contigbuf_region;
struct file;
struct vm_area_struct;

/* Devices at most, and so the minors reserved for them. */
#define CONTIGBUF_DEVICES_MAX	32

/* Largest alignment that can be asked for, in bytes. */
#define CONTIGBUF_ALIGN_MAX	(16ULL << 20)

/**
 * struct contigbuf_device - one instance
 * @dev: the node in /dev, the place in sysfs, the device the memory is
 *	allocated for, and the reference count, in one. It outlives the binding
 *	of the platform device as long as a file or a buffer needs it, and unlike
 *	that one it keeps its DMA set-up.
 * @cdev: the character device
 * @instance: number of this instance
 * @dma_mask: what @dev.dma_mask points to
 * @lock: see the top of this file
 * @dead: unbound; no file may do anything but close
 * @ids: id -> buffer; an entry without a buffer is an id being handed out
 * @next_id: where the search for the next free id begins, so that a freed id
 *	stays unused for long
 * @aperture: buffers that have a place in it, in its order
 * @next_aperture: where the search for the next free place begins, in pages
 * @all: all buffers whose memory exists
 * @region: the reserved memory of this device, or NULL
 * @debugfs: its folder there
 * @buffers: length of @all
 * @bytes: sum of their sizes
 * @allocated: buffers allocated since binding
 * @refused: allocations that failed since binding
 */
struct contigbuf_device {
	struct device dev;
	struct cdev cdev;
	int instance;
	u64 dma_mask;

	struct mutex lock;
	bool dead;
	struct xarray ids;
	u32 next_id;
	struct list_head aperture;
	unsigned long next_aperture;
	struct list_head all;

	struct contigbuf_region *region;
	struct dentry *debugfs;

	atomic_long_t buffers;
	atomic64_t bytes;
	atomic64_t allocated;
	atomic64_t refused;
};

/**
 * struct contigbuf_account - bytes charged to one open file
 * @refs: the open file and each buffer charged to it
 * @bytes: charged now
 */
struct contigbuf_account {
	refcount_t refs;
	atomic64_t bytes;
};

/**
 * struct contigbuf_file - one open file
 * @device: held
 * @account: held; outlives the file while its buffers live
 * @attachments: in no order
 * @users: attachments, and those being made; 0 means the file is fresh and
 *	@naming has no meaning
 * @naming: enum contigbuf_naming
 * @stride_shift: log2 of the cookie stride, while @naming is a cookie
 */
struct contigbuf_file {
	struct contigbuf_device *device;
	struct contigbuf_account *account;
	struct list_head attachments;
	unsigned int users;
	u32 naming;
	unsigned int stride_shift;
};

/**
 * struct contigbuf_buffer - one buffer
 * @refs: see the top of this file
 * @device: held
 * @account: held; charged with @length, and by the backend with what it asks for
 *	beside
 * @owner: filesystem uid of the process that allocated it
 * @shared: other users may attach it
 * @id: its name, 0 without one (under device->lock)
 * @attachments: open files it is attached to (under device->lock)
 * @in_aperture: in device->aperture, if it has a place there
 * @aperture: that place, in pages
 * @in_all: in device->all
 * @mappings: VMAs that show it
 * @bytes: size asked for
 * @align: alignment asked for
 * @length: @bytes rounded up to pages
 * @cache: enum contigbuf_cache, never the default
 * @backend: where the memory came from
 * @vaddr: the kernel's own mapping of the first byte
 * @phys: physical address of the first byte
 * @dma: address of the first byte as the device sees it
 * @mapped: contigbuf_map_for_device() has to be undone
 * @memory: the backend's own bookkeeping
 */
struct contigbuf_buffer {
	struct kref refs;
	struct contigbuf_device *device;
	struct contigbuf_account *account;
	kuid_t owner;
	bool shared;

	u32 id;
	struct list_head attachments;
	struct list_head in_aperture;
	unsigned long aperture;
	struct list_head in_all;
	atomic_t mappings;

	u64 bytes;
	u64 align;
	size_t length;
	u32 cache;

	const struct contigbuf_backend_ops *backend;
	void *vaddr;
	phys_addr_t phys;
	dma_addr_t dma;
	bool mapped;
	union {
		struct {
			void *vaddr;
			dma_addr_t dma;
			size_t length;
		} dma;		/* what the DMA API gave, before alignment */
		struct page *pages;
		struct contigbuf_region *region;
	} memory;
};

/**
 * struct contigbuf_attachment - a buffer in an open file
 * @buffer: held when the file is bound to it (CONTIGBUF_NAMING_FD); otherwise
 *	valid because the id holds it, and the id goes together with this
 * @file: the open file
 * @in_buffer: in buffer->attachments
 * @in_file: in file->attachments; empty while ATTACH is at it
 * @read_only: no writable mapping through this attachment
 */
struct contigbuf_attachment {
	struct contigbuf_buffer *buffer;
	struct contigbuf_file *file;
	struct list_head in_buffer;
	struct list_head in_file;
	bool read_only;
};

/**
 * struct contigbuf_mapping - what the VMAs of one mmap() call share
 * @refs: VMAs: one at first, more after a split or a fork
 * @buffer: held
 * @base: the vm_pgoff that page 0 of the buffer would have. A split or a move
 *	changes a VMA's vm_start and vm_pgoff together, so vm_pgoff - @base is
 *	always the right page, and vm_start alone never is.
 */
struct contigbuf_mapping {
	refcount_t refs;
	struct contigbuf_buffer *buffer;
	unsigned long base;
};

/**
 * struct contigbuf_backend_ops - one source of memory
 * @name: for people
 * @id: enum contigbuf_backend
 * @caches: bits of the cache modes it can honestly give on that device; 0 when
 *	the device does not have this source at all
 * @preferred_cache: what CONTIGBUF_CACHE_DEFAULT means there
 * @allocate: gets buffer->length contiguous, zeroed bytes at buffer->align in
 *	mode buffer->cache and sets @vaddr, @phys, @dma; -ENOMEM without a word in
 *	the log when there are none
 * @release: undoes @allocate
 * @map: installs all pages of @vma, beginning with page @first of the buffer;
 *	the range has been checked
 */
struct contigbuf_backend_ops {
	const char *name;
	u32 id;
	u32 (*caches)(struct contigbuf_device *device);
	u32 (*preferred_cache)(struct contigbuf_device *device);
	int (*allocate)(struct contigbuf_buffer *buffer);
	void (*release)(struct contigbuf_buffer *buffer);
	int (*map)(struct contigbuf_buffer *buffer, struct vm_area_struct *vma,
		   unsigned long first);
};

/* main.c */
extern struct class contigbuf_class;
extern dev_t contigbuf_devt;
extern unsigned int contigbuf_dma_bits;

/* device.c */
extern struct platform_driver contigbuf_platform_driver;
void contigbuf_device_put(struct contigbuf_device *device);

/* file.c */
extern const struct file_operations contigbuf_fops;

/* ioctl.c */
long contigbuf_ioctl(struct file *filp, unsigned int cmd, unsigned long arg);

/* buffer.c */
struct contigbuf_buffer *
contigbuf_buffer_create(struct contigbuf_file *file,
			const struct contigbuf_alloc *request);
void contigbuf_buffer_get(struct contigbuf_buffer *buffer);
void contigbuf_buffer_put(struct contigbuf_buffer *buffer);

/* attach.c */
int contigbuf_claim(struct contigbuf_file *file, u32 naming);
void contigbuf_unclaim(struct contigbuf_file *file);
int contigbuf_reserve_name(struct contigbuf_file *file,
			   struct contigbuf_buffer *buffer, u64 *offset);
void contigbuf_unreserve_name(struct contigbuf_buffer *buffer);
void contigbuf_publish(struct contigbuf_attachment *attachment);
int contigbuf_attach_begin(struct contigbuf_attachment *attachment,
			   struct contigbuf_attach *attach);
void contigbuf_attach_end(struct contigbuf_attachment *attachment);
void contigbuf_attach_cancel(struct contigbuf_attachment *attachment);
int contigbuf_detach(struct contigbuf_file *file, u32 id);
int contigbuf_free(struct contigbuf_file *file, u32 id);
void contigbuf_detach_all(struct contigbuf_file *file);
void contigbuf_free_all(struct contigbuf_device *device);

/* lookup.c */
bool contigbuf_is_owner(const struct contigbuf_buffer *buffer);
bool contigbuf_may_use(u32 naming);
bool contigbuf_is_visible(const struct contigbuf_attachment *attachment);
struct contigbuf_attachment *
contigbuf_attachment_of(struct contigbuf_file *file,
			const struct contigbuf_buffer *buffer);
struct contigbuf_buffer *contigbuf_lookup(struct contigbuf_file *file, u32 id);
struct contigbuf_buffer *contigbuf_find(struct contigbuf_file *file, u32 id);
struct contigbuf_buffer *contigbuf_find_attached(struct contigbuf_file *file,
						 u32 id, bool *read_only);
int contigbuf_describe(struct contigbuf_file *file, struct contigbuf_info *info);

/* naming.c */
u32 contigbuf_namings(void);
u64 contigbuf_cookie_stride(void);
void contigbuf_naming_begin(struct contigbuf_file *file, u32 naming);
int contigbuf_offset_of(struct contigbuf_file *file,
			struct contigbuf_buffer *buffer, u64 *offset);
void contigbuf_leave_aperture(struct contigbuf_buffer *buffer);
struct contigbuf_attachment *
contigbuf_find_pages(struct contigbuf_file *file, unsigned long pgoff,
		     unsigned long count, unsigned long *first);

/* mmap.c */
int contigbuf_mmap(struct file *filp, struct vm_area_struct *vma);
int contigbuf_map_buffer(struct contigbuf_buffer *buffer,
			 struct vm_area_struct *vma, unsigned long first);

/* huge.c */
bool contigbuf_can_map_huge(const struct contigbuf_buffer *buffer,
			    const struct vm_area_struct *vma,
			    unsigned long first);
void contigbuf_map_huge(struct contigbuf_buffer *buffer,
			struct vm_area_struct *vma);
vm_fault_t contigbuf_vm_fault(struct vm_fault *vmf);
vm_fault_t contigbuf_vm_huge_fault(struct vm_fault *vmf, unsigned int order);

/* quota.c */
struct contigbuf_account *contigbuf_account_create(void);
struct contigbuf_account *
contigbuf_account_get(struct contigbuf_account *account);
void contigbuf_account_put(struct contigbuf_account *account);
int contigbuf_charge(struct contigbuf_account *account, u64 bytes);
void contigbuf_uncharge(struct contigbuf_account *account, u64 bytes);

/* backend.c */
u32 contigbuf_backends(struct contigbuf_device *device);
u32 contigbuf_caches(struct contigbuf_device *device);
u64 contigbuf_size_max(struct contigbuf_device *device);
bool contigbuf_reaches(const struct contigbuf_buffer *buffer, dma_addr_t dma);
u64 contigbuf_phys_limit(struct contigbuf_device *device);
int contigbuf_backend_allocate(struct contigbuf_buffer *buffer, u32 backend,
			       u32 cache);
gfp_t contigbuf_gfp(struct contigbuf_device *device);
int contigbuf_map_for_device(struct contigbuf_buffer *buffer,
			     struct page *page);
void contigbuf_unmap_for_device(struct contigbuf_buffer *buffer);
u32 contigbuf_page_caches(struct contigbuf_device *device);
u32 contigbuf_page_preferred_cache(struct contigbuf_device *device);
void contigbuf_sync(struct contigbuf_buffer *buffer, u32 flags, u64 offset,
		    u64 length);
pgprot_t contigbuf_protection(const struct contigbuf_buffer *buffer,
			      pgprot_t protection);
int contigbuf_map_pages(struct contigbuf_buffer *buffer,
			struct vm_area_struct *vma, unsigned long first);

/* backend-*.c */
extern const struct contigbuf_backend_ops contigbuf_backend_dma;
bool contigbuf_has_pool(struct contigbuf_device *device);
extern const struct contigbuf_backend_ops contigbuf_backend_pages;
extern const struct contigbuf_backend_ops contigbuf_backend_contig;
extern const struct contigbuf_backend_ops contigbuf_backend_reserved;
int contigbuf_region_get(struct contigbuf_device *device);
void contigbuf_region_put(struct contigbuf_device *device);
u64 contigbuf_region_bytes(struct contigbuf_device *device);

/* sysfs.c */
extern const struct attribute_group *contigbuf_groups[];

/* dmabuf.c */
#if IS_ENABLED(CONFIG_DMA_SHARED_BUFFER)
struct dma_buf *contigbuf_dmabuf_create(struct contigbuf_buffer *buffer,
					int mode);
#endif

/* debugfs.c */
#if IS_ENABLED(CONFIG_DEBUG_FS)
void contigbuf_debugfs_init(void);
void contigbuf_debugfs_exit(void);
void contigbuf_debugfs_add(struct contigbuf_device *device);
void contigbuf_debugfs_remove(struct contigbuf_device *device);
#else
static inline void contigbuf_debugfs_init(void) {}
static inline void contigbuf_debugfs_exit(void) {}
static inline void contigbuf_debugfs_add(struct contigbuf_device *device) {}
static inline void contigbuf_debugfs_remove(struct contigbuf_device *device) {}
#endif

#endif /* CONTIGBUF_INTERNAL_H */
