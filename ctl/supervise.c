// SPDX-License-Identifier: GPL-2.0-only
/*
 * Disks that are to be restarted are recovered when their tapdisk dies. Each dead
 * tapdisk's are taken on by a child process: one whose image hangs delays no other.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include "../tapdisk/protect.h"
#include "backoff.h"
#include "cleanup.h"
#include "ctl.h"
#include "deadline.h"
#include "held.h"
#include "signals.h"
#include "supervisor.h"

#define RECOVER_MS	60000
#define MAX_CHILDREN	64	/* the others wait for their turn */
#define AGAIN_MS	1000	/* after something could not be done */
#define REAP_MS		200	/* between looks at children without a descriptor */

struct ward {
	unsigned int minor;
	struct backoff backoff;
	pid_t child;		/* that is at it; 0: none */
	pid_t of;		/* whose disk it was then */
};

struct supervisor {
	int lock;
	struct held_signals held;
	struct blktap_monitor *monitor;	/* NULL: it has failed */
	int64_t watch_ms;	/* when to open another one */
	struct ward *wards;
	size_t nr_wards;
	struct { pid_t pid; int pidfd; } children[MAX_CHILDREN];
	size_t nr_children;
	bool look;		/* something has happened */
	int64_t next_ms;	/* when to look anyway; INT64_MAX: never */
};

/* --------------------------------------------------------------------------- wards */

static struct ward *find_ward(struct supervisor *supervisor, unsigned int minor)
{
	struct ward *grown;
	size_t i;

	for (i = 0; i < supervisor->nr_wards; i++)
		if (supervisor->wards[i].minor == minor)
			return &supervisor->wards[i];
	grown = reallocarray(supervisor->wards, supervisor->nr_wards + 1, sizeof(*grown));
	if (!grown)
		return NULL;
	supervisor->wards = grown;
	grown[supervisor->nr_wards] = (struct ward){ .minor = minor };
	return &grown[supervisor->nr_wards++];
}

/* Whether this disk can be recovered now. If only later, next_ms knows. */
static bool is_due(struct supervisor *supervisor, const struct held *disk, int64_t now_ms)
{
	const struct ward *ward;
	int64_t due_ms;

	if (!disk->restart || disk->paused)
		return false;
	ward = find_ward(supervisor, disk->minor);
	if (ward && ward->child)
		return false;
	due_ms = ward ? ward->backoff.due_ms : now_ms + AGAIN_MS;
	if (due_ms <= now_ms)
		return true;
	if (due_ms < supervisor->next_ms)
		supervisor->next_ms = due_ms;
	return false;
}

/* ------------------------------------------------------------------------- children */

static void told(const struct held *disk, pid_t pid, const struct blktap_error *err, void *data)
{
	bool *failed = data;

	if (!err) {
		blktap_log(LOG_NOTICE, "tapdev%u: recovered, tapdisk %d has it", disk->minor,
			   (int)pid);
		return;
	}
	*failed = true;
	blktap_log(LOG_ERR, "tapdev%u: not recovered: %s", disk->minor, err->text);
}

static void __attribute__((noreturn)) run_child(struct supervisor *supervisor,
						const struct held *disks, size_t count)
{
	bool failed = false;

	/* Another supervisor may take the place of the first while this goes on. */
	close(supervisor->lock);
	if (held_recover(disks, count, RECOVER_MS, told, &failed))
		blktap_log(LOG_ERR, "no memory to recover disks");
	_exit(failed);
}

static int start_child(struct supervisor *supervisor, const struct held *disks, size_t count)
{
	size_t slot = supervisor->nr_children;
	pid_t pid = fork();

	if (pid == 0)
		run_child(supervisor, disks, count);
	if (pid < 0) {
		blktap_log(LOG_ERR, "cannot make a process: %s", strerror(errno));
		return -1;
	}
	supervisor->children[slot].pid = pid;
	supervisor->children[slot].pidfd = pidfd_open(pid, PIDFD_NONBLOCK);
	supervisor->nr_children++;
	return pid;
}

static void forget_child(struct supervisor *supervisor, size_t slot)
{
	pid_t pid = supervisor->children[slot].pid;
	size_t i;

	if (supervisor->children[slot].pidfd >= 0)
		close(supervisor->children[slot].pidfd);
	supervisor->children[slot] = supervisor->children[--supervisor->nr_children];
	for (i = 0; i < supervisor->nr_wards; i++)
		if (supervisor->wards[i].child == pid)
			supervisor->wards[i].child = 0;
	supervisor->look = true;
}

