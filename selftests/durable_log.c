// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a power cut leaves, from the log of a log-writes device:
 *
 *   durable_log check LOG SIZE              whether the ranges that durable_write promised
 *                                           on a disk of SIZE bytes survive a cut at any time
 *   durable_log cuts LOG COUNT SEED         so many places for a cut after the mark "start",
 *                                           half of them right after a promise
 *   durable_log replay LOG CUT SEED IMAGE   makes IMAGE, all zeroes, what a cut before entry
 *                                           CUT leaves, and prints what was promised by then;
 *                                           SEED not 0: and some of what was under way
 *   durable_log verify FILE|DIRECTORY       whether it has what standard input promises
 *
 * Exit status 1: something durable is lost; 2: it could not be found out.
 */
#include "dm_log.h"
#include "durable.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE	4096	/* of a write that is under way: all or nothing, as file systems want it */
#define END	"dm-log-writes-end"

/* ------------------------------------------------------------------------ check */

struct sector {
	int64_t version, promised;
};

static struct sector *sectors;
static uint64_t nr_sectors;

static void make_sectors(uint64_t size)
{
	nr_sectors = size / DURABLE_SECTOR;
	sectors = calloc(nr_sectors, sizeof(*sectors));
	if (!sectors)
		err(2, "no memory");
}

static bool check_sector(uint64_t number, const struct dm_log *log)
{
	const struct sector *s = &sectors[number];

	if (s->version >= s->promised && s->version >= 0)
		return true;
	printf("entry %llu: sector %llu has version %lld, promised is %lld\n",
	       (unsigned long long)(log->next - 1), (unsigned long long)number,
	       (long long)s->version, (long long)s->promised);
	return false;
}

static void check_range(uint64_t offset, uint64_t length)
{
	if (offset > nr_sectors * DURABLE_SECTOR || length > nr_sectors * DURABLE_SECTOR - offset)
		errx(2, "%llu bytes at %llu are beyond the disk", (unsigned long long)length,
		     (unsigned long long)offset);
}

/*
 * Each cut leaves in each sector either what it had before, or what one of the writes
 * under way brings. So all cuts are good if each promise is kept when it is made, and no
 * write brings less than was promised.
 */
static bool check_write(const struct dm_log *log, const struct dm_log_entry *entry)
{
	bool good = true;
	uint64_t i;

	check_range(entry->offset, entry->length);
	for (i = 0; good && i < entry->length; i += DURABLE_SECTOR) {
		uint64_t number = (entry->offset + i) / DURABLE_SECTOR;

		sectors[number].version = entry->data ? durable_version(entry->data + i, number) : 0;
		good = check_sector(number, log);
	}
	return good;
}

static bool check_promise(const struct dm_log *log, const struct promise *p)
{
	uint64_t number = p->offset / DURABLE_SECTOR;
	uint64_t end = number + p->length / DURABLE_SECTOR;
	bool good = true;

	check_range(p->offset, p->length);
	for (; good && number < end; number++) {
		if (sectors[number].promised < (int64_t)p->version)
			sectors[number].promised = p->version;
		good = check_sector(number, log);
	}
	return good;
}

static int check(const char *path, uint64_t size)
{
	unsigned int promises = 0, flushes = 0, fua = 0, lost = 0;
	struct dm_log_entry entry;
	bool complete = false;
	struct promise p;
	struct dm_log log;

	make_sectors(size);
	dm_log_open(&log, path);
	while (lost < 5 && dm_log_next(&log, &entry)) {
		flushes += entry.flags & DM_LOG_FLUSH ? 1 : 0;
		fua += entry.flags & DM_LOG_FUA ? 1 : 0;
		complete = entry.mark && strcmp(entry.mark, END) == 0;
		if (entry.mark && promise_parse(entry.mark, &p)) {
			promises++;
			lost += !check_promise(&log, &p);
		} else if (entry.length) {
			lost += !check_write(&log, &entry);
		}
	}
	printf("entries=%llu flushes=%u fua=%u promises=%u\n", (unsigned long long)log.next,
	       flushes, fua, promises);
	if (lost)
		return 1;
	if (!complete)
		errx(2, "the log is not complete");
	return 0;
}

/* ------------------------------------------------------------------------- cuts */

/* Numbers of the entries that a cut may come before, and of those after a promise. */
struct places {
	uint64_t *all, *kept;
	size_t nr_all, nr_kept;
};

static void find_places(struct dm_log *log, struct places *places)
{
	bool started = false, complete = false;
	struct dm_log_entry entry;
	struct promise p;

	places->all = calloc(log->entries + 1, sizeof(*places->all));
	places->kept = calloc(log->entries + 1, sizeof(*places->kept));
	if (!places->all || !places->kept)
		err(2, "no memory");
	while (dm_log_next(log, &entry)) {
		complete = entry.mark && strcmp(entry.mark, END) == 0;
		started |= entry.mark && strcmp(entry.mark, "start") == 0;
		if (started)
			places->all[places->nr_all++] = log->next;
		if (started && entry.mark && promise_parse(entry.mark, &p))
			places->kept[places->nr_kept++] = log->next;
	}
	if (!complete || !places->nr_kept)
		errx(2, "the log is not complete, or promises nothing");
}

static int cuts(const char *path, unsigned int count, unsigned int seed)
{
	struct places places = { 0 };
	struct dm_log log;
	unsigned int i;

	dm_log_open(&log, path);
	find_places(&log, &places);
	for (i = 0; i < count; i++) {
		const uint64_t *of = i % 2 ? places.all : places.kept;
		size_t nr = i % 2 ? places.nr_all : places.nr_kept;
		/* Anywhere within its share of the log. */
		size_t at = (nr * i + rand_r(&seed) % nr) / count;

		printf("%llu\n", (unsigned long long)of[at]);
	}
	free(places.all);
	free(places.kept);
	return 0;
}

