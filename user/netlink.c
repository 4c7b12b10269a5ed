// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The kernel's netlink family.
 *
 * libnl makes the messages; the answers are read here, because it keeps neither
 * the kernel's words nor the errors that end a dump.
 */
#include <errno.h>
#include <linux/genetlink.h>
#include <netlink/genl/genl.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "cancel.h"
#include "cleanup.h"
#include "deadline.h"
#include "nlmsg.h"
#include "trace.h"

#define DATAGRAM_SIZE	(64 << 10)	/* the kernel makes none beyond 32 KiB */
#define EVENTS_SIZE	(1 << 20)	/* of the socket's memory for events */
#define ANSWER_MS	10000		/* nothing in the family waits */
#define LIST_MS		10000

struct blktap_nl {
	struct nl_sock *socket;
	int family;
	uint32_t group;		/* of events; 0: the kernel has none */
	char datagram[DATAGRAM_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));
};

static void cleanup_message(struct nl_msg **message)
{
	nlmsg_free(*message);
}

#define CLEANUP_MESSAGE	__attribute__((cleanup(cleanup_message)))

/* ----------------------------------------------------------------- transactions */

/* One datagram from the kernel; its length, or a negative errno. */
static ssize_t receive(struct blktap_nl *nl, int flags)
{
	struct sockaddr_nl from = { 0 };
	struct iovec iov = { nl->datagram, sizeof(nl->datagram) };
	struct msghdr header = {
		.msg_name = &from,
		.msg_namelen = sizeof(from),
		.msg_iov = &iov,
		.msg_iovlen = 1,
	};
	ssize_t length;

	do {
		header.msg_namelen = sizeof(from);
		length = recvmsg(nl_socket_get_fd(nl->socket), &header, flags);
	} while ((length < 0 && errno == EINTR) || (length >= 0 && from.nl_pid != 0));
	if (length < 0)
		return -errno;
	return header.msg_flags & MSG_TRUNC ? -EPROTO : length;
}

static int receive_answer(struct blktap_nl *nl, struct nl_answer *answer)
{
	struct deadline deadline = deadline_in(ANSWER_MS);
	struct pollfd fd = { .fd = nl_socket_get_fd(nl->socket), .events = POLLIN };
	ssize_t length;
	int ret;

	do {
		ret = poll(&fd, 1, deadline_left(deadline));
		if (ret < 0 && errno == EINTR)
			continue;
		if (ret <= 0)
			return ret ? -errno : -ETIMEDOUT;
		length = receive(nl, MSG_DONTWAIT);
		if (length == -EAGAIN)
			continue;
		ret = length < 0 ? (int)length : nlmsg_walk(nl->datagram, length, answer);
		if (ret)
			return ret < 0 ? ret : 0;
	} while (!deadline_passed(deadline));
	return -ETIMEDOUT;
}

static int send_message(struct blktap_nl *nl, struct nl_msg *message)
{
	struct nlmsghdr *header;
	ssize_t done;

	nl_complete_msg(nl->socket, message);
	header = nlmsg_hdr(message);
	trace_message('>', header);
	do {
		done = send(nl_socket_get_fd(nl->socket), header, header->nlmsg_len, 0);
	} while (done < 0 && errno == EINTR);
	return done < 0 ? -errno : 0;
}

/* Sends @message and reads what comes back. */
static int transact(struct blktap_nl *nl, struct nl_msg *message, struct nl_answer *answer)
{
	int ret = send_message(nl, message);

	answer->seq = nlmsg_hdr(message)->nlmsg_seq;
	return ret ? ret : receive_answer(nl, answer);
}

static struct nl_msg *new_message(struct blktap_nl *nl, int command, int flags)
{
	struct nl_msg *message = nlmsg_alloc();

	if (message && !genlmsg_put(message, NL_AUTO_PORT, NL_AUTO_SEQ, nl->family, 0, flags,
				    command, BLKTAP_GENL_VERSION)) {
		nlmsg_free(message);
		return NULL;
	}
	return message;
}

