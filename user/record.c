// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "cancel.h"
#include "cleanup.h"
#include "directory-lock.h"
#include "paths.h"
#include "record.h"

#define MAX_BYTES	65536

int record_path(char *buf, size_t size, unsigned int minor)
{
	int length = snprintf(buf, size, "%s/tap%u.json", blktap_control_dir(), minor);

	return length < 0 || (size_t)length >= size ? -ENAMETOOLONG : 0;
}

/* --------------------------------------------------------------------- reading */

/* What others may write says nothing. */
static bool is_trusted(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && !(st.st_mode & 022) &&
	       (st.st_uid == 0 || st.st_uid == geteuid()) && st.st_size <= MAX_BYTES;
}

int record_load(unsigned int minor, json_t **json)
{
	CLEANUP_CLOSE int fd = -1;
	char path[PATH_MAX];
	int ret = record_path(path, sizeof(path), minor);

	if (ret)
		return ret;
	fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return errno == ELOOP ? -EPROTO : -errno;
	if (!is_trusted(fd))
		return -EPROTO;
	*json = json_loadfd(fd, JSON_REJECT_DUPLICATES, NULL);
	return *json ? 0 : -EPROTO;
}

static bool is_image(const char *image)
{
	const char *colon = strchr(image, ':');

	return colon && colon != image && colon[1];
}

static bool is_within(json_int_t number, json_int_t least, json_int_t most)
{
	return number >= least && number <= most;
}

/* "" is what is not known. */
static int take_identity(struct blktap_record *record, const char *identity)
{
	if (identity && *identity)
		record->image_identity = strdup(identity);
	return !identity || !*identity || record->image_identity ? 0 : -ENOMEM;
}

static int take_strings(struct blktap_record *record, const char *image, const char *user)
{
	record->open.image = strdup(image);
	if (user)
		record->spawn.user = strdup(user);
	return record->open.image && (!user || record->spawn.user) ? 0 : -ENOMEM;
}

/* More than is known here may come from a newer tapdisk, and less from an older one. */
static int parse(json_t *json, unsigned int minor, struct blktap_record *record)
{
	int read_only, no_direct, restart, paused, no_sandbox = 0;
	json_int_t number, pid, timeout_ms, spin_us = -1, seq = 0;
	const char *image, *mode, *user = NULL, *identity = NULL;

	if (json_unpack(json, "{s:I, s:I, s:s, s:b, s:b, s:s, s:I, s?I, s:b, s:b, s?b, s?s, s?s, "
			"s?I}",
			"minor", &number, "pid", &pid, "image", &image, "read_only", &read_only,
			"no_direct", &no_direct, "kernel_io", &mode,
			"request_timeout_ms", &timeout_ms, "spin_us", &spin_us,
			"restart", &restart, "paused", &paused, "no_sandbox", &no_sandbox,
			"user", &user, "image_identity", &identity, "disk_seq", &seq))
		return -EPROTO;
	if (number != minor || !is_within(pid, 1, INT_MAX) || !is_image(image) ||
	    !is_within(timeout_ms, -1, INT_MAX) || !is_within(spin_us, -1, BLKTAP_MAX_SPIN_US) ||
	    seq < 0 || (user && !*user) || blktap_parse_kernel_io(mode, &record->open.kernel_io))
		return -EPROTO;
	record->minor = minor;
	record->pid = pid;
	record->paused = paused;
	record->disk_seq = seq;
	record->spawn.no_sandbox = no_sandbox;
	record->open.read_only = read_only;
	record->open.no_direct = no_direct;
	record->open.request_timeout_ms = timeout_ms;
	record->open.spin_us = spin_us < 0 ? 0 : spin_us ? (int)spin_us : -1;
	record->open.restart = restart;
	return take_strings(record, image, user) ?: take_identity(record, identity);
}

static int failed(int code, unsigned int minor, struct blktap_error *err)
{
	switch (code) {
	case -ENOENT:
		return blktap_error_set(err, code, "tapdev%u: there is no record of its image", minor);
	case -EPROTO:
		return blktap_error_set(err, code, "%s/tap%u.json: it is not a tapdisk's record",
					blktap_control_dir(), minor);
	}
	return blktap_error_set(err, code, "cannot read %s/tap%u.json: %s", blktap_control_dir(),
				minor, strerror(-code));
}

int blktap_record_read(unsigned int minor, struct blktap_record **record,
		       struct blktap_error *err)
{
	CLEANUP_JSON json_t *json = NULL;
	struct blktap_record *read;
	int ret;

	ret = control_dir_check(err);
	if (ret)
		return ret;
	ret = record_load(minor, &json);
	if (ret)
		return failed(ret, minor, err);
	read = calloc(1, sizeof(*read));
	ret = read ? parse(json, minor, read) : -ENOMEM;
	if (ret) {
		blktap_record_free(read);
		return failed(ret, minor, err);
	}
	*record = read;
	return 0;
}

void blktap_record_free(struct blktap_record *record)
{
	if (record) {
		free((char *)record->open.image);
		free((char *)record->spawn.user);
		free(record->image_identity);
	}
	free(record);
}

/* ------------------------------------------------------------------------ whose */

int record_get_tap(unsigned int minor, struct blktap_tap *tap)
{
	struct blktap_nl *nl;
	int ret = blktap_nl_open(&nl, NULL);

	if (ret)
		return ret;
	ret = blktap_nl_get(nl, minor, tap, NULL);
	blktap_nl_close(nl);
	return ret;
}

static bool serves(pid_t pid, unsigned int minor)
{
	struct blktap_tap tap = { 0 };

	return record_get_tap(minor, &tap) == 0 && tap.pid == pid;
}

bool record_is_of(pid_t recorded, unsigned int minor, pid_t pid)
{
	return recorded == pid || serves(pid, minor);
}

/* -------------------------------------------------------------------- changing */

int record_lock(void)
{
	CLEANUP_CLOSE int fd = open(blktap_control_dir(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int ret;

	if (fd < 0)
		return -errno;
	cancel_suspend();
	ret = directory_lock(fd);
	cancel_resume();
	return ret ? ret : TAKE_FD(fd);
}

static bool look(unsigned int minor, char path[PATH_MAX], struct stat *file)
{
	return !record_path(path, PATH_MAX, minor) && lstat(path, file) == 0;
}

void record_look(unsigned int minor, struct record_mark *mark)
{
	char path[PATH_MAX];

	mark->there = look(minor, path, &mark->file);
}

bool record_is(unsigned int minor, const struct record_mark *mark)
{
	char path[PATH_MAX];
	struct stat now;

	return mark->there && look(minor, path, &now) && now.st_ino == mark->file.st_ino &&
	       now.st_ctim.tv_sec == mark->file.st_ctim.tv_sec &&
	       now.st_ctim.tv_nsec == mark->file.st_ctim.tv_nsec;
}

void record_remove_file(unsigned int minor)
{
	char path[PATH_MAX];

	if (!record_path(path, sizeof(path), minor))
		unlink(path);
}

void record_forget(unsigned int minor, const struct record_mark *mark)
{
	CLEANUP_CLOSE int lock = mark->there ? record_lock() : -1;

	(void)lock;
	if (record_is(minor, mark))
		record_remove_file(minor);
}
