// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Logging to standard error or syslog.
 *
 * It waits for nobody, as syslog(3) and a simple write() do while the log daemon does
 * not read: that daemon may be writing to a disk that waits for us. What finds no room
 * is lost, and counted.
 */
#include <errno.h>
#include <fcntl.h>
#include <paths.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#include "cleanup.h"
#include "control-character.h"
#include "libblktap.h"

static struct {
	char name[32];
	enum blktap_log_target target;
	int level;
	int fd;			/* for lines to standard error */
} logging = {
	.name = "blktap",
	.target = BLKTAP_LOG_STDERR,
	.level = LOG_INFO,
	.fd = STDERR_FILENO,
};

/*
 * Of several who see room in a pipe only one may find it: the others must not wait, either.
 * As that is a matter of the open file, which other processes share, this is one of its own.
 */
static int open_output(void)
{
	struct stat st;
	int fd;

	if (fstat(STDERR_FILENO, &st) != 0 || !S_ISFIFO(st.st_mode))
		return STDERR_FILENO;
	fd = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	return fd < 0 ? STDERR_FILENO : fd;
}

void blktap_log_init(const char *name, enum blktap_log_target target, int level)
{
	snprintf(logging.name, sizeof(logging.name), "%s", name);
	logging.target = target;
	logging.level = level;
	if (logging.fd != STDERR_FILENO)
		close(logging.fd);
	logging.fd = target == BLKTAP_LOG_STDERR ? open_output() : STDERR_FILENO;
}

static atomic_uint lost;	/* since the last message that was not */

static bool has_room(int fd)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLOUT };

	return poll(&pollfd, 1, 0) == 1 && pollfd.revents & POLLOUT;
}

/* That of a service is a socket of systemd's journal. */
static ssize_t write_now(int fd, const char *line, size_t length)
{
	ssize_t done = send(fd, line, length, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (done >= 0 || errno != ENOTSOCK)
		return done;
	/* A pipe, once it has room, has it for a whole line. */
	errno = EAGAIN;
	return has_room(fd) ? write(fd, line, length) : -1;
}

/* One write per message, so that lines of several processes do not mix. */
static bool log_to_stderr(const char *text)
{
	char line[1200];
	int length;
	ssize_t done;

	length = snprintf(line, sizeof(line), "%s: %s\n", logging.name, text);
	if (length < 0)
		return false;
	if ((size_t)length >= sizeof(line)) {
		length = sizeof(line) - 1;
		line[length - 1] = '\n';
	}
	do {
		done = write_now(logging.fd, line, length);
	} while (done < 0 && errno == EINTR);
	return done >= 0;
}

static int connect_syslog(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = _PATH_LOG };
	CLEANUP_CLOSE int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
		return -1;
	return TAKE_FD(fd);
}

/* A connection per message: they are few, and the log daemon may be restarted. */
static bool log_to_syslog(int level, const char *text)
{
	CLEANUP_CLOSE int fd = connect_syslog();
	char line[1200];
	int length;

	if (fd < 0)
		return false;
	length = snprintf(line, sizeof(line), "<%d>blktap[%d]: %s: %s", LOG_DAEMON | level,
			  (int)getpid(), logging.name, text);
	if (length >= (int)sizeof(line))
		length = sizeof(line) - 1;
	return length > 0 && send(fd, line, length, MSG_NOSIGNAL) >= 0;
}

static bool deliver(int level, const char *text)
{
	return logging.target == BLKTAP_LOG_SYSLOG ? log_to_syslog(level, text) :
						     log_to_stderr(text);
}

static void tell_lost(void)
{
	unsigned int count = atomic_exchange(&lost, 0);
	char text[64];

	if (!count)
		return;
	snprintf(text, sizeof(text), "%u messages before this one are lost", count);
	if (!deliver(LOG_WARNING, text))
		atomic_fetch_add(&lost, count);
}

void blktap_log(int level, const char *fmt, ...)
{
	int saved = errno;
	char text[1024];
	va_list args;

	if (level > logging.level)
		return;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	/* Names that others chose must not forge further lines. */
	control_mask(text, strlen(text));

	tell_lost();
	if (!deliver(level, text))
		atomic_fetch_add(&lost, 1);
	errno = saved;
}