static const char *reason(int code, const struct nl_answer *answer)
{
	if (code == -EPERM)
		return "not permitted without CAP_SYS_ADMIN in the initial user namespace";
	if (answer->text[0])
		return answer->text;
	switch (code) {
	case -ENODEV:
		return "no such minor";
	case -ESRCH:
		return "no daemon is attached, or another one";
	case -EPROTO:
		return "the kernel's answer makes no sense";
	case -ETIMEDOUT:
		return "the kernel does not answer";
	}
	return strerror(-code);
}

/* An errno and a sentence about a minor, or about all of blktap (minor -1). */
static int refuse(int code, const struct nl_answer *answer, int minor, struct blktap_error *err)
{
	if (minor < 0)
		return blktap_error_set(err, code, "blktap: %s", reason(code, answer));
	return blktap_error_set(err, code, "minor %d: %s", minor, reason(code, answer));
}

static int no_memory(struct blktap_error *err)
{
	return blktap_error_set(err, -ENOMEM, "no memory for a netlink message");
}

/* ------------------------------------------------------------- opening, closing */

/* The kernel then says in words what it refuses, and does not quote the request. */
static void ask_for_words(int fd)
{
	int on = 1;

	setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on));
	setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on));
}

static int take_family(const struct nlmsghdr *message, void *data)
{
	struct blktap_nl *nl = data;
	struct nl_family family;
	int ret = nlmsg_to_family(message, &family);

	if (ret)
		return ret;
	nl->family = family.id;
	nl->group = family.group;
	return 0;
}

/*
 * Asking for it makes the kernel load its module. libnl could ask, but takes whatever keeps
 * it from an answer for a no. ENOENT: the kernel has no such family, or not in this namespace.
 */
static int find_family(struct blktap_nl *nl, struct nl_answer *answer)
{
	CLEANUP_MESSAGE struct nl_msg *message = NULL;
	int ret;

	*answer = (struct nl_answer){ .each = take_family, .data = nl };
	nl->family = GENL_ID_CTRL;
	message = new_message(nl, CTRL_CMD_GETFAMILY, NLM_F_ACK);
	if (!message || nla_put_string(message, CTRL_ATTR_FAMILY_NAME, BLKTAP_GENL_NAME))
		return -ENOMEM;
	ret = transact(nl, message, answer);
	return !ret && nl->family == GENL_ID_CTRL ? -EPROTO : ret;
}

static int connect_family(struct blktap_nl *nl, struct blktap_error *err)
{
	struct nl_answer answer;
	int ret;

	nl->socket = nl_socket_alloc();
	if (!nl->socket)
		return blktap_error_set(err, -ENOMEM, "no memory for a netlink socket");
	ret = genl_connect(nl->socket);
	if (ret)
		return blktap_error_set(err, -EIO, "cannot make a netlink socket: %s",
					nl_geterror(ret));
	ask_for_words(nl_socket_get_fd(nl->socket));
	ret = find_family(nl, &answer);
	if (ret == -ENOENT)
		return blktap_error_set(err, -ENOSYS, "blktap kernel module not installed");
	if (ret)
		return blktap_error_set(err, ret, "cannot find the netlink family: %s",
					reason(ret, &answer));
	return 0;
}

int blktap_nl_open(struct blktap_nl **nl, struct blktap_error *err)
{
	struct blktap_nl *opened = calloc(1, sizeof(*opened));
	int ret;

	*nl = NULL;
	if (!opened)
		return blktap_error_set(err, -ENOMEM, "no memory for a netlink socket");
	ret = connect_family(opened, err);
	if (ret) {
		blktap_nl_close(opened);
		return ret;
	}
	*nl = opened;
	return 0;
}

void blktap_nl_close(struct blktap_nl *nl)
{
	if (!nl)
		return;
	nl_socket_free(nl->socket);
	free(nl);
}

/* --------------------------------------------------------------------- features */

struct features_answer {
	struct blktap_features features;
	bool there;
};

static int take_features(const struct nlmsghdr *message, void *data)
{
	struct features_answer *taken = data;

	taken->there = true;
	return nlmsg_to_features(message, &taken->features);
}

int blktap_nl_features(struct blktap_nl *nl, struct blktap_features *features,
		       struct blktap_error *err)
{
	CLEANUP_MESSAGE struct nl_msg *message = NULL;
	struct features_answer taken = { .there = false };
	struct nl_answer answer = { .each = take_features, .data = &taken };
	int ret;

