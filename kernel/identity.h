/* SPDX-License-Identifier: GPL-2.0-only */
/* Identity: what sysfs tells of a disk, by which udev names it. */
#ifndef _BLKTAP_IDENTITY_H
#define _BLKTAP_IDENTITY_H

#include <linux/sysfs.h>

/* Attributes of the disk's device; those that its tap was not given are not there. */
extern const struct attribute_group *blktap_identity_groups[];

#endif /* _BLKTAP_IDENTITY_H */
