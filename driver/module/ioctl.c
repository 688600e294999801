// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ioctls: arguments in, the work by the other files, results out. What a
 * call leaves behind is made visible only after its results reached the caller,
 * so that a call that fails leaves nothing.
 *
 * Copyright (C) 2026 the bufrig authors
 */
#include <linux/capability.h>
#include <linux/dma-buf.h>
#include <linux/err.h>
#include <linux/fcntl.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "internal.h"

/* The layout is for ever, on every machine. */
static_assert(sizeof(struct contigbuf_caps) == 56);
static_assert(sizeof(struct contigbuf_alloc) == 64);
static_assert(sizeof(struct contigbuf_attach) == 40);
static_assert(sizeof(struct contigbuf_detach) == 16);
static_assert(sizeof(struct contigbuf_free) == 16);
static_assert(sizeof(struct contigbuf_info) == 64);
static_assert(sizeof(struct contigbuf_resolve) == 48);
static_assert(sizeof(struct contigbuf_sync) == 32);
static_assert(sizeof(struct contigbuf_export) == 24);

/**
 * struct call - one ioctl at work
 * @file: open file
 * @mode: FMODE_* bits of it
 * @user: its argument
 * @copied: bytes of the argument that both sides know
 * @arg: the kernel's copy; what the caller's older structure lacks is zero
 */
struct call {
	struct contigbuf_file *file;
	fmode_t mode;
	void __user *user;
	size_t copied;
	union {
		u32 size;
		struct contigbuf_caps caps;
		struct contigbuf_alloc alloc;
		struct contigbuf_attach attach;
		struct contigbuf_detach detach;
		struct contigbuf_free free;
		struct contigbuf_info info;
		struct contigbuf_resolve resolve;
		struct contigbuf_sync sync;
		struct contigbuf_export export;
	} arg;
};

static int reply(struct call *call)
{
	return copy_to_user(call->user, &call->arg, call->copied) ? -EFAULT : 0;
}

#define FEATURES							\
	(CONTIGBUF_FEATURE_SYNC |					\
	 (IS_ENABLED(CONFIG_DMA_SHARED_BUFFER) ?			\
		  CONTIGBUF_FEATURE_DMABUF : 0) |			\
	 (COMPAT_PMD_PFNMAP ? CONTIGBUF_FEATURE_HUGE : 0))

static int do_caps(struct call *call)
{
	struct contigbuf_caps *caps = &call->arg.caps;

	if (caps->flags)
		return -EINVAL;
	caps->version = CONTIGBUF_ABI_VERSION;
	caps->namings = contigbuf_namings();
	caps->backends = contigbuf_backends(call->file->device);
	caps->caches = contigbuf_caches(call->file->device);
	caps->features = FEATURES;
	caps->size_max = contigbuf_size_max(call->file->device);
	caps->align_max = CONTIGBUF_ALIGN_MAX;
	caps->cookie_stride = contigbuf_cookie_stride();
	return reply(call);
}

/* The file is claimed and @attachment empty; on success it is consumed. */
static int allocate(struct call *call, struct contigbuf_attachment *attachment)
{
	struct contigbuf_alloc *alloc = &call->arg.alloc;
	struct contigbuf_buffer *buffer;
	int err;

	buffer = contigbuf_buffer_create(call->file, alloc);
	if (IS_ERR(buffer))
		return PTR_ERR(buffer);
	err = contigbuf_reserve_name(call->file, buffer, &alloc->offset);
	if (err)
		goto put_buffer;

	alloc->id = buffer->id;
	alloc->allocated = buffer->length;
	err = reply(call);
	if (err)
		goto unreserve_name;

	attachment->buffer = buffer;
	contigbuf_publish(attachment);
	contigbuf_buffer_put(buffer);
	return 0;

unreserve_name:
	contigbuf_unreserve_name(buffer);
put_buffer:
	contigbuf_buffer_put(buffer);
	return err;
}

static struct contigbuf_attachment *attachment_create(struct contigbuf_file *file)
{
	struct contigbuf_attachment *attachment;

	attachment = kzalloc(sizeof(*attachment), GFP_KERNEL_ACCOUNT);
	if (attachment)
		attachment->file = file;
	return attachment;
}