	message = new_message(nl, BLKTAP_CMD_GET_FEATURES, NLM_F_ACK);
	if (!message)
		return no_memory(err);
	ret = transact(nl, message, &answer);
	if (!ret && !taken.there)
		ret = -EPROTO;
	if (ret)
		return refuse(ret, &answer, -1, err);
	*features = taken.features;
	return 0;
}

/* ----------------------------------------------------------------------- one tap */

struct tap_answer {
	struct blktap_tap tap;
	bool there;
};

static int take_tap(const struct nlmsghdr *message, void *data)
{
	struct tap_answer *taken = data;

	taken->there = true;
	return nlmsg_to_tap(message, &taken->tap);
}

static int transact_tap(struct blktap_nl *nl, struct nl_msg *message, int minor,
			struct blktap_tap *tap, struct blktap_error *err)
{
	struct tap_answer taken = { .there = false };
	struct nl_answer answer = { .each = take_tap, .data = &taken };
	int ret;

	ret = transact(nl, message, &answer);
	if (!ret && !taken.there)
		ret = -EPROTO;
	if (ret)
		return refuse(ret, &answer, minor, err);
	if (tap)
		*tap = taken.tap;
	return 0;
}

static bool put_optional(struct nl_msg *message, int type, uint32_t value)
{
	return !value || nla_put_u32(message, type, value) == 0;
}

/* What becomes of requests when a daemon dies or is late. */
static bool put_recovery(struct nl_msg *message, const struct blktap_tap_params *params)
{
	return (params->on_death == BLKTAP_DEATH_DEFAULT ||
		!nla_put_u32(message, BLKTAP_A_ON_DEATH, params->on_death == BLKTAP_DEATH_HOLD ?
			     BLKTAP_ON_DEATH_HOLD : BLKTAP_ON_DEATH_FAIL)) &&
	       (!params->hold_ms ||
		!nla_put_u32(message, BLKTAP_A_HOLD_MS,
			     params->hold_ms < 0 ? 0 : params->hold_ms)) &&
	       put_optional(message, BLKTAP_A_IO_TIMEOUT_MS, params->io_timeout_ms) &&
	       put_optional(message, BLKTAP_A_ON_TIMEOUT, params->on_timeout);
}

static bool put_params(struct nl_msg *message, const struct blktap_tap_params *params)
{
	return (params->minor < 0 || !nla_put_u32(message, BLKTAP_A_MINOR, params->minor)) &&
	       put_optional(message, BLKTAP_A_QUEUES, params->queues) &&
	       put_optional(message, BLKTAP_A_DEPTH, params->depth) &&
	       put_optional(message, BLKTAP_A_MAX_IO, params->max_io) &&
	       put_recovery(message, params) &&
	       (!params->serial ||
		!nla_put_string(message, BLKTAP_A_SERIAL, params->serial)) &&
	       (!params->uuid ||
		!nla_put(message, BLKTAP_A_UUID, BLKTAP_UUID_LEN, params->uuid));
}

int blktap_nl_allocate(struct blktap_nl *nl, const struct blktap_tap_params *params,
		       struct blktap_tap *tap, struct blktap_error *err)
{
	CLEANUP_MESSAGE struct nl_msg *message = NULL;

	message = new_message(nl, BLKTAP_CMD_NEW_TAP, NLM_F_ACK);
	if (!message || !put_params(message, params))
		return no_memory(err);
	return transact_tap(nl, message, params->minor, tap, err);
}

int blktap_nl_get(struct blktap_nl *nl, unsigned int minor, struct blktap_tap *tap,
		  struct blktap_error *err)
{
	CLEANUP_MESSAGE struct nl_msg *message = NULL;

	message = new_message(nl, BLKTAP_CMD_GET_TAP, NLM_F_ACK);
	if (!message || nla_put_u32(message, BLKTAP_A_MINOR, minor))
		return no_memory(err);
	return transact_tap(nl, message, minor, tap, err);
}

/* ------------------------------------------------------------- ending and freeing */

