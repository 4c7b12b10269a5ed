// SPDX-License-Identifier: GPL-2.0-only
/* The netlink family for shell scripts: exit status is the errno. */
#include "netlink.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const struct { const char *name; uint16_t attr; } keys[] = {
	{ "minor", BLKTAP_A_MINOR },
	{ "queues", BLKTAP_A_QUEUES },
	{ "depth", BLKTAP_A_DEPTH },
	{ "max_io", BLKTAP_A_MAX_IO },
	{ "on_death", BLKTAP_A_ON_DEATH },
	{ "hold_ms", BLKTAP_A_HOLD_MS },
	{ "io_timeout_ms", BLKTAP_A_IO_TIMEOUT_MS },
	{ "ring_major", BLKTAP_A_RING_MAJOR },
	{ "disk_major", BLKTAP_A_DISK_MAJOR },
	{ "pid", BLKTAP_A_PID },
	{ "epoch", BLKTAP_A_EPOCH },
	{ "rejected", BLKTAP_A_REJECTED },
	{ "state", BLKTAP_A_DISK_STATE },
	{ "flags", BLKTAP_A_DISK_FLAGS },
	{ "openers", BLKTAP_A_OPENERS },
	{ "capacity", BLKTAP_A_CAPACITY },
	{ "lbs", BLKTAP_A_LOGICAL_BLOCK_SIZE },
	{ "pbs", BLKTAP_A_PHYSICAL_BLOCK_SIZE },
	{ "abi", BLKTAP_A_ABI },
	{ "features", BLKTAP_A_FEATURES },
	{ "max_minors", BLKTAP_A_MAX_MINORS },
	{ "max_queues", BLKTAP_A_MAX_QUEUES },
	{ "max_depth", BLKTAP_A_MAX_DEPTH },
	{ "max_io_limit", BLKTAP_A_MAX_IO_LIMIT },
	{ "files", BLKTAP_A_FILES },
	{ "extents", BLKTAP_A_EXTENTS },
	{ "ios_daemon", BLKTAP_A_IOS_DAEMON },
	{ "ios_redirect", BLKTAP_A_IOS_REDIRECT },
	{ "ios_extent", BLKTAP_A_IOS_EXTENT },
	{ "ios_retry", BLKTAP_A_IOS_RETRY },
	{ "extent_offset", BLKTAP_A_EXTENT_OFFSET },
	{ "extent_length", BLKTAP_A_EXTENT_LENGTH },
	{ "error", BLKTAP_A_ERROR },
	{ "on_timeout", BLKTAP_A_ON_TIMEOUT },
	{ "recovery", BLKTAP_A_RECOVERY },
	{ "hold_left_ms", BLKTAP_A_HOLD_LEFT_MS },
	{ "io_op", BLKTAP_A_IO_OP },
	{ "io_errors", BLKTAP_A_IO_ERRORS },
};

#define NKEYS (sizeof(keys) / sizeof(keys[0]))

static const char * const events[] = {
	[BLKTAP_EVENT_ALLOCATED] = "allocated",
	[BLKTAP_EVENT_FREED] = "freed",
	[BLKTAP_EVENT_ATTACHED] = "attached",
	[BLKTAP_EVENT_DETACHED] = "detached",
	[BLKTAP_EVENT_DISK_ADDED] = "disk-added",
	[BLKTAP_EVENT_DISK_REMOVED] = "disk-removed",
	[BLKTAP_EVENT_DAEMON_LOST] = "daemon-lost",
	[BLKTAP_EVENT_TIMEOUT] = "timeout",
	[BLKTAP_EVENT_RESIZED] = "resized",
	[BLKTAP_EVENT_EXTENT_DROPPED] = "extent-dropped",
	[BLKTAP_EVENT_RESUMED] = "resumed",
	[BLKTAP_EVENT_HOLD_EXPIRED] = "hold-expired",
	[BLKTAP_EVENT_STUCK] = "stuck",
	[BLKTAP_EVENT_IO_ERROR] = "io-error",
};

static void print_attrs(const struct nl_attrs *attrs, void *arg)
{
	const char *space = "";
	size_t i;

	(void)arg;
	for (i = 0; i < NKEYS; i++) {
		if (!attrs->has[keys[i].attr])
			continue;
		printf("%s%s=%llu", space, keys[i].name,
		       (unsigned long long)attrs->val[keys[i].attr]);
		space = " ";
	}
	if (attrs->has[BLKTAP_A_SERIAL])
		printf(" serial=%s", attrs->serial);
	putchar('\n');
}

/* 32 hexadecimal digits. */
static int put_uuid(struct nl_msg *msg, const char *text)
{
	uint8_t uuid[BLKTAP_UUID_LEN];
	int i;

	for (i = 0; i < BLKTAP_UUID_LEN; i++)
		if (sscanf(text + 2 * i, "%2hhx", &uuid[i]) != 1)
			return -EINVAL;
	nl_put(msg, BLKTAP_A_UUID, uuid, sizeof(uuid));
	return 0;
}

