/* SPDX-License-Identifier: GPL-2.0-only */
/* A generic netlink client for the blktap family, from bare sockets. */
#ifndef NETLINK_H
#define NETLINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <linux/blktap.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>

struct nl {
	int fd;
	uint16_t family;
	uint32_t group;		/* of the events */
	uint32_t seq;
	bool interrupted;	/* the last dump was inconsistent */
	char text[256];		/* extack of the last call, or "" */
};

struct nl_msg {
	union {
		struct nlmsghdr h;
		char bytes[1024];
	};
};

/* Attributes of one message; integers of 4 and 8 bytes land in val. */
struct nl_attrs {
	bool has[BLKTAP_A_MAX + 1];
	uint64_t val[BLKTAP_A_MAX + 1];
	uint16_t len[BLKTAP_A_MAX + 1];
	char serial[BLKTAP_MAX_SERIAL + 1];
};

typedef void (*nl_each)(const struct nl_attrs *attrs, void *arg);

/* Negative errno on failure, everywhere. */
int nl_open(struct nl *nl);
void nl_close(struct nl *nl);

void nl_start(struct nl *nl, struct nl_msg *msg, uint8_t cmd, uint16_t flags);
void nl_put(struct nl_msg *msg, uint16_t type, const void *data, size_t len);
void nl_put_u32(struct nl_msg *msg, uint16_t type, uint32_t value);
int nl_call(struct nl *nl, struct nl_msg *msg, nl_each each, void *arg);
void nl_parse(const struct nlmsghdr *h, struct nl_attrs *attrs);

/* Allocates; *minor is -1 or the one wanted on entry, the one given on return. */
int nl_new_tap(struct nl *nl, int *minor, uint32_t queues, uint32_t depth, uint32_t on_death);
/* One whose requests fail when its session ends. */
int nl_new(struct nl *nl, int *minor, uint32_t queues, uint32_t depth);
int nl_del(struct nl *nl, uint32_t minor);
/* Frees and waits until the minor is gone. */
int nl_del_wait(struct nl *nl, uint32_t minor);
int nl_get(struct nl *nl, uint32_t minor, struct nl_attrs *attrs);
int nl_dump(struct nl *nl, nl_each each, void *arg);
int nl_subscribe(struct nl *nl);

#endif
