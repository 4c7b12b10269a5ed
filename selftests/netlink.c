// SPDX-License-Identifier: GPL-2.0-only
#include "netlink.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#ifndef SOL_NETLINK
#define SOL_NETLINK 270
#endif

static struct nlattr *attr_first(const struct nlmsghdr *h)
{
	return (struct nlattr *)((char *)NLMSG_DATA(h) + GENL_HDRLEN);
}

static void *attr_data(const struct nlattr *a)
{
	return (char *)a + NLA_HDRLEN;
}

static struct nlattr *attr_next(const struct nlattr *a)
{
	return (struct nlattr *)((char *)a + NLA_ALIGN(a->nla_len));
}

static bool attr_ok(const struct nlattr *a, const void *end)
{
	return (char *)a + NLA_HDRLEN <= (char *)end && a->nla_len >= NLA_HDRLEN &&
	       (char *)a + a->nla_len <= (char *)end;
}

static const struct nlattr *attr_find(const struct nlattr *a, const void *end,
				      uint16_t type)
{
	for (; attr_ok(a, end); a = attr_next(a))
		if ((a->nla_type & NLA_TYPE_MASK) == type)
			return a;
	return NULL;
}

void nl_start(struct nl *nl, struct nl_msg *msg, uint8_t cmd, uint16_t flags)
{
	struct genlmsghdr *g;

	memset(msg, 0, sizeof(*msg));
	msg->h.nlmsg_len = NLMSG_HDRLEN + GENL_HDRLEN;
	msg->h.nlmsg_type = nl->family;
	msg->h.nlmsg_flags = NLM_F_REQUEST | flags;
	msg->h.nlmsg_seq = ++nl->seq;
	g = NLMSG_DATA(&msg->h);
	g->cmd = cmd;
	g->version = BLKTAP_GENL_VERSION;
}

void nl_put(struct nl_msg *msg, uint16_t type, const void *data, size_t len)
{
	struct nlattr *a = (void *)(msg->bytes + NLMSG_ALIGN(msg->h.nlmsg_len));

	a->nla_type = type;
	a->nla_len = NLA_HDRLEN + len;
	if (len)
		memcpy(attr_data(a), data, len);
	msg->h.nlmsg_len = NLMSG_ALIGN(msg->h.nlmsg_len) + NLA_ALIGN(a->nla_len);
}

void nl_put_u32(struct nl_msg *msg, uint16_t type, uint32_t value)
{
	nl_put(msg, type, &value, sizeof(value));
}

void nl_parse(const struct nlmsghdr *h, struct nl_attrs *attrs)
{
	const void *end = (const char *)h + h->nlmsg_len;
	const struct nlattr *a;

	memset(attrs, 0, sizeof(*attrs));
	for (a = attr_first(h); attr_ok(a, end); a = attr_next(a)) {
		uint16_t type = a->nla_type & NLA_TYPE_MASK;
		size_t len = a->nla_len - NLA_HDRLEN;

		if (type > BLKTAP_A_MAX)
			continue;
		attrs->has[type] = true;
		attrs->len[type] = len;
		if (type == BLKTAP_A_SERIAL)
			snprintf(attrs->serial, sizeof(attrs->serial), "%.*s",
				 (int)len, (char *)attr_data(a));
		else if (len == 4)
			attrs->val[type] = *(uint32_t *)attr_data(a);
		else if (len == 8)
			memcpy(&attrs->val[type], attr_data(a), 8);
	}
}

static void take_text(struct nl *nl, const struct nlmsghdr *h, size_t skip)
{
	const void *end = (const char *)h + h->nlmsg_len;
	const struct nlattr *a = (void *)((char *)NLMSG_DATA(h) + skip);

	a = attr_find(a, end, NLMSGERR_ATTR_MSG);
	if (a)
		snprintf(nl->text, sizeof(nl->text), "%s", (char *)attr_data(a));
}

