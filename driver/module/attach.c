// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ids and attachments: which names exist, which open file may use which buffer,
 * and what goes when a name, a file or the device goes.
 *
 * The rules, all under device->lock:
 *  - An id in the table has at least one attachment, and holds one reference.
 *  - An attachment that ATTACH is still at is in the buffer's list only. It keeps
 *    the id from going with others, and nobody but that call takes it away.
 *  - An attachment of a file bound to one buffer (CONTIGBUF_NAMING_FD) holds a
 *    reference, and so can outlive the id.
 *  - Every other attachment holds none and goes with the id.
 *
 * Functions ending in _locked return how many references the caller has to put
 * after unlocking, because the last put frees memory.
 *
 * Copyright (C) 2026 the bufrig authors
 */
#include <linux/err.h>
#include <linux/error-injection.h>
#include <linux/slab.h>

#include "internal.h"

/*
 * With the narrowest cookies (naming.c) every id has to have an offset and
 * 65536 allocations have to pass before one is used again. Ids in use are passed
 * over, so that holds while there are fewer than 65000 of them.
 */
#define ID_MAX	((1U << 17) - 0x200)

static void put_many(struct contigbuf_buffer *buffer, unsigned int count)
{
	while (count--)
		contigbuf_buffer_put(buffer);
}

static void link_locked(struct contigbuf_attachment *attachment)
{
	struct contigbuf_file *file = attachment->file;

	if (file->naming == CONTIGBUF_NAMING_FD)
		contigbuf_buffer_get(attachment->buffer);
	list_add(&attachment->in_buffer, &attachment->buffer->attachments);
	list_add(&attachment->in_file, &file->attachments);
}

static unsigned int unlink_locked(struct contigbuf_attachment *attachment)
{
	struct contigbuf_file *file = attachment->file;
	bool held = file->naming == CONTIGBUF_NAMING_FD;

	list_del(&attachment->in_buffer);
	list_del(&attachment->in_file);
	file->users--;
	kfree(attachment);
	return held;
}

static unsigned int unname_locked(struct contigbuf_buffer *buffer)
{
	struct contigbuf_attachment *attachment, *next;
	unsigned int refs = 0;

	if (!buffer->id)
		return 0;
	xa_erase(&buffer->device->ids, buffer->id);
	buffer->id = 0;
	contigbuf_leave_aperture(buffer);
	list_for_each_entry_safe(attachment, next, &buffer->attachments,
				 in_buffer)
		if (attachment->file->naming != CONTIGBUF_NAMING_FD &&
		    contigbuf_is_visible(attachment))
			refs += unlink_locked(attachment);
	return refs + 1;
}

static unsigned int detach_locked(struct contigbuf_attachment *attachment)
{
	struct contigbuf_buffer *buffer = attachment->buffer;
	unsigned int refs = unlink_locked(attachment);

	if (list_empty(&buffer->attachments))
		refs += unname_locked(buffer);
	return refs;
}

static int claim_locked(struct contigbuf_file *file, u32 naming)
{
	if (file->device->dead)
		return -ENODEV;
	if (naming > 31 || !(contigbuf_namings() & BIT(naming)))
		return -EINVAL;
	if (!contigbuf_may_use(naming))
		return -EPERM;
	if (file->users &&
	    (file->naming != naming || naming == CONTIGBUF_NAMING_FD))
		return -EBUSY;
	if (!file->users)
		contigbuf_naming_begin(file, naming);
	file->users++;
	return 0;
}

/**
 * contigbuf_claim - settle how an open file names buffers, before it gets one
 * @file: fresh, or with the same naming in use
 * @naming: enum contigbuf_naming, as given by the caller
 *
 * Followed by contigbuf_publish() or contigbuf_unclaim().
 */
int contigbuf_claim(struct contigbuf_file *file, u32 naming)
{
	int err;

	mutex_lock(&file->device->lock);
	err = claim_locked(file, naming);
	mutex_unlock(&file->device->lock);
	return err;
}

void contigbuf_unclaim(struct contigbuf_file *file)
{
	mutex_lock(&file->device->lock);
	file->users--;
	mutex_unlock(&file->device->lock);
}

/**
 * contigbuf_reserve_name - choose the id and the offset of a new buffer
 * @file: open file that will get it, claimed
 * @buffer: without an id; nobody else can find it yet
 * @offset: result, its mmap() offset on @file, in bytes
 *
 * Returns 0, or -ENOSPC, -ENOMEM, -EOVERFLOW with nothing reserved.
 */
int contigbuf_reserve_name(struct contigbuf_file *file,
			   struct contigbuf_buffer *buffer, u64 *offset)
{
	struct contigbuf_device *device = buffer->device;
	int err;

