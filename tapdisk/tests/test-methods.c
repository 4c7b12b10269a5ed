// SPDX-License-Identifier: GPL-2.0-only
/*
 * Lines and their answers, without sockets.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <syslog.h>

#include <cmocka.h>

#include "fake-ring.h"
#include "../methods.h"

struct collector {
	struct client client;
	char *lines[64];
	unsigned int count;
};

static struct loop *loop;
static struct tapdisk tapdisk;
static struct collector collector;
static unsigned int ended;

static void collect(struct client *client, char *line)
{
	struct collector *c = container_of(client, struct collector, client);

	assert_non_null(line);
	assert_true(c->count < 64);
	c->lines[c->count++] = line;
}

static void end(struct tapdisk *t)
{
	(void)t;
	ended++;
}

static int set_up(void **state)
{
	(void)state;
	fake_reset();
	ended = 0;
	memset(&collector, 0, sizeof(collector));
	client_init(&collector.client, collect);
	assert_int_equal(loop_new(&loop), 0);
	assert_int_equal(tapdisk_init(&tapdisk, loop), 0);
	tapdisk.end = end;
	return 0;
}

static int tear_down(void **state)
{
	unsigned int i;

	(void)state;
	client_gone(&collector.client);
	assert_true(list_empty(&tapdisk.vbds));
	tapdisk_exit(&tapdisk);
	loop_free(loop);
	for (i = 0; i < collector.count; i++)
		free(collector.lines[i]);
	return 0;
}

static void send_line(const char *line)
{
	methods_handle(&tapdisk, &collector.client, line, strlen(line));
}

/* The line after those seen so far. */
static const char *next_answer(void)
{
	unsigned int seen = collector.count;

	while (collector.count == seen) {
		fake_poll(fake_ring);
		assert_int_equal(loop_turn(loop, 2000), 0);
	}
	return collector.lines[collector.count - 1];
}

static const char *ask(const char *line)
{
	unsigned int seen = collector.count;

	send_line(line);
	if (collector.count == seen)
		return next_answer();
	assert_int_equal(collector.count, seen + 1);
	return collector.lines[seen];
}

#define ASK(method, params) ask("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"" method \
				"\",\"params\":" params "}")
#define OK	"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n"

static void expect_error(const char *answer, int code, int error)
{
	json_t *json = json_loads(answer, 0, NULL), *e;

	assert_non_null(json);
	assert_int_equal(answer[strlen(answer) - 1], '\n');
	e = json_object_get(json, "error");
	assert_int_equal(json_integer_value(json_object_get(e, "code")), code);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(e, "data"),
							    "errno")), error);
	json_decref(json);
}

static void test_session(void **state)
{
	(void)state;
	assert_string_equal(ASK("list", "{}"),
			    "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"vbds\":[]}}\n");
	assert_string_equal(ASK("attach", "{\"minor\":3}"), OK);
	assert_string_equal(ASK("attach", "{\"minor\":1}"), OK);
	expect_error(ASK("attach", "{\"minor\":3}"), -EEXIST, EEXIST);
	assert_string_equal(ASK("open", "{\"minor\":3,\"image\":\"ram:1M\"}"),
			    "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"capacity\":1048576,"
			    "\"logical_block_size\":512,\"physical_block_size\":4096,"
			    "\"read_only\":false}}\n");
	expect_error(ASK("open", "{\"minor\":3,\"image\":\"ram:1M\"}"), -EALREADY, EALREADY);
	assert_string_equal(ASK("list", "{}"),
			    "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"vbds\":["
			    "{\"minor\":1,\"state\":0},{\"minor\":3,\"state\":0,\"image\":"
			    "{\"type\":\"ram\",\"path\":\"1M\"},\"kernel_io\":\"off\",\"read_only\":false}]}}\n");
	assert_string_equal(ASK("left_over", "{\"minor\":1,\"image\":\"aio:/a\"}"), OK);
	expect_error(ASK("left_over", "{\"minor\":1}"), -32602, EINVAL);
	expect_error(ASK("left_over", "{\"minor\":2,\"image\":\"aio:/a\"}"), -ENODEV, ENODEV);
	expect_error(ASK("detach", "{\"minor\":3}"), -EBUSY, EBUSY);
	assert_string_equal(ASK("close", "{\"minor\":3}"), OK);
	assert_string_equal(ASK("close", "{\"minor\":3}"), OK);
	assert_string_equal(ASK("list", "{}"),
			    "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"vbds\":["
			    "{\"minor\":1,\"state\":0},{\"minor\":3,\"state\":2}]}}\n");
	assert_string_equal(ASK("detach", "{\"minor\":3}"), OK);
	assert_int_equal(ended, 0);
	assert_string_equal(ASK("detach", "{\"minor\":1}"), OK);
	assert_int_equal(ended, 1);
	expect_error(ASK("attach", "{\"minor\":1}"), -ESHUTDOWN, ESHUTDOWN);
}

