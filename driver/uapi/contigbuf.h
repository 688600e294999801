/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * contigbuf: physically contiguous, page aligned, zeroed buffers for userspace,
 * through one character device. This header is the whole ABI.
 *
 * Copyright (C) 2026 the bufrig authors
 *
 * How a buffer is named in mmap() is chosen per open file by the first ALLOC
 * or ATTACH on it (enum contigbuf_naming), and holds while the open file has
 * any buffer:
 *
 *   fd = open("/dev/contigbuf", O_RDWR | O_CLOEXEC);
 *
 *   an fd per buffer                      many buffers on one fd
 *   ----------------                      ----------------------
 *   a.naming = CONTIGBUF_NAMING_FD;       a.naming = CONTIGBUF_NAMING_COOKIE;
 *   ioctl(fd, CONTIGBUF_IOC_ALLOC, &a);   ioctl(fd, CONTIGBUF_IOC_ALLOC, &a);
 *   mmap(.., fd, 0);                      mmap(.., fd, a.offset);
 *
 * Conventions for every ioctl:
 *  - The command is one fixed number. The argument's first field, @size, is
 *    sizeof(the structure) as the caller was compiled. A structure may grow at
 *    its end: a longer one is accepted while the bytes unknown to the driver
 *    are zero, a shorter one down to the first version of the structure.
 *  - Fields marked (out) are ignored on input and all written on success.
 *    Nothing is written, and nothing has happened, when the call fails.
 *  - Reserved fields and undefined flag bits must be zero.
 *  - The layout is the same for 32-bit and 64-bit userspace.
 *
 * Errors of every ioctl, besides those listed with it:
 *  ENOTTY  the command is not one of these
 *  EFAULT  the argument cannot be read or written
 *  EINVAL  @size is shorter than the first version of the structure; a
 *          reserved field, an undefined flag or an unknown value was given
 *  E2BIG   @size is longer than the driver knows, and the rest is not zero;
 *          or it is longer than a page
 *  ENODEV  the device is gone (unbound); maps made before stay valid
 */
#ifndef _UAPI_CONTIGBUF_H
#define _UAPI_CONTIGBUF_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define CONTIGBUF_ABI_VERSION	1

#define CONTIGBUF_IOC_TYPE	0xBF

/**
 * enum contigbuf_naming - what the offset of mmap() means on an open file
 * @CONTIGBUF_NAMING_FD: the open file is one buffer; offsets are bytes in it
 * @CONTIGBUF_NAMING_COOKIE: each buffer begins at an opaque offset that the
 *	driver returns; offset + n is byte n of that buffer
 * @CONTIGBUF_NAMING_APERTURE: buffers lie at the offsets the driver returns in
 *	one address space of the device, with holes between them
 * @CONTIGBUF_NAMING_PHYSICAL: the offset is a physical address. Only buffers of
 *	this open file can be reached. Needs CAP_SYS_RAWIO
 *
 * A range that is not wholly inside one buffer of this open file gives EINVAL
 * with every naming.
 */
enum contigbuf_naming {
	CONTIGBUF_NAMING_FD = 0,
	CONTIGBUF_NAMING_COOKIE = 1,
	CONTIGBUF_NAMING_APERTURE = 2,
	CONTIGBUF_NAMING_PHYSICAL = 3,
};

/**
 * enum contigbuf_backend - where the memory comes from
 * @CONTIGBUF_BACKEND_AUTO: let the driver choose (in ALLOC only)
 * @CONTIGBUF_BACKEND_DMA: the DMA API; CMA where the kernel has it
 * @CONTIGBUF_BACKEND_PAGES: the page allocator; ends at its largest order
 * @CONTIGBUF_BACKEND_CONTIG: a free range of movable memory
 * @CONTIGBUF_BACKEND_RESERVED: the device's memory-region in the device tree
 */
enum contigbuf_backend {
	CONTIGBUF_BACKEND_AUTO = 0,
	CONTIGBUF_BACKEND_DMA = 1,
	CONTIGBUF_BACKEND_PAGES = 2,
	CONTIGBUF_BACKEND_CONTIG = 3,
	CONTIGBUF_BACKEND_RESERVED = 4,
};