/* A command about @minor, and @pid unless it is 0, that has no answer but its outcome. */
static int order(struct blktap_nl *nl, int command, unsigned int minor, pid_t pid, bool force,
		 struct blktap_error *err)
{
	CLEANUP_MESSAGE struct nl_msg *message = NULL;
	struct nl_answer answer = { .each = NULL };
	int ret;

	message = new_message(nl, command, NLM_F_ACK);
	if (!message || nla_put_u32(message, BLKTAP_A_MINOR, minor) ||
	    !put_optional(message, BLKTAP_A_PID, pid) ||
	    (force && nla_put_flag(message, BLKTAP_A_FORCE)))
		return no_memory(err);
	ret = transact(nl, message, &answer);
	return ret ? refuse(ret, &answer, minor, err) : 0;
}

int blktap_nl_end_session(struct blktap_nl *nl, unsigned int minor, pid_t pid, bool force,
			  struct blktap_error *err)
{
	return order(nl, BLKTAP_CMD_END_SESSION, minor, pid, force, err);
}

static bool saw_freed(struct blktap_nl *events, unsigned int minor)
{
	struct blktap_event_msg msg;

	while (blktap_nl_next_event(events, &msg, NULL) > 0)
		if (msg.event == BLKTAP_EVENT_FREED && msg.tap.minor == minor)
			return true;
	return false;
}

/*
 * Asking for the minor alone would not do: it may have been allocated again
 * before we ask. The event alone would not, either: events can be lost.
 */
static int wait_freed(struct blktap_nl *nl, struct blktap_nl *events, unsigned int minor,
		      struct deadline deadline, struct blktap_error *err)
{
	struct blktap_tap tap;
	int step_ms = 1;
	int ret;

	for (;;) {
		if (saw_freed(events, minor))
			return 0;
		ret = blktap_nl_get(nl, minor, &tap, err);
		if (ret)
			return ret == -ENODEV ? 0 : ret;
		if (deadline_passed(deadline))
			return blktap_error_set(err, -ETIMEDOUT,
						"minor %u: its disk does not go away", minor);
		ret = cancel_poll(blktap_nl_fd(events), deadline_step(deadline, step_ms));
		if (ret == -EINTR)
			return blktap_error_set(err, ret, "interrupted while minor %u was freed",
						minor);
		step_ms = step_ms < 64 ? step_ms * 2 : step_ms;
	}
}

int blktap_nl_free(struct blktap_nl *nl, unsigned int minor, bool force, int timeout_ms,
		   struct blktap_error *err)
{
	struct deadline deadline = deadline_in(timeout_ms);
	struct blktap_error ignored;
	struct blktap_nl *events;
	int ret;

	ret = blktap_nl_open(&events, err);
	if (ret)
		return ret;
	ret = blktap_nl_subscribe(events, err);
	if (!ret)
		ret = order(nl, BLKTAP_CMD_DEL_TAP, minor, 0, force, err);
	if (!ret)
		ret = wait_freed(nl, events, minor, deadline, err ? err : &ignored);
	if (!ret && err)
		err->code = 0;
	blktap_nl_close(events);
	return ret;
}

/* -------------------------------------------------------------------------- list */

struct tap_list {
	struct blktap_tap *taps;
	size_t count;
	size_t size;
};

