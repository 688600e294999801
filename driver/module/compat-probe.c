// SPDX-License-Identifier: GPL-2.0-only
/*
 * What differs between the kernels contigbuf builds on. compat-probe.sh
 * compiles each #ifdef PROBE_x part alone; when it compiles without a warning,
 * HAVE_x is defined for compat.h. A new difference is one more part here.
 *
 * Copyright (C) 2026 the bufrig authors
 */
#include <linux/cdev.h>
#include <linux/device.h>
#include <linux/fs.h>
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/platform_device.h>

#ifdef PROBE_VM_FLAGS_SET
/* vm_flags became read-only, changed through functions. */
void probe(struct vm_area_struct *vma);
void probe(struct vm_area_struct *vma)
{
	vm_flags_set(vma, VM_IO);
	vm_flags_clear(vma, VM_MAYEXEC);
}
#endif

#ifdef PROBE_CLASS_DEVNODE_CONST
/* class.devnode() takes a const device. */
static char *probe(const struct device *dev, umode_t *mode)
{
	return NULL;
}
struct class probe_class = { .devnode = probe };
#endif

#ifdef PROBE_PLATFORM_REMOVE_VOID
/* platform_driver.remove() returns nothing. */
static void probe(struct platform_device *pdev)
{
}
struct platform_driver probe_driver = { .remove = probe };
#endif

#ifdef PROBE_ACR_FLAGS
/* alloc_contig_range() takes flags instead of a migratetype. */
int probe(void);
int probe(void)
{
	return alloc_contig_range(0, 1, ACR_FLAGS_NONE, GFP_KERNEL);
}
#endif

#ifdef PROBE_IMPORT_NS_WORD
/* MODULE_IMPORT_NS() takes a bare word; where it takes a string, this fails. */
MODULE_IMPORT_NS(DMA_BUF);
#endif

#ifdef PROBE_PMD_PFN_T
/* vmf_insert_pfn_pmd() takes a pfn_t. */
#include <linux/pfn_t.h>
vm_fault_t probe(struct vm_fault *vmf);
vm_fault_t probe(struct vm_fault *vmf)
{
	return vmf_insert_pfn_pmd(vmf, pfn_to_pfn_t(0), false);
}
#endif

#ifdef PROBE_PMD_PFN_LONG
/* vmf_insert_pfn_pmd() takes a plain page frame number. */
vm_fault_t probe(struct vm_fault *vmf, unsigned long pfn);
vm_fault_t probe(struct vm_fault *vmf, unsigned long pfn)
{
	return vmf_insert_pfn_pmd(vmf, pfn, false);
}
#endif