/**
 * enum contigbuf_cache - how the CPU sees the memory
 * @CONTIGBUF_CACHE_DEFAULT: what suits the backend (in ALLOC only); INFO tells
 * @CONTIGBUF_CACHE_COHERENT: CPU and device always see the same, without SYNC
 * @CONTIGBUF_CACHE_CACHED: write-back cached; SYNC around the device's accesses
 * @CONTIGBUF_CACHE_WC: write-combined; barriers, but no SYNC
 *
 * A mode that the machine cannot give honestly is refused with EOPNOTSUPP.
 */
enum contigbuf_cache {
	CONTIGBUF_CACHE_DEFAULT = 0,
	CONTIGBUF_CACHE_COHERENT = 1,
	CONTIGBUF_CACHE_CACHED = 2,
	CONTIGBUF_CACHE_WC = 3,
};

/* Bits of contigbuf_caps.features: ioctls and abilities beyond the first ones. */
#define CONTIGBUF_FEATURE_SYNC		(1ULL << 0)	/* CONTIGBUF_IOC_SYNC */
#define CONTIGBUF_FEATURE_DMABUF	(1ULL << 1)	/* CONTIGBUF_IOC_EXPORT */
#define CONTIGBUF_FEATURE_HUGE		(1ULL << 2)	/* PMD-size mappings */

/**
 * struct contigbuf_caps - what this driver and this device can do
 * @size: sizeof(struct contigbuf_caps)
 * @flags: must be 0
 * @version: (out) CONTIGBUF_ABI_VERSION of the driver
 * @namings: (out) bit n set: enum contigbuf_naming n is supported
 * @backends: (out) bit n set: enum contigbuf_backend n is supported
 * @caches: (out) bit n set: enum contigbuf_cache n is supported
 * @features: (out) CONTIGBUF_FEATURE_* bits
 * @size_max: (out) bytes; no buffer can be larger
 * @align_max: (out) bytes; no larger alignment can be asked for
 * @cookie_stride: (out) bytes between the offsets of two ids, for this caller;
 *	with CONTIGBUF_NAMING_COOKIE no buffer can be larger
 */
struct contigbuf_caps {
	__u32 size;
	__u32 flags;
	__u32 version;
	__u32 namings;
	__u32 backends;
	__u32 caches;
	__aligned_u64 features;
	__aligned_u64 size_max;
	__aligned_u64 align_max;
	__aligned_u64 cookie_stride;
};

/*
 * Other users than the owner, who made the buffer, may ATTACH, too. A process with
 * CAP_DAC_OVERRIDE may do to every buffer what its owner may.
 */
#define CONTIGBUF_ALLOC_SHARED		(1U << 0)
#define CONTIGBUF_ALLOC_FLAGS		(CONTIGBUF_ALLOC_SHARED)

/**
 * struct contigbuf_alloc - make a buffer and attach it to this open file
 * @size: sizeof(struct contigbuf_alloc)
 * @flags: CONTIGBUF_ALLOC_* bits
 * @bytes: size of the buffer, not 0; rounded up to pages
 * @align: alignment of its physical address, a power of two, or 0; all
 *	buffers are page aligned
 * @naming: enum contigbuf_naming
 * @backend: enum contigbuf_backend
 * @cache: enum contigbuf_cache
 * @id: (out) name of the buffer on this device, never 0
 * @offset: (out) mmap() offset of its first byte on this open file
 * @allocated: (out) @bytes rounded up to pages; that much is zeroed and can be
 *	mapped
 * @reserved: must be 0
 *
 * Errors:
 *  EINVAL      @bytes is 0 or overflows when rounded; @align is not a power of
 *              two or above contigbuf_caps.align_max
 *  EBUSY       the open file is bound to a buffer, or uses another naming
 *  EOPNOTSUPP  this device lacks the backend, or the backend the cache mode
 *  EPERM       CONTIGBUF_NAMING_PHYSICAL without CAP_SYS_RAWIO
 *  EDQUOT      a byte quota would be exceeded
 *  ENOMEM      no contiguous memory of that size and alignment
 *  EOVERFLOW   the buffer has no offset that this naming and caller can express
 *  ENOSPC      no id is left
 */
struct contigbuf_alloc {
	__u32 size;
	__u32 flags;
	__aligned_u64 bytes;
	__aligned_u64 align;
	__u32 naming;
	__u32 backend;
	__u32 cache;
	__u32 id;
	__aligned_u64 offset;
	__aligned_u64 allocated;
	__aligned_u64 reserved;
};