static int take_next_tap(const struct nlmsghdr *message, void *data)
{
	struct tap_list *list = data;
	struct blktap_tap *grown;
	int ret;

	if (list->count == list->size) {
		grown = reallocarray(list->taps, list->size * 2 + 16, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		list->taps = grown;
		list->size = list->size * 2 + 16;
	}
	ret = nlmsg_to_tap(message, &list->taps[list->count]);
	if (!ret)
		list->count++;
	return ret;
}

static int compare_taps(const void *a, const void *b)
{
	const struct blktap_tap *left = a, *right = b;

	return (left->minor > right->minor) - (left->minor < right->minor);
}

/* -EAGAIN: taps came or went meanwhile. */
static int dump(struct blktap_nl *nl, struct tap_list *list, struct nl_answer *answer)
{
	CLEANUP_MESSAGE struct nl_msg *message = NULL;
	int ret;

	*answer = (struct nl_answer){ .each = take_next_tap, .data = list };
	list->count = 0;
	message = new_message(nl, BLKTAP_CMD_GET_TAP, NLM_F_DUMP);
	if (!message)
		return -ENOMEM;
	ret = transact(nl, message, answer);
	return !ret && answer->interrupted ? -EAGAIN : ret;
}

int blktap_nl_list(struct blktap_nl *nl, struct blktap_tap **taps, size_t *count,
		   struct blktap_error *err)
{
	struct deadline deadline = deadline_in(LIST_MS);
	struct tap_list list = { 0 };
	struct nl_answer answer;
	int ret;

	do {
		ret = dump(nl, &list, &answer);
	} while (ret == -EAGAIN && !deadline_passed(deadline));
	if (ret) {
		free(list.taps);
		if (ret == -EAGAIN)
			return blktap_error_set(err, ret,
						"blktap: taps come and go too fast for a list");
		return refuse(ret, &answer, -1, err);
	}
	if (list.count)
		qsort(list.taps, list.count, sizeof(*list.taps), compare_taps);
	*taps = list.taps;
	*count = list.count;
	return 0;
}

/* ------------------------------------------------------------------------ events */

/* Of families that come and go; its number is that of the family of families. */
#define FAMILIES_GROUP	GENL_ID_CTRL

static int join_group(int fd, uint32_t group)
{
	return setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group));
}

int blktap_nl_subscribe(struct blktap_nl *nl, struct blktap_error *err)
{
	int fd = nl_socket_get_fd(nl->socket);
	struct nl_answer nothing = { .each = NULL };

	if (!nl->group)
		return blktap_error_set(err, -EPROTO, "blktap: the kernel has no events");
	nl_socket_set_buffer_size(nl->socket, EVENTS_SIZE, 0);
	if (join_group(fd, nl->group) || join_group(fd, FAMILIES_GROUP))
		return refuse(-errno, &nothing, -1, err);
	return 0;
}

int blktap_nl_fd(const struct blktap_nl *nl)
{
	return nl_socket_get_fd(nl->socket);
}

static bool is_event(const struct blktap_nl *nl, const struct nlmsghdr *message, ssize_t length)
{
	const struct genlmsghdr *header = nlmsg_data(message);

	return nlmsg_ok(message, length) && message->nlmsg_type == nl->family &&
	       nlmsg_datalen(message) >= (int)GENL_HDRLEN &&
	       header->cmd == BLKTAP_CMD_EVENT;
}

/* Ours is leaving: when it comes back it has another number, and nobody subscribed. */
static bool is_farewell(const struct blktap_nl *nl, const struct nlmsghdr *message,
			ssize_t length)
{
	struct genlmsghdr *header = nlmsg_data(message);
	const struct nlattr *id;

	if (!nlmsg_ok(message, length) || message->nlmsg_type != GENL_ID_CTRL ||
	    nlmsg_datalen(message) < (int)GENL_HDRLEN || header->cmd != CTRL_CMD_DELFAMILY)
		return false;
	id = nla_find(genlmsg_attrdata(header, 0), genlmsg_attrlen(header, 0),
		      CTRL_ATTR_FAMILY_ID);
	return id && nla_len(id) == sizeof(uint16_t) && nla_get_u16(id) == nl->family;
}

int blktap_nl_next_event(struct blktap_nl *nl, struct blktap_event_msg *msg,
			 struct blktap_error *err)
{
	const struct nlmsghdr *message = (const struct nlmsghdr *)nl->datagram;
	ssize_t length;

	/* The kernel puts one event into a datagram. */
	do {
		length = receive(nl, MSG_DONTWAIT);
		if (length == -EAGAIN)
			return 0;
		if (length == -ENOBUFS)
			return blktap_error_set(err, -ENOBUFS, "blktap: events were lost");
		if (length < 0)
			return blktap_error_set(err, length, "blktap: cannot read events: %s",
						strerror(-length));
		if (is_farewell(nl, message, length))
			return blktap_error_set(err, -ENOSYS, "blktap kernel module has been removed");
	} while (!is_event(nl, message, length));
	if (nlmsg_to_event(message, msg))
		return blktap_error_set(err, -EPROTO, "blktap: an event makes no sense");
	trace_message('<', message);
	return 1;
}
