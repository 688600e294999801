// SPDX-License-Identifier: GPL-2.0-only
/*
 * One instance: made when the platform device is bound, dead when it is unbound,
 * gone when the last open file and the last buffer are gone.
 *
 * Copyright (C) 2026 the bufrig authors
 */
#include <linux/dma-mapping.h>
#include <linux/idr.h>
#include <linux/mod_devicetable.h>
#include <linux/module.h>
#include <linux/of.h>
#include <linux/of_device.h>
#include <linux/platform_device.h>
#include <linux/slab.h>

#include "internal.h"

static DEFINE_IDA(instances);

static struct contigbuf_device *to_contigbuf(struct device *dev)
{
	return container_of(dev, struct contigbuf_device, dev);
}

static void device_release(struct device *dev)
{
	struct contigbuf_device *device = to_contigbuf(dev);

	WARN_ON(atomic_long_read(&device->buffers));
	contigbuf_region_put(device);
	xa_destroy(&device->ids);
	mutex_destroy(&device->lock);
	of_node_put(dev->of_node);
	kfree(device);
}

void contigbuf_device_put(struct contigbuf_device *device)
{
	put_device(&device->dev);
}

/* The number is free for the next binding, even if the device lives on. */
static void device_forget(struct contigbuf_device *device)
{
	ida_free(&instances, device->instance);
	contigbuf_device_put(device);
}

/*
 * The kernel refuses a mask that none of the machine's memory lies below. It is
 * set nevertheless: then every allocation fails, which is the truth.
 */
static void set_dma_mask(struct contigbuf_device *device, u64 mask)
{
	if (!dma_set_mask_and_coherent(&device->dev, mask))
		return;
	device->dma_mask = mask;
	device->dev.coherent_dma_mask = mask;
}

/* Returns an instance without a node yet; device_forget() undoes it. */
static struct contigbuf_device *device_create_for(struct platform_device *pdev)
{
	struct contigbuf_device *device;
	int instance, err;

	device = kzalloc(sizeof(*device), GFP_KERNEL);
	if (!device)
		return ERR_PTR(-ENOMEM);
	instance = ida_alloc_max(&instances, CONTIGBUF_DEVICES_MAX - 1,
				 GFP_KERNEL);
	if (instance < 0) {
		kfree(device);
		return ERR_PTR(instance);
	}

	device->instance = instance;
	mutex_init(&device->lock);
	xa_init_flags(&device->ids, XA_FLAGS_ALLOC1);
	INIT_LIST_HEAD(&device->aperture);
	INIT_LIST_HEAD(&device->all);
	device_initialize(&device->dev);
	device->dev.parent = &pdev->dev;
	device->dev.class = &contigbuf_class;
	device->dev.release = device_release;
	device->dev.devt = contigbuf_devt + instance;
	device->dev.groups = contigbuf_groups;
	device->dev.dma_mask = &device->dma_mask;
	device_set_of_node_from_dev(&device->dev, &pdev->dev);

	if (instance)
		err = dev_set_name(&device->dev, "contigbuf%d", instance);
	else
		err = dev_set_name(&device->dev, "contigbuf");
	if (!err && device->dev.of_node)
		err = of_dma_configure(&device->dev, device->dev.of_node, true);
	if (!err) {
		set_dma_mask(device, DMA_BIT_MASK(contigbuf_dma_bits));
		err = contigbuf_region_get(device);
	}
	if (err) {
		device_forget(device);
		return ERR_PTR(err);
	}
	return device;
}

static int contigbuf_probe(struct platform_device *pdev)
{
	struct contigbuf_device *device;
	int err;

	device = device_create_for(pdev);
	if (IS_ERR(device))
		return dev_err_probe(&pdev->dev, PTR_ERR(device),
				     "cannot set up the device\n");

	platform_set_drvdata(pdev, device);
	cdev_init(&device->cdev, &contigbuf_fops);
	device->cdev.owner = THIS_MODULE;
	err = cdev_device_add(&device->cdev, &device->dev);
	if (err) {
		device_forget(device);
		return dev_err_probe(&pdev->dev, err,
				     "cannot make the device node\n");
	}
	contigbuf_debugfs_add(device);
	return 0;
}

/*
 * Memory stays with whoever holds it: mappings, dma-bufs and open files keep
 * what they have, only nothing new can be done through an open file.
 */
static void contigbuf_unbind(struct platform_device *pdev)
{
	struct contigbuf_device *device = platform_get_drvdata(pdev);

	contigbuf_debugfs_remove(device);
	cdev_device_del(&device->cdev, &device->dev);
	mutex_lock(&device->lock);
	device->dead = true;
	mutex_unlock(&device->lock);
	contigbuf_free_all(device);
	device_forget(device);
}

COMPAT_PLATFORM_REMOVE(contigbuf_remove, contigbuf_unbind)

static const struct of_device_id contigbuf_of_match[] = {
	{ .compatible = "bufrig,contigbuf" },
	{}
};
/*
 * Written out, because MODULE_DEVICE_TABLE() does not get through the modpost
 * that Debian ships for cross-building 32 bit modules on 64 bit machines.
 */
MODULE_ALIAS("of:N*T*Cbufrig,contigbuf");
MODULE_ALIAS("of:N*T*Cbufrig,contigbufC*");

struct platform_driver contigbuf_platform_driver = {
	.probe = contigbuf_probe,
	.remove = contigbuf_remove,
	.driver = {
		.name = "contigbuf",
		.of_match_table = contigbuf_of_match,
	},
};