static int take_error(struct nl *nl, const struct nlmsghdr *h)
{
	const struct nlmsgerr *e = NLMSG_DATA(h);
	size_t skip = sizeof(*e);

	if (!(h->nlmsg_flags & NLM_F_CAPPED))
		skip += NLMSG_ALIGN(e->msg.nlmsg_len) - NLMSG_HDRLEN;
	if (h->nlmsg_flags & NLM_F_ACK_TLVS)
		take_text(nl, h, skip);
	return e->error;
}

static int take_done(struct nl *nl, const struct nlmsghdr *h)
{
	int error = 0;

	if (h->nlmsg_len >= NLMSG_HDRLEN + sizeof(error))
		memcpy(&error, NLMSG_DATA(h), sizeof(error));
	if (error < 0)
		take_text(nl, h, sizeof(error));
	return error < 0 ? error : 0;
}

/* Returns 1 to go on, else the call's result. */
static int take_message(struct nl *nl, const struct nlmsghdr *h, nl_each each,
			void *arg)
{
	struct nl_attrs attrs;

	if (h->nlmsg_seq != nl->seq)
		return 1;
	if (h->nlmsg_flags & NLM_F_DUMP_INTR)
		nl->interrupted = true;
	if (h->nlmsg_type == NLMSG_ERROR)
		return take_error(nl, h);
	if (h->nlmsg_type == NLMSG_DONE)
		return take_done(nl, h);
	if (each && h->nlmsg_type == nl->family) {
		nl_parse(h, &attrs);
		each(&attrs, arg);
	}
	return 1;
}

int nl_call(struct nl *nl, struct nl_msg *msg, nl_each each, void *arg)
{
	static _Thread_local char buf[65536] __attribute__((aligned(8)));
	struct nlmsghdr *h;
	int ret = 1;

	nl->text[0] = 0;
	nl->interrupted = false;
	if (send(nl->fd, msg, msg->h.nlmsg_len, 0) < 0)
		return -errno;
	while (ret == 1) {
		ssize_t len = recv(nl->fd, buf, sizeof(buf), 0);

		if (len < 0)
			return -errno;
		for (h = (void *)buf; ret == 1 && NLMSG_OK(h, len);
		     h = NLMSG_NEXT(h, len))
			ret = take_message(nl, h, each, arg);
	}
	return ret;
}

static uint32_t find_group(const struct nlattr *groups)
{
	const void *end = (const char *)groups + groups->nla_len;
	const struct nlattr *g, *name, *id;

	for (g = attr_data(groups); attr_ok(g, end); g = attr_next(g)) {
		const void *gend = (const char *)g + g->nla_len;

		name = attr_find(attr_data(g), gend, CTRL_ATTR_MCAST_GRP_NAME);
		id = attr_find(attr_data(g), gend, CTRL_ATTR_MCAST_GRP_ID);
		if (name && id && !strcmp(attr_data(name), BLKTAP_GENL_GROUP))
			return *(uint32_t *)attr_data(id);
	}
	return 0;
}

static int find_family(struct nl *nl)
{
	char buf[8192] __attribute__((aligned(8)));
	struct nlmsghdr *h = (void *)buf;
	const struct nlattr *a;
	struct nl_msg msg;
	ssize_t len;

	nl->family = GENL_ID_CTRL;
	nl_start(nl, &msg, CTRL_CMD_GETFAMILY, 0);
	nl_put(&msg, CTRL_ATTR_FAMILY_NAME, BLKTAP_GENL_NAME, sizeof(BLKTAP_GENL_NAME));
	if (send(nl->fd, &msg, msg.h.nlmsg_len, 0) < 0)
		return -errno;
	len = recv(nl->fd, buf, sizeof(buf), 0);
	if (len < 0)
		return -errno;
	if (!NLMSG_OK(h, len))
		return -EPROTO;
	if (h->nlmsg_type == NLMSG_ERROR)
		return take_error(nl, h);
	a = attr_find(attr_first(h), buf + h->nlmsg_len, CTRL_ATTR_FAMILY_ID);
	if (!a)
		return -EPROTO;
	nl->family = *(uint16_t *)attr_data(a);
	a = attr_find(attr_first(h), buf + h->nlmsg_len, CTRL_ATTR_MCAST_GROUPS);
	nl->group = a ? find_group(a) : 0;
	return 0;
}

