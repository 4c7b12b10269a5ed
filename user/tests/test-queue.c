// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The index logic of a queue, against a kernel made of plain memory.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "queue.h"

#define ENTRIES	8
#define DEPTH	8
#define PAGE	4096
#define FRAGMENTS	3

struct fake {
	struct blktap_sq_header sq;
	struct blktap_cq_header cq;
	struct blktap_sqe sqes[ENTRIES];
	struct blktap_desc descs[DEPTH];
	struct blktap_cqe cqes[ENTRIES];
	struct blktap_fragment fragments[DEPTH * FRAGMENTS];
	char buffer[DEPTH * PAGE];
	struct blktap_queue queue;
};

static void set_up_at(struct fake *fake, uint32_t start)
{
	memset(fake, 0, sizeof(*fake));
	fake->sq.sq_tail = start;
	fake->sq.cq_head = start;
	fake->cq.cq_tail = start;
	fake->cq.sq_head = start;
	fake->cq.sq_event = start;
	fake->queue = (struct blktap_queue){
		.fd = -1,
		.depth = DEPTH,
		.max_io = PAGE,
		.sq_entries = ENTRIES,
		.cq_entries = ENTRIES,
		.sqe_stride = sizeof(struct blktap_sqe),
		.desc_stride = sizeof(struct blktap_desc),
		.cqe_stride = sizeof(struct blktap_cqe),
		.sq = &fake->sq,
		.cq = &fake->cq,
		.sqes = (const char *)fake->sqes,
		.descs = (const char *)fake->descs,
		.cqes = (char *)fake->cqes,
		.buffer = fake->buffer,
		.buffer_bytes = sizeof(fake->buffer),
		.fragments = fake->fragments,
		.tag_fragments = FRAGMENTS,
		.sq_head = start,
		.sq_seen = start,
		.cq_tail = start,
		.cq_entered = start,
	};
}

static void push(struct fake *fake, uint16_t tag, uint16_t type)
{
	fake->sqes[fake->sq.sq_tail % ENTRIES] = (struct blktap_sqe){ .tag = tag, .type = type };
	fake->sq.sq_tail++;
}

static void submit(struct fake *fake, uint16_t tag, uint8_t op, uint64_t length)
{
	fake->descs[tag] = (struct blktap_desc){
		.generation = 100 + tag,
		.op = op,
		.flags = 3,
		.offset = 512 * tag,
		.length = length,
		.buffer = (uint64_t)tag * PAGE,
	};
	push(fake, tag, BLKTAP_SQE_REQUEST);
}

static void test_empty(void **state)
{
	struct blktap_request req;
	struct fake fake;

	(void)state;
	set_up_at(&fake, 0);
	assert_false(blktap_queue_next(&fake.queue, &req));
	assert_true(blktap_queue_arm(&fake.queue));
	assert_int_equal(blktap_queue_posted(&fake.queue), 0);
}

static void test_request_is_copied(void **state)
{
	struct blktap_request req;
	struct fake fake;

	(void)state;
	set_up_at(&fake, 0);
	submit(&fake, 3, BLKTAP_OP_WRITE, 1024);
	assert_true(blktap_queue_next(&fake.queue, &req));
	assert_int_equal(req.tag, 3);
	assert_int_equal(req.op, BLKTAP_OP_WRITE);
	assert_int_equal(req.flags, 3);
	assert_int_equal(req.generation, 103);
	assert_int_equal(req.offset, 1536);
	assert_int_equal(req.length, 1024);
	assert_ptr_equal(req.data, fake.buffer + 3 * PAGE);
	assert_false(blktap_queue_next(&fake.queue, &req));
}

static void test_requests_without_data(void **state)
{
	struct blktap_request req;
	struct fake fake;

	(void)state;
	set_up_at(&fake, 0);
	submit(&fake, 0, BLKTAP_OP_FLUSH, 0);
	submit(&fake, 1, BLKTAP_OP_DISCARD, 1ULL << 40);
	assert_true(blktap_queue_next(&fake.queue, &req));
	assert_null(req.data);
	assert_true(blktap_queue_next(&fake.queue, &req));
	assert_null(req.data);
	assert_int_equal(req.length, 1ULL << 40);
}

