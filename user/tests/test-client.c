// SPDX-License-Identifier: LGPL-2.1-or-later
#include "test.h"

#include <signal.h>
#include <sys/eventfd.h>
#include <time.h>

#include "fake-tapdisk.h"

#define PID	4168
#define ANSWER(result)	"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":" result "}\n"

#define REQUEST(method, params) \
	"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"" method "\",\"params\":{" params "}}\n"

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

/* One call to a tapdisk that says @answer. */
static int call_fake(struct fake *fake, int timeout_ms, json_t **result, struct blktap_error *err)
{
	int ret;

	fake->pid = PID;
	fake_start(fake);
	ret = blktap_ctl_call(PID, "version", NULL, timeout_ms, result, err);
	fake_stop(fake);
	assert_int_equal(err->code, ret);
	return ret;
}

static int answer_gives(const char *answer, struct blktap_error *err)
{
	struct fake fake = { .answer = answer };

	memset(err, 0, sizeof(*err));
	return call_fake(&fake, 5000, NULL, err);
}

static void test_no_such_tapdisk(void **state)
{
	struct blktap_error err;

	(void)state;
	assert_int_equal(blktap_ctl_call(PID, "version", NULL, 1000, NULL, &err), -ENOENT);
	assert_string_equal(err.text, "no such tapdisk: 4168");
}

static void test_no_directory(void **state)
{
	struct blktap_error err;

	(void)state;
	setenv("BLKTAP_CONTROL_DIR", "/nonexistent/blktap", 1);
	assert_int_equal(blktap_ctl_call(PID, "version", NULL, 1000, NULL, &err), -ENOENT);
}

static void test_long_directory(void **state)
{
	char name[200] = "/";
	struct blktap_error err;

	(void)state;
	memset(name + 1, 'x', sizeof(name) - 2);
	setenv("BLKTAP_CONTROL_DIR", name, 1);
	assert_int_equal(blktap_ctl_call(PID, "version", NULL, 1000, NULL, &err), -ENAMETOOLONG);
}

static void test_stale_socket(void **state)
{
	struct blktap_error err;

	(void)state;
	close(fake_listen(PID, 1));
	assert_int_equal(blktap_ctl_call(PID, "version", NULL, 1000, NULL, &err), -ECONNREFUSED);
	assert_string_equal(err.text, "tapdisk 4168 is gone: its control socket is stale");
}

static void test_answer(void **state)
{
	struct fake fake = { .answer = ANSWER("{\"protocol\":1}") };
	struct blktap_error err = { 0 };
	json_t *result = NULL;

	(void)state;
	assert_int_equal(call_fake(&fake, 5000, &result, &err), 0);
	assert_int_equal(json_integer_value(json_object_get(result, "protocol")), 1);
	json_decref(result);
}

static void test_request_sent(void **state)
{
	struct fake fake = { .pid = PID, .answer = ANSWER("{}") };
	struct blktap_open_params params = {
		.image = "aio:/a b", .read_only = true, .no_direct = true, .timeout_ms = 1500,
	};

	(void)state;
	fake_start(&fake);
	assert_int_equal(blktap_ctl_attach(PID, 7, NULL), 0);
	assert_string_equal(fake.request, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"attach\","
			    "\"params\":{\"minor\":7}}\n");
	assert_int_equal(blktap_ctl_open(PID, 7, &params, NULL), 0);
	assert_string_equal(fake.request, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"open\","
			    "\"params\":{\"image\":\"aio:/a b\",\"read_only\":true,"
			    "\"no_direct\":true,\"timeout_ms\":1500,\"minor\":7}}\n");
	assert_int_equal(blktap_ctl_close(PID, 7, 120000, false, NULL), 0);
	assert_string_equal(fake.request, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"close\","
			    "\"params\":{\"timeout_ms\":120000,\"minor\":7}}\n");
	assert_int_equal(blktap_ctl_detach(PID, 7, NULL), 0);
	assert_string_equal(fake.request, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"detach\","
			    "\"params\":{\"minor\":7}}\n");
	fake_stop(&fake);
}

