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
#include <linux/mm.h>
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