static void test_completion(void **state)
{
	struct blktap_request req;
	struct fake fake;

	(void)state;
	set_up_at(&fake, 0);
	submit(&fake, 5, BLKTAP_OP_READ, 512);
	assert_true(blktap_queue_next(&fake.queue, &req));
	blktap_queue_complete(&fake.queue, &req, -ENOSPC);
	assert_int_equal(blktap_queue_posted(&fake.queue), 1);
	assert_int_equal(fake.cq.cq_tail, 0);	/* not before it is published */
	blktap_queue_publish(&fake.queue);
	assert_int_equal(fake.cq.cq_tail, 1);
	assert_int_equal(fake.cq.sq_head, 0);	/* that is for arming */
	assert_int_equal(fake.cqes[0].tag, 5);
	assert_int_equal(fake.cqes[0].type, BLKTAP_CQE_DONE);
	assert_int_equal(fake.cqes[0].generation, 105);
	assert_int_equal(fake.cqes[0].result, -ENOSPC);
	assert_int_equal(fake.cqes[0].fragments, 0);
	blktap_queue_entered(&fake.queue);
	assert_int_equal(blktap_queue_posted(&fake.queue), 0);
}

/* Each tag has fragments of its own. */
static void test_redirect(void **state)
{
	struct blktap_request req;
	struct fake fake;
	unsigned int count;

	(void)state;
	set_up_at(&fake, 0);
	submit(&fake, 5, BLKTAP_OP_READ, 1024);
	assert_true(blktap_queue_next(&fake.queue, &req));
	assert_ptr_equal(blktap_queue_fragments(&fake.queue, &req, &count),
			 &fake.fragments[5 * FRAGMENTS]);
	assert_int_equal(count, FRAGMENTS);
	blktap_queue_redirect(&fake.queue, &req, 2);
	assert_int_equal(blktap_queue_posted(&fake.queue), 1);
	assert_int_equal(fake.cqes[0].type, BLKTAP_CQE_REDIRECT);
	assert_int_equal(fake.cqes[0].tag, 5);
	assert_int_equal(fake.cqes[0].generation, 105);
	assert_int_equal(fake.cqes[0].result, 1024);
	assert_int_equal(fake.cqes[0].fragment, 5 * FRAGMENTS);
	assert_int_equal(fake.cqes[0].fragments, 2);
	assert_int_equal(fake.cqes[0].reserved, 0);
	fake.queue.tag_fragments = 0;
	assert_null(blktap_queue_fragments(&fake.queue, &req, &count));
	assert_int_equal(count, 0);
}

/* Both rings cross 2^32, full and not. */
static void test_wrap_around(void **state)
{
	struct blktap_request req[ENTRIES];
	struct fake fake;
	unsigned int round, i;

	(void)state;
	set_up_at(&fake, UINT32_MAX - 20);
	for (round = 0; round < 10; round++) {
		unsigned int count = round % 2 ? ENTRIES : 5;

		for (i = 0; i < count; i++)
			submit(&fake, i, BLKTAP_OP_READ, 512);
		for (i = 0; i < count; i++) {
			assert_true(blktap_queue_next(&fake.queue, &req[i]));
			assert_int_equal(req[i].tag, i);
		}
		assert_true(blktap_queue_arm(&fake.queue));
		assert_int_equal(fake.cq.sq_event, fake.sq.sq_tail);
		for (i = 0; i < count; i++)
			blktap_queue_complete(&fake.queue, &req[i], 512);
		assert_int_equal(blktap_queue_posted(&fake.queue), count);
		blktap_queue_publish(&fake.queue);
		blktap_queue_entered(&fake.queue);
		assert_int_equal(fake.cq.cq_tail, fake.sq.sq_tail);
	}
	assert_true(fake.sq.sq_tail < 100);
}

