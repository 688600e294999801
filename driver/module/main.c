// SPDX-License-Identifier: GPL-2.0-only
/*
 * Loading and unloading: module parameters, the class and the numbers of the
 * device nodes, the platform driver, and the devices made without a device tree.
 *
 * Copyright (C) 2026 the bufrig authors
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/dma-mapping.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/platform_device.h>

#include "internal.h"

static unsigned int devices = 1;
module_param(devices, uint, 0444);
MODULE_PARM_DESC(devices, "Devices to make besides those in the device tree (0 to 16, default 1)");

unsigned int contigbuf_dma_bits = 64;
module_param_named(dma_bits, contigbuf_dma_bits, uint, 0444);
MODULE_PARM_DESC(dma_bits, "Address bits that the devices can drive (16 to 64, default 64)");

#define MADE_DEVICES_MAX 16

static struct platform_device *made[MADE_DEVICES_MAX];

dev_t contigbuf_devt;

static char *contigbuf_devnode(compat_devnode_const struct device *dev,
			       umode_t *mode)
{
	/* The group comes from a udev rule; nobody else gets in by default. */
	if (mode)
		*mode = 0660;
	return NULL;
}

struct class contigbuf_class = {
	.name = "contigbuf",
	.devnode = contigbuf_devnode,
};

static void unmake_devices(unsigned int count)
{
	while (count--)
		platform_device_unregister(made[count]);
}

static int make_devices(unsigned int count)
{
	const struct platform_device_info info = {
		.name = "contigbuf",
		.dma_mask = DMA_BIT_MASK(64),
	};
	unsigned int i;

	for (i = 0; i < count; i++) {
		struct platform_device_info numbered = info;

		numbered.id = i;
		made[i] = platform_device_register_full(&numbered);
		if (IS_ERR(made[i])) {
			unmake_devices(i);
			return PTR_ERR(made[i]);
		}
	}
	return 0;
}

static int __init contigbuf_init(void)
{
	int err;

	if (devices > MADE_DEVICES_MAX || contigbuf_dma_bits < 16 ||
	    contigbuf_dma_bits > 64) {
		pr_err("parameter out of range: devices=%u (0 to %u), dma_bits=%u (16 to 64)\n",
		       devices, MADE_DEVICES_MAX, contigbuf_dma_bits);
		return -EINVAL;
	}

	err = alloc_chrdev_region(&contigbuf_devt, 0, CONTIGBUF_DEVICES_MAX,
				  "contigbuf");
	if (err)
		return err;
	err = class_register(&contigbuf_class);
	if (err)
		goto unregister_region;
	contigbuf_debugfs_init();
	err = platform_driver_register(&contigbuf_platform_driver);
	if (err)
		goto remove_debugfs;
	err = make_devices(devices);
	if (err)
		goto unregister_driver;
	return 0;

unregister_driver:
	platform_driver_unregister(&contigbuf_platform_driver);
remove_debugfs:
	contigbuf_debugfs_exit();
	class_unregister(&contigbuf_class);
unregister_region:
	unregister_chrdev_region(contigbuf_devt, CONTIGBUF_DEVICES_MAX);
	return err;
}
module_init(contigbuf_init);

static void __exit contigbuf_exit(void)
{
	unmake_devices(devices);
	platform_driver_unregister(&contigbuf_platform_driver);
	contigbuf_debugfs_exit();
	class_unregister(&contigbuf_class);
	unregister_chrdev_region(contigbuf_devt, CONTIGBUF_DEVICES_MAX);
}
module_exit(contigbuf_exit);

MODULE_AUTHOR("the bufrig authors");
MODULE_DESCRIPTION("Physically contiguous buffers for userspace");
MODULE_VERSION("1.0.0");
MODULE_LICENSE("GPL");