static void reap_children(struct supervisor *supervisor)
{
	size_t slot = 0;

	while (slot < supervisor->nr_children) {
		if (waitpid(supervisor->children[slot].pid, NULL, WNOHANG) != 0)
			forget_child(supervisor, slot);
		else
			slot++;
	}
}

/* -------------------------------------------------------------------------- looking */

static void recover_group(struct supervisor *supervisor, const struct held *disks, size_t count,
			  int64_t now_ms)
{
	struct ward *ward;
	pid_t child;
	size_t i;

	child = start_child(supervisor, disks, count);
	for (i = 0; i < count; i++) {
		ward = find_ward(supervisor, disks[i].minor);
		if (!ward)
			continue;
		backoff_attempt(&ward->backoff, now_ms);
		ward->child = child > 0 ? child : 0;
		ward->of = disks[i].of;
		if (!ward->child && ward->backoff.due_ms < supervisor->next_ms)
			supervisor->next_ms = ward->backoff.due_ms;
	}
}

static int look(struct supervisor *supervisor, struct blktap_error *err)
{
	CLEANUP_FREE struct held *disks = NULL;
	size_t count, used = 0, first, i;
	int64_t now_ms = deadline_now();
	int ret;

	supervisor->look = false;
	supervisor->next_ms = INT64_MAX;
	ret = held_list(&disks, &count, err);
	if (ret)
		return ret;
	for (i = 0; i < count; i++)
		if (is_due(supervisor, &disks[i], now_ms))
			disks[used++] = disks[i];
	for (first = 0; first < used; first = i) {
		for (i = first + 1; i < used && held_together(&disks[i], &disks[first]); i++)
			;
		if (supervisor->nr_children == MAX_CHILDREN)
			break;	/* the end of one brings us back */
		recover_group(supervisor, &disks[first], i - first, now_ms);
	}
	return 0;
}

/* ------------------------------------------------------------------------- waiting */

/* What can leave a disk without a tapdisk, or be a sign that this was missed. */
static bool is_of_interest(const struct blktap_notice *notice)
{
	return notice->kind != BLKTAP_NOTICE_EVENT ||
	       notice->msg.event == BLKTAP_EVENT_DAEMON_LOST ||
	       notice->msg.event == BLKTAP_EVENT_HOLD_EXPIRED;
}

/* One that was recovered can die while the child is still at others. */
static void take_loss(struct supervisor *supervisor, const struct blktap_tap *tap)
{
	struct ward *ward = find_ward(supervisor, tap->minor);

	blktap_log(LOG_WARNING, "tapdev%u: tapdisk %d is gone", tap->minor, (int)tap->pid);
	if (ward && ward->of != tap->pid)
		ward->child = 0;
}

static int take_notices(struct supervisor *supervisor, struct blktap_error *err)
{
	struct blktap_notice notice;
	int ret;

	while ((ret = blktap_monitor_next(supervisor->monitor, &notice, err)) > 0) {
		if (!is_of_interest(&notice))
			continue;
		supervisor->look = true;
		if (notice.kind == BLKTAP_NOTICE_EVENT &&
		    notice.msg.event == BLKTAP_EVENT_DAEMON_LOST)
			take_loss(supervisor, &notice.msg.tap);
	}
	return ret;
}

static int watch(struct supervisor *supervisor, struct blktap_error *err)
{
	int ret = 0;

	if (!supervisor->monitor) {
		if (deadline_now() < supervisor->watch_ms)
			return 0;
		ret = blktap_monitor_open(&supervisor->monitor, err);
		supervisor->look = true;
	}
	return ret ? ret : take_notices(supervisor, err);
}

/* Short of memory or descriptors is when disks need it. */
static int watch_or_later(struct supervisor *supervisor, struct blktap_error *err)
{
	int ret = watch(supervisor, err);

	if (!ret || ret == -ENOSYS)
		return ret;
	blktap_log(LOG_WARNING, "cannot watch the driver: %s", err->text);
	blktap_monitor_close(TAKE_POINTER(supervisor->monitor));
	supervisor->watch_ms = deadline_now() + AGAIN_MS;
	return 0;
}

/* Whose end only asking tells. */
static bool has_unwatched_child(const struct supervisor *supervisor)
{
	size_t i;

	for (i = 0; i < supervisor->nr_children; i++)
		if (supervisor->children[i].pidfd < 0)
			return true;
	return false;
}

static int wait_ms(const struct supervisor *supervisor)
{
	struct deadline deadline = { supervisor->next_ms };

	if (supervisor->look)
		return 0;
	if (!supervisor->monitor && supervisor->watch_ms < deadline.at_ms)
		deadline.at_ms = supervisor->watch_ms;
	return has_unwatched_child(supervisor) ? deadline_step(deadline, REAP_MS) :
						 deadline_left(deadline);
}

