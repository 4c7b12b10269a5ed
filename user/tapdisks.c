// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Which tapdisks there are: the control directory tells.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "call.h"
#include "cleanup.h"
#include "pages.h"
#include "paths.h"
#include "tapdisks.h"
#include "vbd.h"

static void cleanup_dir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

/* The pid of a socket's name, or 0 if it is something else. */
static pid_t parse_name(const char *name)
{
	char *end;
	long pid;

	if (strncmp(name, "ctl", 3) != 0 || !isdigit((unsigned char)name[3]))
		return 0;
	errno = 0;
	pid = strtol(name + 3, &end, 10);
	return errno || *end || pid <= 0 || pid > INT_MAX ? 0 : (pid_t)pid;
}

static int compare_pids(const void *a, const void *b)
{
	pid_t left = *(const pid_t *)a, right = *(const pid_t *)b;

	return (left > right) - (left < right);
}

int tapdisks_add_pid(pid_t **pids, size_t *count, pid_t pid)
{
	pid_t *grown;

	/* Room doubles at the powers of two. */
	if ((*count & (*count - 1)) == 0) {
		grown = reallocarray(*pids, *count ? *count * 2 : 1, sizeof(**pids));
		if (!grown)
			return -ENOMEM;
		*pids = grown;
	}
	(*pids)[(*count)++] = pid;
	return 0;
}

static int read_directory(pid_t **pids, size_t *count)
{
	__attribute__((cleanup(cleanup_dir))) DIR *dir = NULL;
	CLEANUP_FREE pid_t *found = NULL;
	struct dirent *entry;
	size_t used = 0;
	pid_t pid;

	*pids = NULL;
	*count = 0;
	dir = opendir(blktap_control_dir());
	if (!dir)
		return errno == ENOENT ? 0 : -errno;	/* made by the first tapdisk */
	while ((errno = 0, entry = readdir(dir))) {
		pid = parse_name(entry->d_name);
		if (pid && tapdisks_add_pid(&found, &used, pid))
			return -ENOMEM;
	}
	if (errno)
		return -errno;
	if (used)
		qsort(found, used, sizeof(*found), compare_pids);
	*pids = TAKE_POINTER(found);
	*count = used;
	return 0;
}

/* Whether somebody listens, be it one who does not get round to answering. */
static bool is_listening(pid_t pid)
{
	int fd = call_connect(pid);

	if (fd >= 0)
		close(fd);
	return fd >= 0 || fd == -EAGAIN;
}

int tapdisks_read(pid_t **pids, size_t *count, struct blktap_error *err)
{
	int ret = control_dir_check(err);

	if (ret)
		return ret;
	ret = read_directory(pids, count);
	return ret ? control_dir_refused(ret, err) : 0;
}

int blktap_ctl_tapdisks(pid_t **pids, size_t *count, struct blktap_error *err)
{
	size_t found, i, used = 0;
	int ret;

	ret = tapdisks_read(pids, &found, err);
	if (ret)
		return ret;
	for (i = 0; i < found; i++)
		if (is_listening((*pids)[i]))
			(*pids)[used++] = (*pids)[i];
	*count = used;
	return 0;
}

/* -------------------------------------------------------------- dead ones' sockets */

void tapdisks_sweep(pid_t pid)
{
	char path[PATH_MAX];
	int fd;

	if (kill(pid, 0) == 0 || errno != ESRCH)
		return;
	fd = call_connect(pid);
	/* Of another pid namespace. */
	if (fd >= 0)
		close(fd);
	if (fd != -ECONNREFUSED)
		return;
	if (blktap_control_path(path, sizeof(path), pid) == 0)
		unlink(path);
}

void blktap_ctl_sweep(void)
{
	CLEANUP_FREE pid_t *pids = NULL;
	size_t count, i;

	if (tapdisks_read(&pids, &count, NULL))
		return;
	for (i = 0; i < count; i++)
		tapdisks_sweep(pids[i]);
}

/* ------------------------------------------------------------ asking them all */

static bool take_list(struct pages *pages, struct blktap_tapdisk *tapdisk)
{
	tapdisk->pid = pages->pid;
	tapdisk->code = pages->err.code;
	if (!tapdisk->code)
		tapdisk->code = vbds_parse(pages->vbds, &tapdisk->vbds, &tapdisk->count);
	if (tapdisk->code == -ECONNREFUSED)
		tapdisks_sweep(pages->pid);
	/* It has left since we looked: then it is not there. */
	return tapdisk->code != -ENOENT && tapdisk->code != -ECONNREFUSED;
}

int blktap_ctl_list_all(const pid_t *pids, size_t count, int timeout_ms,
			struct blktap_tapdisk **tapdisks, size_t *answered,
			struct blktap_error *err)
{
	CLEANUP_FREE struct pages *pages = calloc(count + 1, sizeof(*pages));
	struct blktap_tapdisk *list = calloc(count + 1, sizeof(*list));
	size_t i, used = 0;

	for (i = 0; pages && i < count; i++)
		pages[i].pid = pids[i];
	if (!pages || !list || pages_collect(pages, count, "list", -1, deadline_in(timeout_ms))) {
		free(list);
		return blktap_error_set(err, -ENOMEM, "no memory for %zu tapdisks", count);
	}
	for (i = 0; i < count; i++) {
		if (take_list(&pages[i], &list[used]))
			used++;
		else
			memset(&list[used], 0, sizeof(*list));
		pages_clear(&pages[i]);
	}
	*tapdisks = list;
	*answered = used;
	return 0;
}

void blktap_tapdisks_free(struct blktap_tapdisk *tapdisks, size_t count)
{
	size_t i;

	for (i = 0; tapdisks && i < count; i++)
		blktap_vbd_info_free(tapdisks[i].vbds, tapdisks[i].count);
	free(tapdisks);
}