/* Only read-only mappings can be made through this open file. */
#define CONTIGBUF_ATTACH_RDONLY		(1U << 0)
#define CONTIGBUF_ATTACH_FLAGS		(CONTIGBUF_ATTACH_RDONLY)

/**
 * struct contigbuf_attach - attach an existing buffer to this open file
 * @size: sizeof(struct contigbuf_attach)
 * @flags: CONTIGBUF_ATTACH_* bits
 * @id: name of the buffer
 * @naming: enum contigbuf_naming
 * @offset: (out) mmap() offset of its first byte on this open file
 * @allocated: (out) bytes that can be mapped
 * @reserved: must be 0
 *
 * Errors:
 *  ENOENT     no buffer has this id
 *  EACCES     the buffer is another user's and not CONTIGBUF_ALLOC_SHARED
 *  EEXIST     it is attached to this open file already
 *  EBUSY, EPERM, EOVERFLOW  as for ALLOC
 *  ENOMEM     no memory for the bookkeeping
 */
struct contigbuf_attach {
	__u32 size;
	__u32 flags;
	__u32 id;
	__u32 naming;
	__aligned_u64 offset;
	__aligned_u64 allocated;
	__aligned_u64 reserved;
};

/**
 * struct contigbuf_detach - take a buffer off this open file
 * @size: sizeof(struct contigbuf_detach)
 * @flags: must be 0
 * @id: name of the buffer, or 0 for the one this open file is bound to
 * @reserved: must be 0
 *
 * Mappings stay valid. The id goes away with the last open file it is attached
 * to, and close() detaches everything.
 *
 * Errors:
 *  ENOENT  no such buffer is attached to this open file
 */
struct contigbuf_detach {
	__u32 size;
	__u32 flags;
	__u32 id;
	__u32 reserved;
};

/**
 * struct contigbuf_free - take a buffer's name away
 * @size: sizeof(struct contigbuf_free)
 * @flags: must be 0
 * @id: name of the buffer, or 0 for the one this open file is bound to
 * @reserved: must be 0
 *
 * The id is gone at once, for everyone, together with every offset that named
 * the buffer. The memory is given back when the last mapping, dma-buf and other
 * open file bound to it are gone.
 *
 * Errors:
 *  ENOENT  no buffer has this id
 *  EACCES  the buffer is another user's
 */
struct contigbuf_free {
	__u32 size;
	__u32 flags;
	__u32 id;
	__u32 reserved;
};

/**
 * struct contigbuf_info - facts about a buffer
 * @size: sizeof(struct contigbuf_info)
 * @flags: must be 0
 * @id: name of the buffer, or 0 for the one this open file is bound to;
 *	(out) its name, or 0 when it was freed and lives on without one
 * @naming: (out) enum contigbuf_naming of this open file; only valid when
 *	@attached is 1
 * @bytes: (out) size asked for
 * @allocated: (out) bytes that can be mapped
 * @align: (out) alignment asked for
 * @offset: (out) mmap() offset on this open file when @attached is 1, else 0; also
 *	0 with CONTIGBUF_NAMING_PHYSICAL when the caller lacks CAP_SYS_RAWIO, and
 *	when the caller cannot express it
 * @backend: (out) enum contigbuf_backend that the memory came from
 * @cache: (out) enum contigbuf_cache in force
 * @attached: (out) 1 when attached to this open file, else 0
 * @reserved: must be 0
 *
 * Never tells an address: see RESOLVE.
 *
 * Errors:
 *  ENOENT  no buffer has this id
 *  EACCES  the buffer is another user's and not CONTIGBUF_ALLOC_SHARED
 */
struct contigbuf_info {
	__u32 size;
	__u32 flags;
	__u32 id;
	__u32 naming;
	__aligned_u64 bytes;
	__aligned_u64 allocated;
	__aligned_u64 align;
	__aligned_u64 offset;
	__u32 backend;
	__u32 cache;
	__u32 attached;
	__u32 reserved;
};