static void test_changes_sent(void **state)
{
	struct fake fake = { .pid = PID, .answer = ANSWER("{\"capacity\":1048576}") };
	struct blktap_open_params params = {
		.image = "aio:/x", .request_timeout_ms = 5000, .spin_us = 30,
	};
	uint64_t now = 0;

	(void)state;
	fake_start(&fake);
	assert_int_equal(blktap_ctl_open(PID, 7, &params, NULL), 0);
	assert_non_null(strstr(fake.request, "\"request_timeout_ms\":5000"));
	assert_non_null(strstr(fake.request, "\"spin_us\":30"));
	params.spin_us = -1;
	assert_int_equal(blktap_ctl_open(PID, 7, &params, NULL), 0);
	assert_non_null(strstr(fake.request, "\"spin_us\":0"));
	assert_int_equal(blktap_ctl_pause(PID, 7, 2500, NULL), 0);
	assert_string_equal(fake.request, REQUEST("pause", "\"timeout_ms\":2500,\"minor\":7"));
	assert_int_equal(blktap_ctl_pause(PID, 7, -1, NULL), 0);
	assert_string_equal(fake.request, REQUEST("pause", "\"minor\":7"));
	assert_int_equal(blktap_ctl_unpause(PID, 7, NULL, -1, NULL), 0);
	assert_string_equal(fake.request, REQUEST("unpause", "\"minor\":7"));
	assert_int_equal(blktap_ctl_unpause(PID, 7, "aio:/y", 1, NULL), 0);
	assert_string_equal(fake.request, REQUEST("unpause", "\"image\":\"aio:/y\","
						  "\"timeout_ms\":1,\"minor\":7"));
	assert_int_equal(blktap_ctl_resize(PID, 7, 0, false, NULL, -1, NULL), 0);
	assert_string_equal(fake.request, REQUEST("resize", "\"minor\":7"));
	assert_int_equal(blktap_ctl_resize(PID, 7, 4096, true, &now, -1, NULL), 0);
	assert_string_equal(fake.request, REQUEST("resize", "\"capacity\":4096,\"shrink\":true,"
						  "\"minor\":7"));
	assert_int_equal(now, 1 << 20);
	assert_int_equal(blktap_ctl_resize(PID, 7, 1ULL << 63, false, NULL, -1, NULL), -EINVAL);
	fake_stop(&fake);
}

#define REFUSED	"{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-13,\"message\":\"no\"}}\n"

static void unlink_socket(void)
{
	char path[PATH_MAX];

	assert_int_equal(blktap_control_path(path, sizeof(path), PID), 0);
	unlink(path);
}

/* One that may not open the image, and what it is asked last. */
static int open_refused(const char *version, const char *image, struct fake *fake)
{
	const char *const answers[] = { REFUSED, version, ANSWER("{}"), NULL };
	struct blktap_open_params params = { .image = image, .timeout_ms = 1000 };
	int ret;

	*fake = (struct fake){ .pid = PID, .answers = answers };
	fake_start(fake);
	ret = blktap_ctl_open(PID, 7, &params, NULL);
	shutdown(fake->listener, SHUT_RDWR);
	pthread_join(fake->thread, NULL);
	close(fake->listener);
	unlink_socket();
	return ret;
}

static void test_passing(void **state)
{
	static const char old[] = ANSWER("{\"features\":[\"pause\"],\"user\":\"x\"}");
	static const char root[] = ANSWER("{\"features\":[\"descriptors\"]}");
	static const char new[] = ANSWER("{\"features\":[\"descriptors\"],\"user\":\"x\"}");
	struct fake fake;

	(void)state;
	assert_int_equal(open_refused(new, "aio:/etc/passwd", &fake), 0);
	assert_string_equal(fake.request, REQUEST("open", "\"image\":\"aio:/etc/passwd\","
						  "\"timeout_ms\":1000,\"minor\":7,"
						  "\"descriptor\":true"));
	free(fake.request);
	assert_int_equal(open_refused(old, "aio:/etc/passwd", &fake), -EACCES);
	assert_int_equal(fake.requests, 2);
	free(fake.request);
	assert_int_equal(open_refused(root, "aio:/etc/passwd", &fake), -EACCES);
	assert_int_equal(fake.requests, 2);
	free(fake.request);
	/* It is not for the tapdisk to say what is not there. */
	assert_int_equal(open_refused(new, "aio:/nowhere/image", &fake), -ENOENT);
	free(fake.request);
	assert_int_equal(open_refused(new, "scatter:/etc/passwd", &fake), -EACCES);
	free(fake.request);
}