static void test_no_such_vbd(void **state)
{
	(void)state;
	expect_error(ASK("detach", "{\"minor\":0}"), -ENODEV, ENODEV);
	expect_error(ASK("close", "{\"minor\":0}"), -ENODEV, ENODEV);
	expect_error(ASK("open", "{\"minor\":0,\"image\":\"ram:1M\"}"), -ENODEV, ENODEV);
	fake_open_error = -EBUSY;
	expect_error(ASK("attach", "{\"minor\":0}"), -EBUSY, EBUSY);
}

static void test_wrong_parameters(void **state)
{
	(void)state;
	expect_error(ASK("attach", "{}"), -32602, EINVAL);
	expect_error(ASK("attach", "{\"minor\":-1}"), -32602, EINVAL);
	expect_error(ASK("attach", "{\"minor\":65536}"), -32602, EINVAL);
	expect_error(ASK("attach", "{\"minor\":\"0\"}"), -32602, EINVAL);
	expect_error(ASK("attach", "{\"minor\":0.0}"), -32602, EINVAL);
	expect_error(ASK("attach", "{\"minor\":0,\"x\":1}"), -32602, EINVAL);
	expect_error(ASK("attach", "[0]"), -32602, EINVAL);
	expect_error(ASK("list", "{\"minor\":0}"), -32602, EINVAL);
	expect_error(ASK("open", "{\"minor\":0}"), -32602, EINVAL);
	expect_error(ASK("open", "{\"minor\":0,\"image\":1}"), -32602, EINVAL);
	expect_error(ASK("open", "{\"minor\":0,\"image\":\"a:b\",\"read_only\":1}"), -32602,
		     EINVAL);
	expect_error(ASK("open", "{\"minor\":0,\"image\":\"a:b\",\"timeout_ms\":-2}"), -32602,
		     EINVAL);
	expect_error(ASK("open", "{\"minor\":0,\"image\":\"a:b\",\"spin_us\":1001}"), -32602,
		     EINVAL);
	expect_error(ASK("open", "{\"minor\":0,\"image\":\"a:b\",\"spin_us\":-1}"), -32602,
		     EINVAL);
	expect_error(ASK("open", "{\"minor\":0,\"image\":\"a:b\",\"secondary\":\"c:d\"}"),
		     -32602, EOPNOTSUPP);
	expect_error(ASK("takeover", "{}"), -32602, EINVAL);
	expect_error(ASK("pass_ring", "{\"minor\":1,\"descriptor\":true}"), -32602, EINVAL);
	expect_error(ASK("hand_over", "{\"minor\":3,\"timeout_ms\":1}"), -ENODEV, ENODEV);
	expect_error(ASK("no_such_method", "{}"), -32601, EOPNOTSUPP);
	expect_error(ask("[]"), -32600, EINVAL);
	expect_error(ask("{"), -32700, EPROTO);
	expect_error(ask(""), -32700, EPROTO);
}

