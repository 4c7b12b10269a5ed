// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdio.h>

#include "disk-stat.h"

#define SECTOR	512	/* whatever the disk's blocks are */

bool disk_stat_parse(const char *text, struct disk_stat *stat)
{
	unsigned long long n[9];

	/* Reads, merged, sectors, ms; the same of writes; under way. */
	if (sscanf(text, "%llu %llu %llu %llu %llu %llu %llu %llu %llu", &n[0], &n[1], &n[2], &n[3],
		   &n[4], &n[5], &n[6], &n[7], &n[8]) != 9)
		return false;
	*stat = (struct disk_stat){
		.reads = n[0],
		.read_bytes = n[2] * SECTOR,
		.read_ms = n[3],
		.writes = n[4],
		.write_bytes = n[6] * SECTOR,
		.write_ms = n[7],
		.inflight = n[8],
	};
	return true;
}

bool disk_stat_read(unsigned int minor, struct disk_stat *stat)
{
	char path[64], line[512];
	bool good;
	FILE *file;

	snprintf(path, sizeof(path), "/sys/block/xen!blktap-2!tapdev%u/stat", minor);
	file = fopen(path, "re");
	if (!file)
		return false;
	good = fgets(line, sizeof(line), file) && disk_stat_parse(line, stat);
	fclose(file);
	return good;
}
