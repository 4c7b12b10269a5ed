// SPDX-License-Identifier: LGPL-2.1-or-later
/* The netlink family's client, with a kernel that says what each test wants it to. */
#include "test.h"

#include <errno.h>
#include <netlink/errno.h>
#include <netlink/socket.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "messages.h"

#define STEPS	16
#define FD	1000		/* of the first socket; the next one is that of events */
#define FAMILY_SILENT	(-10000)
#define FAMILY_NONE	(-10001)

/* What recvmsg() has next for a socket: an error, or a datagram of somebody. */
struct step {
	int fd;
	int error;
	uint32_t from;		/* port; the kernel has 0 */
	bool cut;
	struct datagram datagram;
};

static struct {
	struct step *steps[STEPS];
	unsigned int count, next;
	const struct nl_sock *sockets[2];
	int connect, join_error;
	int family;		/* its number; or negative, then what is said when it is asked for */
	uint32_t group;
	int ask_error;		/* of asking for it */
	struct step asked;	/* the answer to that */
	int send_errors[2];
	unsigned int sent;
	uint8_t command;	/* of the last request */
	uint32_t seq;
} kernel;

static struct blktap_error err;
static struct blktap_nl *nl;

/* ------------------------------------------------- in place of libnl and libc */

int genl_connect(struct nl_sock *socket)
{
	kernel.sockets[kernel.sockets[0] != NULL] = socket;
	return kernel.connect;
}

int nl_socket_get_fd(const struct nl_sock *socket)
{
	return FD + (socket == kernel.sockets[1]);
}

int setsockopt(int fd, int level, int name, const void *value, socklen_t length)
{
	(void)fd;
	(void)value;
	(void)length;
	errno = kernel.join_error;
	return level == SOL_NETLINK && name == NETLINK_ADD_MEMBERSHIP && errno ? -1 : 0;
}

/* There is such a family, or an error; FAMILY_SILENT: nothing at all, FAMILY_NONE: just yes. */
static void answer_for_family(int fd)
{
	struct step *asked = &kernel.asked;

	*asked = (struct step){ .fd = kernel.family == FAMILY_SILENT ? -1 : fd };
	if (kernel.family >= 0)
		append(&asked->datagram, family_message(kernel.family, kernel.group));
	append(&asked->datagram, error_message(kernel.family < 0 && kernel.family > FAMILY_SILENT ?
					       kernel.family : 0, -1, NULL));
}

static ssize_t ask_for_family(int fd, const struct nlmsghdr *header)
{
	struct genlmsghdr *generic = nlmsg_data(header);
	const struct nlattr *name = nla_find(genlmsg_attrdata(generic, 0),
					     genlmsg_attrlen(generic, 0), CTRL_ATTR_FAMILY_NAME);

	assert_int_equal(generic->cmd, CTRL_CMD_GETFAMILY);
	assert_non_null(name);
	assert_int_equal(nla_strcmp(name, BLKTAP_GENL_NAME), 0);
	answer_for_family(fd);
	errno = kernel.ask_error;
	return errno ? -1 : (ssize_t)header->nlmsg_len;
}

ssize_t send(int fd, const void *data, size_t length, int flags)
{
	const struct nlmsghdr *header = data;

	assert_int_equal(flags, 0);
	kernel.seq = header->nlmsg_seq;
	if (header->nlmsg_type == GENL_ID_CTRL)
		return ask_for_family(fd, header);
	assert_int_equal(fd, FD);
	kernel.command = ((const struct genlmsghdr *)(header + 1))->cmd;
	errno = kernel.sent < 2 ? kernel.send_errors[kernel.sent] : 0;
	kernel.sent++;
	return errno ? -1 : (ssize_t)length;
}

static struct step *next_step(int fd)
{
	struct step *step = kernel.next < kernel.count ? kernel.steps[kernel.next] : NULL;

	if (kernel.asked.fd == fd)
		return &kernel.asked;
	return step && step->fd == fd ? step : NULL;
}

/*
 * Nobody waits here: what is not there yet never comes. Another name in C, as the
 * header says of poll() that it only writes.
 */
int fake_poll(struct pollfd *fds, nfds_t count, int timeout_ms) __asm__("poll");

int fake_poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
	(void)count;
	(void)timeout_ms;
	fds[0].revents = next_step(fds[0].fd) ? POLLIN : 0;
	return fds[0].revents != 0;
}

