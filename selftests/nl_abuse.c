// SPDX-License-Identifier: GPL-2.0-only
/* Netlink requests that must be refused, each with a text; and events. */
#include "ktap.h"
#include "netlink.h"

#include <errno.h>
#include <linux/capability.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static struct nl nl;

static int call(struct nl_msg *msg)
{
	return nl_call(&nl, msg, NULL, NULL);
}

static void keep_attrs(const struct nl_attrs *attrs, void *arg)
{
	*(struct nl_attrs *)arg = *attrs;
}

/* What netlink's policies refuse is EINVAL or ERANGE, as the kernel likes. */
#define POLICY	0

static void is_refused(const char *what, int got, int want)
{
	bool good = got == want;

	if (want == POLICY)
		good = got == -EINVAL || got == -ERANGE;
	if (!good || !nl.text[0])
		printf("# %s: got %d, expected %d; text '%s'\n", what, got, want, nl.text);
	ktap(good && nl.text[0], "%s is refused with a text", what);
}

static void new_refused(const char *what, int want, uint16_t attr, uint32_t value)
{
	struct nl_msg msg;
	int ret;

	nl_start(&nl, &msg, BLKTAP_CMD_NEW_TAP, NLM_F_ACK);
	nl_put_u32(&msg, attr, value);
	ret = call(&msg);
	is_refused(what, ret, want);
}

static void raw_refused(const char *what, int want, uint8_t cmd, uint16_t attr,
			const void *data, size_t len)
{
	struct nl_msg msg;
	int ret;

	nl_start(&nl, &msg, cmd, NLM_F_ACK);
	nl_put(&msg, attr, data, len);
	ret = call(&msg);
	is_refused(what, ret, want);
}

static void test_values(void)
{
	new_refused("a minor out of range", -ERANGE, BLKTAP_A_MINOR, BLKTAP_MAX_MINORS);
	new_refused("the minor 2^32 - 1", -ERANGE, BLKTAP_A_MINOR, UINT32_MAX);
	new_refused("no queue", -ERANGE, BLKTAP_A_QUEUES, 0);
	new_refused("4096 queues", -ERANGE, BLKTAP_A_QUEUES, 4096);
	new_refused("depth 0", -ERANGE, BLKTAP_A_DEPTH, 0);
	new_refused("depth 1025", -ERANGE, BLKTAP_A_DEPTH, BLKTAP_MAX_DEPTH + 1);
	new_refused("max-io 0", -ERANGE, BLKTAP_A_MAX_IO, 0);
	new_refused("max-io 2048", -ERANGE, BLKTAP_A_MAX_IO, 2048);
	new_refused("max-io above the limit", -ERANGE, BLKTAP_A_MAX_IO, BLKTAP_MAX_IO * 2);
	new_refused("max-io not a multiple of 4096", -EINVAL, BLKTAP_A_MAX_IO, 5000);
	new_refused("an unknown policy for death", -EINVAL, BLKTAP_A_ON_DEATH, 2);
}

static void test_hold(void)
{
	struct nl_msg msg;
	int ret;

	nl_start(&nl, &msg, BLKTAP_CMD_NEW_TAP, NLM_F_ACK);
	nl_put_u32(&msg, BLKTAP_A_ON_DEATH, BLKTAP_ON_DEATH_FAIL);
	nl_put_u32(&msg, BLKTAP_A_HOLD_MS, 1000);
	ret = call(&msg);
	is_refused("a hold time without holding", ret, -EINVAL);
	ktap(strcasestr(nl.text, "hold"), "and the text names it");
}

