// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Statistics as OpenMetrics text.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "control-character.h"
#include "libblktap.h"

#define BUCKETS	28	/* the last one has no upper limit */

struct family {
	const char *name;
	const char *type;
	const char *unit;	/* NULL: none */
	const char *help;
	void (*put)(FILE *file, const struct family *family, const json_t *vbd);
	const char *key;	/* in the object of a queue or an operation */
};

/* ---------------------------------------------------------------------- values */

static uint64_t number_of(const json_t *value)
{
	json_int_t number = json_integer_value(value);

	return number > 0 ? (uint64_t)number : 0;
}

static uint64_t number_at(const json_t *object, const char *key)
{
	return number_of(json_object_get(object, key));
}

static int minor_of(const json_t *vbd)
{
	return (int)number_at(json_object_get(vbd, "tap"), "minor");
}

/* A newline comes back as it was; other control characters are of no use to anybody. */
static void put_escaped(FILE *file, const char *text)
{
	size_t bytes;

	for (; *text; text += bytes ? bytes : 1) {
		bytes = control_length(text, text[1] ? 2 : 1);
		if (*text == '\n')
			fputs("\\n", file);
		else if (*text == '\\' || *text == '"')
			fprintf(file, "\\%c", *text);
		else
			putc(bytes ? '?' : *text, file);
	}
}

/* The start of a sample: its name and the labels that all have; "}" is still to come. */
static void put_sample(FILE *file, const struct family *family, const char *suffix,
		       const json_t *vbd)
{
	fprintf(file, "%s%s{pid=\"%" PRIu64 "\",minor=\"%d\"", family->name, suffix,
		number_at(vbd, "pid"), minor_of(vbd));
}

/* -------------------------------------------------------------------- per VBD */

static void put_info(FILE *file, const struct family *family, const json_t *vbd)
{
	const char *name = json_string_value(json_object_get(vbd, "name"));

	put_sample(file, family, "", vbd);
	fputs(",image=\"", file);
	put_escaped(file, name ? name : "");
	fputs("\"} 1\n", file);
}

static void put_paused(FILE *file, const struct family *family, const json_t *vbd)
{
	put_sample(file, family, "", vbd);
	fprintf(file, "} %d\n", number_at(vbd, "state") & BLKTAP_VBD_PAUSED ? 1 : 0);
}

/* Pairs of the way in and the way out. */
static void put_kicks(FILE *file, const struct family *family, const json_t *vbd)
{
	static const char *const ways[] = { "in", "out" };
	json_t *kicks = json_object_get(json_object_get(vbd, "tap"), "kicks");
	size_t i;

	for (i = 0; i < ARRAY_SIZE(ways) && i < json_array_size(kicks); i++) {
		put_sample(file, family, "_total", vbd);
		fprintf(file, ",direction=\"%s\"} %" PRIu64 "\n", ways[i],
			number_of(json_array_get(kicks, i)));
	}
}

static void put_paths(FILE *file, const struct family *family, const json_t *vbd)
{
	static const struct { const char *key, *path; } paths[] = {
		{ "ios_daemon", "daemon" },
		{ "ios_redirect", "redirect" },
		{ "ios_extent", "extent" },
		{ "ios_retry", "retry" },
	};
	json_t *counts = json_object_get(vbd, "kernel_io");
	size_t i;

	for (i = 0; i < ARRAY_SIZE(paths); i++) {
		if (!json_object_get(counts, paths[i].key))
			continue;
		put_sample(file, family, "_total", vbd);
		fprintf(file, ",path=\"%s\"} %" PRIu64 "\n", paths[i].path,
			number_at(counts, paths[i].key));
	}
}

static void put_kernel_io(FILE *file, const struct family *family, const json_t *vbd)
{
	json_t *counts = json_object_get(vbd, "kernel_io");

	if (!json_object_get(counts, family->key))
		return;
	put_sample(file, family, strcmp(family->type, "counter") == 0 ? "_total" : "", vbd);
	fprintf(file, "} %" PRIu64 "\n", number_at(counts, family->key));
}

/* ------------------------------------------------------------------ per queue */

static void each_queue(FILE *file, const struct family *family, const json_t *vbd,
		       const char *suffix)
{
	json_t *queues = json_object_get(vbd, "queues"), *queue;
	size_t i;

	json_array_foreach(queues, i, queue) {
		put_sample(file, family, suffix, vbd);
		fprintf(file, ",queue=\"%" PRIu64 "\"} %" PRIu64 "\n", number_at(queue, "queue"),
			number_at(queue, family->key));
	}
}

static void put_queue_gauge(FILE *file, const struct family *family, const json_t *vbd)
{
	each_queue(file, family, vbd, "");
}

static void put_queue_counter(FILE *file, const struct family *family, const json_t *vbd)
{
	each_queue(file, family, vbd, "_total");
}

/* -------------------------------------------------------- per queue and operation */

struct operation {
	FILE *file;
	const struct family *family;
	const json_t *vbd;
	uint64_t queue;
	const char *name;
	const json_t *numbers;
};