/* Answers carry the number of the request, whatever it is. */
static void number(struct datagram *datagram)
{
	struct nlmsghdr *header = (void *)datagram->bytes;
	int left = datagram->length;

	for (; nlmsg_ok(header, left); header = nlmsg_next(header, &left))
		if (header->nlmsg_seq == SEQ)
			header->nlmsg_seq = kernel.seq;
}

ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
	struct step *step = next_step(fd);

	assert_int_equal(flags, MSG_DONTWAIT);
	if (!step) {
		errno = EAGAIN;
		return -1;
	}
	if (step == &kernel.asked)
		step->fd = -1;
	else
		kernel.next++;
	errno = step->error;
	if (errno)
		return -1;
	number(&step->datagram);
	((struct sockaddr_nl *)message->msg_name)->nl_pid = step->from;
	message->msg_flags = step->cut ? MSG_TRUNC : 0;
	memcpy(message->msg_iov->iov_base, step->datagram.bytes, step->datagram.length);
	return step->datagram.length;
}

/* ------------------------------------------------------------------- scripts */

static struct step *add_step(int fd)
{
	struct step *step = calloc(1, sizeof(*step));

	assert_true(kernel.count < STEPS);
	step->fd = fd;
	kernel.steps[kernel.count++] = step;
	return step;
}

static struct step *will_say(struct nl_msg *message)
{
	struct step *step = add_step(FD);

	append(&step->datagram, message);
	return step;
}

static void will_fail(int fd, int error)
{
	add_step(fd)->error = error;
}

static struct nl_msg *event_message(uint32_t event, int minor)
{
	struct nl_msg *message = nlmsg_alloc();

	genlmsg_put(message, 0, 0, FAMILY, 0, 0, BLKTAP_CMD_EVENT, 1);
	nla_put_u32(message, BLKTAP_A_EVENT, event);
	nla_put_u64(message, BLKTAP_A_SEQ, 1);
	if (minor >= 0)
		nla_put_u32(message, BLKTAP_A_MINOR, minor);
	return message;
}

static void will_tell(uint32_t event, int minor)
{
	append(&add_step(FD + 1)->datagram, event_message(event, minor));
}

static struct nl_msg *farewell(uint16_t family)
{
	struct nl_msg *message = nlmsg_alloc();

	genlmsg_put(message, 0, 0, GENL_ID_CTRL, 0, 0, CTRL_CMD_DELFAMILY, 2);
	nla_put_u16(message, CTRL_ATTR_FAMILY_ID, family);
	return message;
}

static int set_up(void **state)
{
	(void)state;
	memset(&kernel, 0, sizeof(kernel));
	memset(&err, 0, sizeof(err));
	kernel.family = FAMILY;
	kernel.group = 5;
	return blktap_nl_open(&nl, &err);
}

/* All that the kernel had to say has been heard. */
static int tear_down(void **state)
{
	unsigned int i;

	(void)state;
	blktap_nl_close(nl);
	for (i = 0; i < kernel.count; i++)
		free(kernel.steps[i]);
	return kernel.next == kernel.count ? 0 : -1;
}

/* --------------------------------------------------------------------- tests */

static void check_open(int connect, int family, int code, const char *text)
{
	struct blktap_nl *opened;

	kernel.sockets[1] = NULL;
	kernel.connect = connect;
	kernel.family = family;
	assert_int_equal(blktap_nl_open(&opened, &err), code);
	assert_null(opened);
	assert_non_null(strstr(err.text, text));
}

/* Only a kernel that says so does not have the module. */
static void test_cannot_open(void **state)
{
	(void)state;
	check_open(-NLE_NOMEM, FAMILY, -EIO, "netlink socket");
	check_open(0, -ENOENT, -ENOSYS, "module not installed");
	check_open(0, -ENOMEM, -ENOMEM, "netlink family: Cannot allocate memory");
	check_open(0, FAMILY_SILENT, -ETIMEDOUT, "netlink family: the kernel does not answer");
	check_open(0, FAMILY_NONE, -EPROTO, "netlink family: the kernel's answer makes no sense");
	kernel.ask_error = ENOBUFS;
	check_open(0, FAMILY, -ENOBUFS, "netlink family: No buffer space");
}

static void test_get(void **state)
{
	struct blktap_tap tap;

	(void)state;
	will_say(tap_message(0, 3));
	will_say(error_message(0, -1, NULL));
	assert_int_equal(blktap_nl_get(nl, 3, &tap, &err), 0);
	assert_int_equal(tap.minor, 3);
	assert_int_equal(kernel.command, BLKTAP_CMD_GET_TAP);
}

static void check_refusal(int code, const char *words, const char *text)
{
	struct blktap_tap tap;

	will_say(error_message(code, -1, words));
	assert_int_equal(blktap_nl_get(nl, 3, &tap, &err), code);
	assert_int_equal(err.code, code);
	assert_string_equal(err.text, text);
}

