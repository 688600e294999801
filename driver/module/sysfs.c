// SPDX-License-Identifier: GPL-2.0-only
/*
 * Counters of a device in sysfs. Anyone may read them, so no address and nothing
 * about a single buffer is here.
 *
 * Copyright (C) 2026 the bufrig authors
 */
#include <linux/device.h>
#include <linux/sysfs.h>

#include "internal.h"

static struct contigbuf_device *to_contigbuf(struct device *dev)
{
	return container_of(dev, struct contigbuf_device, dev);
}

static ssize_t buffers_show(struct device *dev, struct device_attribute *attr,
			    char *text)
{
	return sysfs_emit(text, "%ld\n",
			  atomic_long_read(&to_contigbuf(dev)->buffers));
}
static DEVICE_ATTR_RO(buffers);

static ssize_t bytes_show(struct device *dev, struct device_attribute *attr,
			  char *text)
{
	return sysfs_emit(text, "%lld\n",
			  (s64)atomic64_read(&to_contigbuf(dev)->bytes));
}
static DEVICE_ATTR_RO(bytes);

static ssize_t allocated_show(struct device *dev, struct device_attribute *attr,
			      char *text)
{
	return sysfs_emit(text, "%lld\n",
			  (s64)atomic64_read(&to_contigbuf(dev)->allocated));
}
static DEVICE_ATTR_RO(allocated);

static ssize_t refused_show(struct device *dev, struct device_attribute *attr,
			    char *text)
{
	return sysfs_emit(text, "%lld\n",
			  (s64)atomic64_read(&to_contigbuf(dev)->refused));
}
static DEVICE_ATTR_RO(refused);

static struct attribute *contigbuf_attrs[] = {
	&dev_attr_buffers.attr,
	&dev_attr_bytes.attr,
	&dev_attr_allocated.attr,
	&dev_attr_refused.attr,
	NULL,
};

static const struct attribute_group contigbuf_group = {
	.attrs = contigbuf_attrs,
};

const struct attribute_group *contigbuf_groups[] = {
	&contigbuf_group,
	NULL,
};