static void test_attributes(void)
{
	char serial[BLKTAP_MAX_SERIAL + 8] = { 0 };
	uint64_t wide = 1;
	uint32_t one = 1;

	memset(serial, 'x', sizeof(serial) - 1);
	raw_refused("an unknown attribute", -EINVAL, BLKTAP_CMD_NEW_TAP, BLKTAP_A_MAX + 5,
		    &one, 4);
	raw_refused("an attribute that is not for input", -EINVAL, BLKTAP_CMD_NEW_TAP,
		    BLKTAP_A_PID, &one, 4);
	raw_refused("a minor of 2 bytes", POLICY, BLKTAP_CMD_NEW_TAP, BLKTAP_A_MINOR, &one, 2);
	raw_refused("a minor of 8 bytes", POLICY, BLKTAP_CMD_NEW_TAP, BLKTAP_A_MINOR, &wide, 8);
	raw_refused("an empty minor", POLICY, BLKTAP_CMD_NEW_TAP, BLKTAP_A_MINOR, NULL, 0);
	raw_refused("a UUID of 15 bytes", POLICY, BLKTAP_CMD_NEW_TAP, BLKTAP_A_UUID,
		    serial, 15);
	raw_refused("a UUID of 17 bytes", POLICY, BLKTAP_CMD_NEW_TAP, BLKTAP_A_UUID,
		    serial, 17);
	raw_refused("a serial that is too long", POLICY, BLKTAP_CMD_NEW_TAP,
		    BLKTAP_A_SERIAL, serial, sizeof(serial));
	raw_refused("a serial without NUL", -EINVAL, BLKTAP_CMD_NEW_TAP, BLKTAP_A_SERIAL,
		    "abc", 3);
	raw_refused("a nested attribute", -EINVAL, BLKTAP_CMD_NEW_TAP,
		    BLKTAP_A_MINOR | NLA_F_NESTED, &one, 4);
	raw_refused("queues for GET_TAP", -EINVAL, BLKTAP_CMD_GET_TAP, BLKTAP_A_QUEUES,
		    &one, 4);
}

static void test_missing(void)
{
	struct nl_msg msg;
	int ret;

	nl_start(&nl, &msg, BLKTAP_CMD_DEL_TAP, NLM_F_ACK);
	ret = call(&msg);
	is_refused("DEL_TAP without a minor", ret, -EINVAL);
	nl_start(&nl, &msg, BLKTAP_CMD_GET_TAP, NLM_F_ACK);
	ret = call(&msg);
	is_refused("GET_TAP without a minor", ret, -EINVAL);
	ret = nl_del(&nl, 4711);
	is_refused("DEL_TAP of a minor that is not there", ret, -ENODEV);
	ktap(strstr(nl.text, "minor"), "and the text speaks of the minor");
	raw_refused("GET_TAP of a minor that is not there", -ENODEV, BLKTAP_CMD_GET_TAP,
		    BLKTAP_A_MINOR, &(uint32_t){ 4711 }, 4);
	raw_refused("DEL_TAP of a minor out of range", -ENODEV, BLKTAP_CMD_DEL_TAP,
		    BLKTAP_A_MINOR, &(uint32_t){ UINT32_MAX }, 4);
}

/*
 * No kernel looks at the version of a request, which says what a client was written for:
 * commands and attributes are only ever added.
 */
static void test_version(void)
{
	static const uint8_t versions[] = { 0, BLKTAP_GENL_VERSION + 1, 255 };
	struct nl_attrs attrs;
	struct genlmsghdr *g;
	struct nl_msg msg;
	size_t i;

	for (i = 0; i < sizeof(versions); i++) {
		nl_start(&nl, &msg, BLKTAP_CMD_GET_FEATURES, NLM_F_ACK);
		g = NLMSG_DATA(&msg.h);
		g->version = versions[i];
		memset(&attrs, 0, sizeof(attrs));
		ktap(!nl_call(&nl, &msg, keep_attrs, &attrs) &&
		     attrs.val[BLKTAP_A_ABI] == BLKTAP_ABI_VERSION,
		     "a request of version %u is answered as any other", versions[i]);
	}
}

/* What generic netlink refuses before the driver is asked. */
static void test_header(void)
{
	struct genlmsghdr *g;
	struct nl_msg msg;

	nl_start(&nl, &msg, BLKTAP_CMD_GET_FEATURES, NLM_F_ACK);
	g = NLMSG_DATA(&msg.h);
	g->reserved = 1;
	ktap_is(call(&msg), -EINVAL, "a reserved header field that is set");
	nl_start(&nl, &msg, BLKTAP_CMD_MAX + 1, NLM_F_ACK);
	ktap_is(call(&msg), -EOPNOTSUPP, "an unknown command");
	nl_start(&nl, &msg, BLKTAP_CMD_EVENT, NLM_F_ACK);
	ktap_is(call(&msg), -EOPNOTSUPP, "the notification as a command");
	nl_start(&nl, &msg, BLKTAP_CMD_NEW_TAP, NLM_F_DUMP);
	ktap_is(call(&msg), -EOPNOTSUPP, "a dump of what has none");
}

static void test_trailing(void)
{
	struct nl_msg msg;

	nl_start(&nl, &msg, BLKTAP_CMD_GET_FEATURES, NLM_F_ACK);
	msg.h.nlmsg_len += 3;
	ktap_is(call(&msg), -EINVAL, "bytes after the last attribute");
	nl_start(&nl, &msg, BLKTAP_CMD_GET_FEATURES, NLM_F_ACK);
	nl_put_u32(&msg, BLKTAP_A_MINOR, 1);
	((struct nlattr *)(msg.bytes + NLMSG_HDRLEN + GENL_HDRLEN))->nla_len = 64;
	ktap_is(call(&msg), -EINVAL, "an attribute longer than its message");
}

