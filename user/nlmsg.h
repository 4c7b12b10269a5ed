/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the kernel's netlink messages say; no socket is needed here.
 */
#ifndef BLKTAP_NLMSG_H
#define BLKTAP_NLMSG_H

#include <linux/netlink.h>

#include "libblktap.h"

/* What has come in answer to one request so far. */
struct nl_answer {
	uint32_t seq;
	/* Called for each message; an error ends the walk. */
	int (*each)(const struct nlmsghdr *message, void *data);
	void *data;
	bool interrupted;	/* a dump that does not fit together */
	char text[256];		/* the kernel's words on a refusal, or "" */
};

/*
 * Goes through one datagram: 1 when the answer is complete, 0 if there is more
 * to come, or a negative errno.
 */
int nlmsg_walk(const void *datagram, size_t length, struct nl_answer *answer);

struct nl_family {
	uint16_t id;
	uint32_t group;		/* of events; 0: there is none */
};

/* -EPROTO: an attribute is missing or misshapen. Unknown ones are passed over. */
int nlmsg_to_family(const struct nlmsghdr *message, struct nl_family *family);
int nlmsg_to_tap(const struct nlmsghdr *message, struct blktap_tap *tap);
int nlmsg_to_features(const struct nlmsghdr *message, struct blktap_features *features);
int nlmsg_to_event(const struct nlmsghdr *message, struct blktap_event_msg *event);

#endif /* BLKTAP_NLMSG_H */
