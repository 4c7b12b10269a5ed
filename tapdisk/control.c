// SPDX-License-Identifier: GPL-2.0-only
/*
 * The control socket: who may connect, and how many.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <syslog.h>

#include "cleanup.h"
#include "connection.h"
#include "control.h"

#define MAX_CLIENTS	128
#define BACKLOG		128
#define ACCEPTS_PER_TURN 16
/* After accept() failed for want of something. */
#define ACCEPT_PAUSE_MS	200
/* For the last answers. */
#define FINISH_MS	2000

struct control {
	struct tapdisk *tapdisk;
	struct loop_fd listener;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	struct list connections;
	unsigned int count;
	struct loop_timer pause;	/* accepts again when it fires */
	struct loop_timer finish;
	struct loop_task check;
	bool finishing;
};

/* ----------------------------------------------------------------- clients */

static bool is_permitted(int fd)
{
	struct ucred peer;
	socklen_t length = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0)
		return false;
	return peer.uid == 0 || peer.uid == geteuid();
}

static void connection_closed(void *owner)
{
	struct control *control = owner;

	control->count--;
	if (control->finishing)
		loop_defer(control->tapdisk->loop, &control->check);
}

int control_add_client(struct control *control, int fd)
{
	struct connection *connection;
	int ret = connection_new(&connection, control->tapdisk, fd, connection_closed, control);

	if (ret)
		return ret;
	list_add_tail(&control->connections, &connection->link);
	control->count++;
	return 0;
}

/* Best effort: a line that says why, if it fits. */
static void turn_away(int fd, int code, const char *text)
{
	CLEANUP_FREE char *line = NULL;
	struct blktap_error err;
	ssize_t ignored;

	blktap_error_set(&err, code, "tapdisk %d: %s", (int)getpid(), text);
	line = blktap_rpc_error(NULL, &err);
	ignored = line ? send(fd, line, strlen(line), MSG_NOSIGNAL | MSG_DONTWAIT) : 0;
	(void)ignored;
	close(fd);
}

static void pause_accepting(struct control *control, int code)
{
	blktap_log(LOG_WARNING, "cannot accept a control connection: %s", strerror(-code));
	loop_remove(control->tapdisk->loop, &control->listener);
	loop_timer_set(control->tapdisk->loop, &control->pause, ACCEPT_PAUSE_MS);
}

static void accept_again(struct loop_timer *timer)
{
	struct control *control = container_of(timer, struct control, pause);

	if (loop_add(control->tapdisk->loop, &control->listener, EPOLLIN))
		loop_timer_set(control->tapdisk->loop, &control->pause, ACCEPT_PAUSE_MS);
}

static bool is_passing(int code)
{
	return code == EAGAIN || code == EINTR || code == ECONNABORTED;
}

static bool accept_one(struct control *control)
{
	int fd = accept4(control->listener.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0) {
		if (!is_passing(errno))
			pause_accepting(control, -errno);
		return false;
	}
	if (!is_permitted(fd))
		turn_away(fd, -EACCES, "not permitted");
	else if (control->count >= MAX_CLIENTS)
		turn_away(fd, -EBUSY, "too many control connections");
	else
		control_add_client(control, fd);
	return true;
}

static void listener_ready(struct loop_fd *event, uint32_t events)
{
	struct control *control = container_of(event, struct control, listener);
	unsigned int i;

	(void)events;
	for (i = 0; i < ACCEPTS_PER_TURN; i++)
		if (!accept_one(control))
			return;
}

/* ------------------------------------------------------------------ the end */

static void unlisten(struct control *control)
{
	loop_timer_cancel(&control->pause);
	if (control->listener.fd < 0)
		return;
	unlink(control->path);
	loop_remove(control->tapdisk->loop, &control->listener);
	close(control->listener.fd);
	control->listener.fd = -1;
}

static void check_finished(struct loop_task *task)
{
	struct control *control = container_of(task, struct control, check);
	struct connection *c;

	list_for_each(c, &control->connections, link) {
		if (!connection_unsent(c))
			continue;
		/* Its end brings us back here. */
		c->closing = true;
		return;
	}
	loop_stop(control->tapdisk->loop);
}

static void finish_too_slow(struct loop_timer *timer)
{
	struct control *control = container_of(timer, struct control, finish);

	loop_stop(control->tapdisk->loop);
}