static void test_duplicate(void)
{
	int minor = 70, ret;

	ret = nl_new(&nl, &minor, 1, 1);
	ktap_is(ret, 0, "a given minor is allocated");
	ret = nl_new(&nl, &minor, 1, 1);
	is_refused("the same minor again", ret, -EEXIST);
	ktap_is(nl_del_wait(&nl, 70), 0, "it is freed");
}

static void test_everything(void)
{
	static const uint8_t uuid[BLKTAP_UUID_LEN] = "0123456789abcde";
	struct nl_attrs attrs;
	struct nl_msg msg;
	int ret;

	nl_start(&nl, &msg, BLKTAP_CMD_NEW_TAP, NLM_F_ACK);
	nl_put_u32(&msg, BLKTAP_A_MINOR, BLKTAP_MAX_MINORS - 1);
	nl_put_u32(&msg, BLKTAP_A_QUEUES, 1);
	nl_put_u32(&msg, BLKTAP_A_DEPTH, BLKTAP_MAX_DEPTH);
	nl_put_u32(&msg, BLKTAP_A_MAX_IO, BLKTAP_MAX_IO);
	nl_put_u32(&msg, BLKTAP_A_ON_DEATH, BLKTAP_ON_DEATH_FAIL);
	nl_put(&msg, BLKTAP_A_SERIAL, "a serial", 9);
	nl_put(&msg, BLKTAP_A_UUID, uuid, sizeof(uuid));
	ktap_is(call(&msg), 0, "the largest of everything is allocated");
	ret = nl_get(&nl, BLKTAP_MAX_MINORS - 1, &attrs);
	ktap(!ret && attrs.val[BLKTAP_A_QUEUES] == 1 &&
	     attrs.val[BLKTAP_A_DEPTH] == BLKTAP_MAX_DEPTH &&
	     attrs.val[BLKTAP_A_MAX_IO] == BLKTAP_MAX_IO &&
	     !strcmp(attrs.serial, "a serial") &&
	     attrs.len[BLKTAP_A_UUID] == BLKTAP_UUID_LEN, "and reported as given");
	ktap(attrs.has[BLKTAP_A_RING_MAJOR] && attrs.has[BLKTAP_A_DISK_MAJOR] &&
	     attrs.has[BLKTAP_A_DISK_STATE] && !attrs.val[BLKTAP_A_DISK_STATE] &&
	     !attrs.has[BLKTAP_A_PID] && !attrs.has[BLKTAP_A_CAPACITY],
	     "with majors, without a session or a disk");
	ktap_is(nl_del_wait(&nl, BLKTAP_MAX_MINORS - 1), 0, "it is freed");
}

static void test_features(void)
{
	struct nl_attrs attrs = { 0 };
	struct nl_msg msg;

	nl_start(&nl, &msg, BLKTAP_CMD_GET_FEATURES, NLM_F_ACK);
	ktap_is(nl_call(&nl, &msg, keep_attrs, &attrs), 0, "GET_FEATURES");
	ktap(attrs.val[BLKTAP_A_ABI] == BLKTAP_ABI_VERSION &&
	     attrs.has[BLKTAP_A_FEATURES] && attrs.val[BLKTAP_A_MAX_MINORS] >= 4096 &&
	     attrs.val[BLKTAP_A_MAX_QUEUES] && attrs.val[BLKTAP_A_MAX_DEPTH] >= 1024 &&
	     attrs.val[BLKTAP_A_MAX_IO_LIMIT] >= 1 << 20, "with all the limits");
}

/* Runs @test in a child that may spoil its own credentials. */
static void in_child(const char *what, int (*test)(void))
{
	int status = -1;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid)
		_exit(test());
	if (pid > 0)
		waitpid(pid, &status, 0);
	if (status)
		printf("# %s: status 0x%x\n", what, status);
	ktap(status == 0, "%s", what);
}

/* Leaves the capabilities in @keep only. */
static int keep_capabilities(uint64_t keep)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = {
		{ .effective = keep, .permitted = keep },
		{ .effective = keep >> 32, .permitted = keep >> 32 },
	};

	return syscall(SYS_capset, &header, data);
}