	mutex_lock(&device->lock);
	/* An entry of NULL: taken, but a lookup finds nothing. */
	err = xa_alloc_cyclic(&device->ids, &buffer->id, NULL,
			      XA_LIMIT(1, ID_MAX), &device->next_id,
			      GFP_KERNEL);
	if (err < 0) {
		buffer->id = 0;
		mutex_unlock(&device->lock);
		return err == -EBUSY ? -ENOSPC : err;
	}
	err = contigbuf_offset_of(file, buffer, offset);
	if (err) {
		xa_release(&device->ids, buffer->id);
		buffer->id = 0;
	}
	mutex_unlock(&device->lock);
	return err;
}
ALLOW_ERROR_INJECTION(contigbuf_reserve_name, ERRNO);

void contigbuf_unreserve_name(struct contigbuf_buffer *buffer)
{
	struct contigbuf_device *device = buffer->device;

	mutex_lock(&device->lock);
	contigbuf_leave_aperture(buffer);
	xa_release(&device->ids, buffer->id);
	buffer->id = 0;
	mutex_unlock(&device->lock);
}

/*
 * The name may have gone while it was on its way to the caller: as if it had gone
 * right after. Only a bound file keeps the buffer without it.
 */
static void link_if_named_locked(struct contigbuf_attachment *attachment)
{
	struct contigbuf_file *file = attachment->file;

	if (attachment->buffer->id || file->naming == CONTIGBUF_NAMING_FD) {
		link_locked(attachment);
	} else {
		file->users--;
		kfree(attachment);
	}
}

/**
 * contigbuf_publish - give a complete buffer its reserved name
 * @attachment: with @buffer and @file set, the file claimed; consumed
 *
 * From here on others can find the buffer. The id takes a reference of its own.
 * Cannot fail, since the caller has been told of the buffer already.
 */
void contigbuf_publish(struct contigbuf_attachment *attachment)
{
	struct contigbuf_buffer *buffer = attachment->buffer;
	struct contigbuf_device *device = buffer->device;

	mutex_lock(&device->lock);
	if (device->dead) {
		contigbuf_leave_aperture(buffer);
		xa_release(&device->ids, buffer->id);
		buffer->id = 0;
	} else {
		/* Needs no memory: the entry is there. */
		xa_store(&device->ids, buffer->id, buffer, GFP_KERNEL);
		contigbuf_buffer_get(buffer);
	}
	link_if_named_locked(attachment);
	mutex_unlock(&device->lock);
}

/* Also by an ATTACH that another thread is at. */
static bool is_attached_locked(const struct contigbuf_buffer *buffer,
			       const struct contigbuf_file *file)
{
	const struct contigbuf_attachment *attachment;

	list_for_each_entry(attachment, &buffer->attachments, in_buffer)
		if (attachment->file == file)
			return true;
	return false;
}

/**
 * contigbuf_attach_begin - prepare to attach a buffer by id
 * @attachment: with @file and @read_only set; @buffer is set on success, held
 *	for the caller
 * @attach: the request; its results are set on success
 *
 * Nobody sees the attachment yet, but the id stays unless it is freed. Followed by
 * contigbuf_attach_end() or contigbuf_attach_cancel().
 *
 * Returns 0, or an error as listed with struct contigbuf_attach.
 */
int contigbuf_attach_begin(struct contigbuf_attachment *attachment,
			   struct contigbuf_attach *attach)
{
	struct contigbuf_file *file = attachment->file;
	struct contigbuf_buffer *buffer;
	int err;

	mutex_lock(&file->device->lock);
	buffer = attach->id ? contigbuf_lookup(file, attach->id) : ERR_PTR(-ENOENT);
	if (IS_ERR(buffer)) {
		err = PTR_ERR(buffer);
		goto unlock;
	}
	err = -EACCES;
	if (!buffer->shared && !contigbuf_is_owner(buffer))
		goto unlock;
	err = file->naming == CONTIGBUF_NAMING_FD ? -EBUSY : -EEXIST;
	if (is_attached_locked(buffer, file))
		goto unlock;
	err = claim_locked(file, attach->naming);
	if (err)
		goto unlock;
	err = contigbuf_offset_of(file, buffer, &attach->offset);
	if (err) {
		file->users--;
		goto unlock;
	}
	attach->allocated = buffer->length;
	attachment->buffer = buffer;
	contigbuf_buffer_get(buffer);
	list_add(&attachment->in_buffer, &buffer->attachments);
	INIT_LIST_HEAD(&attachment->in_file);
unlock:
	mutex_unlock(&file->device->lock);
	return err;
}

