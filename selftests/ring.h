/* SPDX-License-Identifier: GPL-2.0-only */
/* A ring client written against <linux/blktap.h> alone. */
#ifndef RING_H
#define RING_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <linux/blktap.h>

struct ring_queue {
	int fd;
	struct ring *ring;
	const struct blktap_sq_header *sq;
	struct blktap_cq_header *cq;
	char *buffer;
	uint32_t sq_head;
	uint32_t cq_tail;
};

struct ring {
	int fd;
	unsigned int minor;
	struct blktap_attach at;
	struct ring_queue *queues;
};

struct ring_request {
	struct blktap_desc desc;
	uint16_t tag;
	char *data;
};

/* All return 0 (or a descriptor) or a negative errno. */
int ring_open_node(unsigned int minor);
int ring_open_disk(unsigned int minor, int flags);
int ring_attach(int fd, struct blktap_attach *at);
int ring_open(struct ring *ring, unsigned int minor);	/* attach and map all */
int ring_open_with(struct ring *ring, unsigned int minor, uint64_t features);
int ring_succeed(struct ring *ring, unsigned int minor, uint64_t features);	/* TAKEOVER */
/* What somebody else has attached: maps all. */
int ring_adopt(struct ring *ring, int fd, const struct blktap_attach *at);
void ring_close(struct ring *ring);

int ring_queue_fd(int fd, unsigned int queue);
void *ring_map_sq(int fd, const struct blktap_attach *at, unsigned int queue);
void *ring_map_cq(int fd, const struct blktap_attach *at, unsigned int queue);
void *ring_map_buffer(int fd, const struct blktap_attach *at, unsigned int queue);

void ring_start_init(struct blktap_start *start, uint64_t capacity);
int ring_start(int fd, const struct blktap_start *start);
int ring_stop(int fd);
int ring_stop_force(int fd);
int ring_hold(int fd);
int ring_release(int fd);
int ring_resize(int fd, uint64_t capacity);
int ring_state(int fd, struct blktap_state *state);
/* Waits for a state of the disk, at most @ms; -ETIMEDOUT, or START's error. */
int ring_wait_state(int fd, uint32_t state, int ms);

/* Registered files: a slot, or a negative errno. */
int ring_register(int fd, int file, uint32_t flags);
int ring_unregister(int fd, uint32_t slot, uint32_t flags);
int ring_map_extent(int fd, uint32_t slot, uint32_t flags, uint64_t offset, uint64_t length,
		    uint64_t file_offset);
int ring_unmap_extent(int fd, uint32_t flags, uint64_t offset, uint64_t length);
int ring_fetch(struct ring_queue *q, uint32_t tag, uint32_t generation);

bool ring_next(struct ring_queue *q, struct ring_request *req);
struct blktap_cqe *ring_cqe(struct ring_queue *q);	/* the next free one, zeroed */
void ring_post(struct ring_queue *q);			/* publishes it */
void ring_complete(struct ring_queue *q, const struct ring_request *req, int64_t result);
/* A redirect with the first @fragments of the queue's array. */
struct blktap_fragment *ring_fragment(struct ring_queue *q, unsigned int index);
void ring_redirect(struct ring_queue *q, const struct ring_request *req, unsigned int fragments);
bool ring_arm(struct ring_queue *q);
int ring_enter(struct ring_queue *q, uint32_t flags, int64_t timeout_ns,
	       struct blktap_enter *out);

#endif