static void test_kernel_io(void **state)
{
	struct fake fake = { .pid = PID, .answer = ANSWER("{\"mode\":\"redirect\"}") };
	struct blktap_open_params params = {
		.image = "aio:/x", .kernel_io = BLKTAP_KERNEL_IO_OFF,
	};
	enum blktap_kernel_io now;

	(void)state;
	fake_start(&fake);
	assert_int_equal(blktap_ctl_open(PID, 7, &params, NULL), 0);
	assert_non_null(strstr(fake.request, "\"kernel_io\":\"off\""));
	assert_int_equal(blktap_ctl_kernel_io(PID, 7, BLKTAP_KERNEL_IO_DEFAULT, &now, -1, NULL), 0);
	assert_string_equal(fake.request, REQUEST("kernel_io", "\"minor\":7"));
	assert_int_equal(now, BLKTAP_KERNEL_IO_REDIRECT);
	assert_int_equal(blktap_ctl_kernel_io(PID, 7, BLKTAP_KERNEL_IO_AUTO, NULL, 5, NULL), 0);
	assert_string_equal(fake.request, REQUEST("kernel_io", "\"mode\":\"auto\","
						  "\"timeout_ms\":5,\"minor\":7"));
	fake_stop(&fake);
}

static void test_mode_not_told(void **state)
{
	static const char *const answers[] = {
		ANSWER("{}"), ANSWER("{\"mode\":1}"), ANSWER("{\"mode\":\"fast\"}"),
		NULL,
	};
	struct fake fake = { .pid = PID, .answers = answers };
	size_t i;

	(void)state;
	fake_start(&fake);
	for (i = 0; answers[i]; i++)
		assert_int_equal(blktap_ctl_kernel_io(PID, 7, BLKTAP_KERNEL_IO_AUTO, NULL, -1,
						      NULL), -EPROTO);
	fake_stop(&fake);
}

static void test_size_not_told(void **state)
{
	struct fake fake = { .pid = PID, .answer = ANSWER("{}") };

	(void)state;
	fake_start(&fake);
	assert_int_equal(blktap_ctl_resize(PID, 7, 4096, false, NULL, -1, NULL), -EPROTO);
	fake_stop(&fake);
}

static void test_version(void **state)
{
	struct fake fake = { .pid = PID, .answer = ANSWER("{\"protocol\":1}") };
	struct fake odd = { .pid = PID + 1, .answer = ANSWER("1") };
	json_t *version;

	(void)state;
	fake_start(&fake);
	fake_start(&odd);
	assert_int_equal(blktap_ctl_version(PID, &version, 5000, NULL), 0);
	assert_int_equal(json_integer_value(json_object_get(version, "protocol")), 1);
	json_decref(version);
	assert_int_equal(blktap_ctl_version(PID + 1, &version, 5000, NULL), -EPROTO);
	fake_stop(&fake);
	fake_stop(&odd);
}

/* No tapdisk is started for one that cannot be replaced. */
static void test_takeover_refused(void **state)
{
	struct fake old = { .pid = PID, .answer = ANSWER("{\"features\":[\"pause\",7]}") };
	struct fake new = { .pid = PID + 1, .answer = ANSWER("{\"features\":[\"hand_over\"]}") };
	struct fake odd = { .pid = PID + 2, .answer = ANSWER("[7]") };
	struct blktap_error err;
	pid_t pid;

	(void)state;
	setenv("TAPDISK", "/nonexistent", 1);
	assert_int_equal(blktap_take_over(PID, &pid, 5000, &err), -ENOENT);
	fake_start(&old);
	assert_int_equal(blktap_take_over(PID, &pid, 5000, &err), -EOPNOTSUPP);
	fake_stop(&old);
	fake_start(&odd);
	assert_int_equal(blktap_take_over(PID + 2, &pid, 5000, &err), -EPROTO);
	fake_stop(&odd);
	fake_start(&new);
	assert_int_equal(blktap_take_over(PID + 1, &pid, 5000, &err), -ECHILD);
	fake_stop(&new);
	unsetenv("TAPDISK");
}

