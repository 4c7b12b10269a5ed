// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <linux/genetlink.h>
#include <netlink/attr.h>
#include <netlink/genl/genl.h>
#include <netlink/msg.h>
#include <stdio.h>
#include <string.h>

#include "nlmsg.h"
#include "trace.h"

/* ------------------------------------------------------------------ outcomes */

/* @offset: where the attributes of an extended acknowledgement start. */
static void take_text(const struct nlmsghdr *message, size_t offset, struct nl_answer *answer)
{
	const struct nlattr *attr;
	size_t length;

	if (!(message->nlmsg_flags & NLM_F_ACK_TLVS) || offset > message->nlmsg_len)
		return;
	attr = nla_find((const struct nlattr *)((const char *)message + offset),
			message->nlmsg_len - offset, NLMSGERR_ATTR_MSG);
	if (!attr)
		return;
	length = strnlen(nla_data(attr), nla_len(attr));
	snprintf(answer->text, sizeof(answer->text), "%.*s", (int)length,
		 (const char *)nla_data(attr));
}

static int checked_code(int code)
{
	return code >= -4095 && code < 0 ? code : -EPROTO;
}

static int take_error(const struct nlmsghdr *message, struct nl_answer *answer)
{
	const struct nlmsgerr *error = nlmsg_data(message);
	size_t offset = NLMSG_LENGTH(sizeof(*error));

	if (message->nlmsg_len < offset)
		return -EPROTO;
	if (!error->error)
		return 1;
	/* The request is quoted between the code and the attributes. */
	if (!(message->nlmsg_flags & NLM_F_CAPPED)) {
		if (error->msg.nlmsg_len < NLMSG_HDRLEN ||
		    error->msg.nlmsg_len > message->nlmsg_len)
			return checked_code(error->error);
		offset += NLMSG_ALIGN(error->msg.nlmsg_len - NLMSG_HDRLEN);
	}
	take_text(message, offset, answer);
	return checked_code(error->error);
}

static int take_done(const struct nlmsghdr *message, struct nl_answer *answer)
{
	int code;

	if (message->nlmsg_len < NLMSG_LENGTH(sizeof(code)))
		return 1;
	memcpy(&code, nlmsg_data(message), sizeof(code));
	if (code >= 0)
		return 1;
	take_text(message, NLMSG_LENGTH(NLMSG_ALIGN(sizeof(code))), answer);
	return checked_code(code);
}

static int take_message(const struct nlmsghdr *message, struct nl_answer *answer)
{
	trace_message('<', message);
	if (message->nlmsg_flags & NLM_F_DUMP_INTR)
		answer->interrupted = true;
	switch (message->nlmsg_type) {
	case NLMSG_ERROR:
		return take_error(message, answer);
	case NLMSG_DONE:
		return take_done(message, answer);
	}
	if (message->nlmsg_type < NLMSG_MIN_TYPE || !answer->each)
		return 0;
	return answer->each(message, answer->data);
}

int nlmsg_walk(const void *datagram, size_t length, struct nl_answer *answer)
{
	const struct nlmsghdr *message = datagram;
	int left = length;
	int ret = 0;

	for (; nlmsg_ok(message, left) && !ret;
	     message = nlmsg_next((struct nlmsghdr *)message, &left))
		if (message->nlmsg_seq == answer->seq)
			ret = take_message(message, answer);
	return ret;
}

/* ------------------------------------------------------------------- a family */

static const struct nla_policy family_policy[CTRL_ATTR_MAX + 1] = {
	[CTRL_ATTR_FAMILY_ID] = { .type = NLA_U16, .minlen = sizeof(uint16_t) },
	[CTRL_ATTR_MCAST_GROUPS] = { .type = NLA_NESTED },
};

