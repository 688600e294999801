/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The one place that knows that kernels differ. The rest of the module is
 * written against the newest form; this header makes older kernels look like
 * that, guided by compat-probed.h (see compat-probe.c).
 *
 * Copyright (C) 2026 the bufrig authors
 */
#ifndef CONTIGBUF_COMPAT_H
#define CONTIGBUF_COMPAT_H

#include <linux/device.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/platform_device.h>

#include "compat-probed.h"

#ifndef HAVE_VM_FLAGS_SET
static inline void vm_flags_set(struct vm_area_struct *vma, unsigned long flags)
{
	vma->vm_flags |= flags;
}

static inline void vm_flags_clear(struct vm_area_struct *vma,
				  unsigned long flags)
{
	vma->vm_flags &= ~flags;
}
#endif

#ifdef HAVE_CLASS_DEVNODE_CONST
#define compat_devnode_const const
#else
#define compat_devnode_const
#endif

/* Defines the remove callback @name around @body(struct platform_device *). */
#ifdef HAVE_PLATFORM_REMOVE_VOID
#define COMPAT_PLATFORM_REMOVE(name, body)				\
	static void name(struct platform_device *pdev) { body(pdev); }
#else
#define COMPAT_PLATFORM_REMOVE(name, body)				\
	static int name(struct platform_device *pdev) { body(pdev); return 0; }
#endif

/*
 * Offsets up to the end of what mmap() can express, also where that does not
 * fit a signed or a long: a flag of the operations, or of each open file.
 */
#ifdef FOP_UNSIGNED_OFFSET
#define COMPAT_FOP_UNSIGNED_OFFSET .fop_flags = FOP_UNSIGNED_OFFSET,
static inline void compat_allow_unsigned_offset(struct file *filp)
{
}
#else
#define COMPAT_FOP_UNSIGNED_OFFSET
static inline void compat_allow_unsigned_offset(struct file *filp)
{
	filp->f_mode |= FMODE_UNSIGNED_OFFSET;
}
#endif

#endif /* CONTIGBUF_COMPAT_H */