static void test_kernel_io(void **state)
{
	(void)state;
	assert_string_equal(ASK("attach", "{\"minor\":3}"), OK);
	expect_error(ASK("kernel_io", "{\"minor\":4}"), -ENODEV, ENODEV);
	expect_error(ASK("kernel_io", "{\"minor\":3,\"mode\":\"on\"}"), -32602, EINVAL);
	expect_error(ASK("kernel_io", "{\"minor\":3,\"mode\":\"off\"}"), -EINVAL, EINVAL);
	expect_error(ASK("open", "{\"minor\":3,\"image\":\"ram:1M\",\"kernel_io\":1}"), -32602,
		     EINVAL);
	ASK("open", "{\"minor\":3,\"image\":\"ram:1M\",\"kernel_io\":\"redirect\"}");
	assert_string_equal(ASK("kernel_io", "{\"minor\":3}"),
			    "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"mode\":\"off\"}}\n");
	assert_string_equal(ASK("kernel_io", "{\"minor\":3,\"mode\":\"auto\"}"),
			    "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"mode\":\"off\"}}\n");
	assert_string_equal(ASK("pause", "{\"minor\":3}"), OK);
	assert_string_equal(ASK("kernel_io", "{\"minor\":3,\"mode\":\"redirect\"}"),
			    "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"mode\":\"redirect\"}}\n");
	assert_string_equal(ASK("close", "{\"minor\":3}"), OK);
	assert_string_equal(ASK("detach", "{\"minor\":3}"), OK);
}

/* What has no image cannot be paused; what is paused can go on or be closed. */
static void test_pause_and_resize(void **state)
{
	(void)state;
	assert_string_equal(ASK("attach", "{\"minor\":3}"), OK);
	expect_error(ASK("pause", "{\"minor\":3}"), -EINVAL, EINVAL);
	expect_error(ASK("unpause", "{\"minor\":3}"), -EINVAL, EINVAL);
	expect_error(ASK("resize", "{\"minor\":3}"), -EINVAL, EINVAL);
	expect_error(ASK("resize", "{\"minor\":3,\"capacity\":0}"), -32602, EINVAL);
	expect_error(ASK("pause", "{\"minor\":4}"), -ENODEV, ENODEV);
	ASK("open", "{\"minor\":3,\"image\":\"ram:1M\"}");
	assert_string_equal(ASK("resize", "{\"minor\":3,\"capacity\":2097152}"),
			    "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"capacity\":2097152}}\n");
	expect_error(ASK("resize", "{\"minor\":3,\"capacity\":4096}"), -EINVAL, EINVAL);
	assert_string_equal(ASK("pause", "{\"minor\":3,\"timeout_ms\":1000}"), OK);
	assert_string_equal(ASK("list", "{}"),
			    "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"vbds\":["
			    "{\"minor\":3,\"state\":42,\"image\":"
			    "{\"type\":\"ram\",\"path\":\"1M\"},\"kernel_io\":\"auto\",\"read_only\":false}]}}\n");
	expect_error(ASK("unpause", "{\"minor\":3,\"image\":\"ram:1M\"}"), -EMEDIUMTYPE,
		     EMEDIUMTYPE);
	assert_string_equal(ASK("unpause", "{\"minor\":3,\"image\":\"ram:2M\"}"), OK);
	assert_string_equal(ASK("close", "{\"minor\":3}"), OK);
	assert_string_equal(ASK("detach", "{\"minor\":3}"), OK);
}