static const struct nla_policy group_policy[CTRL_ATTR_MCAST_GRP_MAX + 1] = {
	[CTRL_ATTR_MCAST_GRP_NAME] = { .type = NLA_STRING },
	[CTRL_ATTR_MCAST_GRP_ID] = { .type = NLA_U32, .minlen = sizeof(uint32_t) },
};

static uint32_t find_group(struct nlattr *groups)
{
	struct nlattr *attrs[CTRL_ATTR_MCAST_GRP_MAX + 1], *group;
	int left;

	nla_for_each_nested(group, groups, left) {
		if (nla_parse_nested(attrs, CTRL_ATTR_MCAST_GRP_MAX, group,
				     (struct nla_policy *)group_policy))
			continue;
		if (attrs[CTRL_ATTR_MCAST_GRP_NAME] && attrs[CTRL_ATTR_MCAST_GRP_ID] &&
		    nla_strcmp(attrs[CTRL_ATTR_MCAST_GRP_NAME], BLKTAP_GENL_GROUP) == 0)
			return nla_get_u32(attrs[CTRL_ATTR_MCAST_GRP_ID]);
	}
	return 0;
}

int nlmsg_to_family(const struct nlmsghdr *message, struct nl_family *family)
{
	struct genlmsghdr *header = nlmsg_data(message);
	struct nlattr *attrs[CTRL_ATTR_MAX + 1];

	if (nlmsg_datalen(message) < (int)GENL_HDRLEN ||
	    nla_parse(attrs, CTRL_ATTR_MAX, genlmsg_attrdata(header, 0),
		      genlmsg_attrlen(header, 0), (struct nla_policy *)family_policy) ||
	    !attrs[CTRL_ATTR_FAMILY_ID])
		return -EPROTO;
	family->id = nla_get_u16(attrs[CTRL_ATTR_FAMILY_ID]);
	family->group = attrs[CTRL_ATTR_MCAST_GROUPS] ?
			find_group(attrs[CTRL_ATTR_MCAST_GROUPS]) : 0;
	return 0;
}

/* ---------------------------------------------------------------- attributes */

#define U32	{ .type = NLA_U32, .minlen = sizeof(uint32_t), .maxlen = sizeof(uint32_t) }
#define U64	{ .type = NLA_U64, .minlen = sizeof(uint64_t), .maxlen = sizeof(uint64_t) }

static const struct nla_policy policy[BLKTAP_A_MAX + 1] = {
	[BLKTAP_A_MINOR] = U32,
	[BLKTAP_A_QUEUES] = U32,
	[BLKTAP_A_DEPTH] = U32,
	[BLKTAP_A_MAX_IO] = U32,
	[BLKTAP_A_ON_DEATH] = U32,
	[BLKTAP_A_HOLD_MS] = U32,
	[BLKTAP_A_IO_TIMEOUT_MS] = U32,
	[BLKTAP_A_SERIAL] = { .type = NLA_STRING, .maxlen = BLKTAP_MAX_SERIAL + 1 },
	[BLKTAP_A_UUID] = { .minlen = BLKTAP_UUID_LEN, .maxlen = BLKTAP_UUID_LEN },
	[BLKTAP_A_RING_MAJOR] = U32,
	[BLKTAP_A_DISK_MAJOR] = U32,
	[BLKTAP_A_PID] = U32,
	[BLKTAP_A_EPOCH] = U64,
	[BLKTAP_A_REJECTED] = U64,
	[BLKTAP_A_DISK_STATE] = U32,
	[BLKTAP_A_DISK_FLAGS] = U32,
	[BLKTAP_A_OPENERS] = U32,
	[BLKTAP_A_CAPACITY] = U64,
	[BLKTAP_A_LOGICAL_BLOCK_SIZE] = U32,
	[BLKTAP_A_PHYSICAL_BLOCK_SIZE] = U32,
	[BLKTAP_A_EVENT] = U32,
	[BLKTAP_A_SEQ] = U64,
	[BLKTAP_A_ABI] = U32,
	[BLKTAP_A_FEATURES] = U64,
	[BLKTAP_A_MAX_MINORS] = U32,
	[BLKTAP_A_MAX_QUEUES] = U32,
	[BLKTAP_A_MAX_DEPTH] = U32,
	[BLKTAP_A_MAX_IO_LIMIT] = U32,
	[BLKTAP_A_FILES] = U32,
	[BLKTAP_A_EXTENTS] = U32,
	[BLKTAP_A_IOS_DAEMON] = U64,
	[BLKTAP_A_IOS_REDIRECT] = U64,
	[BLKTAP_A_IOS_EXTENT] = U64,
	[BLKTAP_A_IOS_RETRY] = U64,
	[BLKTAP_A_EXTENT_OFFSET] = U64,
	[BLKTAP_A_EXTENT_LENGTH] = U64,
	[BLKTAP_A_ERROR] = U32,
	[BLKTAP_A_ON_TIMEOUT] = U32,
	[BLKTAP_A_RECOVERY] = U32,
	[BLKTAP_A_HOLD_LEFT_MS] = U32,
	[BLKTAP_A_IO_OP] = U32,
	[BLKTAP_A_IO_ERRORS] = U64,
};

