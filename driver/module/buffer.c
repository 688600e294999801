// SPDX-License-Identifier: GPL-2.0-only
/*
 * A buffer from its allocation to its last reference.
 *
 * Copyright (C) 2026 the bufrig authors
 */
#include <linux/cred.h>
#include <linux/err.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "internal.h"

static int check_request(struct contigbuf_device *device,
			 const struct contigbuf_alloc *request)
{
	if (!request->bytes || !(u64)PAGE_ALIGN(request->bytes))
		return -EINVAL;
	if (request->align && !is_power_of_2(request->align))
		return -EINVAL;
	if (request->align > CONTIGBUF_ALIGN_MAX)
		return -EINVAL;
	/* Compared as 64 bits: a size_t could have lost the upper ones. */
	if (request->bytes > contigbuf_size_max(device))
		return -ENOMEM;
	return 0;
}

/**
 * contigbuf_buffer_create - allocate a buffer without a name
 * @file: open file that is charged
 * @request: checked for flags and reserved fields; the rest is checked here
 *
 * Returns the buffer with one reference, for the caller, or an error as listed
 * with struct contigbuf_alloc.
 */
struct contigbuf_buffer *
contigbuf_buffer_create(struct contigbuf_file *file,
			const struct contigbuf_alloc *request)
{
	struct contigbuf_device *device = file->device;
	struct contigbuf_buffer *buffer;
	int err;

	err = check_request(device, request);
	if (err)
		goto count;

	err = -ENOMEM;
	buffer = kzalloc(sizeof(*buffer), GFP_KERNEL_ACCOUNT);
	if (!buffer)
		goto count;
	kref_init(&buffer->refs);
	INIT_LIST_HEAD(&buffer->attachments);
	INIT_LIST_HEAD(&buffer->in_aperture);
	buffer->device = device;
	buffer->owner = current_fsuid();
	buffer->shared = request->flags & CONTIGBUF_ALLOC_SHARED;
	buffer->bytes = request->bytes;
	buffer->align = request->align;
	buffer->length = PAGE_ALIGN(request->bytes);

	buffer->account = contigbuf_account_get(file->account);
	err = contigbuf_charge(buffer->account, buffer->length);
	if (err)
		goto put_account;
	err = contigbuf_backend_allocate(buffer, request->backend,
					 request->cache);
	if (err)
		goto uncharge;

	get_device(&device->dev);
	mutex_lock(&device->lock);
	list_add_tail(&buffer->in_all, &device->all);
	mutex_unlock(&device->lock);
	atomic_long_inc(&device->buffers);
	atomic64_add(buffer->length, &device->bytes);
	atomic64_inc(&device->allocated);
	return buffer;

uncharge:
	contigbuf_uncharge(buffer->account, buffer->length);
put_account:
	contigbuf_account_put(buffer->account);
	kfree(buffer);
count:
	atomic64_inc(&device->refused);
	return ERR_PTR(err);
}

static void buffer_release(struct kref *refs)
{
	struct contigbuf_buffer *buffer =
		container_of(refs, struct contigbuf_buffer, refs);
	struct contigbuf_device *device = buffer->device;

	mutex_lock(&device->lock);
	list_del(&buffer->in_all);
	mutex_unlock(&device->lock);
	buffer->backend->release(buffer);
	atomic64_sub(buffer->length, &device->bytes);
	atomic_long_dec(&device->buffers);
	contigbuf_uncharge(buffer->account, buffer->length);
	contigbuf_account_put(buffer->account);
	kfree(buffer);
	contigbuf_device_put(device);
}

void contigbuf_buffer_get(struct contigbuf_buffer *buffer)
{
	kref_get(&buffer->refs);
}

/* May free the memory: not under device->lock, which mmap() waits for. */
void contigbuf_buffer_put(struct contigbuf_buffer *buffer)
{
	kref_put(&buffer->refs, buffer_release);
}
