// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Logging to standard error or syslog.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

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
	if (target == BLKTAP_LOG_SYSLOG)
		openlog("blktap", LOG_PID, LOG_DAEMON);
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

void blktap_log(int level, const char *fmt, ...)
{
	int saved = errno;
	char text[1024];
	va_list args;
	char *c;

	if (level > logging.level)
		return;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	/* Names that others chose must not forge further lines. */
	for (c = text; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = '?';

	if (logging.target == BLKTAP_LOG_SYSLOG)
		syslog(level, "%s: %s", logging.name, text);
	else
		log_to_stderr(text);
	errno = saved;
}