static void put_operation_sample(const struct operation *op, const char *suffix)
{
	put_sample(op->file, op->family, suffix, op->vbd);
	fprintf(op->file, ",queue=\"%" PRIu64 "\",op=\"", op->queue);
	put_escaped(op->file, op->name);
	putc('"', op->file);
}

static void each_operation(FILE *file, const struct family *family, const json_t *vbd,
			   void (*put)(const struct operation *op))
{
	struct operation op = { .file = file, .family = family, .vbd = vbd };
	json_t *queues = json_object_get(vbd, "queues"), *queue, *numbers;
	size_t i;

	json_array_foreach(queues, i, queue) {
		op.queue = number_at(queue, "queue");
		json_object_foreach(json_object_get(queue, "ops"), op.name, numbers) {
			op.numbers = numbers;
			put(&op);
		}
	}
}

static void put_one_counter(const struct operation *op)
{
	put_operation_sample(op, "_total");
	fprintf(op->file, "} %" PRIu64 "\n", number_at(op->numbers, op->family->key));
}

static void put_counter(FILE *file, const struct family *family, const json_t *vbd)
{
	each_operation(file, family, vbd, put_one_counter);
}

/* No locale has a say in these. */
static void put_bucket(const struct operation *op, unsigned int i, uint64_t count)
{
	uint64_t micros = 1ULL << i;

	put_operation_sample(op, "_bucket");
	if (i == BUCKETS - 1)
		fputs(",le=\"+Inf\"", op->file);
	else
		fprintf(op->file, ",le=\"%" PRIu64 ".%06" PRIu64 "\"", micros / 1000000,
			micros % 1000000);
	fprintf(op->file, "} %" PRIu64 "\n", count);
}

static void put_one_histogram(const struct operation *op)
{
	json_t *latency = json_object_get(op->numbers, "latency");
	uint64_t nanos = number_at(op->numbers, "time_ns");
	uint64_t count = 0;
	unsigned int i;

	for (i = 0; i < BUCKETS; i++) {
		count += number_of(json_array_get(latency, i));
		put_bucket(op, i, count);
	}
	put_operation_sample(op, "_count");
	fprintf(op->file, "} %" PRIu64 "\n", count);
	put_operation_sample(op, "_sum");
	fprintf(op->file, "} %" PRIu64 ".%09" PRIu64 "\n", nanos / 1000000000, nanos % 1000000000);
}

static void put_histogram(FILE *file, const struct family *family, const json_t *vbd)
{
	each_operation(file, family, vbd, put_one_histogram);
}

/* -------------------------------------------------------------------- families */

static const struct family families[] = {
	/* Not of the type info, which the readers of the older format do not know. */
	{ "blktap_vbd_info", "gauge", NULL, "A disk's image and tapdisk.", put_info, NULL },
	{ "blktap_paused", "gauge", NULL, "Whether the disk is paused.", put_paused, NULL },
	{ "blktap_kicks", "counter", NULL,
	  "Wake-ups that brought requests, and calls that handed answers over.", put_kicks, NULL },
	{ "blktap_redirected_requests", "counter", NULL,
	  "Requests that the tapdisk answered with a place, for the kernel to do.",
	  put_kernel_io, "redirected" },
	{ "blktap_kernel_requests", "counter", NULL,
	  "Requests of the session by who did them, and those that came back after an error.",
	  put_paths, NULL },
	{ "blktap_extents", "gauge", NULL, "Ranges that the kernel serves by itself.",
	  put_kernel_io, "extents" },
	{ "blktap_outstanding_requests", "gauge", NULL, "Requests that have no answer yet.",
	  put_queue_gauge, "outstanding" },
	{ "blktap_spins", "counter", NULL, "Waits for requests that ended by spinning.",
	  put_queue_counter, "spins" },
	{ "blktap_requests", "counter", NULL, "Requests answered.", put_counter, "requests" },
	{ "blktap_io_bytes", "counter", "bytes", "Bytes of these requests.", put_counter, "bytes" },
	{ "blktap_errors", "counter", NULL, "Requests that failed.", put_counter, "errors" },
	{ "blktap_request_latency_seconds", "histogram", "seconds",
	  "Time from the taking of a request to its answer.", put_histogram, NULL },
};

static void put_family(FILE *file, const struct family *family, const json_t *vbds)
{
	json_t *vbd;
	size_t i;

	fprintf(file, "# TYPE %s %s\n", family->name, family->type);
	if (family->unit)
		fprintf(file, "# UNIT %s %s\n", family->name, family->unit);
	fprintf(file, "# HELP %s %s\n", family->name, family->help);
	json_array_foreach((json_t *)vbds, i, vbd) {
		family->put(file, family, vbd);
	}
}

char *blktap_openmetrics(const json_t *vbds)
{
	char *text = NULL;
	size_t size, i;
	FILE *file = open_memstream(&text, &size);
	bool failed;

	if (!file)
		return NULL;
	for (i = 0; i < ARRAY_SIZE(families); i++)
		put_family(file, &families[i], vbds);
	fputs("# EOF\n", file);
	failed = ferror(file);
	if (fclose(file) == 0 && !failed)
		return text;
	free(text);
	return NULL;
}
