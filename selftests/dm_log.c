// SPDX-License-Identifier: GPL-2.0-only
#include "dm_log.h"

#include <endian.h>
#include <err.h>
#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define MAGIC	0x6a736677736872ULL
#define VERSION	1
#define ALIGN	4096
#define LONGEST	(64U << 20)

/* All little-endian; the first sector of the log. */
struct super {
	uint64_t magic;
	uint64_t version;
	uint64_t entries;
	uint32_t sector_size;
};

/* The first bytes of an entry's sector; a mark's text follows them. */
struct header {
	uint64_t sector;	/* of so many bytes as the super says */
	uint64_t sectors;
	uint64_t flags;
	uint64_t data_length;
};

static void make_room(struct dm_log *log, size_t size)
{
	if (size <= log->size)
		return;
	if (size > LONGEST)
		errx(2, "the log is broken: an entry of %zu bytes", size);
	free(log->buffer);
	log->buffer = aligned_alloc(ALIGN, (size + ALIGN - 1) / ALIGN * ALIGN);
	if (!log->buffer)
		err(2, "no memory");
	log->size = size;
}

/* Past the page cache, which does not know what the target has written. */
static void read_at(struct dm_log *log, uint64_t offset, size_t size)
{
	make_room(log, size);
	if (pread(log->fd, log->buffer, size, offset) != (ssize_t)size)
		err(2, "cannot read the log at %llu", (unsigned long long)offset);
}

void dm_log_rewind(struct dm_log *log)
{
	log->next = 0;
	log->at = log->sector_size;
}

void dm_log_open(struct dm_log *log, const char *path)
{
	const struct super *super;

	*log = (struct dm_log){ .fd = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC) };
	if (log->fd < 0)
		err(2, "%s", path);
	read_at(log, 0, ALIGN);
	super = (const void *)log->buffer;
	if (le64toh(super->magic) != MAGIC || le64toh(super->version) != VERSION)
		errx(2, "%s is no log of dm-log-writes", path);
	log->entries = le64toh(super->entries);
	log->sector_size = le32toh(super->sector_size);
	if (log->sector_size < 512 || log->sector_size > ALIGN)
		errx(2, "%s has sectors of %u bytes", path, log->sector_size);
	dm_log_rewind(log);
}

bool dm_log_next(struct dm_log *log, struct dm_log_entry *entry)
{
	static char mark[ALIGN];
	struct header header;
	size_t text;

	if (log->next == log->entries)
		return false;
	read_at(log, log->at, log->sector_size);
	memcpy(&header, log->buffer, sizeof(header));
	*entry = (struct dm_log_entry){
		.offset = le64toh(header.sector) * log->sector_size,
		.length = le64toh(header.sectors) * log->sector_size,
		.flags = le64toh(header.flags),
	};
	text = le64toh(header.data_length);
	log->next++;
	log->at += log->sector_size;
	if (entry->flags & DM_LOG_MARK) {
		if (text > log->sector_size - sizeof(header))
			errx(2, "the log is broken: a mark of %zu bytes", text);
		memcpy(mark, log->buffer + sizeof(header), text);
		mark[text] = '\0';
		entry->mark = mark;
	} else if (entry->length && !(entry->flags & DM_LOG_DISCARD)) {
		read_at(log, log->at, entry->length);
		entry->data = log->buffer;
		log->at += entry->length;
	}
	return true;
}

bool dm_log_is_plain(const struct dm_log_entry *entry)
{
	return entry->length && !(entry->flags & (DM_LOG_FUA | DM_LOG_FLUSH | DM_LOG_MARK));
}

static int control;

static void open_control(void)
{
	control = open("/dev/mapper/control", O_RDWR | O_CLOEXEC);
	if (control < 0)
		err(2, "/dev/mapper/control");
}

void dm_log_mark(const char *name, const char *text)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct {
		struct dm_ioctl head;
		struct dm_target_msg message;
		char text[256];
	} call = {
		.head = {
			.version = { DM_VERSION_MAJOR, 0, 0 },
			.data_size = sizeof(call),
			.data_start = offsetof(typeof(call), message),
		},
	};

	pthread_once(&once, open_control);
	snprintf(call.head.name, sizeof(call.head.name), "%s", name);
	snprintf((char *)&call + offsetof(typeof(call), message.message), sizeof(call.text),
		 "mark %s", text);
	if (ioctl(control, DM_TARGET_MSG, &call) != 0)
		err(2, "cannot mark the log of %s", name);
}