static void test_refusals(void **state)
{
	(void)state;
	check_refusal(-ENODEV, "there is none", "minor 3: there is none");
	check_refusal(-ENODEV, NULL, "minor 3: no such minor");
	check_refusal(-EPERM, "words", "minor 3: not permitted without CAP_SYS_ADMIN in the "
				       "initial user namespace");
	check_refusal(-ENOSPC, NULL, "minor 3: No space left on device");
}

/* An acknowledgement is no answer. */
static void test_nothing_but_yes(void **state)
{
	struct blktap_features features;
	struct blktap_tap tap;

	(void)state;
	will_say(error_message(0, -1, NULL));
	assert_int_equal(blktap_nl_get(nl, 3, &tap, &err), -EPROTO);
	will_say(error_message(0, -1, NULL));
	assert_int_equal(blktap_nl_features(nl, &features, &err), -EPROTO);
	assert_string_equal(err.text, "blktap: the kernel's answer makes no sense");
	will_say(tap_message(0, -1));
	assert_int_equal(blktap_nl_get(nl, 3, &tap, &err), -EPROTO);
}

static void test_silence(void **state)
{
	struct blktap_tap tap;

	(void)state;
	assert_int_equal(blktap_nl_get(nl, 3, &tap, &err), -ETIMEDOUT);
	assert_string_equal(err.text, "minor 3: the kernel does not answer");
}

static void test_send_fails(void **state)
{
	struct blktap_tap tap;

	(void)state;
	kernel.send_errors[0] = EINTR;
	kernel.send_errors[1] = ENOBUFS;
	assert_int_equal(blktap_nl_get(nl, 3, &tap, &err), -ENOBUFS);
	assert_int_equal(kernel.sent, 2);
}

/* Whoever knows the port can write to the socket. */
static void test_strangers(void **state)
{
	struct blktap_tap tap;

	(void)state;
	will_say(tap_message(0, 4))->from = 77;
	will_say(error_message(-EIO, -1, NULL))->from = 77;
	will_fail(FD, EINTR);
	will_say(tap_message(0, 3));
	will_say(error_message(0, -1, NULL));
	assert_int_equal(blktap_nl_get(nl, 3, &tap, &err), 0);
	assert_int_equal(tap.minor, 3);
}

static void test_receive_fails(void **state)
{
	struct blktap_tap tap;

	(void)state;
	will_fail(FD, ENOBUFS);
	assert_int_equal(blktap_nl_get(nl, 3, &tap, &err), -ENOBUFS);
	will_say(tap_message(0, 3))->cut = true;
	assert_int_equal(blktap_nl_get(nl, 3, &tap, &err), -EPROTO);
}

static void test_allocate(void **state)
{
	static const uint8_t uuid[BLKTAP_UUID_LEN] = { 1, 2, 3 };
	struct blktap_tap_params params = {
		.minor = 3, .queues = 1, .depth = 2, .max_io = 4096, .serial = "s", .uuid = uuid,
	};
	struct blktap_tap tap;

	(void)state;
	will_say(tap_message(0, 3));
	will_say(error_message(0, -1, NULL));
	assert_int_equal(blktap_nl_allocate(nl, &params, &tap, &err), 0);
	assert_int_equal(kernel.command, BLKTAP_CMD_NEW_TAP);
	assert_int_equal(tap.minor, 3);
	params.minor = -1;
	will_say(error_message(-ENOSPC, -1, "all minors are taken"));
	assert_int_equal(blktap_nl_allocate(nl, &params, NULL, &err), -ENOSPC);
	assert_string_equal(err.text, "blktap: all minors are taken");
}

static void will_list(int first, int second, int flags)
{
	struct step *step = will_say(tap_message(NLM_F_MULTI | flags, first));

	append(&step->datagram, tap_message(NLM_F_MULTI, second));
	append(&step->datagram, done_message(0, NULL));
}

/* A dump that does not fit together is asked for again; the first one is forgotten. */
static void test_list(void **state)
{
	struct blktap_tap *taps;
	size_t count;

	(void)state;
	will_list(1, 2, NLM_F_DUMP_INTR);
	will_list(9, 4, 0);
	assert_int_equal(blktap_nl_list(nl, &taps, &count, &err), 0);
	assert_int_equal(kernel.sent, 2);
	assert_int_equal(count, 2);
	assert_int_equal(taps[0].minor, 4);
	assert_int_equal(taps[1].minor, 9);
	free(taps);
}