/* A request that came after the last look is seen when arming. */
static void test_arm_race(void **state)
{
	struct blktap_request req;
	struct fake fake;

	(void)state;
	set_up_at(&fake, UINT32_MAX);
	assert_false(blktap_queue_next(&fake.queue, &req));
	submit(&fake, 0, BLKTAP_OP_READ, 512);
	assert_false(blktap_queue_arm(&fake.queue));
	assert_int_equal(fake.cq.sq_event, UINT32_MAX);
	assert_true(blktap_queue_next(&fake.queue, &req));
	assert_true(blktap_queue_arm(&fake.queue));
	assert_int_equal(fake.cq.sq_event, 0);
	assert_int_equal(fake.cq.sq_head, 0);
}

static void test_unknown_entries_are_skipped(void **state)
{
	struct blktap_request req;
	struct fake fake;

	(void)state;
	set_up_at(&fake, 0);
	push(&fake, 0, 77);
	push(&fake, DEPTH, BLKTAP_SQE_REQUEST);
	submit(&fake, 2, BLKTAP_OP_READ, 512);
	assert_true(blktap_queue_next(&fake.queue, &req));
	assert_int_equal(req.tag, 2);
	assert_false(blktap_queue_next(&fake.queue, &req));
	assert_int_equal(blktap_queue_posted(&fake.queue), 0);
}

/* Data outside of the buffer area is never handed out; the request fails. */
static void test_data_out_of_bounds(void **state)
{
	static const struct { uint64_t buffer, length; } bad[] = {
		{ DEPTH * PAGE, 512 },
		{ DEPTH * PAGE - 256, 512 },
		{ UINT64_MAX - 255, 512 },
		{ 0, PAGE + 512 },
		{ 0, UINT64_MAX },
	};
	struct blktap_request req;
	struct fake fake;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		set_up_at(&fake, 0);
		submit(&fake, 1, BLKTAP_OP_WRITE, bad[i].length);
		fake.descs[1].buffer = bad[i].buffer;
		assert_false(blktap_queue_next(&fake.queue, &req));
		assert_int_equal(blktap_queue_posted(&fake.queue), 1);
		assert_int_equal(fake.cqes[0].tag, 1);
		assert_int_equal(fake.cqes[0].result, -EIO);
	}
}

static void test_tail_too_far(void **state)
{
	struct blktap_request req;
	struct fake fake;

	(void)state;
	set_up_at(&fake, 0);
	fake.sq.sq_tail = ENTRIES + 1;
	assert_false(blktap_queue_next(&fake.queue, &req));
	assert_true(fake.queue.broken);
	assert_true(blktap_queue_arm(&fake.queue));
	assert_int_equal(blktap_queue_enter(&fake.queue, false, 0), -EPROTO);
}

/* A newer kernel's entries may be longer. */
static void test_strides(void **state)
{
	struct blktap_request req;
	struct {
		struct blktap_desc desc;
		char more[64];
	} descs[DEPTH] = { 0 };
	struct fake fake;

	(void)state;
	set_up_at(&fake, 0);
	fake.queue.descs = (const char *)descs;
	fake.queue.desc_stride = sizeof(descs[0]);
	descs[4].desc = (struct blktap_desc){ .generation = 9, .op = BLKTAP_OP_FLUSH };
	push(&fake, 4, BLKTAP_SQE_REQUEST);
	assert_true(blktap_queue_next(&fake.queue, &req));
	assert_int_equal(req.generation, 9);
	assert_int_equal(req.op, BLKTAP_OP_FLUSH);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_request_is_copied),
		cmocka_unit_test(test_requests_without_data),
		cmocka_unit_test(test_completion),
		cmocka_unit_test(test_redirect),
		cmocka_unit_test(test_wrap_around),
		cmocka_unit_test(test_arm_race),
		cmocka_unit_test(test_unknown_entries_are_skipped),
		cmocka_unit_test(test_data_out_of_bounds),
		cmocka_unit_test(test_tail_too_far),
		cmocka_unit_test(test_strides),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