/* Replies that would be longer than a line come in pieces. */
static void test_pages(void **state)
{
	enum { COUNT = 40 };
	json_int_t from = 0, seen = 0;
	unsigned int i, pages;
	char line[64];

	(void)state;
	tapdisk.page_bytes = 4096;
	for (i = 0; i < COUNT; i++)
		assert_int_equal(tapdisk_attach(&tapdisk, i * 2, -1, NULL), 0);
	for (pages = 0; from >= 0; pages++) {
		json_t *json, *vbds;

		snprintf(line, sizeof(line), "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"stats\","
			 "\"params\":{\"from\":%d}}", (int)from);
		json = json_loads(ask(line), 0, NULL);
		vbds = json_object_get(json_object_get(json, "result"), "vbds");
		assert_int_equal(json_integer_value(json_object_get(json_object_get(
				 json_array_get(vbds, 0), "tap"), "minor")), seen * 2);
		seen += json_array_size(vbds);
		from = -1;
		json_unpack(json, "{s:{s:I}}", "result", "next", &from);
		json_decref(json);
	}
	assert_int_equal(seen, COUNT);
	assert_in_range(pages, 2, COUNT / 2);
	expect_error(ASK("stats", "{\"minor\":1}"), -ENODEV, ENODEV);
	assert_non_null(strstr(ASK("stats", "{\"minor\":2}"), "\"tap\":{\"minor\":2,"));
	tapdisk_terminate(&tapdisk);
	loop_turn(loop, 1000);
	assert_int_equal(ended, 1);
}

/* Ends when nobody uses the paused disk, and not before. */
static void test_terminate_while_paused(void **state)
{
	struct vbd *vbd;

	(void)state;
	assert_string_equal(ASK("attach", "{\"minor\":9}"), OK);
	ASK("open", "{\"minor\":9,\"image\":\"ram:1M\"}");
	vbd = tapdisk_find(&tapdisk, 9);
	fake_ring->state.openers = 1;
	assert_string_equal(ASK("pause", "{\"minor\":9}"), OK);
	tapdisk_terminate(&tapdisk);
	loop_turn(loop, 100);
	assert_int_equal(vbd->state, VBD_PAUSED);
	assert_string_equal(ASK("unpause", "{\"minor\":9}"), OK);
	loop_turn(loop, 0);
	assert_int_equal(vbd->state, VBD_CLOSING);
	fake_ring->state.openers = 0;
	vbd->ring_event.ready(&vbd->ring_event, EPOLLPRI);
	while (!ended)
		assert_int_equal(loop_turn(loop, 1000), 0);
}

/* Somebody opens the paused disk in the very moment: it must be possible to go on. */
static void test_terminate_while_paused_and_opened(void **state)
{
	struct vbd *vbd;

	(void)state;
	assert_string_equal(ASK("attach", "{\"minor\":9}"), OK);
	ASK("open", "{\"minor\":9,\"image\":\"ram:1M\"}");
	vbd = tapdisk_find(&tapdisk, 9);
	assert_string_equal(ASK("pause", "{\"minor\":9}"), OK);
	fake_ring->state.disk_state = BLKTAP_DISK_STATE_ADDING;	/* STOP is refused */
	tapdisk_terminate(&tapdisk);
	loop_turn(loop, 100);
	assert_int_equal(vbd->state, VBD_CLOSING);
	fake_ring->state.disk_state = BLKTAP_DISK_STATE_LIVE;
	fake_ring->state.openers = 1;
	while (vbd->state == VBD_CLOSING)
		assert_int_equal(loop_turn(loop, 5000), 0);
	assert_int_equal(vbd->state, VBD_PAUSED);
	assert_string_equal(ASK("unpause", "{\"minor\":9}"), OK);
	loop_turn(loop, 0);
	assert_int_equal(vbd->state, VBD_CLOSING);
	fake_ring->state.openers = 0;
	vbd->ring_event.ready(&vbd->ring_event, EPOLLPRI);
	while (!ended)
		assert_int_equal(loop_turn(loop, 1000), 0);
}