static int put_word(struct nl_msg *msg, const char *word)
{
	const char *value = strchr(word, '=');
	size_t i;

	if (!value++)
		return -EINVAL;
	if (!strncmp(word, "serial=", 7)) {
		nl_put(msg, BLKTAP_A_SERIAL, value, strlen(value) + 1);
		return 0;
	}
	if (!strncmp(word, "uuid=", 5))
		return strlen(value) == 2 * BLKTAP_UUID_LEN ? put_uuid(msg, value) : -EINVAL;
	for (i = 0; i < NKEYS; i++) {
		size_t len = strlen(keys[i].name);

		if (!strncmp(word, keys[i].name, len) && word[len] == '=') {
			nl_put_u32(msg, keys[i].attr, strtoul(value, NULL, 0));
			return 0;
		}
	}
	return -EINVAL;
}

static int do_new(struct nl *nl, int argc, char **argv)
{
	struct nl_msg msg;
	int i, ret;

	nl_start(nl, &msg, BLKTAP_CMD_NEW_TAP, NLM_F_ACK);
	for (i = 0; i < argc; i++) {
		ret = put_word(&msg, argv[i]);
		if (ret)
			return ret;
	}
	return nl_call(nl, &msg, print_attrs, NULL);
}

static int do_del(struct nl *nl, int argc, char **argv)
{
	int i, ret = 0;

	for (i = 0; i < argc && !ret; i++)
		ret = nl_del_wait(nl, strtoul(argv[i], NULL, 0));
	return ret;
}

/* MINOR [pid=N] [force] */
static int do_minor(struct nl *nl, uint8_t cmd, int argc, char **argv)
{
	struct nl_msg msg;
	int i;

	if (argc < 1)
		return -EINVAL;
	nl_start(nl, &msg, cmd, NLM_F_ACK);
	nl_put_u32(&msg, BLKTAP_A_MINOR, strtoul(argv[0], NULL, 0));
	for (i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "force"))
			nl_put(&msg, BLKTAP_A_FORCE, NULL, 0);
		else if (put_word(&msg, argv[i]))
			return -EINVAL;
	}
	return nl_call(nl, &msg, NULL, NULL);
}

static int do_end(struct nl *nl, int argc, char **argv)
{
	return do_minor(nl, BLKTAP_CMD_END_SESSION, argc, argv);
}

/* Does not wait until it has gone. */
static int do_free(struct nl *nl, int argc, char **argv)
{
	return do_minor(nl, BLKTAP_CMD_DEL_TAP, argc, argv);
}

static int do_get(struct nl *nl, int argc, char **argv)
{
	struct nl_attrs attrs;
	int ret;

	if (argc != 1)
		return -EINVAL;
	ret = nl_get(nl, strtoul(argv[0], NULL, 0), &attrs);
	if (!ret)
		print_attrs(&attrs, NULL);
	return ret;
}

static int do_list(struct nl *nl, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	return nl_dump(nl, print_attrs, NULL);
}

static int do_features(struct nl *nl, int argc, char **argv)
{
	struct nl_msg msg;

	(void)argc;
	(void)argv;
	nl_start(nl, &msg, BLKTAP_CMD_GET_FEATURES, NLM_F_ACK);
	return nl_call(nl, &msg, print_attrs, NULL);
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static void count_one(const struct nl_attrs *attrs, void *arg)
{
	(void)attrs;
	++*(unsigned int *)arg;
}

static int fill(struct nl *nl, unsigned int count)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; i < count && !ret; i++) {
		int minor = i;

		ret = nl_new(nl, &minor, 1, 1);
	}
	return ret;
}

static int drain(struct nl *nl, unsigned int count)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; i < count && !ret; i++)
		ret = nl_del_wait(nl, i);
	return ret;
}

/* Allocates minors 0 to N-1, lists them and frees them, with times. */
static int do_many(struct nl *nl, int argc, char **argv)
{
	unsigned int count = argc == 1 ? strtoul(argv[0], NULL, 0) : 0, seen = 0;
	double start = now(), filled, listed;
	int ret = fill(nl, count), freed;

	filled = now();
	if (!ret)
		ret = nl_dump(nl, count_one, &seen);
	listed = now();
	freed = ret ? 0 : drain(nl, count);
	printf("taps=%u listed=%u allocate=%.2fs list=%.3fs free=%.2fs\n", count, seen,
	       filled - start, listed - filled, now() - listed);
	if (ret || freed)
		return ret ? ret : freed;
	return seen == count ? 0 : -EPROTO;
}

/* Whether others that want the same explain it. */
static bool is_rivalry(int ret)
{
	return ret == -EEXIST || ret == -ENODEV || ret == -EBUSY;
}