int nl_open(struct nl *nl)
{
	struct timeval limit = { .tv_sec = 30 };
	int on = 1, ret;

	memset(nl, 0, sizeof(*nl));
	nl->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);
	if (nl->fd < 0)
		return -errno;
	setsockopt(nl->fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on));
	setsockopt(nl->fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on));
	setsockopt(nl->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	ret = find_family(nl);
	if (ret)
		nl_close(nl);
	return ret;
}

void nl_close(struct nl *nl)
{
	close(nl->fd);
	nl->fd = -1;
}

static void take_attrs(const struct nl_attrs *attrs, void *arg)
{
	*(struct nl_attrs *)arg = *attrs;
}

int nl_new_tap(struct nl *nl, int *minor, uint32_t queues, uint32_t depth, uint32_t on_death)
{
	struct nl_attrs attrs = { 0 };
	struct nl_msg msg;
	int ret;

	nl_start(nl, &msg, BLKTAP_CMD_NEW_TAP, NLM_F_ACK);
	nl_put_u32(&msg, BLKTAP_A_ON_DEATH, on_death);
	if (*minor >= 0)
		nl_put_u32(&msg, BLKTAP_A_MINOR, *minor);
	if (queues)
		nl_put_u32(&msg, BLKTAP_A_QUEUES, queues);
	if (depth)
		nl_put_u32(&msg, BLKTAP_A_DEPTH, depth);
	ret = nl_call(nl, &msg, take_attrs, &attrs);
	if (ret)
		return ret;
	if (!attrs.has[BLKTAP_A_MINOR])
		return -EPROTO;
	*minor = attrs.val[BLKTAP_A_MINOR];
	return 0;
}

int nl_new(struct nl *nl, int *minor, uint32_t queues, uint32_t depth)
{
	return nl_new_tap(nl, minor, queues, depth, BLKTAP_ON_DEATH_FAIL);
}

int nl_del(struct nl *nl, uint32_t minor)
{
	struct nl_msg msg;

	nl_start(nl, &msg, BLKTAP_CMD_DEL_TAP, NLM_F_ACK);
	nl_put_u32(&msg, BLKTAP_A_MINOR, minor);
	return nl_call(nl, &msg, NULL, NULL);
}

int nl_get(struct nl *nl, uint32_t minor, struct nl_attrs *attrs)
{
	struct nl_msg msg;

	memset(attrs, 0, sizeof(*attrs));
	nl_start(nl, &msg, BLKTAP_CMD_GET_TAP, NLM_F_ACK);
	nl_put_u32(&msg, BLKTAP_A_MINOR, minor);
	return nl_call(nl, &msg, take_attrs, attrs);
}

int nl_del_wait(struct nl *nl, uint32_t minor)
{
	struct timespec nap = { .tv_nsec = 10 * 1000 * 1000 };
	struct nl_attrs attrs;
	int ret = nl_del(nl, minor), tries;

	if (ret)
		return ret;
	for (tries = 0; tries < 1000; tries++) {
		ret = nl_get(nl, minor, &attrs);
		if (ret)
			return ret == -ENODEV ? 0 : ret;
		nanosleep(&nap, NULL);
	}
	return -ETIMEDOUT;
}

int nl_dump(struct nl *nl, nl_each each, void *arg)
{
	struct nl_msg msg;

	nl_start(nl, &msg, BLKTAP_CMD_GET_TAP, NLM_F_DUMP);
	return nl_call(nl, &msg, each, arg);
}

int nl_subscribe(struct nl *nl)
{
	int ret;

	ret = setsockopt(nl->fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &nl->group,
			 sizeof(nl->group));
	return ret ? -errno : 0;
}