/* ----------------------------------------------------------------------- replay */

static void put(int fd, const struct dm_log_entry *entry, uint64_t from, uint64_t length)
{
	static const char zeroes[PIECE];
	uint64_t step;

	for (; length; from += step, length -= step) {
		const char *data = entry->data ? entry->data + from : zeroes;

		step = length < PIECE ? length : PIECE;
		if (pwrite(fd, data, step, entry->offset + from) != (ssize_t)step)
			err(2, "cannot write the image");
	}
}

static void put_some(int fd, const struct dm_log_entry *entry, unsigned int *seed)
{
	uint64_t at, length;

	for (at = 0; at < entry->length; at += PIECE) {
		length = entry->length - at < PIECE ? entry->length - at : PIECE;
		if (rand_r(seed) % 2)
			put(fd, entry, at, length);
	}
}

/* Whether the entry that comes next is one of those right before a FLUSH. */
static bool flush_follows(struct dm_log *log)
{
	struct dm_log here = *log;
	struct dm_log_entry entry = { 0 };
	bool found = false;

	here.buffer = NULL;
	here.size = 0;
	while (!found && dm_log_next(&here, &entry) && (dm_log_is_plain(&entry)))
		;
	found = entry.flags & DM_LOG_FLUSH;
	free(here.buffer);
	return found;
}

/* What was under way: one write with FUA, or those that a FLUSH was to make durable. */
static void put_under_way(int fd, struct dm_log *log, unsigned int seed)
{
	bool flush = flush_follows(log);
	struct dm_log_entry entry;

	while (dm_log_next(log, &entry)) {
		if (entry.length && entry.flags & DM_LOG_FUA)
			put_some(fd, &entry, &seed);
		if (!dm_log_is_plain(&entry) || !flush)
			return;
		put_some(fd, &entry, &seed);
	}
}

static int replay(const char *path, uint64_t cut, unsigned int seed, const char *image)
{
	int fd = open(image, O_WRONLY | O_CLOEXEC);
	struct dm_log_entry entry;
	struct promise p;
	struct dm_log log;

	if (fd < 0)
		err(2, "%s", image);
	dm_log_open(&log, path);
	while (log.next < cut && dm_log_next(&log, &entry)) {
		if (entry.mark && promise_parse(entry.mark, &p))
			puts(entry.mark);
		else if (entry.length)
			put(fd, &entry, 0, entry.length);
	}
	if (seed)
		put_under_way(fd, &log, seed);
	return close(fd) ? 2 : 0;
}

/* ----------------------------------------------------------------------- verify */

static bool verify_sector(const char *data, uint64_t number, uint64_t promised, const char *what)
{
	int64_t version = durable_version(data, number);

	if (version >= (int64_t)promised)
		return true;
	printf("%s: sector %llu has version %lld, promised is %llu\n", what,
	       (unsigned long long)number, (long long)version, (unsigned long long)promised);
	return false;
}

static bool verify_range(int fd, const struct promise *p, const char *what)
{
	char *data = malloc(p->length);
	bool good = data && pread(fd, data, p->length, p->offset) == (ssize_t)p->length;
	uint64_t at;

	if (!good)
		printf("%s: %llu bytes at %llu cannot be read\n", what,
		       (unsigned long long)p->length, (unsigned long long)p->offset);
	for (at = 0; good && at < p->length; at += DURABLE_SECTOR)
		good = verify_sector(data + at, (p->offset + at) / DURABLE_SECTOR, p->version, what);
	free(data);
	return good;
}

static bool verify_file(int directory, const struct promise *p)
{
	char name[32];
	struct stat st;
	bool good;
	int fd;

	snprintf(name, sizeof(name), "f%llu", (unsigned long long)p->number);
	fd = openat(directory, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) != 0) {
		printf("%s: %s\n", name, strerror(errno));
		return false;
	}
	good = st.st_size == (off_t)p->length;
	if (!good)
		printf("%s has %lld bytes\n", name, (long long)st.st_size);
	good = good && verify_range(fd, p, name);
	close(fd);
	return good;
}

static int verify(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	unsigned int kept = 0, lost = 0;
	struct promise p;
	char line[256];
	bool good;

	if (fd < 0) {
		printf("%s: %s\n", path, strerror(errno));
		return 1;
	}
	while (fgets(line, sizeof(line), stdin)) {
		if (!promise_parse(line, &p))
			errx(2, "no promise: %s", line);
		good = p.whole_file ? verify_file(fd, &p) : verify_range(fd, &p, path);
		kept += good;
		lost += !good;
	}
	printf("kept=%u lost=%u\n", kept, lost);
	return lost ? 1 : 0;
}

static uint64_t number(const char *text)
{
	char *end;
	uint64_t value = strtoull(text, &end, 10);

	if (!*text || *end)
		errx(2, "%s is no number", text);
	return value;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (strcmp(what, "check") == 0 && argc == 4)
		return check(argv[2], number(argv[3]));
	if (strcmp(what, "cuts") == 0 && argc == 5)
		return cuts(argv[2], number(argv[3]), number(argv[4]));
	if (strcmp(what, "replay") == 0 && argc == 6)
		return replay(argv[2], number(argv[3]), number(argv[4]), argv[5]);
	if (strcmp(what, "verify") == 0 && argc == 3)
		return verify(argv[2]);
	errx(2, "see the beginning of durable_log.c");
}
