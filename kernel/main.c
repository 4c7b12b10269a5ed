// SPDX-License-Identifier: GPL-2.0-only
/* The module: brings the parts up in order, and down in reverse. */
#include "disk.h"
#include "netlink.h"
#include "ring.h"
#include "tap.h"

#include <linux/module.h>

static int __init blktap_init(void)
{
	int err;

	err = blktap_tap_init();
	if (err)
		return err;

	err = blktap_disk_init();
	if (err)
		goto err_tap;

	err = blktap_ring_init();
	if (err)
		goto err_disk;

	err = blktap_netlink_init();
	if (err)
		goto err_ring;

	return 0;

err_ring:
	blktap_ring_exit();
err_disk:
	blktap_disk_exit();
err_tap:
	blktap_tap_exit();
	return err;
}

static void __exit blktap_exit(void)
{
	blktap_netlink_exit();
	blktap_ring_exit();
	blktap_disk_exit();
	blktap_tap_exit();
}

module_init(blktap_init);
module_exit(blktap_exit);

MODULE_DESCRIPTION("Block devices served by user processes");
MODULE_LICENSE("GPL");
MODULE_ALIAS_GENL_FAMILY(BLKTAP_GENL_NAME);