static void test_trace(void **state)
{
	struct fake fake = { .answer = ANSWER("\"a\\u001b\"") };
	struct blktap_error err = { 0 };
	char *text = NULL;
	size_t size;
	FILE *file = open_memstream(&text, &size);

	(void)state;
	blktap_trace(file);
	assert_int_equal(call_fake(&fake, 5000, NULL, &err), 0);
	blktap_trace(NULL);
	fclose(file);
	assert_string_equal(text, "tapdisk 4168 > {\"jsonrpc\":\"2.0\",\"id\":1,\"method\":"
			    "\"version\"}\n"
			    "tapdisk 4168 < {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":\"a\\u001b\"}\n");
	free(text);
}

static void test_relative_directory(void **state)
{
	struct blktap_error err;
	pid_t pid;

	(void)state;
	setenv("BLKTAP_CONTROL_DIR", "run", 1);
	assert_int_equal(blktap_ctl_call(PID, "version", NULL, 1000, NULL, &err), -EINVAL);
	assert_string_equal(err.text, "the control directory's name is not an absolute path: run");
	assert_int_equal(blktap_ctl_spawn(NULL, &pid, 1000, &err), -EINVAL);
	setenv("BLKTAP_CONTROL_DIR", control_dir, 1);
}

static void test_image_not_utf8(void **state)
{
	struct blktap_open_params params = { .image = "aio:/\xff" };
	struct blktap_error err;

	(void)state;
	assert_int_equal(blktap_ctl_open(PID, 0, &params, &err), -EINVAL);
}

static void test_byte_by_byte(void **state)
{
	struct fake fake = { .answer = ANSWER("{\"a\":\"b\"}"), .chunk = 1 };
	struct blktap_error err = { 0 };

	(void)state;
	assert_int_equal(call_fake(&fake, 5000, NULL, &err), 0);
}

static void test_silent(void **state)
{
	struct fake fake = { .answer = NULL };
	struct blktap_error err = { 0 };
	int64_t before = now_ms();

	(void)state;
	assert_int_equal(call_fake(&fake, 200, NULL, &err), -ETIMEDOUT);
	assert_in_range(now_ms() - before, 190, 5000);
	assert_string_equal(err.text, "tapdisk 4168 does not answer");
}

/* The deadline is one for the call, not one for each wait. */
static void test_full_queue(void **state)
{
	struct blktap_error err;
	int listener, fds[2], ret;
	size_t i;

	(void)state;
	listener = fake_listen(PID, 0);
	for (i = 0; i < 2; i++) {
		struct sockaddr_un address = { .sun_family = AF_UNIX };

		blktap_control_path(address.sun_path, sizeof(address.sun_path), PID);
		fds[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
		ret = connect(fds[i], (struct sockaddr *)&address, sizeof(address));
		assert_int_equal(ret ? errno : 0, i ? EAGAIN : 0);
	}
	ret = blktap_ctl_call(PID, "version", NULL, 100, NULL, &err);
	assert_int_equal(ret, -ETIMEDOUT);
	for (i = 0; i < 2; i++)
		close(fds[i]);
	close(listener);
}

static void test_cancelled(void **state)
{
	struct fake fake = { .answer = NULL };
	struct blktap_error err = { 0 };
	int fd = eventfd(1, EFD_CLOEXEC);

	(void)state;
	blktap_cancel_on(fd);
	assert_int_equal(call_fake(&fake, -1, NULL, &err), -EINTR);
	blktap_cancel_on(-1);
	close(fd);
}

static void test_garbage(void **state)
{
	static const char *const answers[] = {
		"\n", "hello\n", "42\n", "[]\n", "{}\n", "null\n", "\xff\xfe\n", "{\"a\":1,\"a\":2}\n",
		"{\"jsonrpc\":\"2.0\",\"id\":1}\n",
		"{\"jsonrpc\":\"1.0\",\"id\":1,\"result\":{}}\n",
		"{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{}}\n",
		"{\"jsonrpc\":\"2.0\",\"result\":{}}\n",
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{},\"error\":{\"code\":-1}}\n",
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{}}\n",
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":7}\n",
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":12}}\n",
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32000}}\n",
	};
	struct blktap_error err;
	char path[PATH_MAX];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(answers) / sizeof(*answers); i++) {
		assert_int_equal(answer_gives(answers[i], &err), -EPROTO);
		blktap_control_path(path, sizeof(path), PID);
		unlink(path);
	}
}