static int do_alloc(struct call *call)
{
	struct contigbuf_alloc *alloc = &call->arg.alloc;
	struct contigbuf_attachment *attachment;
	int err;

	if ((alloc->flags & ~CONTIGBUF_ALLOC_FLAGS) || alloc->reserved)
		return -EINVAL;
	attachment = attachment_create(call->file);
	if (!attachment)
		return -ENOMEM;
	err = contigbuf_claim(call->file, alloc->naming);
	if (err)
		goto free_attachment;
	err = allocate(call, attachment);
	if (err)
		goto unclaim;
	return 0;

unclaim:
	contigbuf_unclaim(call->file);
free_attachment:
	kfree(attachment);
	return err;
}

static int do_attach(struct call *call)
{
	struct contigbuf_attach *attach = &call->arg.attach;
	struct contigbuf_attachment *attachment;
	int err;

	if ((attach->flags & ~CONTIGBUF_ATTACH_FLAGS) || attach->reserved)
		return -EINVAL;
	attachment = attachment_create(call->file);
	if (!attachment)
		return -ENOMEM;
	attachment->read_only = attach->flags & CONTIGBUF_ATTACH_RDONLY;
	err = contigbuf_attach_begin(attachment, attach);
	if (err)
		goto free_attachment;
	err = reply(call);
	if (err)
		goto cancel;
	contigbuf_attach_end(attachment);
	return 0;

cancel:
	contigbuf_attach_cancel(attachment);
free_attachment:
	kfree(attachment);
	return err;
}

static int do_detach(struct call *call)
{
	const struct contigbuf_detach *detach = &call->arg.detach;

	if (detach->flags || detach->reserved)
		return -EINVAL;
	return contigbuf_detach(call->file, detach->id);
}

static int do_free(struct call *call)
{
	const struct contigbuf_free *free = &call->arg.free;

	if (free->flags || free->reserved)
		return -EINVAL;
	return contigbuf_free(call->file, free->id);
}

static int do_info(struct call *call)
{
	struct contigbuf_info *info = &call->arg.info;
	int err;

	if (info->flags || info->reserved)
		return -EINVAL;
	err = contigbuf_describe(call->file, info);
	return err ?: reply(call);
}

static int do_resolve(struct call *call)
{
	struct contigbuf_resolve *resolve = &call->arg.resolve;
	struct contigbuf_buffer *buffer;
	int err = 0;

	if (resolve->flags || resolve->reserved)
		return -EINVAL;
	if (!capable(CAP_SYS_RAWIO))
		return -EPERM;
	buffer = contigbuf_find(call->file, resolve->id);
	if (IS_ERR(buffer))
		return PTR_ERR(buffer);
	if (resolve->offset < buffer->length) {
		resolve->phys_addr = buffer->phys + resolve->offset;
		resolve->dma_addr = buffer->dma + resolve->offset;
		resolve->length = buffer->length - resolve->offset;
	} else {
		err = -EINVAL;
	}
	contigbuf_buffer_put(buffer);
	return err ?: reply(call);
}

static int do_sync(struct call *call)
{
	const struct contigbuf_sync *sync = &call->arg.sync;
	struct contigbuf_buffer *buffer;
	bool read_only;
	int err = 0;

	if ((sync->flags & ~CONTIGBUF_SYNC_FLAGS) || sync->reserved ||
	    !(sync->flags & (CONTIGBUF_SYNC_READ | CONTIGBUF_SYNC_WRITE)))
		return -EINVAL;
	buffer = contigbuf_find_attached(call->file, sync->id, &read_only);
	if (IS_ERR(buffer))
		return PTR_ERR(buffer);
	/* Written so that no sum can wrap. */
	if (!sync->length || sync->offset >= buffer->length ||
	    sync->length > buffer->length - sync->offset)
		err = -EINVAL;
	else
		contigbuf_sync(buffer, sync->flags, sync->offset, sync->length);
	contigbuf_buffer_put(buffer);
	return err;
}

