// SPDX-License-Identifier: LGPL-2.1-or-later
#include "test.h"


#include "../disk-stat.h"
#include "fake-tapdisk.h"

#define ANSWER(result)	"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":" result "}\n"
#define NO_MINOR	"{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-19,\"message\":" \
			"\"no such minor\",\"data\":{\"errno\":19}}}\n"
#define VBD(minor)	"{\"name\":\"aio:/x\",\"tap\":{\"minor\":" #minor "},\"state\":0,\"queues\":[]}"

/* ------------------------------------------------------------------- gathering */

static void test_one(void **state)
{
	struct fake fake = { .pid = 9, .answer = ANSWER("{\"vbds\":[" VBD(3) "]}") };
	json_t *vbds;

	(void)state;
	fake_start(&fake);
	assert_int_equal(blktap_ctl_stats(9, 3, &vbds, 5000, NULL), 0);
	assert_non_null(strstr(fake.request, "\"method\":\"stats\",\"params\":{\"minor\":3}"));
	assert_int_equal(json_array_size(vbds), 1);
	json_decref(vbds);
	/* It speaks of another one. */
	assert_int_equal(blktap_ctl_stats(9, 4, &vbds, 5000, NULL), -EPROTO);
	assert_int_equal(blktap_stats(9, 3, &vbds, 5000, NULL), 0);
	assert_int_equal(json_integer_value(json_object_get(json_array_get(vbds, 0), "pid")), 9);
	json_decref(vbds);
	fake_stop(&fake);
}

static void test_pages(void **state)
{
	static const char *const answers[] = {
		ANSWER("{\"vbds\":[" VBD(1) "],\"next\":5}"), ANSWER("{\"vbds\":[" VBD(5) "]}"), NULL,
	};
	struct fake fake = { .pid = 9, .answers = answers };
	json_t *vbds;

	(void)state;
	fake_start(&fake);
	assert_int_equal(blktap_ctl_stats(9, -1, &vbds, 5000, NULL), 0);
	assert_int_equal(json_array_size(vbds), 2);
	json_decref(vbds);
	fake_stop(&fake);
}

static void test_everybody(void **state)
{
	struct fake first = { .pid = 10, .answer = ANSWER("{\"vbds\":[" VBD(1) "," VBD(2) "]}") };
	struct fake second = { .pid = 9, .answer = ANSWER("{\"vbds\":[" VBD(7) "]}") };
	struct fake silent = { .pid = 11 };
	json_t *vbds;

	(void)state;
	close(fake_listen(5000000, 1));
	fake_start(&first);
	fake_start(&second);
	fake_start(&silent);
	assert_int_equal(blktap_stats(0, -1, &vbds, 300, NULL), 0);
	assert_int_equal(json_array_size(vbds), 3);
	assert_int_equal(json_integer_value(json_object_get(json_array_get(vbds, 0), "pid")), 9);
	assert_int_equal(json_integer_value(json_object_get(json_array_get(vbds, 2), "pid")), 10);
	json_decref(vbds);
	fake_stop(&first);
	fake_stop(&second);
	fake_stop(&silent);
}

static void test_unknown_minor(void **state)
{
	struct fake fake = { .pid = 9, .answer = NO_MINOR };
	struct blktap_error err;
	json_t *vbds;

	(void)state;
	fake_start(&fake);
	assert_int_equal(blktap_stats(9, 3, &vbds, 5000, &err), -ENODEV);
	assert_int_equal(blktap_stats(0, 3, &vbds, 5000, &err), -ENODEV);
	assert_string_equal(err.text, "minor 3: no tapdisk has it");
	fake_stop(&fake);
}

/* Who does not answer may be the one that has it. */
static void test_minor_of_a_silent_tapdisk(void **state)
{
	struct fake fake = { .pid = 9, .answer = NO_MINOR };
	struct fake silent = { .pid = 11 };
	struct blktap_error err;
	json_t *vbds;

	(void)state;
	fake_start(&fake);
	fake_start(&silent);
	assert_int_equal(blktap_stats(0, 3, &vbds, 300, &err), -ETIMEDOUT);
	assert_string_equal(err.text, "minor 3: tapdisk 11 does not answer");
	fake_stop(&fake);
	fake_stop(&silent);
}

static void test_nonsense(void **state)
{
	static const char *const answers[] = {
		ANSWER("{}"), ANSWER("{\"vbds\":{}}"), ANSWER("[]"), ANSWER("{\"vbds\":[1]}"),
		ANSWER("{\"vbds\":[" VBD(2) "," VBD(2) "]}"), ANSWER("{\"vbds\":[{}]}"),
		ANSWER("{\"vbds\":[" VBD(4294967296) "]}"),
		ANSWER("{\"vbds\":[],\"next\":\"x\"}"), ANSWER("{\"vbds\":[],\"next\":-1}"),
	};
	char path[PATH_MAX];
	json_t *vbds;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(answers) / sizeof(*answers); i++) {
		struct fake fake = { .pid = 9, .answer = answers[i] };

		fake_start(&fake);
		assert_int_equal(blktap_stats(9, -1, &vbds, 5000, NULL), -EPROTO);
		fake_stop(&fake);
		blktap_control_path(path, sizeof(path), 9);
		unlink(path);
	}
}

/* ------------------------------------------------------------------ OpenMetrics */

static const char stats[] = "[{\"name\":\"aio:/a\\\"b\\\\c\\nd\\u001be\\u009b\",\"pid\":42,\"state\":42,"
	"\"tap\":{\"minor\":3,\"kicks\":[12,13]},\"queues\":[{\"queue\":1,\"outstanding\":5,\"spins\":7,\"ops\":{"
	"\"read\":{\"requests\":64,\"bytes\":4096,\"errors\":2,\"time_ns\":1008123000,"
	"\"latency\":[1,0,3]},\"flush\":{}}}]},"
	"{\"name\":\"\",\"pid\":42,\"state\":0,\"tap\":{\"minor\":4},\"queues\":[]}]";