/* @attrs: BLKTAP_A_MAX + 1 of them. */
static int parse(const struct nlmsghdr *message, struct nlattr **attrs)
{
	struct genlmsghdr *header = nlmsg_data(message);

	if (nlmsg_datalen(message) < (int)GENL_HDRLEN)
		return -EPROTO;
	/* The function promises not to touch what it reads, but not by its type. */
	if (nla_parse(attrs, BLKTAP_A_MAX, genlmsg_attrdata(header, 0),
		      genlmsg_attrlen(header, 0), (struct nla_policy *)policy))
		return -EPROTO;
	return 0;
}

static uint32_t get_u32(struct nlattr **attrs, int type)
{
	return attrs[type] ? nla_get_u32(attrs[type]) : 0;
}

static uint64_t get_u64(struct nlattr **attrs, int type)
{
	return attrs[type] ? nla_get_u64(attrs[type]) : 0;
}

static void take_kernel_io(struct nlattr **attrs, struct blktap_tap *tap)
{
	tap->has_kernel_io = attrs[BLKTAP_A_IOS_DAEMON];
	tap->files = get_u32(attrs, BLKTAP_A_FILES);
	tap->extents = get_u32(attrs, BLKTAP_A_EXTENTS);
	tap->ios_daemon = get_u64(attrs, BLKTAP_A_IOS_DAEMON);
	tap->ios_redirect = get_u64(attrs, BLKTAP_A_IOS_REDIRECT);
	tap->ios_extent = get_u64(attrs, BLKTAP_A_IOS_EXTENT);
	tap->ios_retry = get_u64(attrs, BLKTAP_A_IOS_RETRY);
}

static void take_recovery(struct nlattr **attrs, struct blktap_tap *tap)
{
	tap->on_timeout = get_u32(attrs, BLKTAP_A_ON_TIMEOUT);
	tap->recovery = get_u32(attrs, BLKTAP_A_RECOVERY);
	tap->has_hold_left = attrs[BLKTAP_A_HOLD_LEFT_MS];
	tap->hold_left_ms = get_u32(attrs, BLKTAP_A_HOLD_LEFT_MS);
}

