// SPDX-License-Identifier: GPL-2.0-only
/*
 * A VBD as a JSON object: the keys are in Documentation/control-protocol.md. The
 * odd ones are those of the first tapdisks, for the scripts that read them.
 */
#include <string.h>

#include "cleanup.h"
#include "image.h"
#include "vbd-stats.h"

#define SECTOR	512

static const char *const op_names[STATS_OPS] = {
	[BLKTAP_OP_READ] = "read",
	[BLKTAP_OP_WRITE] = "write",
	[BLKTAP_OP_FLUSH] = "flush",
	[BLKTAP_OP_DISCARD] = "discard",
	[BLKTAP_OP_WRITE_ZEROES] = "write_zeroes",
};

/* -------------------------------------------------------------------- sums */

enum field { FIELD_BYTES, FIELD_FAILED };

static json_int_t sectors(const struct vbd *vbd, unsigned int op, enum field field)
{
	uint64_t bytes = 0;
	unsigned int i;

	for (i = 0; vbd->stats && i < vbd->nr_queues; i++) {
		const struct op_stats *s = &vbd->stats[i].ops[op];

		bytes += stats_read(field == FIELD_BYTES ? &s->bytes : &s->failed_bytes);
	}
	return bytes / SECTOR;
}

struct sums {
	uint64_t taken, answered, wakeups, handovers, redirected, retried;
};

static uint64_t outstanding(const struct queue_stats *q)
{
	/* In this order: an answer counted meanwhile must not make it negative. */
	uint64_t answered = stats_read(&q->answered);
	uint64_t taken = stats_read(&q->taken);

	return taken > answered ? taken - answered : 0;
}

static struct sums sum_up(const struct vbd *vbd)
{
	struct sums sums = { 0 };
	unsigned int i;

	for (i = 0; vbd->stats && i < vbd->nr_queues; i++) {
		const struct queue_stats *q = &vbd->stats[i];

		/* In this order: each is a part of the next. */
		sums.redirected += stats_read(&q->redirected);
		sums.answered += stats_read(&q->answered);
		sums.taken += stats_read(&q->taken);
		sums.wakeups += stats_read(&q->wakeups);
		sums.handovers += stats_read(&q->handovers);
		sums.retried += stats_read(&q->retried);
	}
	return sums;
}

/* ------------------------------------------------------------------- queues */

static json_t *latencies(const struct op_stats *s)
{
	unsigned int count = STATS_BUCKETS, i;
	json_t *array = json_array();

	while (count && !stats_read(&s->latency[count - 1]))
		count--;
	for (i = 0; i < count; i++)
		json_array_append_new(array, json_integer(stats_read(&s->latency[i])));
	return array;
}

static json_t *describe_op(const struct op_stats *s)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:o}",
			 "requests", (json_int_t)stats_read(&s->requests),
			 "bytes", (json_int_t)stats_read(&s->bytes),
			 "errors", (json_int_t)stats_read(&s->errors),
			 "time_ns", (json_int_t)stats_read(&s->time_ns),
			 "latency", latencies(s));
}

static json_t *describe_queue(const struct queue_stats *q, unsigned int index)
{
	json_t *ops = json_object();
	unsigned int i;

	for (i = 0; i < STATS_OPS; i++)
		json_object_set_new(ops, op_names[i], describe_op(&q->ops[i]));
	return json_pack("{s:i, s:I, s:I, s:o}", "queue", (int)index,
			 "outstanding", (json_int_t)outstanding(q),
			 "spins", (json_int_t)stats_read(&q->spins), "ops", ops);
}

static json_t *describe_queues(const struct vbd *vbd)
{
	json_t *array = json_array();
	unsigned int i;

	for (i = 0; vbd->stats && i < vbd->nr_queues; i++)
		json_array_append_new(array, describe_queue(&vbd->stats[i], i));
	return array;
}

/* ------------------------------------------------------------------- images */

static json_t *describe_image(const struct vbd *vbd, json_int_t pending)
{
	const struct image_driver *driver = vbd->image->driver;
	json_int_t max = (json_int_t)vbd->nr_queues * blktap_ring_depth(vbd->ring);

	return json_pack("{s:s, s:[I,I], s:[I,I], s:{s:i, s:s, s:{s:{s:I, s:I}}}}",
			 "name", vbd->spec,
			 "hits", sectors(vbd, BLKTAP_OP_READ, FIELD_BYTES),
			 sectors(vbd, BLKTAP_OP_WRITE, FIELD_BYTES),
			 "fail", sectors(vbd, BLKTAP_OP_READ, FIELD_FAILED),
			 sectors(vbd, BLKTAP_OP_WRITE, FIELD_FAILED),
			 "driver", "type", driver->type, "name", driver->name,
			 "status", "reqs", "max", max, "pending", pending);
}

static json_t *describe_images(const struct vbd *vbd, json_int_t pending)
{
	json_t *array = json_array();

	if (vbd->image && vbd->spec)
		json_array_append_new(array, describe_image(vbd, pending));
	return array;
}

static json_t *describe_kernel_io(const struct vbd *vbd, const struct sums *sums)
{
	return json_pack("{s:s, s:I, s:I, s:I}",
			 "mode", blktap_kernel_io_name(vbd_kernel_io(vbd)),
			 "answered", (json_int_t)(sums->answered - sums->redirected),
			 "redirected", (json_int_t)sums->redirected,
			 "retried", (json_int_t)sums->retried);
}

json_t *vbd_stats(const struct vbd *vbd)
{
	struct sums sums = sum_up(vbd);
	json_int_t pending = sums.taken > sums.answered ? sums.taken - sums.answered : 0;

	return json_pack("{s:s, s:[I,I], s:o, s:{s:i, s:[I,I], s:[I,I]}, s:i, s:i, s:I, s:s, s:i, "
			 "s:o, s:o}",
			 "name", vbd->spec ? vbd->spec : "",
			 "secs", sectors(vbd, BLKTAP_OP_READ, FIELD_BYTES),
			 sectors(vbd, BLKTAP_OP_WRITE, FIELD_BYTES),
			 "images", describe_images(vbd, pending),
			 "tap", "minor", (int)vbd->minor,
			 "reqs", (json_int_t)sums.taken, (json_int_t)sums.answered,
			 "kicks", (json_int_t)sums.wakeups, (json_int_t)sums.handovers,
			 "FIXME_enospc_redirect_count", 0,
			 "nbd_mirror_failed", 0,
			 "reqs_outstanding", pending,
			 "read_caching", "false",
			 "state", (int)vbd_user_state(vbd),
			 "queues", describe_queues(vbd),
			 "kernel_io", describe_kernel_io(vbd, &sums));
}

/* --------------------------------------------------------------------- list */

json_t *vbd_describe(const struct vbd *vbd)
{
	const struct image_driver *driver;
	const char *path;

	if (!vbd_is_open(vbd) || image_find_driver(vbd->spec, &driver, &path, NULL))
		return json_pack("{s:i, s:i}", "minor", (int)vbd->minor,
				 "state", (int)vbd_user_state(vbd));
	return json_pack("{s:i, s:i, s:{s:s, s:s}, s:s, s:b}", "minor", (int)vbd->minor,
			 "state", (int)vbd_user_state(vbd),
			 "image", "type", driver->name, "path", path,
			 "kernel_io", blktap_kernel_io_name(vbd_kernel_io(vbd)),
			 "read_only", vbd->params.read_only);
}
