// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What goes over the wires, written down.
 */
#include <ctype.h>
#include <inttypes.h>
#include <linux/genetlink.h>
#include <netlink/attr.h>
#include <netlink/genl/genl.h>
#include <netlink/msg.h>
#include <string.h>

#include "cleanup.h"
#include "control-character.h"
#include "libblktap.h"
#include "trace.h"

static FILE *trace;

void blktap_trace(FILE *file)
{
	trace = file;
}

/* What others wrote does not command a terminal. */
static void put_text(const char *text, size_t length)
{
	size_t i, bytes;

	for (i = 0; i < length; i += bytes ? bytes : 1) {
		bytes = control_length(text + i, length - i);
		putc(bytes ? '?' : text[i], trace);
	}
}

void trace_line(pid_t pid, char direction, const char *line, size_t length)
{
	if (!trace)
		return;
	if (length && line[length - 1] == '\n')
		length--;
	fprintf(trace, "tapdisk %d %c ", (int)pid, direction);
	put_text(line, length);
	putc('\n', trace);
	fflush(trace);
}

/* --------------------------------------------------------------------- netlink */

static const char *const commands[] = {
	[BLKTAP_CMD_GET_FEATURES] = "get-features",
	[BLKTAP_CMD_NEW_TAP] = "new-tap",
	[BLKTAP_CMD_DEL_TAP] = "del-tap",
	[BLKTAP_CMD_GET_TAP] = "get-tap",
	[BLKTAP_CMD_EVENT] = "event",
	[BLKTAP_CMD_END_SESSION] = "end-session",
};

static const char *const attributes[] = {
	[BLKTAP_A_MINOR] = "minor",
	[BLKTAP_A_QUEUES] = "queues",
	[BLKTAP_A_DEPTH] = "depth",
	[BLKTAP_A_MAX_IO] = "max-io",
	[BLKTAP_A_ON_DEATH] = "on-death",
	[BLKTAP_A_HOLD_MS] = "hold-ms",
	[BLKTAP_A_IO_TIMEOUT_MS] = "io-timeout-ms",
	[BLKTAP_A_SERIAL] = "serial",
	[BLKTAP_A_UUID] = "uuid",
	[BLKTAP_A_RING_MAJOR] = "ring-major",
	[BLKTAP_A_DISK_MAJOR] = "disk-major",
	[BLKTAP_A_PID] = "pid",
	[BLKTAP_A_EPOCH] = "epoch",
	[BLKTAP_A_REJECTED] = "rejected",
	[BLKTAP_A_DISK_STATE] = "disk-state",
	[BLKTAP_A_DISK_FLAGS] = "disk-flags",
	[BLKTAP_A_OPENERS] = "openers",
	[BLKTAP_A_CAPACITY] = "capacity",
	[BLKTAP_A_LOGICAL_BLOCK_SIZE] = "logical-block-size",
	[BLKTAP_A_PHYSICAL_BLOCK_SIZE] = "physical-block-size",
	[BLKTAP_A_EVENT] = "event",
	[BLKTAP_A_SEQ] = "seq",
	[BLKTAP_A_ABI] = "abi",
	[BLKTAP_A_FEATURES] = "features",
	[BLKTAP_A_MAX_MINORS] = "max-minors",
	[BLKTAP_A_MAX_QUEUES] = "max-queues",
	[BLKTAP_A_MAX_DEPTH] = "max-depth",
	[BLKTAP_A_MAX_IO_LIMIT] = "max-io-limit",
	[BLKTAP_A_FILES] = "files",
	[BLKTAP_A_EXTENTS] = "extents",
	[BLKTAP_A_IOS_DAEMON] = "ios-daemon",
	[BLKTAP_A_IOS_REDIRECT] = "ios-redirect",
	[BLKTAP_A_IOS_EXTENT] = "ios-extent",
	[BLKTAP_A_IOS_RETRY] = "ios-retry",
	[BLKTAP_A_EXTENT_OFFSET] = "extent-offset",
	[BLKTAP_A_EXTENT_LENGTH] = "extent-length",
	[BLKTAP_A_ERROR] = "error",
	[BLKTAP_A_ON_TIMEOUT] = "on-timeout",
	[BLKTAP_A_RECOVERY] = "recovery",
	[BLKTAP_A_HOLD_LEFT_MS] = "hold-left-ms",
	[BLKTAP_A_FORCE] = "force",
	[BLKTAP_A_IO_OP] = "io-op",
	[BLKTAP_A_IO_ERRORS] = "io-errors",
};

static void put_bytes(const struct nlattr *attr)
{
	const unsigned char *bytes = nla_data(attr);
	int i;

	for (i = 0; i < nla_len(attr); i++)
		fprintf(trace, "%02x", bytes[i]);
}

static void put_value(const struct nlattr *attr)
{
	const char *text = nla_data(attr);
	int length = nla_len(attr);

	if (nla_type(attr) == BLKTAP_A_SERIAL)
		put_text(text, strnlen(text, length));
	else if (nla_type(attr) != BLKTAP_A_UUID && length == sizeof(uint32_t))
		fprintf(trace, "%u", nla_get_u32(attr));
	else if (nla_type(attr) != BLKTAP_A_UUID && length == sizeof(uint64_t))
		fprintf(trace, "%" PRIu64, nla_get_u64(attr));
	else
		put_bytes(attr);
}

static void put_attribute(const struct nlattr *attr)
{
	size_t type = nla_type(attr);

	if (type == BLKTAP_A_PAD)
		return;
	if (type < ARRAY_SIZE(attributes) && attributes[type])
		fprintf(trace, " %s=", attributes[type]);
	else
		fprintf(trace, " attribute-%zu=", type);
	put_value(attr);
}

static void put_family_message(const struct nlmsghdr *message)
{
	struct genlmsghdr *header = nlmsg_data(message);
	struct nlattr *attr;
	int left = genlmsg_attrlen(header, 0);

	if (header->cmd < ARRAY_SIZE(commands) && commands[header->cmd])
		fputs(commands[header->cmd], trace);
	else
		fprintf(trace, "command-%u", header->cmd);
	if (message->nlmsg_flags & NLM_F_REQUEST && (message->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP)
		fputs(" dump", trace);
	for (attr = genlmsg_attrdata(header, 0); nla_ok(attr, left); attr = nla_next(attr, &left))
		put_attribute(attr);
}

static void put_code(const char *what, const struct nlmsghdr *message)
{
	int code = 0;

	if (nlmsg_datalen(message) >= (int)sizeof(code))
		memcpy(&code, nlmsg_data(message), sizeof(code));
	fprintf(trace, "%s %d%s%s", what, code, code < 0 ? " " : "",
		code < 0 ? strerror(-code) : "");
}

void trace_message(char direction, const struct nlmsghdr *message)
{
	if (!trace)
		return;
	fprintf(trace, "kernel %c seq=%u ", direction, message->nlmsg_seq);
	if (message->nlmsg_type == NLMSG_ERROR)
		put_code("status", message);
	else if (message->nlmsg_type == NLMSG_DONE)
		put_code("done", message);
	else if (message->nlmsg_type == GENL_ID_CTRL)
		fputs("family", trace);
	else if (nlmsg_datalen(message) >= (int)GENL_HDRLEN)
		put_family_message(message);
	putc('\n', trace);
	fflush(trace);
}