static int take_tap(struct nlattr **attrs, struct blktap_tap *tap)
{
	memset(tap, 0, sizeof(*tap));
	if (!attrs[BLKTAP_A_MINOR])
		return -EPROTO;
	tap->minor = get_u32(attrs, BLKTAP_A_MINOR);
	tap->queues = get_u32(attrs, BLKTAP_A_QUEUES);
	tap->depth = get_u32(attrs, BLKTAP_A_DEPTH);
	tap->max_io = get_u32(attrs, BLKTAP_A_MAX_IO);
	tap->on_death = get_u32(attrs, BLKTAP_A_ON_DEATH);
	tap->hold_ms = get_u32(attrs, BLKTAP_A_HOLD_MS);
	tap->io_timeout_ms = get_u32(attrs, BLKTAP_A_IO_TIMEOUT_MS);
	if (attrs[BLKTAP_A_SERIAL])
		nla_strlcpy(tap->serial, attrs[BLKTAP_A_SERIAL], sizeof(tap->serial));
	tap->has_uuid = attrs[BLKTAP_A_UUID];
	if (tap->has_uuid)
		memcpy(tap->uuid, nla_data(attrs[BLKTAP_A_UUID]), sizeof(tap->uuid));
	tap->ring_major = get_u32(attrs, BLKTAP_A_RING_MAJOR);
	tap->disk_major = get_u32(attrs, BLKTAP_A_DISK_MAJOR);
	tap->pid = get_u32(attrs, BLKTAP_A_PID);
	tap->epoch = get_u64(attrs, BLKTAP_A_EPOCH);
	tap->rejected = get_u64(attrs, BLKTAP_A_REJECTED);
	tap->disk_state = get_u32(attrs, BLKTAP_A_DISK_STATE);
	tap->disk_flags = get_u32(attrs, BLKTAP_A_DISK_FLAGS);
	tap->openers = get_u32(attrs, BLKTAP_A_OPENERS);
	tap->capacity = get_u64(attrs, BLKTAP_A_CAPACITY);
	tap->logical_block_size = get_u32(attrs, BLKTAP_A_LOGICAL_BLOCK_SIZE);
	tap->physical_block_size = get_u32(attrs, BLKTAP_A_PHYSICAL_BLOCK_SIZE);
	take_recovery(attrs, tap);
	take_kernel_io(attrs, tap);
	return 0;
}

int nlmsg_to_tap(const struct nlmsghdr *message, struct blktap_tap *tap)
{
	struct nlattr *attrs[BLKTAP_A_MAX + 1];
	int ret = parse(message, attrs);

	return ret ? ret : take_tap(attrs, tap);
}

int nlmsg_to_features(const struct nlmsghdr *message, struct blktap_features *features)
{
	struct nlattr *attrs[BLKTAP_A_MAX + 1];
	int ret = parse(message, attrs);

	if (ret)
		return ret;
	if (!attrs[BLKTAP_A_ABI])
		return -EPROTO;
	features->abi = get_u32(attrs, BLKTAP_A_ABI);
	features->features = get_u64(attrs, BLKTAP_A_FEATURES);
	features->max_minors = get_u32(attrs, BLKTAP_A_MAX_MINORS);
	features->max_queues = get_u32(attrs, BLKTAP_A_MAX_QUEUES);
	features->max_depth = get_u32(attrs, BLKTAP_A_MAX_DEPTH);
	features->max_io = get_u32(attrs, BLKTAP_A_MAX_IO_LIMIT);
	return 0;
}

int nlmsg_to_event(const struct nlmsghdr *message, struct blktap_event_msg *event)
{
	struct nlattr *attrs[BLKTAP_A_MAX + 1];
	int ret = parse(message, attrs);

	if (ret)
		return ret;
	if (!attrs[BLKTAP_A_EVENT] || !attrs[BLKTAP_A_SEQ])
		return -EPROTO;
	event->event = get_u32(attrs, BLKTAP_A_EVENT);
	event->seq = get_u64(attrs, BLKTAP_A_SEQ);
	event->extent_offset = get_u64(attrs, BLKTAP_A_EXTENT_OFFSET);
	event->extent_length = get_u64(attrs, BLKTAP_A_EXTENT_LENGTH);
	event->error = get_u32(attrs, BLKTAP_A_ERROR);
	event->io_op = get_u32(attrs, BLKTAP_A_IO_OP);
	event->io_errors = get_u64(attrs, BLKTAP_A_IO_ERRORS);
	return take_tap(attrs, &event->tap);
}