static void test_half_an_answer(void **state)
{
	struct blktap_error err;

	(void)state;
	assert_int_equal(answer_gives("{\"jsonrpc\":\"2.0\",\"id\":1,\"resu", &err), -EPROTO);
	assert_string_equal(err.text, "tapdisk 4168: it hung up in the middle of its answer");
}

static void test_no_answer(void **state)
{
	struct fake fake = { .answer = "" };
	struct blktap_error err = { 0 };

	(void)state;
	assert_int_equal(call_fake(&fake, 5000, NULL, &err), -EPROTO);
	assert_string_equal(err.text, "tapdisk 4168: it hung up without an answer");
}

static void test_refusal(void **state)
{
	struct blktap_error err;

	(void)state;
	assert_int_equal(answer_gives("{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-16,\"message\":"
				      "\"tapdev0 is still open\",\"data\":{\"errno\":16}}}\n", &err),
			 -EBUSY);
	assert_string_equal(err.text, "tapdev0 is still open");
}

static void test_protocol_refusal(void **state)
{
	struct blktap_error err;

	(void)state;
	assert_int_equal(answer_gives("{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32601,"
				      "\"message\":\"no such method: x\",\"data\":{\"errno\":95}}}\n",
				      &err), -EOPNOTSUPP);
	assert_string_equal(err.text, "no such method: x");
}

/* @padding bytes in a string of the result. */
static char *long_answer(size_t padding)
{
	char *text = malloc(padding + 100);
	int used = sprintf(text, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":\"");

	memset(text + used, 'x', padding);
	strcpy(text + used + padding, "\"}\n");
	return text;
}

static void test_long_answers(void **state)
{
	struct fake fake = { .chunk = 10000 };
	struct blktap_error err = { 0 };
	json_t *result = NULL;
	size_t frame;
	char path[PATH_MAX];
	char *answer;

	(void)state;
	answer = long_answer(0);
	frame = strlen(answer);
	free(answer);

	answer = long_answer(BLKTAP_RPC_MAX_LINE - frame);
	fake.answer = answer;
	assert_int_equal(call_fake(&fake, 20000, &result, &err), 0);
	assert_int_equal(json_string_length(result), BLKTAP_RPC_MAX_LINE - frame);
	json_decref(result);
	free(answer);

	blktap_control_path(path, sizeof(path), PID);
	unlink(path);
	answer = long_answer(BLKTAP_RPC_MAX_LINE - frame + 1);
	fake.answer = answer;
	fake.length = 0;
	assert_int_equal(call_fake(&fake, 20000, NULL, &err), -EPROTO);
	free(answer);
}

/* It answers and hangs up while we are still talking: no SIGPIPE, and it is heard. */
static void test_interrupted_request(void **state)
{
	struct fake fake = {
		.pid = PID,
		.deaf = true,
		.answer = "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32600,\"message\":"
			  "\"too long\",\"data\":{\"errno\":22}}}\n",
	};
	char *text = malloc(900001);
	struct blktap_error err;
	int ret;

	(void)state;
	signal(SIGPIPE, SIG_DFL);
	memset(text, 'x', 900000);
	text[900000] = '\0';
	fake_start(&fake);
	ret = blktap_ctl_call(PID, "x", json_pack("{s:s}", "a", text), 5000, NULL, &err);
	fake_stop(&fake);
	/* A reset may overtake the answer. */
	assert_true(ret == -EINVAL || ret == -EPROTO);
	free(text);
}