static void test_notifications(void **state)
{
	(void)state;
	send_line("{\"jsonrpc\":\"2.0\",\"method\":\"attach\",\"params\":{\"minor\":4}}");
	send_line("{\"jsonrpc\":\"2.0\",\"method\":\"nothing\"}");
	assert_int_equal(collector.count, 0);
	assert_non_null(tapdisk_find(&tapdisk, 4));
	assert_string_equal(ASK("detach", "{\"minor\":4}"), OK);
}

/* Answers come in the order of completion. */
static void test_overtaking(void **state)
{
	(void)state;
	assert_string_equal(ASK("attach", "{\"minor\":4}"), OK);
	assert_string_equal(ASK("attach", "{\"minor\":5}"), OK);
	send_line("{\"jsonrpc\":\"2.0\",\"id\":\"o\",\"method\":\"open\",\"params\":"
		  "{\"minor\":4,\"image\":\"ram:1M\"}}");
	assert_string_equal(ASK("detach", "{\"minor\":5}"), OK);
	expect_error(ASK("detach", "{\"minor\":4}"), -EBUSY, EBUSY);
	assert_non_null(strstr(next_answer(), "\"id\":\"o\",\"result\""));
	assert_string_equal(ASK("close", "{\"minor\":4}"), OK);
	assert_string_equal(ASK("detach", "{\"minor\":4}"), OK);
}

/* A client that goes away does not wait any longer, but what it began goes on. */
static void test_client_goes(void **state)
{
	struct collector other = { 0 };
	struct vbd *vbd;
	const char *line;

	(void)state;
	client_init(&other.client, collect);
	assert_string_equal(ASK("attach", "{\"minor\":4}"), OK);
	line = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"open\",\"params\":"
	       "{\"minor\":4,\"image\":\"ram:1M\"}}";
	methods_handle(&tapdisk, &other.client, line, strlen(line));
	client_gone(&other.client);
	vbd = tapdisk_find(&tapdisk, 4);
	while (vbd->state != VBD_LIVE)
		assert_int_equal(loop_turn(loop, 1000), 0);
	fake_ring->state.openers = 1;
	line = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"close\",\"params\":"
	       "{\"minor\":4,\"timeout_ms\":-1}}";
	methods_handle(&tapdisk, &other.client, line, strlen(line));
	assert_int_equal(vbd->state, VBD_CLOSING);
	client_gone(&other.client);
	assert_int_equal(vbd->state, VBD_LIVE);
	assert_int_equal(other.count, 0);
	fake_ring->state.openers = 0;
	assert_string_equal(ASK("close", "{\"minor\":4}"), OK);
	assert_string_equal(ASK("detach", "{\"minor\":4}"), OK);
}

static void test_terminate_at_once(void **state)
{
	(void)state;
	tapdisk_terminate(&tapdisk);
	loop_turn(loop, 1000);
	assert_int_equal(ended, 1);
}

/* Serves until the last close, whatever clients do meanwhile. */
static void test_terminate_while_open(void **state)
{
	struct vbd *vbd;

	(void)state;
	assert_string_equal(ASK("attach", "{\"minor\":4}"), OK);
	assert_string_equal(ASK("attach", "{\"minor\":9}"), OK);
	ASK("open", "{\"minor\":9,\"image\":\"ram:1M\"}");
	vbd = tapdisk_find(&tapdisk, 9);
	fake_ring->state.openers = 2;
	tapdisk_terminate(&tapdisk);
	loop_turn(loop, 1000);
	assert_null(tapdisk_find(&tapdisk, 4));
	assert_int_equal(vbd->state, VBD_CLOSING);
	tapdisk_terminate(&tapdisk);
	loop_turn(loop, 1000);
	expect_error(ASK("close", "{\"minor\":9}"), -EBUSY, EBUSY);
	expect_error(ASK("attach", "{\"minor\":5}"), -ESHUTDOWN, ESHUTDOWN);
	assert_int_equal(ended, 0);
	fake_ring->state.openers = 0;
	vbd->ring_event.ready(&vbd->ring_event, EPOLLPRI);
	while (!ended)
		assert_int_equal(loop_turn(loop, 1000), 0);
	assert_true(list_empty(&tapdisk.vbds));
}