static int end_session(struct nl *me, uint32_t minor, bool force)
{
	struct nl_msg msg;

	nl_start(me, &msg, BLKTAP_CMD_END_SESSION, NLM_F_ACK);
	nl_put_u32(&msg, BLKTAP_A_MINOR, minor);
	if (force)
		nl_put(&msg, BLKTAP_A_FORCE, NULL, 0);
	return nl_call(me, &msg, NULL, NULL);
}

static int del_by_force(struct nl *me, uint32_t minor)
{
	struct nl_msg msg;

	nl_start(me, &msg, BLKTAP_CMD_DEL_TAP, NLM_F_ACK);
	nl_put_u32(&msg, BLKTAP_A_MINOR, minor);
	nl_put(&msg, BLKTAP_A_FORCE, NULL, 0);
	return nl_call(me, &msg, NULL, NULL);
}

/* Every command and the group, refused with EPERM; 0 if all were. */
static int all_refused(struct nl *me)
{
	struct nl_attrs attrs;
	struct nl_msg msg;
	int minor = -1;

	if (nl_new(me, &minor, 0, 0) != -EPERM)
		return 2;
	if (nl_del(me, 0) != -EPERM)
		return 3;
	if (nl_get(me, 0, &attrs) != -EPERM)
		return 4;
	if (nl_dump(me, NULL, NULL) != -EPERM)
		return 5;
	nl_start(me, &msg, BLKTAP_CMD_GET_FEATURES, NLM_F_ACK);
	if (nl_call(me, &msg, NULL, NULL) != -EPERM)
		return 6;
	if (nl_subscribe(me) != -EPERM)
		return 7;
	if (end_session(me, 0, false) != -EPERM)
		return 8;
	if (end_session(me, 0, true) != -EPERM)
		return 9;
	return del_by_force(me, 0) == -EPERM ? 0 : 10;
}

static int with_net_admin(void)
{
	struct nl me;

	if (keep_capabilities(1ULL << CAP_NET_ADMIN) || nl_open(&me))
		return 1;
	return all_refused(&me);
}

static int without_any(void)
{
	struct nl me;

	if (keep_capabilities(0) || nl_open(&me))
		return 1;
	return all_refused(&me);
}

static int in_user_namespace(void)
{
	struct nl me;

	if (unshare(CLONE_NEWUSER) || nl_open(&me))
		return 1;
	return all_refused(&me);
}

/* A socket opened with the right and handed to one without it: not a loophole. */
static int with_borrowed_socket(void)
{
	struct nl me;

	if (nl_open(&me) || keep_capabilities(0))
		return 1;
	return all_refused(&me);
}

static int in_net_namespace(void)
{
	struct nl me;

	if (unshare(CLONE_NEWNET))
		return 1;
	return nl_open(&me) == -ENOENT ? 0 : 2;
}

static void test_rights(void)
{
	in_child("CAP_NET_ADMIN is not enough", with_net_admin);
	in_child("without capabilities all is refused", without_any);
	in_child("a child user namespace has no right", in_user_namespace);
	in_child("a privileged socket does not carry the right along", with_borrowed_socket);
	in_child("another network namespace does not have the family", in_net_namespace);
}

#define CHURN 200
#define STEADY 24
#define STEADY_BASE 1000

static bool churning;

static void *churn(void *arg)
{
	unsigned int i, *errors = arg;
	struct nl me;

	if (nl_open(&me)) {
		++*errors;
		return NULL;
	}
	for (i = 0; i < CHURN; i++) {
		int minor = i & 1 ? 5 : 2000;

		*errors += nl_new(&me, &minor, 1, 1) != 0;
		*errors += nl_del_wait(&me, minor) != 0;
	}
	nl_close(&me);
	__atomic_store_n(&churning, false, __ATOMIC_RELAXED);
	return NULL;
}

struct seen {
	unsigned int steady;
	int64_t last;
	bool disorder;
};

static void see(const struct nl_attrs *attrs, void *arg)
{
	struct seen *seen = arg;
	int64_t minor = attrs->val[BLKTAP_A_MINOR];

	seen->disorder |= minor <= seen->last;
	seen->last = minor;
	seen->steady += minor >= STEADY_BASE && minor < STEADY_BASE + STEADY;
}

