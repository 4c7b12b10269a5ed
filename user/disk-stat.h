/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the block layer counts for a disk, whoever serves its requests. Source:
 * Documentation/block/stat.rst of Linux.
 */
#ifndef BLKTAP_DISK_STAT_H
#define BLKTAP_DISK_STAT_H

#include <stdbool.h>
#include <stdint.h>

struct disk_stat {
	uint64_t reads, read_bytes, read_ms;
	uint64_t writes, write_bytes, write_ms;
	uint64_t inflight;
};

/* @text is /sys/block/DISK/stat; false: it makes no sense. */
bool disk_stat_parse(const char *text, struct disk_stat *stat);

/* False: there is no such disk. */
bool disk_stat_read(unsigned int minor, struct disk_stat *stat);

#endif /* BLKTAP_DISK_STAT_H */