/* 1: a signal has come. */
static int wait_more(struct supervisor *supervisor)
{
	struct pollfd fds[MAX_CHILDREN + 2] = {
		{ .fd = supervisor->monitor ? blktap_monitor_fd(supervisor->monitor) : -1,
		  .events = POLLIN },
		{ .fd = supervisor->held.fd, .events = POLLIN },
	};
	size_t i;

	for (i = 0; i < supervisor->nr_children; i++)
		fds[i + 2] = (struct pollfd){
			.fd = supervisor->children[i].pidfd, .events = POLLIN,
		};
	if (poll(fds, supervisor->nr_children + 2, wait_ms(supervisor)) < 0)
		return errno == EINTR ? 0 : -errno;
	if (fds[1].revents)
		return signals_take(&supervisor->held);
	reap_children(supervisor);
	return 0;
}

static int look_or_later(struct supervisor *supervisor, struct blktap_error *err)
{
	int ret = look(supervisor, err);

	if (!ret || ret == -ENOSYS)
		return ret;
	blktap_log(LOG_WARNING, "cannot look for disks: %s", err->text);
	supervisor->next_ms = deadline_now() + AGAIN_MS;
	return 0;
}

static int supervise(struct supervisor *supervisor, struct blktap_error *err)
{
	int ret;

	do {
		ret = watch_or_later(supervisor, err);
		if (!ret && (supervisor->look || deadline_now() >= supervisor->next_ms))
			ret = look_or_later(supervisor, err);
		if (!ret)
			ret = wait_more(supervisor);
	} while (!ret);
	/* Without the module there are no disks. */
	if (ret == -ENOSYS)
		blktap_log(LOG_NOTICE, "%s: no more to do", err->text);
	else if (ret < 0)
		blktap_log(LOG_ERR, "%s", err->text);
	return ret > 0 ? 0 : ret;
}

/* -------------------------------------------------------------------------- the rest */

/* Whose children's deaths are not to be missed. */
static void init_process(const struct options *options, int lock)
{
	char name[40];

	signal(SIGCHLD, SIG_DFL);
	/* Not that of the link that it was started by. */
	prctl(PR_SET_NAME, "tap-ctl");
	snprintf(name, sizeof(name), "supervisor[%d]", (int)getpid());
	blktap_log_init(name, options->background ? BLKTAP_LOG_SYSLOG : BLKTAP_LOG_STDERR, LOG_INFO);
	protect_process();
	/* For people. */
	if (dprintf(lock, "%d\n", (int)getpid()) < 0)
		blktap_log(LOG_WARNING, "the lock does not tell whose it is: %s", strerror(errno));
}

/* Signals end the waiting, and the process. */
static int lock_when_free(struct blktap_error *err)
{
	int fd = supervisor_lock(err);

	if (fd == -EEXIST)
		blktap_log(LOG_NOTICE, "%s; this one waits for its end", err->text);
	while (fd == -EEXIST) {
		poll(NULL, 0, AGAIN_MS);
		fd = supervisor_lock(err);
	}
	return fd;
}

static int start(struct supervisor *supervisor, const struct options *options,
		 struct blktap_error *err)
{
	supervisor->lock = options->wait ? lock_when_free(err) : supervisor_lock(err);
	if (supervisor->lock < 0)
		return supervisor->lock;
	return options->background ? supervisor_detach(supervisor->lock, err) : 0;
}

static int run(const struct options *options, struct blktap_error *err)
{
	struct supervisor supervisor = { .lock = -1, .look = true, .next_ms = INT64_MAX };
	int ret;

	ret = blktap_check(err);
	if (!ret)
		ret = start(&supervisor, options, err);
	if (!ret)
		ret = signals_hold_endless(&supervisor.held, err);
	if (ret)
		return ret;
	init_process(options, supervisor.lock);
	ret = blktap_monitor_open(&supervisor.monitor, err);
	if (!ret) {
		blktap_log(LOG_INFO, "watching");
		ret = supervise(&supervisor, err);
	}
	blktap_monitor_close(supervisor.monitor);
	free(supervisor.wards);
	signals_release(&supervisor.held);
	close(supervisor.lock);
	return ret;
}

static const struct option_spec options[] = {
	FLAG(ONLY_BACKGROUND, "background", "go into the background, log to syslog", background),
	FLAG(ONLY_WAIT, "wait", "wait for the end of one that runs already", wait),
	OPTION_END,
};

const struct command command_supervise = {
	.name = "supervise",
	.summary = "recover the disks that are to be restarted, as needed",
	.options = options,
	.run = run,
};