static char *openmetrics(const char *json)
{
	json_t *vbds = json_loads(json, 0, NULL);
	char *text = blktap_openmetrics(vbds);

	json_decref(vbds);
	return text;
}

static void assert_line(const char *text, const char *line)
{
	const char *found = strstr(text, line);

	if (!found)
		print_message("missing: %s", line);
	assert_non_null(found);
	assert_true(found == text || found[-1] == '\n');
}

static void test_disk_stat(void **state)
{
	struct disk_stat stat;

	(void)state;
	assert_true(disk_stat_parse("  11  1   24  5  7 2 16 9   3 20 14 0 0 0 0 1 0\n", &stat));
	assert_true(stat.reads == 11 && stat.read_bytes == 24 * 512 && stat.read_ms == 5);
	assert_true(stat.writes == 7 && stat.write_bytes == 16 * 512 && stat.write_ms == 9);
	assert_int_equal(stat.inflight, 3);
	assert_false(disk_stat_parse("1 2 3 4 5 6 7 8\n", &stat));
	assert_false(disk_stat_parse("", &stat));
	assert_false(disk_stat_read(1 << 19, &stat));
}

static void test_openmetrics(void **state)
{
	char *text = openmetrics(stats);

	(void)state;
#define LABELS	"pid=\"42\",minor=\"3\",queue=\"1\",op=\"read\""
	assert_line(text, "# TYPE blktap_vbd_info gauge\n");
	assert_line(text, "blktap_vbd_info{pid=\"42\",minor=\"3\",image=\"aio:/a\\\"b\\\\c\\nd?e?\"} 1\n");
	assert_line(text, "blktap_vbd_info{pid=\"42\",minor=\"4\",image=\"\"} 1\n");
	assert_line(text, "blktap_paused{pid=\"42\",minor=\"3\"} 1\n");
	assert_line(text, "blktap_paused{pid=\"42\",minor=\"4\"} 0\n");
	assert_line(text, "blktap_kicks_total{pid=\"42\",minor=\"3\",direction=\"out\"} 13\n");
	assert_line(text, "blktap_outstanding_requests{pid=\"42\",minor=\"3\",queue=\"1\"} 5\n");
	assert_line(text, "# TYPE blktap_spins counter\n");
	assert_line(text, "blktap_spins_total{pid=\"42\",minor=\"3\",queue=\"1\"} 7\n");
	assert_line(text, "# TYPE blktap_requests counter\n");
	assert_line(text, "blktap_requests_total{" LABELS "} 64\n");
	assert_line(text, "# UNIT blktap_io_bytes bytes\n");
	assert_line(text, "blktap_io_bytes_total{" LABELS "} 4096\n");
	assert_line(text, "blktap_errors_total{" LABELS "} 2\n");
	assert_line(text, "# TYPE blktap_request_latency_seconds histogram\n");
	assert_line(text, "# UNIT blktap_request_latency_seconds seconds\n");
	assert_line(text, "blktap_request_latency_seconds_bucket{" LABELS ",le=\"0.000001\"} 1\n");
	assert_line(text, "blktap_request_latency_seconds_bucket{" LABELS ",le=\"0.000002\"} 1\n");
	assert_line(text, "blktap_request_latency_seconds_bucket{" LABELS ",le=\"0.000004\"} 4\n");
	assert_line(text, "blktap_request_latency_seconds_bucket{" LABELS ",le=\"67.108864\"} 4\n");
	assert_line(text, "blktap_request_latency_seconds_bucket{" LABELS ",le=\"+Inf\"} 4\n");
	assert_line(text, "blktap_request_latency_seconds_count{" LABELS "} 4\n");
	assert_line(text, "blktap_request_latency_seconds_sum{" LABELS "} 1.008123000\n");
	assert_string_equal(text + strlen(text) - 6, "# EOF\n");
	free(text);
}

/* The samples of a family stand together, below its only TYPE. */
static void test_families_are_whole(void **state)
{
	char *text = openmetrics(stats), *line, *rest, family[64] = "";
	size_t types = 0;

	(void)state;
	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		if (sscanf(line, "# TYPE %63s", family) == 1)
			types++;
		else if (line[0] != '#')
			assert_int_equal(strncmp(line, family, strlen(family)), 0);
	}
	assert_int_equal(types, 12);
	free(text);
}

static void test_openmetrics_of_nonsense(void **state)
{
	static const char *const odd[] = {
		"[]", "[1,null,\"x\",[]]", "[{\"queues\":7,\"tap\":[]}]",
		"[{\"queues\":[null,{\"ops\":{\"read\":3}}]}]",
		"[{\"queues\":[{\"ops\":{\"read\":{\"latency\":[-1,\"x\"],\"bytes\":-5}}}]}]",
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(odd) / sizeof(*odd); i++) {
		char *text = openmetrics(odd[i]);

		assert_string_equal(text + strlen(text) - 6, "# EOF\n");
		free(text);
	}
}

#define TEST(test)	cmocka_unit_test_setup_teardown(test, make_control_dir, remove_control_dir)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_one),
		TEST(test_pages),
		TEST(test_everybody),
		TEST(test_unknown_minor),
		TEST(test_minor_of_a_silent_tapdisk),
		TEST(test_nonsense),
		TEST(test_disk_stat),
		TEST(test_openmetrics),
		TEST(test_families_are_whole),
		TEST(test_openmetrics_of_nonsense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
