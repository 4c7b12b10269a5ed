// SPDX-License-Identifier: GPL-2.0-only
/*
 * Many disks, without starting a program for each step.
 *
 *	disks make COUNT TAPDISKS QUEUES IMAGE FIRST	prints "PATH PID" of each
 *	disks drop					all that there are
 *	disks time REPEATS PID IMAGE			prints "OPERATION MICROSECONDS"
 *
 * "make" spreads its disks evenly over new tapdisks. A # in IMAGE becomes the
 * number of the disk, from FIRST on. "time" adds a disk to a tapdisk and takes
 * it away again.
 */
#include <libblktap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_MS	60000
#define LIST_MS		60000
#define DROPPERS	8

static struct blktap_error err;

/* Nothing is undone: the machine goes as it is. */
static void check(int ret)
{
	if (ret >= 0)
		return;
	fprintf(stderr, "%s\n", err.text);
	exit(1);
}

/* ------------------------------------------------------------------- making */

static void image_name(char *name, size_t size, const char *pattern, unsigned int number)
{
	const char *mark = strchr(pattern, '#');

	if (mark)
		snprintf(name, size, "%.*s%u%s", (int)(mark - pattern), pattern, number, mark + 1);
	else
		snprintf(name, size, "%s", pattern);
}

static void make_disk(pid_t pid, unsigned int queues, const char *image)
{
	struct blktap_tap_params params = BLKTAP_TAP_PARAMS_INIT;
	const struct blktap_open_params open_params = { .image = image };
	struct blktap_tap tap;
	char path[64];

	params.queues = queues;
	check(blktap_allocate(&params, NULL, &tap, &err));
	check(blktap_ctl_attach(pid, tap.minor, &err));
	check(blktap_ctl_open(pid, tap.minor, &open_params, &err));
	check(blktap_disk_path(path, sizeof(path), tap.minor));
	printf("%s %d\n", path, (int)pid);
}

static void make(unsigned int count, unsigned int tapdisks, unsigned int queues,
		 const char *pattern, unsigned int first)
{
	char image[256];
	unsigned int i, spawned = 0;
	pid_t pid = 0;

	for (i = 0; i < count; i++) {
		/* The first of its share. */
		if (i * tapdisks >= spawned * count) {
			check(blktap_ctl_spawn(NULL, &pid, PATIENCE_MS, &err));
			spawned++;
		}
		image_name(image, sizeof(image), pattern, first + i);
		make_disk(pid, queues, image);
	}
}

/* ----------------------------------------------------------------- dropping */

static void drop_from(const struct blktap_row *rows, size_t count, size_t i)
{
	for (; i < count; i += DROPPERS)
		if (rows[i].pid && rows[i].minor >= 0)
			check(blktap_destroy(rows[i].pid, rows[i].minor, PATIENCE_MS, &err));
}

/* What it takes is mostly waiting for the kernel, so several do it. */
static void drop(void)
{
	const struct blktap_filter all = BLKTAP_FILTER_INIT;
	struct blktap_row *rows;
	int i, status, bad = 0;
	size_t count;

	check(blktap_list(&all, LIST_MS, &rows, &count, &err));
	for (i = 0; i < DROPPERS; i++) {
		if (fork() == 0) {
			drop_from(rows, count, i);
			exit(0);
		}
	}
	while (wait(&status) > 0)
		bad |= status;
	if (bad)
		exit(1);
	blktap_rows_free(rows, count);
}

/* ------------------------------------------------------------------- timing */

static struct timespec begun;

static void begin(void)
{
	clock_gettime(CLOCK_MONOTONIC, &begun);
}

static void done(const char *operation, int ret)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	check(ret);
	printf("%s %lld\n", operation, (now.tv_sec - begun.tv_sec) * 1000000LL +
	       (now.tv_nsec - begun.tv_nsec) / 1000);
	begin();
}

static void time_disk(pid_t pid, const char *image)
{
	const struct blktap_tap_params params = BLKTAP_TAP_PARAMS_INIT;
	const struct blktap_open_params open_params = { .image = image };
	const struct blktap_filter all = BLKTAP_FILTER_INIT;
	struct blktap_row *rows;
	struct blktap_tap tap;
	size_t count;

	begin();
	done("allocate", blktap_allocate(&params, NULL, &tap, &err));
	done("attach", blktap_ctl_attach(pid, tap.minor, &err));
	done("open", blktap_ctl_open(pid, tap.minor, &open_params, &err));
	done("list", blktap_list(&all, LIST_MS, &rows, &count, &err));
	blktap_rows_free(rows, count);
	begin();
	done("close", blktap_ctl_close(pid, tap.minor, PATIENCE_MS, false, &err));
	done("detach", blktap_ctl_detach(pid, tap.minor, &err));
	done("free", blktap_free(tap.minor, false, PATIENCE_MS, &err));
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	int i;

	if (strcmp(what, "make") == 0 && argc == 7) {
		make(atoi(argv[2]), atoi(argv[3]), atoi(argv[4]), argv[5], atoi(argv[6]));
	} else if (strcmp(what, "drop") == 0 && argc == 2) {
		drop();
	} else if (strcmp(what, "time") == 0 && argc == 5) {
		for (i = 0; i < atoi(argv[2]); i++)
			time_disk(atoi(argv[3]), argv[4]);
	} else {
		fputs("usage: disks make|drop|time ARGS; the source tells\n", stderr);
		return 1;
	}
	return 0;
}
