// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Logging to standard error or syslog.
 *
 * Not with syslog(3), which waits while the log daemon does not read: that daemon
 * may be writing to a disk that waits for us.
 */
#include <errno.h>
#include <paths.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
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
} logging = {
	.name = "blktap",
	.target = BLKTAP_LOG_STDERR,
	.level = LOG_INFO,
};

void blktap_log_init(const char *name, enum blktap_log_target target, int level)
{
	snprintf(logging.name, sizeof(logging.name), "%s", name);
	logging.target = target;
	logging.level = level;
}

/* One write per message, so that lines of several processes do not mix. */
static void log_to_stderr(const char *text)
{
	char line[1200];
	int length;
	ssize_t done;

	length = snprintf(line, sizeof(line), "%s: %s\n", logging.name, text);
	if (length < 0)
		return;
	if ((size_t)length >= sizeof(line)) {
		length = sizeof(line) - 1;
		line[length - 1] = '\n';
	}
	do {
		done = write(STDERR_FILENO, line, length);
	} while (done < 0 && errno == EINTR);
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
static void log_to_syslog(int level, const char *text)
{
	CLEANUP_CLOSE int fd = connect_syslog();
	char line[1200];
	int length;

	if (fd < 0)
		return;
	length = snprintf(line, sizeof(line), "<%d>blktap[%d]: %s: %s", LOG_DAEMON | level,
			  (int)getpid(), logging.name, text);
	if (length >= (int)sizeof(line))
		length = sizeof(line) - 1;
	/* If it cannot be sent now, it is lost. */
	if (length > 0)
		send(fd, line, length, MSG_NOSIGNAL);
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

	if (logging.target == BLKTAP_LOG_SYSLOG)
		log_to_syslog(level, text);
	else
		log_to_stderr(text);
	errno = saved;
}
