// SPDX-License-Identifier: GPL-2.0-only
/* Messages to the netlink family: right ones, and those that are malformed. */
#include "fuzz_daemon.h"
#include "fuzz_value.h"
#include "netlink.h"

#include <string.h>
#include <sys/socket.h>

/* Bytes of an attribute; of those not named, 4. */
static size_t natural_length(uint16_t type)
{
	switch (type) {
	case BLKTAP_A_SERIAL:	return 9;
	case BLKTAP_A_UUID:	return BLKTAP_UUID_LEN;
	case BLKTAP_A_FORCE:	return 0;
	case BLKTAP_A_EPOCH: case BLKTAP_A_REJECTED: case BLKTAP_A_CAPACITY: case BLKTAP_A_SEQ:
		return 8;
	}
	return 4;
}

/* What the driver takes at NEW_TAP comes often. */
static uint16_t attribute(uint8_t arg)
{
	if (fuzz_is_odd(arg))
		return fuzz_odd(arg);
	return arg % 2 ? arg % (BLKTAP_A_MAX + 3) : BLKTAP_A_MINOR + arg / 2 % 9;
}

static void put_attribute(const struct fuzz_daemon *d, struct nl_msg *msg, const uint8_t *args)
{
	uint16_t type = attribute(args[0]);
	size_t length = natural_length(type & NLA_TYPE_MASK);
	uint64_t value[10] = { args[1] % 4 };
	struct nlattr *a = (void *)(msg->bytes + NLMSG_ALIGN(msg->h.nlmsg_len));

	if (fuzz_is_odd(args[1]))
		value[0] = fuzz_odd(args[1]);
	else if (type == BLKTAP_A_MINOR)
		value[0] = args[1] % 4 ? d->setup->minor : args[1];
	if (type == BLKTAP_A_SERIAL)
		memset(value, 'a' + args[1] % 26, 8);
	if (fuzz_is_odd(args[2]))
		length = fuzz_odd(args[2]) % sizeof(value);
	nl_put(msg, type, value, length);
	/* Longer than the message, or shorter than its own head. */
	if (args[2] % 32 == 31)
		a->nla_len = fuzz_odd(args[1]);
	if (args[2] % 32 == 30)
		a->nla_type |= NLA_F_NESTED;
}

static void drain(int fd)
{
	static char answer[16384];

	while (recv(fd, answer, sizeof(answer), MSG_DONTWAIT) > 0)
		;
}

/* Arguments: command, flags, header, how many attributes, and three for each. */
FUZZ_RUN(fuzz_netlink)
{
	static const uint16_t flags[] = { NLM_F_ACK, NLM_F_DUMP, 0, NLM_F_ECHO, 0xffff };
	struct nl nl = { .fd = d->netlink, .family = d->setup->family };
	unsigned int nr = args[3] % 4, i;
	struct nl_msg msg;

	(void)call;
	nl_start(&nl, &msg, args[0] % (BLKTAP_CMD_MAX + 3), flags[args[1] % 5]);
	for (i = 0; i < nr; i++)
		put_attribute(d, &msg, args + 4 + 3 * i);
	if (fuzz_is_odd(args[2]))
		msg.bytes[NLMSG_HDRLEN + args[2] % 4] = args[1];
	if (args[2] % 32 == 31)
		msg.h.nlmsg_len += args[1] % 8;
	send(d->netlink, &msg, msg.h.nlmsg_len, 0);
	drain(d->netlink);
}