void control_finish(struct control *control)
{
	struct loop *loop = control->tapdisk->loop;

	if (control->finishing)
		return;
	control->finishing = true;
	unlisten(control);
	loop_timer_set(loop, &control->finish, FINISH_MS);
	loop_defer(loop, &control->check);
}

/* ---------------------------------------------------------------- the socket */

static int set_path(struct control *control, struct sockaddr_un *address, const char *path,
		    struct blktap_error *err)
{
	if (strlen(path) >= sizeof(address->sun_path))
		return blktap_error_set(err, -ENAMETOOLONG, "%s is too long for a socket", path);
	*address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	strcpy(address->sun_path, path);
	strcpy(control->path, path);
	return 0;
}

/* Nobody listens any more on the socket of a process that has died. */
static int remove_stale(const struct sockaddr_un *address, struct blktap_error *err)
{
	CLEANUP_CLOSE int fd = -1;
	const char *path = address->sun_path;
	struct stat st;

	if (lstat(path, &st) != 0)
		return 0;
	if (!S_ISSOCK(st.st_mode))
		return blktap_error_set(err, -EEXIST, "%s is there and is not a socket", path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return blktap_error_set(err, -errno, "no socket: %s", strerror(errno));
	if (connect(fd, (const void *)address, sizeof(*address)) == 0 || errno == EAGAIN)
		return blktap_error_set(err, -EADDRINUSE, "another process listens on %s", path);
	if (errno != ECONNREFUSED)
		return blktap_error_set(err, -errno, "cannot replace %s: %s", path,
					strerror(errno));
	if (unlink(path) != 0 && errno != ENOENT)
		return blktap_error_set(err, -errno, "cannot remove the stale %s: %s", path,
					strerror(errno));
	return 0;
}

static int make_directory(const char *path, struct blktap_error *err)
{
	CLEANUP_FREE char *directory = strdup(path);
	char *slash = directory ? strrchr(directory, '/') : NULL;

	if (!slash || slash == directory)
		return 0;
	*slash = '\0';
	if (mkdir(directory, 0700) == 0 || errno == EEXIST)
		return 0;
	return blktap_error_set(err, -errno, "cannot make %s: %s", directory, strerror(errno));
}

static int bind_and_listen(int fd, const struct sockaddr_un *address)
{
	mode_t old = umask(0177);
	int ret = bind(fd, (const void *)address, sizeof(*address)) ? -errno : 0;

	umask(old);
	if (!ret && listen(fd, BACKLOG) != 0) {
		ret = -errno;
		unlink(address->sun_path);
	}
	return ret;
}

static int set_up_listener(struct control *control, const struct sockaddr_un *address,
			   struct blktap_error *err)
{
	CLEANUP_CLOSE int fd = -1;
	int ret = make_directory(address->sun_path, err);

	if (!ret)
		ret = remove_stale(address, err);
	if (ret)
		return ret;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	ret = fd < 0 ? -errno : bind_and_listen(fd, address);
	if (ret)
		return blktap_error_set(err, ret, "cannot listen on %s: %s", address->sun_path,
					strerror(-ret));
	control->listener.fd = TAKE_FD(fd);
	control->listener.ready = listener_ready;
	ret = loop_add(control->tapdisk->loop, &control->listener, EPOLLIN);
	if (ret)
		blktap_error_set(err, ret, "cannot watch %s: %s", address->sun_path,
				 strerror(-ret));
	return ret;
}

int control_new(struct control **control, struct tapdisk *tapdisk, const char *path,
		struct blktap_error *err)
{
	struct control *new = calloc(1, sizeof(*new));
	struct sockaddr_un address;
	int ret;

	*control = NULL;
	if (!new)
		return blktap_error_set(err, -ENOMEM, "no memory for the control socket");
	new->tapdisk = tapdisk;
	new->listener.fd = -1;
	list_init(&new->connections);
	loop_timer_init(&new->pause, accept_again);
	loop_timer_init(&new->finish, finish_too_slow);
	loop_task_init(&new->check, check_finished);
	ret = set_path(new, &address, path, err);
	if (!ret)
		ret = set_up_listener(new, &address, err);
	if (ret) {
		control_free(new);
		return ret;
	}
	*control = new;
	return 0;
}

void control_free(struct control *control)
{
	struct connection *c;

	if (!control)
		return;
	unlisten(control);
	list_for_each(c, &control->connections, link)
		connection_free(c);
	loop_timer_cancel(&control->finish);
	loop_task_cancel(&control->check);
	free(control);
}