/**
 * struct contigbuf_resolve - addresses of a byte in a buffer
 * @size: sizeof(struct contigbuf_resolve)
 * @flags: must be 0
 * @id: name of the buffer, or 0 for the one this open file is bound to
 * @reserved: must be 0
 * @offset: byte in the buffer, below its allocated size
 * @phys_addr: (out) physical address as the CPU sees it
 * @dma_addr: (out) address that the device has to use
 * @length: (out) bytes from there on that are contiguous at both addresses:
 *	up to the end of the buffer
 *
 * Errors:
 *  EPERM   the caller lacks CAP_SYS_RAWIO
 *  ENOENT  no buffer has this id
 *  EACCES  the buffer is another user's and not CONTIGBUF_ALLOC_SHARED
 *  EINVAL  @offset is not inside the buffer
 */
struct contigbuf_resolve {
	__u32 size;
	__u32 flags;
	__u32 id;
	__u32 reserved;
	__aligned_u64 offset;
	__aligned_u64 phys_addr;
	__aligned_u64 dma_addr;
	__aligned_u64 length;
};

#define CONTIGBUF_SYNC_READ		(1U << 0)	/* the CPU reads */
#define CONTIGBUF_SYNC_WRITE		(1U << 1)	/* the CPU writes */
#define CONTIGBUF_SYNC_END		(1U << 2)	/* it is done; else: it begins */
#define CONTIGBUF_SYNC_FLAGS \
	(CONTIGBUF_SYNC_READ | CONTIGBUF_SYNC_WRITE | CONTIGBUF_SYNC_END)

/**
 * struct contigbuf_sync - hand a range over between CPU and device
 * @size: sizeof(struct contigbuf_sync)
 * @flags: CONTIGBUF_SYNC_* bits; READ or WRITE or both must be there
 * @id: name of the buffer, or 0 for the one this open file is bound to
 * @reserved: must be 0
 * @offset: first byte of the range
 * @length: bytes in the range, not 0
 *
 * Does nothing, successfully, for a buffer that is not CONTIGBUF_CACHE_CACHED.
 * END without a begin is allowed.
 *
 * Errors:
 *  EINVAL  neither READ nor WRITE, or the range is not inside the buffer
 *  ENOENT  no such buffer is attached to this open file
 */
struct contigbuf_sync {
	__u32 size;
	__u32 flags;
	__u32 id;
	__u32 reserved;
	__aligned_u64 offset;
	__aligned_u64 length;
};

/**
 * struct contigbuf_export - make a dma-buf of a whole buffer
 * @size: sizeof(struct contigbuf_export)
 * @flags: must be 0
 * @id: name of the buffer, or 0 for the one this open file is bound to
 * @fd_flags: O_CLOEXEC and one of O_RDONLY, O_WRONLY, O_RDWR
 * @fd: (out) file descriptor of the dma-buf
 * @reserved: must be 0
 *
 * Errors:
 *  ENOENT  no such buffer is attached to this open file
 *  EACCES  access asked for that the open file was not opened for, or write access
 *          through a read-only attachment
 *  EOPNOTSUPP  the buffer lies in reserved memory that the kernel does not map
 *  EMFILE, ENFILE  no file descriptor is left
 *  ENOMEM  no memory for the bookkeeping
 */
struct contigbuf_export {
	__u32 size;
	__u32 flags;
	__u32 id;
	__u32 fd_flags;
	__s32 fd;
	__u32 reserved;
};

#define CONTIGBUF_IOC_CAPS	_IO(CONTIGBUF_IOC_TYPE, 0x00)
#define CONTIGBUF_IOC_ALLOC	_IO(CONTIGBUF_IOC_TYPE, 0x01)
#define CONTIGBUF_IOC_ATTACH	_IO(CONTIGBUF_IOC_TYPE, 0x02)
#define CONTIGBUF_IOC_DETACH	_IO(CONTIGBUF_IOC_TYPE, 0x03)
#define CONTIGBUF_IOC_FREE	_IO(CONTIGBUF_IOC_TYPE, 0x04)
#define CONTIGBUF_IOC_INFO	_IO(CONTIGBUF_IOC_TYPE, 0x05)
#define CONTIGBUF_IOC_RESOLVE	_IO(CONTIGBUF_IOC_TYPE, 0x06)
#define CONTIGBUF_IOC_SYNC	_IO(CONTIGBUF_IOC_TYPE, 0x07)
#define CONTIGBUF_IOC_EXPORT	_IO(CONTIGBUF_IOC_TYPE, 0x08)

#endif /* _UAPI_CONTIGBUF_H */
