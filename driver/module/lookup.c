// SPDX-License-Identifier: GPL-2.0-only
/*
 * Finding buffers: by name, with the caller's rights.
 *
 * Copyright (C) 2026 the bufrig authors
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/err.h>

#include "internal.h"

/* Whether the current process may do everything to a buffer. */
bool contigbuf_is_owner(const struct contigbuf_buffer *buffer)
{
	return uid_eq(buffer->owner, current_fsuid()) ||
	       capable(CAP_DAC_OVERRIDE);
}

/* An offset that is an address is only for those who may know addresses. */
bool contigbuf_may_use(u32 naming)
{
	return naming != CONTIGBUF_NAMING_PHYSICAL || capable(CAP_SYS_RAWIO);
}

/* Not while ATTACH is at it. Under device->lock. */
bool contigbuf_is_visible(const struct contigbuf_attachment *attachment)
{
	return !list_empty(&attachment->in_file);
}

/**
 * contigbuf_attachment_of - what a buffer is to an open file
 * @file: open file
 * @buffer: buffer of the same device
 *
 * Returns its attachment there or NULL. Under device->lock.
 */
struct contigbuf_attachment *
contigbuf_attachment_of(struct contigbuf_file *file,
			const struct contigbuf_buffer *buffer)
{
	struct contigbuf_attachment *attachment;

	lockdep_assert_held(&file->device->lock);
	list_for_each_entry(attachment, &buffer->attachments, in_buffer)
		if (attachment->file == file && contigbuf_is_visible(attachment))
			return attachment;
	return NULL;
}

/* The one attachment of a file that is bound to a buffer. */
static struct contigbuf_attachment *binding(struct contigbuf_file *file)
{
	if (!file->users || file->naming != CONTIGBUF_NAMING_FD)
		return NULL;
	return list_first_entry_or_null(&file->attachments,
					struct contigbuf_attachment, in_file);
}

/**
 * contigbuf_lookup - a buffer by its name
 * @file: open file
 * @id: name, or 0 for the buffer the file is bound to
 *
 * Under device->lock, which is all that keeps the buffer. Returns it, or -ENOENT,
 * -ENODEV.
 */
struct contigbuf_buffer *contigbuf_lookup(struct contigbuf_file *file, u32 id)
{
	struct contigbuf_device *device = file->device;
	struct contigbuf_attachment *bound;
	struct contigbuf_buffer *buffer;

	lockdep_assert_held(&device->lock);
	if (device->dead)
		return ERR_PTR(-ENODEV);
	if (!id) {
		bound = binding(file);
		return bound ? bound->buffer : ERR_PTR(-ENOENT);
	}
	buffer = xa_load(&device->ids, id);
	return buffer ?: ERR_PTR(-ENOENT);
}

/**
 * contigbuf_find - a buffer to work on
 * @file: open file
 * @id: name, or 0 for the buffer the file is bound to
 *
 * Returns it with a reference for the caller, or -ENOENT, -EACCES, -ENODEV.
 */
struct contigbuf_buffer *contigbuf_find(struct contigbuf_file *file, u32 id)
{
	struct contigbuf_buffer *buffer;

	mutex_lock(&file->device->lock);
	buffer = contigbuf_lookup(file, id);
	if (!IS_ERR(buffer)) {
		if (!contigbuf_attachment_of(file, buffer) &&
		    !buffer->shared && !contigbuf_is_owner(buffer))
			buffer = ERR_PTR(-EACCES);
		else
			contigbuf_buffer_get(buffer);
	}
	mutex_unlock(&file->device->lock);
	return buffer;
}

/**
 * contigbuf_find_attached - a buffer to work on, attached to the open file
 * @file: open file
 * @id: name, or 0 for the buffer the file is bound to
 * @read_only: result, the attachment's rights
 *
 * Returns it with a reference for the caller, or -ENOENT, -ENODEV.
 */
struct contigbuf_buffer *contigbuf_find_attached(struct contigbuf_file *file,
						 u32 id, bool *read_only)
{
	struct contigbuf_attachment *attachment;
	struct contigbuf_buffer *buffer;

	mutex_lock(&file->device->lock);
	buffer = contigbuf_lookup(file, id);
	if (!IS_ERR(buffer)) {
		attachment = contigbuf_attachment_of(file, buffer);
		if (attachment) {
			*read_only = attachment->read_only;
			contigbuf_buffer_get(buffer);
		} else {
			buffer = ERR_PTR(-ENOENT);
		}
	}
	mutex_unlock(&file->device->lock);
	return buffer;
}

/**
 * contigbuf_describe - facts about a buffer as an open file sees it
 * @file: open file
 * @info: info->id says which; all results are set on success
 *
 * Returns 0, or an error as listed with struct contigbuf_info.
 */
int contigbuf_describe(struct contigbuf_file *file, struct contigbuf_info *info)
{
	struct contigbuf_buffer *buffer;
	int err = 0;

	mutex_lock(&file->device->lock);
	buffer = contigbuf_lookup(file, info->id);
	if (IS_ERR(buffer)) {
		err = PTR_ERR(buffer);
		goto unlock;
	}
	info->attached = !!contigbuf_attachment_of(file, buffer);
	if (!info->attached && !buffer->shared && !contigbuf_is_owner(buffer)) {
		err = -EACCES;
		goto unlock;
	}
	info->id = buffer->id;
	info->naming = 0;
	info->offset = 0;
	info->bytes = buffer->bytes;
	info->allocated = buffer->length;
	info->align = buffer->align;
	info->backend = buffer->backend->id;
	info->cache = buffer->cache;
	if (info->attached) {
		info->naming = file->naming;
		if (!contigbuf_may_use(file->naming) ||
		    contigbuf_offset_of(file, buffer, &info->offset))
			info->offset = 0;
	}
unlock:
	mutex_unlock(&file->device->lock);
	return err;
}
