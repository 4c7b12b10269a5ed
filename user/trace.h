/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef BLKTAP_TRACE_H
#define BLKTAP_TRACE_H

#include <linux/netlink.h>
#include <stddef.h>
#include <sys/types.h>

/* What was sent ('>') or has come ('<'). They do nothing without blktap_trace(). */
void trace_line(pid_t pid, char direction, const char *line, size_t length);
void trace_message(char direction, const struct nlmsghdr *message);

#endif /* BLKTAP_TRACE_H */
