// SPDX-License-Identifier: LGPL-2.1-or-later
#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libblktap.h"

static json_t *parse_reply(char *reply)
{
	json_t *json;

	assert_non_null(reply);
	assert_int_equal(reply[strlen(reply) - 1], '\n');
	assert_ptr_equal(strchr(reply, '\n'), reply + strlen(reply) - 1);
	json = json_loads(reply, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(json);
	assert_string_equal(json_string_value(json_object_get(json, "jsonrpc")), "2.0");
	free(reply);
	return json;
}

static void expect_refused(const char *line, size_t length, int rpc_code, int number,
			   const char *id)
{
	struct blktap_rpc_request req;
	json_t *json, *error;
	char *reply, *text;

	assert_int_equal(blktap_rpc_parse(line, length, &req, &reply), -number);
	assert_null(req.root);
	json = parse_reply(reply);
	error = json_object_get(json, "error");
	assert_int_equal(json_integer_value(json_object_get(error, "code")), rpc_code);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(error, "data"),
							    "errno")), number);
	assert_true(json_is_string(json_object_get(error, "message")));
	text = json_dumps(json_object_get(json, "id"), JSON_ENCODE_ANY);
	assert_string_equal(text, id);
	free(text);
	json_decref(json);
	/* A caller may not be interested in the reply. */
	assert_int_equal(blktap_rpc_parse(line, length, &req, NULL), -number);
}

#define EXPECT_REFUSED(line, ...) expect_refused(line, sizeof(line) - 1, __VA_ARGS__)

/* An answer has to fit into a line, and the id is a part of it. */
static void test_long_id(void **state)
{
	struct blktap_rpc_request req;
	char line[2048], *reply;
	int length;

	(void)state;
	length = snprintf(line, sizeof(line), "{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"id\":\"%01024d\"}", 0);
	assert_int_equal(blktap_rpc_parse(line, length, &req, &reply), 0);
	blktap_rpc_request_free(&req);
	length = snprintf(line, sizeof(line), "{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"id\":\"%01025d\"}", 0);
	assert_int_equal(blktap_rpc_parse(line, length, &req, &reply), -EINVAL);
	assert_non_null(strstr(reply, "\"id\":null"));
	free(reply);
}

static void test_request(void **state)
{
	static const char line[] =
		"{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"attach\",\"params\":{\"minor\":3}}";
	struct blktap_rpc_request req;
	char *reply;

	(void)state;
	assert_int_equal(blktap_rpc_parse(line, sizeof(line) - 1, &req, &reply), 0);
	assert_null(reply);
	assert_string_equal(req.method, "attach");
	assert_int_equal(json_integer_value(req.id), 7);
	assert_int_equal(json_integer_value(json_object_get(req.params, "minor")), 3);
	blktap_rpc_request_free(&req);
}

static void test_notification(void **state)
{
	static const char line[] = "{\"jsonrpc\":\"2.0\",\"method\":\"list\"}";
	struct blktap_rpc_request req;

	(void)state;
	assert_int_equal(blktap_rpc_parse(line, sizeof(line) - 1, &req, NULL), 0);
	assert_null(req.id);
	assert_null(req.params);
	blktap_rpc_request_free(&req);
}

static void test_malformed(void **state)
{
	(void)state;
	EXPECT_REFUSED("", -32700, EPROTO, "null");
	EXPECT_REFUSED("   ", -32700, EPROTO, "null");
	EXPECT_REFUSED("{", -32700, EPROTO, "null");
	EXPECT_REFUSED("hello", -32700, EPROTO, "null");
	EXPECT_REFUSED("{} {}", -32700, EPROTO, "null");
	EXPECT_REFUSED("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"list\"}x", -32700, EPROTO,
		       "null");
	EXPECT_REFUSED("{\"id\":99999999999999999999}", -32700, EPROTO, "null");
}

static void test_embedded_nul(void **state)
{
	(void)state;
	EXPECT_REFUSED("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"li\0st\"}", -32700, EPROTO,
		       "null");
	EXPECT_REFUSED("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"list\"}\0", -32700, EPROTO,
		       "null");
	EXPECT_REFUSED("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"li\\u0000st\"}", -32700, EPROTO,
		       "null");
	EXPECT_REFUSED("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"l\",\"params\":{\"a\\u0000\":1}}",
		       -32700, EPROTO, "null");
}

static void test_duplicate_keys(void **state)
{
	(void)state;
	EXPECT_REFUSED("{\"jsonrpc\":\"2.0\",\"id\":1,\"id\":2,\"method\":\"list\"}", -32700, EPROTO,
		       "null");
	EXPECT_REFUSED("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\",\"params\":{\"a\":1,\"a\":2}}",
		       -32700, EPROTO, "null");
}