/* Dumps while minors below and above come and go. */
static void test_dump(void)
{
	unsigned int i, errors = 0, dumps = 0, bad = 0, interrupted = 0;
	pthread_t thread;

	for (i = 0; i < STEADY; i++) {
		int minor = STEADY_BASE + i;

		errors += nl_new(&nl, &minor, 1, 1) != 0;
	}
	churning = true;
	pthread_create(&thread, NULL, churn, &errors);
	while (__atomic_load_n(&churning, __ATOMIC_RELAXED)) {
		struct seen seen = { .last = -1 };
		int ret = nl_dump(&nl, see, &seen);

		if (ret && ret != -EINTR)
			bad++;
		interrupted += nl.interrupted;
		bad += seen.disorder || seen.steady != STEADY;
		dumps++;
	}
	pthread_join(thread, NULL);
	for (i = 0; i < STEADY; i++)
		errors += nl_del_wait(&nl, STEADY_BASE + i) != 0;
	printf("# %u dumps, %u marked as interrupted\n", dumps, interrupted);
	ktap_is(errors, 0, "allocating and freeing while dumps run");
	ktap_is(bad, 0, "a dump while allocating: ordered, each steady tap once");
}

struct event { uint64_t seq, event, minor; };

/* Fills @ev with what has arrived until @want events are there. */
static unsigned int read_events(struct nl *me, struct event *ev, unsigned int want)
{
	static char buf[65536] __attribute__((aligned(8)));
	unsigned int n = 0;
	struct nlmsghdr *h;

	while (n < want) {
		ssize_t len = recv(me->fd, buf, sizeof(buf), 0);

		if (len < 0)
			break;
		for (h = (void *)buf; NLMSG_OK(h, len) && n < want; h = NLMSG_NEXT(h, len)) {
			struct nl_attrs attrs;

			nl_parse(h, &attrs);
			ev[n++] = (struct event){ attrs.val[BLKTAP_A_SEQ],
						  attrs.val[BLKTAP_A_EVENT],
						  attrs.val[BLKTAP_A_MINOR] };
		}
	}
	return n;
}

#define ROUNDS 50

static void test_events(void)
{
	struct event ev[2 * ROUNDS] = { 0 };
	unsigned int i, n, wrong = 0, gaps = 0;
	struct nl me;

	if (nl_open(&me))
		ktap_die("cannot open a second socket");
	ktap_is(nl_subscribe(&me), 0, "subscribing to the events");
	for (i = 0; i < ROUNDS; i++) {
		int minor = 300 + i;

		wrong += nl_new(&nl, &minor, 1, 1) != 0;
		wrong += nl_del_wait(&nl, minor) != 0;
	}
	n = read_events(&me, ev, 2 * ROUNDS);
	ktap_is(n, 2 * ROUNDS, "one event for each allocation and each end");
	for (i = 0; i < n; i++) {
		gaps += i && ev[i].seq != ev[i - 1].seq + 1;
		wrong += ev[i].minor != 300 + i / 2;
		wrong += ev[i].event != (i & 1 ? BLKTAP_EVENT_FREED : BLKTAP_EVENT_ALLOCATED);
	}
	ktap_is(wrong, 0, "in order, of the right minors");
	ktap_is(gaps, 0, "numbered without gaps");
	nl_close(&me);
}

/* Many threads allocate any minor: nobody gets one twice. */
#define THREADS 8
#define EACH 40

static uint8_t owned[BLKTAP_MAX_MINORS];

static void *grab(void *arg)
{
	int minors[EACH], i;
	long errors = 0;
	struct nl me;

	(void)arg;
	if (nl_open(&me))
		return (void *)1;
	for (i = 0; i < EACH; i++) {
		minors[i] = -1;
		if (nl_new(&me, &minors[i], 1, 1))
			return (void *)1;
		errors += __atomic_fetch_add(&owned[minors[i]], 1, __ATOMIC_RELAXED) != 0;
	}
	for (i = 0; i < EACH; i++) {
		__atomic_fetch_sub(&owned[minors[i]], 1, __ATOMIC_RELAXED);
		errors += nl_del_wait(&me, minors[i]) != 0;
	}
	nl_close(&me);
	return (void *)errors;
}

static void test_threads(void)
{
	pthread_t threads[THREADS];
	long errors = 0;
	void *ret;
	int i;

	for (i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, grab, NULL);
	for (i = 0; i < THREADS; i++) {
		pthread_join(threads[i], &ret);
		errors += (long)ret;
	}
	ktap_is(errors, 0, "8 threads allocate and free, no minor given twice");
}

int main(void)
{
	ktap_start();
	if (nl_open(&nl))
		ktap_die("no blktap family");
	test_features();
	test_values();
	test_hold();
	test_attributes();
	test_missing();
	test_version();
	test_header();
	test_trailing();
	test_duplicate();
	test_everything();
	test_rights();
	test_dump();
	test_events();
	test_threads();
	nl_close(&nl);
	return ktap_finish();
}