static void test_request_too_long(void **state)
{
	char *text = malloc(BLKTAP_RPC_MAX_LINE + 1);
	struct blktap_error err;

	(void)state;
	memset(text, 'x', BLKTAP_RPC_MAX_LINE);
	text[BLKTAP_RPC_MAX_LINE] = '\0';
	assert_int_equal(blktap_ctl_call(PID, "x", json_pack("{s:s}", "a", text), 5000, NULL, &err),
			 -EMSGSIZE);
	free(text);
}

static void test_list(void **state)
{
	struct fake fake = {
		.pid = PID,
		.answer = ANSWER("{\"vbds\":[{\"minor\":10,\"state\":42,\"new\":{}},"
				 "{\"minor\":2,\"state\":0,\"image\":"
				 "{\"type\":\"aio\",\"path\":\"/a:b\"}}]}"),
	};
	struct blktap_vbd_info *vbds;
	size_t count;

	(void)state;
	fake_start(&fake);
	assert_int_equal(blktap_ctl_list(PID, &vbds, &count, 5000, NULL), 0);
	fake_stop(&fake);
	assert_int_equal(count, 2);
	assert_int_equal(vbds[0].minor, 2);
	assert_string_equal(vbds[0].type, "aio");
	assert_string_equal(vbds[0].path, "/a:b");
	assert_int_equal(vbds[1].minor, 10);
	assert_int_equal(vbds[1].state, 0x2a);
	assert_null(vbds[1].type);
	blktap_vbd_info_free(vbds, count);
}

static void test_bad_lists(void **state)
{
	static const char *const answers[] = {
		ANSWER("[]"), ANSWER("{}"), ANSWER("{\"vbds\":7}"), ANSWER("{\"vbds\":[7]}"),
		ANSWER("{\"vbds\":[{\"minor\":-1,\"state\":0}]}"),
		ANSWER("{\"vbds\":[{\"minor\":1,\"state\":-1}]}"),
		ANSWER("{\"vbds\":[{\"minor\":99999999999,\"state\":0}]}"),
		ANSWER("{\"vbds\":[{\"minor\":1}]}"),
		ANSWER("{\"vbds\":[{\"minor\":1,\"state\":0,\"image\":{\"type\":\"aio\"}}]}"),
		ANSWER("{\"vbds\":[{\"minor\":1,\"state\":0,\"image\":\"aio\"}]}"),
	};
	struct blktap_vbd_info *vbds;
	struct blktap_error err;
	char path[PATH_MAX];
	size_t count, i;

	(void)state;
	blktap_control_path(path, sizeof(path), PID);
	for (i = 0; i < sizeof(answers) / sizeof(*answers); i++) {
		struct fake fake = { .pid = PID, .answer = answers[i] };

		fake_start(&fake);
		assert_int_equal(blktap_ctl_list(PID, &vbds, &count, 5000, &err), -EPROTO);
		fake_stop(&fake);
		unlink(path);
	}
}

#define TEST(test)	cmocka_unit_test_setup_teardown(test, make_control_dir, remove_control_dir)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_no_such_tapdisk),
		TEST(test_no_directory),
		TEST(test_long_directory),
		TEST(test_stale_socket),
		TEST(test_answer),
		TEST(test_request_sent),
		TEST(test_changes_sent),
		TEST(test_kernel_io),
		TEST(test_passing),
		TEST(test_mode_not_told),
		TEST(test_size_not_told),
		TEST(test_version),
		TEST(test_takeover_refused),
		TEST(test_trace),
		TEST(test_relative_directory),
		TEST(test_image_not_utf8),
		TEST(test_byte_by_byte),
		TEST(test_silent),
		TEST(test_full_queue),
		TEST(test_cancelled),
		TEST(test_garbage),
		TEST(test_half_an_answer),
		TEST(test_no_answer),
		TEST(test_refusal),
		TEST(test_protocol_refusal),
		TEST(test_long_answers),
		TEST(test_interrupted_request),
		TEST(test_request_too_long),
		TEST(test_list),
		TEST(test_bad_lists),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
