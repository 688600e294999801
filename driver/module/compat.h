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
#include <linux/gfp.h>
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

/* Third argument: a migratetype, later flags of the call. */
#ifdef CONFIG_CONTIG_ALLOC
static inline int compat_alloc_contig_range(unsigned long first,
					    unsigned long end, gfp_t gfp)
{
#ifdef HAVE_ACR_FLAGS
	return alloc_contig_range(first, end, ACR_FLAGS_NONE, gfp);
#else
	return alloc_contig_range(first, end, MIGRATE_MOVABLE, gfp);
#endif
}
#endif

/* The namespace of the dma-buf functions: a bare word, later a string. */
#ifdef HAVE_IMPORT_NS_WORD
#define COMPAT_IMPORT_NS_DMA_BUF MODULE_IMPORT_NS(DMA_BUF)
#else
#define COMPAT_IMPORT_NS_DMA_BUF MODULE_IMPORT_NS("DMA_BUF")
#endif

/*
 * Mappings of a PMD's size for memory without page references. The function is
 * older than its use for such memory, which the configuration tells.
 */
#ifdef CONFIG_ARCH_SUPPORTS_PMD_PFNMAP
#if defined(HAVE_PMD_PFN_T)
#include <linux/pfn_t.h>
#define COMPAT_PMD_PFNMAP 1
static inline vm_fault_t compat_insert_pmd(struct vm_fault *vmf,
					   unsigned long pfn, bool write)
{
	return vmf_insert_pfn_pmd(vmf, pfn_to_pfn_t(pfn), write);
}
#elif defined(HAVE_PMD_PFN_LONG)
#define COMPAT_PMD_PFNMAP 1
static inline vm_fault_t compat_insert_pmd(struct vm_fault *vmf,
					   unsigned long pfn, bool write)
{
	return vmf_insert_pfn_pmd(vmf, pfn, write);
}
#endif
#endif
#ifndef COMPAT_PMD_PFNMAP
#define COMPAT_PMD_PFNMAP 0
#endif

#endif /* CONTIGBUF_COMPAT_H */