static void test_utf8(void **state)
{
	static const char good[] = "{\"jsonrpc\":\"2.0\",\"id\":\"ä\",\"method\":\"l€\"}";
	struct blktap_rpc_request req;

	(void)state;
	assert_int_equal(blktap_rpc_parse(good, sizeof(good) - 1, &req, NULL), 0);
	assert_string_equal(req.method, "l€");
	blktap_rpc_request_free(&req);
	EXPECT_REFUSED("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xff\"}", -32700, EPROTO, "null");
	EXPECT_REFUSED("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xc0\x80\"}", -32700, EPROTO,
		       "null");
	EXPECT_REFUSED("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\\ud800\"}", -32700, EPROTO,
		       "null");
}

static void test_not_requests(void **state)
{
	(void)state;
	EXPECT_REFUSED("42", -32600, EINVAL, "null");
	EXPECT_REFUSED("\"list\"", -32600, EINVAL, "null");
	EXPECT_REFUSED("null", -32600, EINVAL, "null");
	EXPECT_REFUSED("{}", -32600, EINVAL, "null");
	EXPECT_REFUSED("{\"id\":5,\"method\":\"list\"}", -32600, EINVAL, "5");
	EXPECT_REFUSED("{\"jsonrpc\":\"1.0\",\"id\":5,\"method\":\"list\"}", -32600, EINVAL, "5");
	EXPECT_REFUSED("{\"jsonrpc\":2.0,\"id\":5,\"method\":\"list\"}", -32600, EINVAL, "5");
	EXPECT_REFUSED("{\"jsonrpc\":\"2.0\",\"id\":\"a\"}", -32600, EINVAL, "\"a\"");
	EXPECT_REFUSED("{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"\"}", -32600, EINVAL, "5");
	EXPECT_REFUSED("{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":9}", -32600, EINVAL, "5");
	EXPECT_REFUSED("{\"jsonrpc\":\"2.0\",\"id\":[],\"method\":\"list\"}", -32600, EINVAL, "null");
	EXPECT_REFUSED("{\"jsonrpc\":\"2.0\",\"id\":true,\"method\":\"list\"}", -32600, EINVAL,
		       "null");
}

static void test_batches(void **state)
{
	(void)state;
	EXPECT_REFUSED("[]", -32600, EINVAL, "null");
	EXPECT_REFUSED("[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"list\"}]", -32600, EINVAL,
		       "null");
}

static void test_parameters(void **state)
{
	(void)state;
	EXPECT_REFUSED("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\",\"params\":[0]}", -32602,
		       EINVAL, "1");
	EXPECT_REFUSED("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\",\"params\":null}", -32602,
		       EINVAL, "1");
}

static void test_oversized(void **state)
{
	char *line = malloc(BLKTAP_RPC_MAX_LINE + 1);
	struct blktap_rpc_request req;
	size_t used;

	(void)state;
	memset(line, ' ', BLKTAP_RPC_MAX_LINE + 1);
	used = sprintf(line, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"list\"}");
	line[used] = ' ';
	/* With its newline it is exactly as long as can be. */
	assert_int_equal(blktap_rpc_parse(line, BLKTAP_RPC_MAX_LINE - 1, &req, NULL), 0);
	blktap_rpc_request_free(&req);
	expect_refused(line, BLKTAP_RPC_MAX_LINE, -32600, EINVAL, "null");
	free(line);
}

static void test_deep_nesting(void **state)
{
	char *line = malloc(BLKTAP_RPC_MAX_LINE);
	struct blktap_rpc_request req;
	size_t depth = 500000;
	int used, ret;

	(void)state;
	used = sprintf(line, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\",\"params\":{\"a\":");
	memset(line + used, '[', depth);
	expect_refused(line, used + depth, -32700, EPROTO, "null");
	memset(line, '[', BLKTAP_RPC_MAX_LINE - 1);
	expect_refused(line, BLKTAP_RPC_MAX_LINE - 1, -32700, EPROTO, "null");
	for (depth = 0; depth < BLKTAP_RPC_MAX_LINE - 6; depth += 5)
		memcpy(line + depth, "{\"a\":", 5);
	ret = blktap_rpc_parse(line, depth, &req, NULL);
	assert_int_equal(ret, -EPROTO);
	free(line);
}

static void test_result(void **state)
{
	json_t *id = json_string("x");
	char *line;

	(void)state;
	line = blktap_rpc_result(id, json_pack("{s:i}", "protocol", 1));
	assert_string_equal(line, "{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"result\":{\"protocol\":1}}\n");
	free(line);
	line = blktap_rpc_result(NULL, json_object());
	assert_string_equal(line, "{\"jsonrpc\":\"2.0\",\"id\":null,\"result\":{}}\n");
	free(line);
	json_decref(id);
}

