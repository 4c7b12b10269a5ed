/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the kernel says over netlink, made by hand. */
#ifndef BLKTAP_TEST_MESSAGES_H
#define BLKTAP_TEST_MESSAGES_H

#include <linux/genetlink.h>
#include <netlink/attr.h>
#include <netlink/genl/genl.h>
#include <netlink/msg.h>
#include <string.h>

#include "libblktap.h"

#define FAMILY	30
#define SEQ	1234

struct datagram {
	char bytes[65536] __attribute__((aligned(4)));
	size_t length;
};

static inline void append(struct datagram *datagram, struct nl_msg *message)
{
	struct nlmsghdr *header = nlmsg_hdr(message);

	memcpy(datagram->bytes + datagram->length, header, header->nlmsg_len);
	datagram->length += NLMSG_ALIGN(header->nlmsg_len);
	nlmsg_free(message);
}

static inline struct nl_msg *tap_message(int flags, int minor)
{
	struct nl_msg *message = nlmsg_alloc();

	genlmsg_put(message, 0, SEQ, FAMILY, 0, flags, BLKTAP_CMD_GET_TAP, 1);
	if (minor >= 0)
		nla_put_u32(message, BLKTAP_A_MINOR, minor);
	return message;
}

/* What the family of families says of one that has a group of this number, and another. */
static inline struct nl_msg *family_message(int id, uint32_t group)
{
	struct nl_msg *message = nlmsg_alloc();
	struct nlattr *groups, *nest;
	uint32_t i;

	genlmsg_put(message, 0, SEQ, GENL_ID_CTRL, 0, 0, CTRL_CMD_NEWFAMILY, 2);
	nla_put_string(message, CTRL_ATTR_FAMILY_NAME, BLKTAP_GENL_NAME);
	if (id >= 0)
		nla_put_u16(message, CTRL_ATTR_FAMILY_ID, id);
	groups = nla_nest_start(message, CTRL_ATTR_MCAST_GROUPS);
	for (i = 0; i < 2; i++) {
		nest = nla_nest_start(message, i + 1);
		nla_put_u32(message, CTRL_ATTR_MCAST_GRP_ID, group - 1 + i);
		nla_put_string(message, CTRL_ATTR_MCAST_GRP_NAME, i ? BLKTAP_GENL_GROUP : "other");
		nla_nest_end(message, nest);
	}
	nla_nest_end(message, groups);
	return message;
}

/* @quoted: how much of the request follows the code; -1: nothing, it is capped. */
static inline struct nl_msg *error_message(int code, int quoted, const char *text)
{
	int flags = (quoted < 0 ? NLM_F_CAPPED : 0) | (text ? NLM_F_ACK_TLVS : 0);
	struct nl_msg *message = nlmsg_alloc();
	struct nlmsgerr error = { .error = code };
	static const char request[1000];

	nlmsg_put(message, 0, SEQ, NLMSG_ERROR, 0, flags);
	error.msg.nlmsg_len = NLMSG_HDRLEN + (quoted > 0 ? quoted : 0);
	nlmsg_append(message, &error, sizeof(error), NLMSG_ALIGNTO);
	if (quoted > 0)
		nlmsg_append(message, (void *)request, quoted, NLMSG_ALIGNTO);
	if (text) {
		nla_put_u32(message, NLMSGERR_ATTR_OFFS, 20);
		nla_put_string(message, NLMSGERR_ATTR_MSG, text);
	}
	return message;
}

static inline struct nl_msg *done_message(int code, const char *text)
{
	struct nl_msg *message = nlmsg_alloc();

	nlmsg_put(message, 0, SEQ, NLMSG_DONE, 0, NLM_F_MULTI | (text ? NLM_F_ACK_TLVS : 0));
	nlmsg_append(message, &code, sizeof(code), NLMSG_ALIGNTO);
	if (text)
		nla_put_string(message, NLMSGERR_ATTR_MSG, text);
	return message;
}

#endif /* BLKTAP_TEST_MESSAGES_H */