/* Tries N times to allocate a minor and free it; others may do the same with it. */
static int do_cycle(struct nl *nl, int argc, char **argv)
{
	unsigned int count = argc == 2 ? strtoul(argv[0], NULL, 0) : 0, i, given = 0;
	int wanted = argc == 2 ? strtol(argv[1], NULL, 0) : -1;

	if (!count || wanted < 0)
		return -EINVAL;
	for (i = 0; i < count; i++) {
		int minor = wanted, ret = nl_new(nl, &minor, 1, 1);

		if (!ret && minor != wanted)
			return -EPROTO;
		given += !ret;
		if (!ret)
			ret = nl_del(nl, minor);
		if (ret && !is_rivalry(ret))
			return ret;
	}
	printf("given=%u\n", given);
	return 0;
}

/* Asks for all taps and reads nothing of the answer until it is killed. */
static int do_stall(struct nl *nl, int argc, char **argv)
{
	struct nl_msg msg;

	(void)argc;
	(void)argv;
	nl_start(nl, &msg, BLKTAP_CMD_GET_TAP, NLM_F_DUMP);
	if (send(nl->fd, &msg, msg.h.nlmsg_len, 0) < 0)
		return -errno;
	puts("asked");
	for (;;)
		pause();
}

static int do_fill(struct nl *nl, int argc, char **argv)
{
	return argc == 1 ? fill(nl, strtoul(argv[0], NULL, 0)) : -EINVAL;
}

static int do_drain(struct nl *nl, int argc, char **argv)
{
	return argc == 1 ? drain(nl, strtoul(argv[0], NULL, 0)) : -EINVAL;
}

static void print_event(const struct nlmsghdr *h)
{
	struct nl_attrs attrs;
	uint64_t event;

	nl_parse(h, &attrs);
	event = attrs.val[BLKTAP_A_EVENT];
	if (event < sizeof(events) / sizeof(events[0]) && events[event])
		printf("seq=%llu event=%s minor=%llu",
		       (unsigned long long)attrs.val[BLKTAP_A_SEQ], events[event],
		       (unsigned long long)attrs.val[BLKTAP_A_MINOR]);
	else
		printf("seq=%llu event=%llu",
		       (unsigned long long)attrs.val[BLKTAP_A_SEQ],
		       (unsigned long long)event);
	if (attrs.has[BLKTAP_A_CAPACITY])
		printf(" capacity=%llu",
		       (unsigned long long)attrs.val[BLKTAP_A_CAPACITY]);
	if (attrs.has[BLKTAP_A_EXTENT_OFFSET])
		printf(" extent_offset=%llu extent_length=%llu error=%llu",
		       (unsigned long long)attrs.val[BLKTAP_A_EXTENT_OFFSET],
		       (unsigned long long)attrs.val[BLKTAP_A_EXTENT_LENGTH],
		       (unsigned long long)attrs.val[BLKTAP_A_ERROR]);
	putchar('\n');
}

/* Prints events until it is killed. */
static int do_events(struct nl *nl, int argc, char **argv)
{
	static char buf[65536] __attribute__((aligned(8)));
	struct timeval forever = { 0 };
	struct nlmsghdr *h;
	int ret = nl_subscribe(nl);

	(void)argc;
	(void)argv;
	if (ret)
		return ret;
	setsockopt(nl->fd, SOL_SOCKET, SO_RCVTIMEO, &forever, sizeof(forever));
	puts("listening");
	for (;;) {
		ssize_t len = recv(nl->fd, buf, sizeof(buf), 0);

		if (len < 0)
			return -errno;
		for (h = (void *)buf; NLMSG_OK(h, len); h = NLMSG_NEXT(h, len))
			if (h->nlmsg_type == nl->family)
				print_event(h);
	}
}

static const struct {
	const char *name;
	int (*run)(struct nl *nl, int argc, char **argv);
} commands[] = {
	{ "features", do_features },
	{ "new", do_new },
	{ "del", do_del },
	{ "free", do_free },
	{ "end", do_end },
	{ "get", do_get },
	{ "list", do_list },
	{ "many", do_many },
	{ "cycle", do_cycle },	/* N times, MINOR */
	{ "stall", do_stall },
	{ "fill", do_fill },	/* minors 0 to N-1 */
	{ "drain", do_drain },
	{ "events", do_events },
};

int main(int argc, char **argv)
{
	struct nl nl;
	size_t i;
	int ret;

	setvbuf(stdout, NULL, _IOLBF, 0);
	ret = nl_open(&nl);
	if (ret) {
		fprintf(stderr, "nl_tool: no blktap family: %s\n", strerror(-ret));
		return -ret;
	}
	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (argc < 2 || strcmp(commands[i].name, argv[1]))
			continue;
		ret = commands[i].run(&nl, argc - 2, argv + 2);
		if (ret)
			fprintf(stderr, "nl_tool: %s: %s (%s)\n", argv[1],
				strerror(-ret), nl.text);
		return -ret & 0xff;
	}
	fprintf(stderr, "usage: nl_tool features|new|del|free|end|get|list|fill|drain|many|cycle|stall|events ...\n");
	return EINVAL;
}
