// SPDX-License-Identifier: GPL-2.0-only
#include "identity.h"
#include "disk.h"
#include "tap.h"

#include <linux/blkdev.h>
#include <linux/device.h>

static const struct blktap_config *blktap_identity_config(struct device *dev)
{
	struct blktap_disk *disk = dev_to_disk(dev)->private_data;

	return &disk->tap->config;
}

static ssize_t serial_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%s\n", blktap_identity_config(dev)->serial);
}
static DEVICE_ATTR_RO(serial);

static ssize_t uuid_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%pUb\n", blktap_identity_config(dev)->uuid);
}
static DEVICE_ATTR_RO(uuid);

static struct attribute *blktap_identity_attrs[] = {
	&dev_attr_serial.attr,
	&dev_attr_uuid.attr,
	NULL
};

static umode_t blktap_identity_is_visible(struct kobject *kobj, struct attribute *attr, int index)
{
	const struct blktap_config *config = blktap_identity_config(kobj_to_dev(kobj));
	bool given = attr == &dev_attr_uuid.attr ? config->has_uuid : config->serial[0];

	return given ? attr->mode : 0;
}

static const struct attribute_group blktap_identity_group = {
	.attrs		= blktap_identity_attrs,
	.is_visible	= blktap_identity_is_visible,
};

const struct attribute_group *blktap_identity_groups[] = {
	&blktap_identity_group,
	NULL
};