#if IS_ENABLED(CONFIG_DMA_SHARED_BUFFER)
/* A file descriptor cannot be taken back once installed: that comes last. */
static int export(struct call *call, struct contigbuf_buffer *buffer)
{
	struct contigbuf_export *export = &call->arg.export;
	struct dma_buf *dmabuf;
	int fd, err;

	fd = get_unused_fd_flags(export->fd_flags & O_CLOEXEC);
	if (fd < 0)
		return fd;
	dmabuf = contigbuf_dmabuf_create(buffer, export->fd_flags & O_ACCMODE);
	if (IS_ERR(dmabuf)) {
		err = PTR_ERR(dmabuf);
		goto put_fd;
	}
	export->fd = fd;
	err = reply(call);
	if (err)
		goto put_dmabuf;
	fd_install(fd, dmabuf->file);
	return 0;

put_dmabuf:
	dma_buf_put(dmabuf);
put_fd:
	put_unused_fd(fd);
	return err;
}

static int do_export(struct call *call)
{
	const struct contigbuf_export *request = &call->arg.export;
	struct contigbuf_buffer *buffer;
	bool read_only;
	fmode_t wanted;
	int err;

	if (request->flags || request->reserved ||
	    (request->fd_flags & ~(O_CLOEXEC | O_ACCMODE)) ||
	    (request->fd_flags & O_ACCMODE) == O_ACCMODE)
		return -EINVAL;
	buffer = contigbuf_find_attached(call->file, request->id, &read_only);
	if (IS_ERR(buffer))
		return PTR_ERR(buffer);
	/* No more rights than mmap() would give on this open file. */
	wanted = OPEN_FMODE(request->fd_flags);
	if ((wanted & ~call->mode) || (read_only && (wanted & FMODE_WRITE)))
		err = -EACCES;
	else
		err = export(call, buffer);
	contigbuf_buffer_put(buffer);
	return err;
}
#endif

/**
 * struct command - one ioctl
 * @cmd: its number
 * @first: size of the first version of its structure
 * @size: size of the structure now
 * @run: checks flags and reserved fields, does it, and replies
 */
struct command {
	unsigned int cmd;
	size_t first;
	size_t size;
	int (*run)(struct call *call);
};

static const struct command commands[] = {
	{ CONTIGBUF_IOC_CAPS, 56, sizeof(struct contigbuf_caps), do_caps },
	{ CONTIGBUF_IOC_ALLOC, 64, sizeof(struct contigbuf_alloc), do_alloc },
	{ CONTIGBUF_IOC_ATTACH, 40, sizeof(struct contigbuf_attach), do_attach },
	{ CONTIGBUF_IOC_DETACH, 16, sizeof(struct contigbuf_detach), do_detach },
	{ CONTIGBUF_IOC_FREE, 16, sizeof(struct contigbuf_free), do_free },
	{ CONTIGBUF_IOC_INFO, 64, sizeof(struct contigbuf_info), do_info },
	{ CONTIGBUF_IOC_RESOLVE, 48, sizeof(struct contigbuf_resolve), do_resolve },
	{ CONTIGBUF_IOC_SYNC, 32, sizeof(struct contigbuf_sync), do_sync },
#if IS_ENABLED(CONFIG_DMA_SHARED_BUFFER)
	{ CONTIGBUF_IOC_EXPORT, 24, sizeof(struct contigbuf_export), do_export },
#endif
};

static const struct command *find_command(unsigned int cmd)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(commands); i++)
		if (commands[i].cmd == cmd)
			return &commands[i];
	return NULL;
}

static int fetch(const struct command *command, struct call *call)
{
	u32 size;
	int err;

	if (get_user(size, (u32 __user *)call->user))
		return -EFAULT;
	if (size < command->first)
		return -EINVAL;
	if (size > PAGE_SIZE)
		return -E2BIG;
	err = copy_struct_from_user(&call->arg, command->size, call->user, size);
	if (err)
		return err;
	/* Another thread may have changed it since; this call does not care. */
	call->arg.size = size;
	call->copied = min_t(size_t, size, command->size);
	return 0;
}

static bool is_dead(struct contigbuf_device *device)
{
	bool dead;

	mutex_lock(&device->lock);
	dead = device->dead;
	mutex_unlock(&device->lock);
	return dead;
}

long contigbuf_ioctl(struct file *filp, unsigned int cmd, unsigned long arg)
{
	const struct command *command = find_command(cmd);
	struct call call = {
		.file = filp->private_data,
		.mode = filp->f_mode,
		.user = (void __user *)arg,
	};
	int err;

	if (is_dead(call.file->device))
		return -ENODEV;
	if (!command)
		return -ENOTTY;
	err = fetch(command, &call);
	return err ?: command->run(&call);
}
