/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The log that device-mapper's target log-writes keeps of what a disk was told to write:
 * Documentation/admin-guide/device-mapper/log-writes.rst and drivers/md/dm-log-writes.c of the
 * kernel.
 *
 * A write is in the log when a power cut can no longer undo it: with FUA once it has
 * completed, without only before the FLUSH that came after its completion. So whatever
 * the log has up to an entry survives a cut there, and of the writes that lie right before
 * a FLUSH any may have.
 */
#ifndef DM_LOG_H
#define DM_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DM_LOG_FLUSH	(1 << 0)
#define DM_LOG_FUA	(1 << 1)
#define DM_LOG_DISCARD	(1 << 2)
#define DM_LOG_MARK	(1 << 3)

struct dm_log_entry {
	uint64_t offset, length;	/* bytes of the disk */
	uint64_t flags;
	const char *data;		/* length bytes, but for DISCARD; until the next one */
	const char *mark;		/* MARK: its text */
};

struct dm_log {
	int fd;
	uint32_t sector_size;
	uint64_t entries;		/* in all */
	uint64_t next;			/* number of the next one */
	uint64_t at;			/* byte where it begins */
	char *buffer;
	size_t size;
};

/* Programs end with a message if a log cannot be read. */
void dm_log_open(struct dm_log *log, const char *path);
/* False at the end. */
bool dm_log_next(struct dm_log *log, struct dm_log_entry *entry);
void dm_log_rewind(struct dm_log *log);
/* Whether it can be left out at a power cut: its FLUSH has not come. */
bool dm_log_is_plain(const struct dm_log_entry *entry);

/* Puts a mark into the log of the device-mapper device @name; a word. */
void dm_log_mark(const char *name, const char *text);

#endif
