// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Major numbers of the driver's nodes, and whether there is a driver at all.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "major.h"

static void cleanup_file(FILE **file)
{
	if (*file)
		fclose(*file);
}

int major_find(FILE *file, bool character, const char *name)
{
	char line[128], found[65];
	bool in_characters = false;
	int major;

	while (fgets(line, sizeof(line), file)) {
		if (strncmp(line, "Character", 9) == 0)
			in_characters = true;
		else if (strncmp(line, "Block", 5) == 0)
			in_characters = false;
		else if (in_characters == character &&
			 sscanf(line, "%d %64s", &major, found) == 2 && strcmp(found, name) == 0)
			return major;
	}
	return -ENOSYS;
}

int blktap_major(bool ring, struct blktap_error *err)
{
	__attribute__((cleanup(cleanup_file))) FILE *file = fopen("/proc/devices", "re");
	int major;

	if (!file)
		return blktap_error_set(err, -errno, "cannot read /proc/devices: %s",
					strerror(errno));
	major = major_find(file, ring, ring ? "blktap2" : "tapdev");
	if (major < 0)
		return blktap_error_set(err, major, "blktap kernel module not installed");
	return major;
}

int blktap_check(struct blktap_error *err)
{
	struct blktap_features features;
	struct blktap_nl *nl;
	int ret;

	ret = blktap_nl_open(&nl, err);
	if (ret)
		return ret;
	ret = blktap_nl_features(nl, &features, err);
	blktap_nl_close(nl);
	if (!ret && features.abi != BLKTAP_ABI_VERSION)
		return blktap_error_set(err, -EPROTO,
					"blktap: the module's interface has version %u, not %u",
					features.abi, BLKTAP_ABI_VERSION);
	return ret;
}
