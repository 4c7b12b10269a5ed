// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "libblktap.h"
#include "load.h"

#define NS_PER_MS	1000000ULL

static uint64_t number_at(const json_t *object, const char *key)
{
	json_int_t number = json_integer_value(json_object_get(object, key));

	return number > 0 ? (uint64_t)number : 0;
}

/* --------------------------------------------------------------------- samples */

static void add_operation(struct sample *sample, const char *name, const json_t *numbers)
{
	int kind = strcmp(name, "read") == 0 ? 0 : strcmp(name, "write") == 0 ? 1 : -1;

	if (kind >= 0) {
		sample->requests[kind] += number_at(numbers, "requests");
		sample->bytes[kind] += number_at(numbers, "bytes");
	}
	sample->answered += number_at(numbers, "requests");
	sample->time_ns += number_at(numbers, "time_ns");
	sample->errors += number_at(numbers, "errors");
}

/* The block layer's numbers have what the kernel serves by itself as well. */
static void take_disk(struct sample *sample, const json_t *disk)
{
	if (!json_is_object(disk))
		return;
	sample->requests[0] = number_at(disk, "reads");
	sample->requests[1] = number_at(disk, "writes");
	sample->bytes[0] = number_at(disk, "read_bytes");
	sample->bytes[1] = number_at(disk, "write_bytes");
	sample->answered = sample->requests[0] + sample->requests[1];
	sample->time_ns = (number_at(disk, "read_ms") + number_at(disk, "write_ms")) * NS_PER_MS;
	sample->outstanding = number_at(disk, "inflight");
}

static void take_vbd(struct sample *sample, const json_t *vbd)
{
	json_t *queues = json_object_get(vbd, "queues"), *queue, *numbers;
	const char *name;
	size_t i;

	memset(sample, 0, sizeof(*sample));
	sample->pid = number_at(vbd, "pid");
	sample->minor = number_at(json_object_get(vbd, "tap"), "minor");
	name = json_string_value(json_object_get(vbd, "name"));
	sample->image = name ? name : "";
	sample->paused = number_at(vbd, "state") & BLKTAP_VBD_PAUSED;
	json_array_foreach(queues, i, queue) {
		sample->outstanding += number_at(queue, "outstanding");
		json_object_foreach(json_object_get(queue, "ops"), name, numbers)
			add_operation(sample, name, numbers);
	}
	take_disk(sample, json_object_get(vbd, "disk"));
}

static int compare_samples(const void *a, const void *b)
{
	const struct sample *left = a, *right = b;

	if (left->minor != right->minor)
		return left->minor < right->minor ? -1 : 1;
	return (left->pid > right->pid) - (left->pid < right->pid);
}

int samples_make(struct samples *samples, json_t *stats, int64_t at_ms)
{
	json_t *vbd;
	size_t i;

	samples->stats = stats;
	samples->at_ms = at_ms;
	samples->count = json_array_size(stats);
	samples->list = calloc(samples->count + 1, sizeof(*samples->list));
	if (!samples->list) {
		samples_clear(samples);
		return -ENOMEM;
	}
	json_array_foreach(stats, i, vbd)
		take_vbd(&samples->list[i], vbd);
	qsort(samples->list, samples->count, sizeof(*samples->list), compare_samples);
	return 0;
}

void samples_clear(struct samples *samples)
{
	json_decref(samples->stats);
	free(samples->list);
	memset(samples, 0, sizeof(*samples));
}

/* ----------------------------------------------------------------------- loads */

/*
 * What a disk has to be compared with. Counters start anew with each open, which
 * shows when one of them is less than it was.
 */
static struct sample base_of(const struct samples *before, const struct sample *now)
{
	const struct sample *old = NULL;

	if (before->count)
		old = bsearch(now, before->list, before->count, sizeof(*now), compare_samples);
	if (!old)
		return *now;
	if (old->answered > now->answered || old->time_ns > now->time_ns ||
	    old->bytes[0] > now->bytes[0] || old->bytes[1] > now->bytes[1] ||
	    old->requests[0] > now->requests[0] || old->requests[1] > now->requests[1])
		return (struct sample){ 0 };
	return *old;
}

static struct load compare(const struct sample *before, const struct sample *now, double seconds)
{
	struct load load = {
		.now = now,
		.errors = now->errors,
		.outstanding = now->outstanding,
	};
	uint64_t answered = now->answered - before->answered;
	double busy = (now->time_ns - before->time_ns) / 1e9;
	int kind;

	if (answered)
		load.latency = busy / answered;
	if (seconds <= 0)
		return load;
	load.depth = busy / seconds;
	for (kind = 0; kind < 2; kind++) {
		load.requests[kind] = (now->requests[kind] - before->requests[kind]) / seconds;
		load.bytes[kind] = (now->bytes[kind] - before->bytes[kind]) / seconds;
	}
	return load;
}

static double traffic(const struct load *load)
{
	return load->bytes[0] + load->bytes[1];
}

/* By the time that requests spent, then by what they moved, then by name. */
static int compare_loads(const void *a, const void *b)
{
	const struct load *left = a, *right = b;

	if (left->depth != right->depth)
		return left->depth > right->depth ? -1 : 1;
	if (traffic(left) != traffic(right))
		return traffic(left) > traffic(right) ? -1 : 1;
	return compare_samples(left->now, right->now);
}

struct load *load_compute(const struct samples *before, const struct samples *now)
{
	struct load *loads = calloc(now->count + 1, sizeof(*loads));
	double seconds = (now->at_ms - before->at_ms) / 1000.0;
	size_t i;

	for (i = 0; loads && i < now->count; i++) {
		struct sample base = base_of(before, &now->list[i]);

		loads[i] = compare(&base, &now->list[i], seconds);
	}
	if (loads)
		qsort(loads, now->count, sizeof(*loads), compare_loads);
	return loads;
}
