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

static int add_pid(pid_t **pids, size_t *count, pid_t pid)
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

/* The pids that have a socket, dead ones included, ascending. */
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
		if (pid && add_pid(&found, &used, pid))
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

int blktap_ctl_tapdisks(pid_t **pids, size_t *count, struct blktap_error *err)
{
	size_t found, i, used = 0;
	int ret;

	ret = read_directory(pids, &found);
	if (ret)
		return blktap_error_set(err, ret, "cannot read the control directory %s: %s",
					blktap_control_dir(), strerror(-ret));
	for (i = 0; i < found; i++)
		if (is_listening((*pids)[i]))
			(*pids)[used++] = (*pids)[i];
	*count = used;
	return 0;
}

/*
 * A socket that is bound but not yet listening refuses connections, too: only
 * that of a process that is gone is removed.
 */
void blktap_ctl_sweep(void)
{
	CLEANUP_FREE pid_t *pids = NULL;
	char path[PATH_MAX];
	size_t count, i;

	if (read_directory(&pids, &count))
		return;
	for (i = 0; i < count; i++) {
		if (kill(pids[i], 0) == 0 || errno != ESRCH)
			continue;
		if (call_connect(pids[i]) != -ECONNREFUSED)
			continue;
		if (blktap_control_path(path, sizeof(path), pids[i]) == 0)
			unlink(path);
	}
}

/* ------------------------------------------------------------ asking them all */

static bool take_list(struct call *call, struct blktap_tapdisk *tapdisk)
{
	tapdisk->pid = call->pid;
	tapdisk->code = call->err.code;
	if (!call->err.code)
		tapdisk->code = vbds_parse(call->result, &tapdisk->vbds, &tapdisk->count);
	/* It has left since we looked: then it is not there. */
	return tapdisk->code != -ENOENT && tapdisk->code != -ECONNREFUSED;
}

int blktap_ctl_list_all(const pid_t *pids, size_t count, int timeout_ms,
			struct blktap_tapdisk **tapdisks, size_t *answered,
			struct blktap_error *err)
{
	CLEANUP_FREE struct call *calls = calloc(count + 1, sizeof(*calls));
	struct blktap_tapdisk *list = calloc(count + 1, sizeof(*list));
	size_t i, used = 0;

	if (!calls || !list) {
		free(list);
		return blktap_error_set(err, -ENOMEM, "no memory for %zu tapdisks", count);
	}
	for (i = 0; i < count; i++)
		call_init(&calls[i], pids[i], "list", NULL);
	calls_run(calls, count, deadline_in(timeout_ms));
	for (i = 0; i < count; i++) {
		if (take_list(&calls[i], &list[used]))
			used++;
		else
			memset(&list[used], 0, sizeof(*list));
		call_clear(&calls[i]);
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