/* Until the last close the disk can be dealt with as before. */
static void test_terminating_gives_way(void **state)
{
	struct vbd *vbd;

	(void)state;
	assert_string_equal(ASK("attach", "{\"minor\":9}"), OK);
	ASK("open", "{\"minor\":9,\"image\":\"ram:1M\"}");
	vbd = tapdisk_find(&tapdisk, 9);
	fake_ring->state.openers = 1;
	tapdisk_terminate(&tapdisk);
	loop_turn(loop, 1000);
	assert_int_equal(vbd->state, VBD_CLOSING);
	assert_string_equal(ASK("pause", "{\"minor\":9}"), OK);
	loop_turn(loop, 0);
	assert_int_equal(vbd->state, VBD_PAUSED);
	assert_string_equal(ASK("unpause", "{\"minor\":9}"), OK);
	loop_turn(loop, 0);
	assert_int_equal(vbd->state, VBD_CLOSING);
	assert_non_null(strstr(ASK("resize", "{\"minor\":9,\"capacity\":2097152}"), "2097152"));
	assert_string_equal(ASK("kernel_io", "{\"minor\":9,\"mode\":\"off\"}"),
			    "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"mode\":\"off\"}}\n");
	loop_turn(loop, 0);
	assert_int_equal(vbd->state, VBD_CLOSING);
	fake_ring->state.openers = 0;
	vbd->ring_event.ready(&vbd->ring_event, EPOLLPRI);
	while (!ended)
		assert_int_equal(loop_turn(loop, 1000), 0);
}

/* A close that a client waits for is taken over when it gives up. */
static void test_terminate_during_close(void **state)
{
	struct vbd *vbd;

	(void)state;
	assert_string_equal(ASK("attach", "{\"minor\":9}"), OK);
	ASK("open", "{\"minor\":9,\"image\":\"ram:1M\"}");
	vbd = tapdisk_find(&tapdisk, 9);
	fake_ring->state.openers = 1;
	send_line("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"close\",\"params\":"
		  "{\"minor\":9,\"timeout_ms\":30}}");
	tapdisk_terminate(&tapdisk);
	expect_error(next_answer(), -EBUSY, EBUSY);
	loop_turn(loop, 0);
	assert_int_equal(vbd->state, VBD_CLOSING);
	fake_ring->state.openers = 0;
	vbd->ring_event.ready(&vbd->ring_event, EPOLLPRI);
	while (!ended)
		assert_int_equal(loop_turn(loop, 1000), 0);
}

static void test_last_session_lost(void **state)
{
	struct vbd *vbd;

	(void)state;
	assert_string_equal(ASK("attach", "{\"minor\":9}"), OK);
	vbd = tapdisk_find(&tapdisk, 9);
	vbd_session_lost(vbd, "test");
	expect_error(ASK("open", "{\"minor\":9,\"image\":\"ram:1M\"}"), -ENODEV, ENODEV);
	loop_turn(loop, 0);
	assert_int_equal(ended, 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

static const struct CMUnitTest tests[] = {
	TEST(test_session),
	TEST(test_no_such_vbd),
	TEST(test_wrong_parameters),
	TEST(test_kernel_io),
	TEST(test_pause_and_resize),
	TEST(test_pages),
	TEST(test_terminate_while_paused),
	TEST(test_terminate_while_paused_and_opened),
	TEST(test_notifications),
	TEST(test_overtaking),
	TEST(test_client_goes),
	TEST(test_terminate_at_once),
	TEST(test_terminate_while_open),
	TEST(test_terminating_gives_way),
	TEST(test_terminate_during_close),
	TEST(test_last_session_lost),
};

int main(void)
{
	blktap_log_init("test", BLKTAP_LOG_STDERR, LOG_EMERG);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
