// SPDX-License-Identifier: GPL-2.0-only
#include "faults.h"
#include "ktap.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define MAX_WORKERS 256
#define MAX_PID 65536

/* ------------------------------------------------------------------- a thread */

static __thread int own = -1;

void faults_open(void)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/task/%d/fail-nth", gettid());
	own = open(path, O_RDWR | O_CLOEXEC);
	if (own < 0)
		ktap_die("no faults: %s", strerror(errno));
}

void faults_close(void)
{
	close(own);
	own = -1;
}

static bool write_nth(int fd, int n)
{
	char text[16];
	int length = snprintf(text, sizeof(text), "%d", n);

	/* Copying this text can be what fails. */
	return pwrite(fd, text, length, 0) == length || pwrite(fd, text, length, 0) == length;
}

void faults_set(int n)
{
	if (!write_nth(own, n))
		ktap_die("cannot ask for a fault: %s", strerror(errno));
}

bool faults_struck(void)
{
	char text[16] = "";
	ssize_t got = pread(own, text, sizeof(text) - 1, 0);

	/* EFAULT: it was this one's. */
	if (got < 0 && errno != EFAULT)
		ktap_die("cannot ask for faults: %s", strerror(errno));
	faults_set(0);
	return got > 0 && atoi(text) == 0;
}

/* ---------------------------------------------------------------- the workers */

/* Those that are known; others may come while a fault is due. */
static int workers[MAX_WORKERS];
static unsigned int nr_workers;

static bool is_worker(int pid)
{
	static const char name[] = "kworker/";
	char text[64];
	int fd;

	snprintf(text, sizeof(text), "/proc/%d/comm", pid);
	fd = open(text, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	memset(text, 0, sizeof(text));
	if (read(fd, text, sizeof(text) - 1) < 0)
		*text = '\0';
	close(fd);
	return strncmp(text, name, strlen(name)) == 0;
}

/* What a process is it stays: one look is enough, for a look takes long. */
static bool is_new_worker(int pid)
{
	static bool seen[MAX_PID];

	if (pid <= 0 || pid >= MAX_PID || seen[pid])
		return false;
	seen[pid] = true;
	return is_worker(pid);
}

static void find_workers(void)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	char path[64];
	int fd;

	if (!proc)
		ktap_die("no /proc");
	while ((entry = readdir(proc)) && nr_workers < MAX_WORKERS) {
		if (!is_new_worker(atoi(entry->d_name)))
			continue;
		snprintf(path, sizeof(path), "/proc/%d/fail-nth", atoi(entry->d_name));
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd >= 0)
			workers[nr_workers++] = fd;
	}
	closedir(proc);
}

void faults_set_workers(int n)
{
	unsigned int i = 0;

	find_workers();
	while (i < nr_workers) {
		if (write_nth(workers[i], n)) {
			i++;
			continue;
		}
		/* It has gone. */
		close(workers[i]);
		workers[i] = workers[--nr_workers];
	}
	if (!nr_workers)
		ktap_die("the kernel has no workers");
}

bool faults_struck_workers(void)
{
	char text[16];
	bool struck = false;
	unsigned int i;

	for (i = 0; i < nr_workers; i++) {
		memset(text, 0, sizeof(text));
		if (pread(workers[i], text, sizeof(text) - 1, 0) > 0 && atoi(text) == 0)
			struck = true;
		write_nth(workers[i], 0);
	}
	return struck;
}

/* ---------------------------------------------------------------------- steps */

bool faults_sound(int ret)
{
	return ret == 0 || ret == -ENOMEM || ret == -ENOBUFS || ret == -EAGAIN ||
	       ret == -EMSGSIZE || ret == -EFAULT;
}

static void take_back(const struct faults_step *step)
{
	if (step->undo)
		step->undo();
}

static bool strikes(const struct faults_step *step, int n, int *ret)
{
	faults_set(n);
	*ret = step->run();
	return faults_struck();
}

/* What was to strike may be done by a worker that came too late to be told. */
static bool strikes_workers(const struct faults_step *step, int n, int *ret)
{
	int tries;

	for (tries = 0; tries < 3; tries++) {
		if (tries)
			take_back(step);
		faults_set_workers(n);
		*ret = step->run();
		if (faults_struck_workers())
			return true;
	}
	return false;
}

static bool try_step(const struct faults_step *step,
		     bool (*strike)(const struct faults_step *step, int n, int *ret))
{
	int n, ret, struck = 0, fatal = 0;

	for (n = 1; n < FAULTS_MOST && strike(step, n, &ret) && faults_sound(ret); n++) {
		/* To copy something is no allocation. */
		struck += ret != -EFAULT;
		fatal += ret != 0;
		take_back(step);
	}
	printf("# %s: %d faults, %d of them in allocations, %d fatal for the call\n", step->what,
	       n - 1, struck, fatal);
	if (ret)
		printf("# fault %d: %s\n", n, strerror(-ret));
	if (struck < step->least)
		printf("# these are too few: %d allocations are needed\n", step->least);
	return !ret && struck >= step->least;
}

bool faults_try(const struct faults_step *step)
{
	return try_step(step, strikes);
}

bool faults_try_workers(const struct faults_step *step)
{
	return try_step(step, strikes_workers);
}