/**
 * contigbuf_attach_end - make an attachment visible
 * @attachment: from contigbuf_attach_begin(); consumed
 *
 * Cannot fail, since the caller has been told of it already.
 */
void contigbuf_attach_end(struct contigbuf_attachment *attachment)
{
	struct contigbuf_buffer *buffer = attachment->buffer;
	struct contigbuf_device *device = buffer->device;

	mutex_lock(&device->lock);
	list_del(&attachment->in_buffer);
	link_if_named_locked(attachment);
	mutex_unlock(&device->lock);
	contigbuf_buffer_put(buffer);
}

static bool is_in_aperture_locked(const struct contigbuf_buffer *buffer)
{
	const struct contigbuf_attachment *attachment;

	list_for_each_entry(attachment, &buffer->attachments, in_buffer)
		if (attachment->file->naming == CONTIGBUF_NAMING_APERTURE)
			return true;
	return false;
}

/**
 * contigbuf_attach_cancel - leave nothing of an attachment
 * @attachment: from contigbuf_attach_begin(); the caller frees it
 */
void contigbuf_attach_cancel(struct contigbuf_attachment *attachment)
{
	struct contigbuf_buffer *buffer = attachment->buffer;
	struct contigbuf_device *device = buffer->device;
	unsigned int refs = 1;

	mutex_lock(&device->lock);
	list_del(&attachment->in_buffer);
	attachment->file->users--;
	if (!is_in_aperture_locked(buffer))
		contigbuf_leave_aperture(buffer);
	/* Everybody else may have detached it meanwhile. */
	if (list_empty(&buffer->attachments))
		refs += unname_locked(buffer);
	mutex_unlock(&device->lock);
	put_many(buffer, refs);
}

/**
 * contigbuf_detach - undo an attachment
 * @file: open file
 * @id: name, or 0 for the buffer the file is bound to
 */
int contigbuf_detach(struct contigbuf_file *file, u32 id)
{
	struct contigbuf_attachment *attachment;
	struct contigbuf_buffer *buffer;
	unsigned int refs = 0;
	int err = 0;

	mutex_lock(&file->device->lock);
	buffer = contigbuf_lookup(file, id);
	if (IS_ERR(buffer)) {
		err = PTR_ERR(buffer);
	} else {
		attachment = contigbuf_attachment_of(file, buffer);
		if (attachment)
			refs = detach_locked(attachment);
		else
			err = -ENOENT;
	}
	mutex_unlock(&file->device->lock);
	if (refs)
		put_many(buffer, refs);
	return err;
}

/**
 * contigbuf_free - take the name of a buffer away from everyone
 * @file: open file; when it is bound to the buffer, that ends too
 * @id: name, or 0 for the buffer the file is bound to
 */
int contigbuf_free(struct contigbuf_file *file, u32 id)
{
	struct contigbuf_attachment *attachment;
	struct contigbuf_buffer *buffer;
	unsigned int refs = 0;
	int err = 0;

	mutex_lock(&file->device->lock);
	buffer = contigbuf_lookup(file, id);
	if (IS_ERR(buffer)) {
		err = PTR_ERR(buffer);
	} else if (!contigbuf_is_owner(buffer)) {
		err = -EACCES;
	} else {
		refs = unname_locked(buffer);
		attachment = contigbuf_attachment_of(file, buffer);
		if (attachment)
			refs += unlink_locked(attachment);
	}
	mutex_unlock(&file->device->lock);
	if (refs)
		put_many(buffer, refs);
	return err;
}

/* For close(): no call is at work on the file any more. */
void contigbuf_detach_all(struct contigbuf_file *file)
{
	struct contigbuf_attachment *attachment;
	struct contigbuf_buffer *buffer;
	unsigned int refs;

	for (;;) {
		mutex_lock(&file->device->lock);
		attachment = list_first_entry_or_null(&file->attachments,
						      struct contigbuf_attachment,
						      in_file);
		if (attachment) {
			buffer = attachment->buffer;
			refs = detach_locked(attachment);
		}
		mutex_unlock(&file->device->lock);
		if (!attachment)
			return;
		put_many(buffer, refs);
	}
}

/* For unbinding: no name survives it. The device is dead, none can come. */
void contigbuf_free_all(struct contigbuf_device *device)
{
	struct contigbuf_buffer *buffer;
	unsigned long id = 0;
	unsigned int refs;

	for (;;) {
		mutex_lock(&device->lock);
		buffer = xa_find(&device->ids, &id, ULONG_MAX, XA_PRESENT);
		if (buffer)
			refs = unname_locked(buffer);
		mutex_unlock(&device->lock);
		if (!buffer)
			return;
		put_many(buffer, refs);
	}
}