static void test_result_without_memory(void **state)
{
	json_t *json = parse_reply(blktap_rpc_result(NULL, NULL));

	(void)state;
	assert_int_equal(json_integer_value(json_object_get(json_object_get(json, "error"),
							    "code")), -ENOMEM);
	json_decref(json);
}

static void test_result_too_long(void **state)
{
	char *text = malloc(BLKTAP_RPC_MAX_LINE);
	json_t *json;

	(void)state;
	memset(text, 'x', BLKTAP_RPC_MAX_LINE - 1);
	text[BLKTAP_RPC_MAX_LINE - 1] = '\0';
	json = parse_reply(blktap_rpc_result(NULL, json_string(text)));
	assert_int_equal(json_integer_value(json_object_get(json_object_get(json, "error"),
							    "code")), -EMSGSIZE);
	json_decref(json);
	free(text);
}

static void test_error(void **state)
{
	json_t *id = json_integer(1);
	struct blktap_error err;
	char *line;

	(void)state;
	blktap_error_set(&err, -EBUSY, "tapdev0 is still open");
	line = blktap_rpc_error(id, &err);
	assert_string_equal(line, "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-16,\"message\":"
			    "\"tapdev0 is still open\",\"data\":{\"errno\":16}}}\n");
	free(line);
	blktap_error_set(&err, -EOPNOTSUPP, "open: \"standby\" is not built");
	line = blktap_rpc_protocol_error(id, BLKTAP_RPC_INVALID_PARAMS, &err);
	assert_string_equal(line, "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32602,"
			    "\"message\":\"open: \\\"standby\\\" is not built\","
			    "\"data\":{\"errno\":95}}}\n");
	free(line);
	json_decref(id);
}

static void test_error_with_bytes(void **state)
{
	struct blktap_error err = { .code = -ENOENT };
	json_t *json;

	(void)state;
	strcpy(err.text, "/tmp/\xff\xfe: no such image");
	json = parse_reply(blktap_rpc_error(NULL, &err));
	assert_string_equal(json_string_value(json_object_get(json_object_get(json, "error"),
							      "message")),
			    "/tmp/??: no such image");
	json_decref(json);
}

static void test_request_line(void **state)
{
	json_t *id = json_integer(1);
	char *line;

	(void)state;
	line = blktap_rpc_request_line(id, "detach", json_pack("{s:i}", "minor", 4));
	assert_string_equal(line, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"detach\","
			    "\"params\":{\"minor\":4}}\n");
	free(line);
	line = blktap_rpc_request_line(NULL, "list", NULL);
	assert_string_equal(line, "{\"jsonrpc\":\"2.0\",\"method\":\"list\"}\n");
	free(line);
	json_decref(id);
}

/* Whatever is cut off or changed, nothing but a refusal or a request comes of it. */
static void test_mutations(void **state)
{
	static const char line[] =
		"{\"jsonrpc\":\"2.0\",\"id\":\"ä\",\"method\":\"open\",\"params\":{\"minor\":0}}";
	struct blktap_rpc_request req;
	char copy[sizeof(line)];
	size_t i;
	int byte;

	(void)state;
	for (i = 0; i < sizeof(line) - 1; i++)
		assert_int_not_equal(blktap_rpc_parse(line, i, &req, NULL), 0);
	for (i = 0; i < sizeof(line) - 1; i++)
		for (byte = 0; byte < 256; byte++) {
			char *reply;

			memcpy(copy, line, sizeof(line));
			copy[i] = byte;
			if (blktap_rpc_parse(copy, sizeof(line) - 1, &req, &reply))
				json_decref(parse_reply(reply));
			else
				blktap_rpc_request_free(&req);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_long_id),
		cmocka_unit_test(test_request),
		cmocka_unit_test(test_notification),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_embedded_nul),
		cmocka_unit_test(test_duplicate_keys),
		cmocka_unit_test(test_utf8),
		cmocka_unit_test(test_not_requests),
		cmocka_unit_test(test_batches),
		cmocka_unit_test(test_parameters),
		cmocka_unit_test(test_oversized),
		cmocka_unit_test(test_deep_nesting),
		cmocka_unit_test(test_result),
		cmocka_unit_test(test_result_without_memory),
		cmocka_unit_test(test_result_too_long),
		cmocka_unit_test(test_error),
		cmocka_unit_test(test_error_with_bytes),
		cmocka_unit_test(test_request_line),
		cmocka_unit_test(test_mutations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
