// SPDX-License-Identifier: GPL-2.0-only
#include "test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../load-print.h"

#define VBD(minor, requests, bytes, time_ns) \
	"{\"name\":\"aio:/x\",\"pid\":9,\"state\":0,\"tap\":{\"minor\":" #minor "},\"queues\":[" \
	"{\"queue\":0,\"outstanding\":1,\"ops\":{\"read\":{\"requests\":" #requests ",\"bytes\":" #bytes \
	",\"errors\":1,\"time_ns\":" #time_ns "}}},{\"queue\":1,\"outstanding\":2,\"ops\":{" \
	"\"write\":{\"requests\":10,\"bytes\":4096,\"errors\":0,\"time_ns\":0},\"flush\":{\"requests\":1}}}]}"

static void take(struct samples *samples, const char *json, int64_t at_ms)
{
	assert_int_equal(samples_make(samples, json_loads(json, 0, NULL), at_ms), 0);
}

static void assert_near(double value, double expected)
{
	assert_true(fabs(value - expected) < 1e-9);
}

static void test_rates(void **state)
{
	struct samples before, now;
	struct load *loads;

	(void)state;
	take(&before, "[" VBD(1, 100, 4096, 1000000000) "]", 10000);
	take(&now, "[" VBD(1, 300, 8192, 2000000000) "]", 12000);
	loads = load_compute(&before, &now);
	assert_near(loads[0].requests[0], 100);
	assert_near(loads[0].requests[1], 0);
	assert_near(loads[0].bytes[0], 2048);
	assert_near(loads[0].latency, 1.0 / 200);
	assert_near(loads[0].depth, 0.5);
	assert_true(loads[0].errors == 1 && loads[0].outstanding == 3);
	free(loads);
	samples_clear(&before);
	samples_clear(&now);
}

#define SERVED(reads, writes, ms) \
	"[{\"name\":\"aio:/x\",\"pid\":9,\"tap\":{\"minor\":1},\"queues\":[],\"disk\":{\"reads\":" #reads \
	",\"read_bytes\":8192,\"read_ms\":" #ms ",\"writes\":" #writes ",\"write_bytes\":0,\"write_ms\":0," \
	"\"inflight\":7}}]"

/* What the kernel serves by itself is not in the queues. */
static void test_disk(void **state)
{
	struct samples before, now;
	struct load *loads;

	(void)state;
	take(&before, SERVED(100, 10, 1000), 0);
	take(&now, SERVED(300, 110, 4000), 2000);
	loads = load_compute(&before, &now);
	assert_near(loads[0].requests[0], 100);
	assert_near(loads[0].requests[1], 50);
	assert_near(loads[0].latency, 0.01);
	assert_near(loads[0].depth, 1.5);
	assert_int_equal(loads[0].outstanding, 7);
	free(loads);
	samples_clear(&before);
	samples_clear(&now);
}

/* The busiest first; one that has just come is quiet, one that has gone is not there. */
static void test_coming_and_going(void **state)
{
	struct samples before, now;
	struct load *loads;

	(void)state;
	take(&before, "[" VBD(1, 1, 0, 0) "," VBD(2, 1, 0, 0) "," VBD(3, 1, 0, 0) "]", 0);
	take(&now, "[" VBD(5, 9, 9, 9) "," VBD(3, 2, 0, 5000) "," VBD(1, 2, 0, 100) "]", 1000);
	loads = load_compute(&before, &now);
	assert_int_equal(now.count, 3);
	assert_int_equal(loads[0].now->minor, 3);
	assert_int_equal(loads[1].now->minor, 1);
	assert_int_equal(loads[2].now->minor, 5);
	assert_near(loads[2].requests[0], 0);
	free(loads);
	samples_clear(&before);
	samples_clear(&now);
}

/* Counters start anew with each open. */
static void test_opened_again(void **state)
{
	struct samples before, now;
	struct load *loads;

	(void)state;
	take(&before, "[" VBD(1, 100, 4096, 1000) "]", 0);
	take(&now, "[" VBD(1, 7, 0, 10) "]", 1000);
	loads = load_compute(&before, &now);
	assert_near(loads[0].requests[0], 7);
	free(loads);
	/* Nothing to divide by. */
	loads = load_compute(&now, &now);
	assert_near(loads[0].requests[0], 0);
	assert_near(loads[0].depth, 0);
	free(loads);
	samples_clear(&before);
	samples_clear(&now);
}

static void test_nonsense(void **state)
{
	struct samples samples;
	struct load *loads;

	(void)state;
	take(&samples, "[1,null,{\"queues\":3},{\"name\":7,\"queues\":[{\"ops\":[]}]}]", 0);
	assert_int_equal(samples.count, 4);
	loads = load_compute(&samples, &samples);
	free(loads);
	samples_clear(&samples);
}

static char *printed(const struct load *load, unsigned int width)
{
	char *text = NULL;
	size_t size;
	FILE *file = open_memstream(&text, &size);

	if (load)
		load_print_row(file, load, width);
	else
		load_print_head(file, width);
	fclose(file);
	return text;
}

static void assert_printed(const struct load *load, unsigned int width, const char *expected)
{
	char *text = printed(load, width);

	assert_string_equal(text, expected);
	free(text);
}

static void test_rows(void **state)
{
	struct sample sample = { .minor = 12, .pid = 4168, .image = "aio:/\033ä" };
	struct load load = {
		.now = &sample, .requests = { 5, 12345 }, .bytes = { 512, 1572864 },
		.latency = 0.00025, .depth = 1.26, .errors = 3,
	};

	(void)state;
	assert_printed(NULL, 0, "MINOR      PID  READ/s WRITE/s      READ     WRITE  LATENCY  DEPTH"
		       " ERRORS  IMAGE");
	assert_printed(NULL, 9, "MINOR    ");
	assert_printed(&load, 0, "   12     4168       5   12.1K    512B/s   1.5MB/s    250us    1.3"
		       "      3  aio:/\\x1bä");
	assert_printed(&load, 85, "   12     4168       5   12.1K    512B/s   1.5MB/s    250us    1.3"
		       "      3  aio:/\\x1bä");
	assert_printed(&load, 84, "   12     4168       5   12.1K    512B/s   1.5MB/s    250us    1.3"
		       "      3  aio:/\\x1b");
	sample.paused = true;
	load.latency = 0;
	assert_printed(&load, 85, "   12     4168       5   12.1K    512B/s   1.5MB/s        -    1.3"
		       "      3  (paused) a");
}

static void test_json(void **state)
{
	struct sample sample = { .minor = 1, .pid = 2, .image = "aio:/x" };
	struct load load = { .now = &sample, .errors = 3 };
	json_t *json = load_json(&load, 1, "now", 1.5);
	json_t *disk = json_array_get(json_object_get(json, "disks"), 0);

	(void)state;
	assert_string_equal(json_string_value(json_object_get(json, "time")), "now");
	assert_string_equal(json_string_value(json_object_get(disk, "image")), "aio:/x");
	assert_int_equal(json_integer_value(json_object_get(disk, "errors")), 3);
	json_decref(json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rates),
		cmocka_unit_test(test_disk),
		cmocka_unit_test(test_coming_and_going),
		cmocka_unit_test(test_opened_again),
		cmocka_unit_test(test_nonsense),
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
