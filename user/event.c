// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Names of what is told by numbers.
 */
#include <errno.h>
#include <string.h>

#include "cleanup.h"
#include "libblktap.h"

const char *blktap_event_name(enum blktap_event event)
{
	static const char *const names[] = {
		[BLKTAP_EVENT_ALLOCATED] = "allocated",
		[BLKTAP_EVENT_FREED] = "freed",
		[BLKTAP_EVENT_ATTACHED] = "attached",
		[BLKTAP_EVENT_DETACHED] = "detached",
		[BLKTAP_EVENT_DISK_ADDED] = "disk-added",
		[BLKTAP_EVENT_DISK_REMOVED] = "disk-removed",
		[BLKTAP_EVENT_DAEMON_LOST] = "daemon-lost",
		[BLKTAP_EVENT_TIMEOUT] = "timeout",
		[BLKTAP_EVENT_RESIZED] = "resized",
		[BLKTAP_EVENT_EXTENT_DROPPED] = "extent-dropped",
		[BLKTAP_EVENT_RESUMED] = "resumed",
		[BLKTAP_EVENT_HOLD_EXPIRED] = "hold-expired",
		[BLKTAP_EVENT_STUCK] = "stuck",
		[BLKTAP_EVENT_IO_ERROR] = "io-error",
	};

	return (size_t)event < ARRAY_SIZE(names) ? names[event] : NULL;
}

static const char *const modes[] = {
	[BLKTAP_KERNEL_IO_OFF] = "off",
	[BLKTAP_KERNEL_IO_REDIRECT] = "redirect",
	[BLKTAP_KERNEL_IO_AUTO] = "auto",
};

const char *blktap_kernel_io_name(enum blktap_kernel_io mode)
{
	return (size_t)mode < ARRAY_SIZE(modes) ? modes[mode] : NULL;
}

int blktap_parse_kernel_io(const char *name, enum blktap_kernel_io *mode)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		if (!modes[i] || strcmp(modes[i], name) != 0)
			continue;
		*mode = i;
		return 0;
	}
	return -EINVAL;
}

const char *blktap_disk_state_name(uint32_t state)
{
	static const char *const names[] = {
		[BLKTAP_DISK_STATE_NONE] = "none",
		[BLKTAP_DISK_STATE_ADDING] = "adding",
		[BLKTAP_DISK_STATE_LIVE] = "live",
		[BLKTAP_DISK_STATE_REMOVING] = "removing",
	};

	return state < ARRAY_SIZE(names) ? names[state] : NULL;
}

const char *blktap_recovery_name(uint32_t recovery)
{
	static const char *const names[] = {
		[BLKTAP_RECOVERY_NONE] = "none",
		[BLKTAP_RECOVERY_HELD] = "held",
		[BLKTAP_RECOVERY_FAILED] = "failed",
	};

	return recovery < ARRAY_SIZE(names) ? names[recovery] : NULL;
}