static void test_list_fails(void **state)
{
	struct blktap_tap *taps;
	size_t count;

	(void)state;
	will_say(tap_message(NLM_F_MULTI, 3));
	will_say(done_message(-ENOMEM, "out of it"));
	assert_int_equal(blktap_nl_list(nl, &taps, &count, &err), -ENOMEM);
	assert_string_equal(err.text, "blktap: out of it");
	will_say(tap_message(NLM_F_MULTI, 3));
	will_say(tap_message(NLM_F_MULTI, -1));
	assert_int_equal(blktap_nl_list(nl, &taps, &count, &err), -EPROTO);
}

static void test_delete(void **state)
{
	(void)state;
	will_say(error_message(0, -1, NULL));
	will_tell(BLKTAP_EVENT_DISK_REMOVED, 3);
	will_tell(BLKTAP_EVENT_FREED, 4);
	will_tell(BLKTAP_EVENT_FREED, 3);
	assert_int_equal(blktap_nl_free(nl, 3, false, 1000, &err), 0);
	assert_int_equal(kernel.sent, 1);
	assert_int_equal(err.code, 0);
}

/* Events that are lost are made up for by asking. */
static void test_delete_without_events(void **state)
{
	(void)state;
	will_say(error_message(0, -1, NULL));
	will_fail(FD + 1, ENOBUFS);
	will_say(error_message(-ENODEV, -1, NULL));
	assert_int_equal(blktap_nl_free(nl, 3, false, 1000, &err), 0);
	assert_int_equal(kernel.sent, 2);
	assert_int_equal(err.code, 0);
}

static void test_delete_fails(void **state)
{
	(void)state;
	will_say(error_message(-EBUSY, -1, "a daemon is attached"));
	assert_int_equal(blktap_nl_free(nl, 3, false, 1000, &err), -EBUSY);
	assert_string_equal(err.text, "minor 3: a daemon is attached");
	kernel.sockets[1] = NULL;
	will_say(error_message(0, -1, NULL));
	will_say(tap_message(0, 3));
	will_say(error_message(0, -1, NULL));
	assert_int_equal(blktap_nl_free(nl, 3, false, 0, &err), -ETIMEDOUT);
	assert_string_equal(err.text, "minor 3: its disk does not go away");
}

/* What cannot be waited for is not begun. */
static void test_delete_without_group(void **state)
{
	(void)state;
	kernel.group = 0;
	assert_int_equal(blktap_nl_free(nl, 3, false, 1000, &err), -EPROTO);
	kernel.sockets[1] = NULL;
	kernel.group = 5;
	kernel.join_error = EPERM;
	assert_int_equal(blktap_nl_free(nl, 3, false, 1000, &err), -EPERM);
	assert_int_equal(kernel.sent, 0);
}

static int next_event(struct nl_msg *message, struct blktap_event_msg *event)
{
	will_say(message);
	return blktap_nl_next_event(nl, event, &err);
}

static void test_events(void **state)
{
	struct blktap_event_msg event;

	(void)state;
	assert_int_equal(blktap_nl_next_event(nl, &event, &err), 0);
	will_say(event_message(BLKTAP_EVENT_FREED, 5))->from = 77;
	will_say(tap_message(0, 5));
	assert_int_equal(next_event(event_message(BLKTAP_EVENT_FREED, 3), &event), 1);
	assert_int_equal(event.tap.minor, 3);
	assert_int_equal(next_event(event_message(BLKTAP_EVENT_FREED, -1), &event), -EPROTO);
	will_fail(FD, ENOBUFS);
	assert_int_equal(blktap_nl_next_event(nl, &event, &err), -ENOBUFS);
	will_fail(FD, ENOMEM);
	assert_int_equal(blktap_nl_next_event(nl, &event, &err), -ENOMEM);
}

/* The family's farewell is heard, others' are passed over. */
static void test_farewell(void **state)
{
	struct blktap_event_msg event;

	(void)state;
	assert_int_equal(next_event(farewell(FAMILY + 1), &event), 0);
	assert_int_equal(next_event(farewell(FAMILY), &event), -ENOSYS);
	assert_string_equal(err.text, "blktap kernel module has been removed");
}

#define TEST(test)	cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_cannot_open),
		TEST(test_get),
		TEST(test_refusals),
		TEST(test_nothing_but_yes),
		TEST(test_silence),
		TEST(test_send_fails),
		TEST(test_strangers),
		TEST(test_receive_fails),
		TEST(test_allocate),
		TEST(test_list),
		TEST(test_list_fails),
		TEST(test_delete),
		TEST(test_delete_without_events),
		TEST(test_delete_fails),
		TEST(test_delete_without_group),
		TEST(test_events),
		TEST(test_farewell),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
