// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The end of a disk in one step.
 */
#include "libblktap.h"

#define FREE_MS	60000

int blktap_destroy(pid_t pid, unsigned int minor, int timeout_ms, struct blktap_error *err)
{
	int ret;

	ret = blktap_ctl_close(pid, minor, timeout_ms, false, err);
	if (!ret)
		ret = blktap_ctl_detach(pid, minor, err);
	if (!ret)
		ret = blktap_free(minor, false, FREE_MS, err);
	return ret;
}
