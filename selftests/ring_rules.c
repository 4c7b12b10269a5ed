// SPDX-License-Identifier: GPL-2.0-only
/*
 * Completions that break the ring's rules. A thread reads or writes the disk
 * with O_DIRECT while the main thread is a daemon that answers wrongly.
 */
#include "ktap.h"
#include "netlink.h"
#include "ring.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define SECOND 1000000000LL
#define DISK_SIZE (1 << 20)
#define DEPTH 4
#define IO_SIZE 8192
#define IO_PATTERN 0xa5

static struct nl nl;
static unsigned int minor;
static struct ring ring;
static struct ring_queue *queue;	/* where the last request was found */

struct io {
	pthread_t thread;
	bool write;
	uint64_t offset;
	int fd;
	long result;		/* bytes or negative errno */
	int byte;		/* READ: what all bytes are, or -1 */
};

static void *io_thread(void *arg)
{
	struct io *io = arg;
	uint8_t *buf = aligned_alloc(4096, IO_SIZE);
	ssize_t n;

	memset(buf, IO_PATTERN, IO_SIZE);
	if (io->write)
		n = pwrite(io->fd, buf, IO_SIZE, io->offset);
	else
		n = pread(io->fd, buf, IO_SIZE, io->offset);
	io->result = n < 0 ? -errno : n;
	io->byte = memcmp(buf, buf + 1, IO_SIZE - 1) ? -1 : buf[0];
	free(buf);
	return NULL;
}

static void io_start(struct io *io, bool write)
{
	memset(io, 0, sizeof(*io));
	io->write = write;
	io->fd = ring_open_disk(minor, O_RDWR | O_DIRECT);
	if (io->fd < 0)
		ktap_die("cannot open the disk: %s", strerror(-io->fd));
	pthread_create(&io->thread, NULL, io_thread, io);
}

static long io_end(struct io *io)
{
	pthread_join(io->thread, NULL);
	close(io->fd);
	return io->result;
}

static bool next_of_any(struct ring_request *req)
{
	unsigned int i;

	for (i = 0; i < ring.at.queues; i++) {
		queue = &ring.queues[i];
		if (ring_next(queue, req))
			return true;
	}
	return false;
}

static void take(struct ring_request *req)
{
	struct pollfd p[2];
	unsigned int i;

	while (!next_of_any(req)) {
		for (i = 0; i < ring.at.queues; i++) {
			ring_arm(&ring.queues[i]);
			p[i] = (struct pollfd){ ring.queues[i].fd, POLLIN, 0 };
		}
		if (poll(p, ring.at.queues, 20000) <= 0)
			ktap_die("no request came");
	}
}

static void session_start(void)
{
	struct blktap_start start;
	int ret = ring_open(&ring, minor);

	ring_start_init(&start, DISK_SIZE);
	start.flags = BLKTAP_DISK_NO_SCAN | BLKTAP_DISK_WRITE_CACHE;
	if (!ret)
		ret = ring_start(ring.fd, &start);
	if (!ret)
		ret = ring_wait_state(ring.fd, BLKTAP_DISK_STATE_LIVE, 20000);
	if (ret)
		ktap_die("cannot start the disk: %s", strerror(-ret));
}

static void enter(struct blktap_enter *out)
{
	int ret = ring_enter(queue, 0, 0, out);

	if (ret)
		ktap_die("ENTER: %s", strerror(-ret));
}

static void fill(struct blktap_cqe *cqe, const struct ring_request *req)
{
	cqe->tag = req->tag;
	cqe->generation = req->desc.generation;
	cqe->result = req->desc.length;
}

/* A field of a completion made wrong: 0 or what is right, and then added to. */
struct spoil {
	const char *what;
	size_t offset;
	size_t size;
	bool keep;
	int64_t add;
};

#define SPOIL(text, field, keep, add) \
	{ text, offsetof(struct blktap_cqe, field), sizeof(((struct blktap_cqe *)0)->field), \
	  keep, add }

static const struct spoil spoils[] = {
	SPOIL("a tag beyond the depth", tag, false, DEPTH),
	SPOIL("the tag 65535", tag, false, 0xffff),
	SPOIL("a tag beyond the depth, by far", tag, true, 1024),
	SPOIL("the generation before", generation, true, -1),
	SPOIL("the generation to come", generation, true, 1),
	SPOIL("generation 0", generation, false, 0),
	SPOIL("an unknown type", type, false, 7),
	SPOIL("a redirect not granted", type, false, BLKTAP_CQE_REDIRECT),
	SPOIL("a flag", flags, false, 1),
	SPOIL("a fragment", fragment, false, 1),
	SPOIL("a count of fragments", fragments, false, 1),
	SPOIL("the reserved field set", reserved, false, INT64_MIN),
};

/* Little or big endian: the field is read and written by its own size. */
static void spoil_field(struct blktap_cqe *cqe, const struct spoil *spoil)
{
	char *at = (char *)cqe + spoil->offset;
	uint64_t value = spoil->add;

	switch (spoil->size) {
	case 1:
		*(uint8_t *)at = value + (spoil->keep ? *(uint8_t *)at : 0);
		break;
	case 2:
		*(uint16_t *)at = value + (spoil->keep ? *(uint16_t *)at : 0);
		break;
	case 4:
		*(uint32_t *)at = value + (spoil->keep ? *(uint32_t *)at : 0);
		break;
	default:
		*(uint64_t *)at = value;
	}
}

static void idle_tag(struct blktap_cqe *cqe)
{
	cqe->tag = (cqe->tag + 1) % DEPTH;
}

/* @spoil NULL: the tag of no request. */
static void test_ignored(const char *what, const struct spoil *spoil)
{
	struct blktap_enter out;
	struct ring_request req;
	struct blktap_cqe *cqe;
	bool ignored;
	struct io io;

	io_start(&io, false);
	take(&req);
	cqe = ring_cqe(queue);
	fill(cqe, &req);
	if (spoil)
		spoil_field(cqe, spoil);
	else
		idle_tag(cqe);
	ring_post(queue);
	enter(&out);
	ignored = out.taken == 0 && out.rejected == 1;
	ring_complete(queue, &req, req.desc.length);
	enter(&out);
	ktap(ignored && out.taken == 1 && out.rejected == 0 && io_end(&io) == IO_SIZE,
	     "%s is ignored, the right completion ends the request", what);
}

static void test_double(void)
{
	struct blktap_enter out;
	struct ring_request req;
	struct io io;

	io_start(&io, false);
	take(&req);
	ring_complete(queue, &req, req.desc.length);
	ring_complete(queue, &req, req.desc.length);
	enter(&out);
	ktap(out.taken == 1 && out.rejected == 1 && io_end(&io) == IO_SIZE,
	     "the second completion in one batch is ignored");
	ring_complete(queue, &req, req.desc.length);
	enter(&out);
	ktap(out.taken == 0 && out.rejected == 1, "and so is a later one");
}

static void test_other_queue(void)
{
	struct ring_queue *own;
	struct blktap_enter out;
	struct ring_request req;
	bool ignored;
	struct io io;

	io_start(&io, false);
	take(&req);
	own = queue;
	queue = &ring.queues[own == &ring.queues[0]];
	ring_complete(queue, &req, req.desc.length);
	enter(&out);
	ignored = out.taken == 0 && out.rejected == 1;
	queue = own;
	ring_complete(queue, &req, req.desc.length);
	enter(&out);
	ktap(ignored && out.taken == 1 && io_end(&io) == IO_SIZE,
	     "a completion on another queue is ignored");
}

static void test_result(const char *what, bool write, int64_t result, long want)
{
	struct ring_request req;
	long got;
	struct io io;

	io_start(&io, write);
	take(&req);
	ring_complete(queue, &req, result);
	enter(NULL);
	got = io_end(&io);
	if (got != want)
		printf("# %s of %d bytes, result %lld: got %ld, expected %ld\n",
		       write ? "write" : "read", IO_SIZE, (long long)result, got, want);
	ktap(got == want, "%s: %s", write ? "write" : "read", what);
}

static void test_results(bool write)
{
	test_result("the full length", write, IO_SIZE, IO_SIZE);
	test_result("a block short fails", write, IO_SIZE - 512, -EIO);
	test_result("a byte short fails", write, IO_SIZE - 1, -EIO);
	test_result("0 fails", write, 0, -EIO);
	test_result("too long fails", write, IO_SIZE + 512, -EIO);
	test_result("2^32 + the length fails", write, (1LL << 32) + IO_SIZE, -EIO);
	test_result("EIO", write, -EIO, -EIO);
	test_result("ENOSPC", write, -ENOSPC, -ENOSPC);
	test_result("-4096 fails", write, -4096, -EIO);
	test_result("-2^63 fails", write, INT64_MIN, -EIO);
	test_result("2^63 - 1 fails", write, INT64_MAX, -EIO);
}

static void test_rejected_count(void)
{
	struct blktap_state state;
	struct nl_attrs attrs;
	int ret = ring_state(ring.fd, &state);

	ret = ret ? ret : nl_get(&nl, minor, &attrs);
	ktap(!ret && state.rejected >= sizeof(spoils) / sizeof(spoils[0]) &&
	     attrs.val[BLKTAP_A_REJECTED] == state.rejected,
	     "GET_STATE and netlink tell how many were ignored");
}

static void test_descriptor(void)
{
	struct ring_request req;
	const char *why = "";
	struct io io;

	io_start(&io, true);
	take(&req);
	if (req.desc.op != BLKTAP_OP_WRITE || req.desc.length != IO_SIZE || req.desc.offset)
		why = "op, length or offset";
	else if (!req.desc.generation || req.desc.buffer % 4096)
		why = "generation or buffer offset";
	else if (req.desc.reserved0 || req.desc.reserved1[3])
		why = "reserved fields";
	else if (req.data[0] != (char)0xa5 || memcmp(req.data, req.data + 1, IO_SIZE - 1))
		why = "data";
	ktap(!*why, "a request is described as made%s%s", *why ? ": " : "", why);
	ring_complete(queue, &req, req.desc.length);
	enter(NULL);
	ktap_is(io_end(&io), IO_SIZE, "and ends well");
}

static bool is_all(const struct ring_request *req, int byte)
{
	size_t i;

	for (i = 0; i < req->desc.length; i++)
		if ((unsigned char)req->data[i] != byte)
			return false;
	return true;
}

static int empty_buffers(void)
{
	return madvise(queue->buffer, ring.at.buffer_area_bytes, MADV_DONTNEED) ? -errno : 0;
}

/* Pages of a request belong to it, not to the mapping: they come back as they were. */
static void test_emptied_buffers(void)
{
	struct ring_request req;
	struct io io;

	io_start(&io, true);
	take(&req);
	ktap(is_all(&req, IO_PATTERN) && !empty_buffers() && is_all(&req, IO_PATTERN),
	     "WRITE: its data is there after MADV_DONTNEED");
	ring_complete(queue, &req, req.desc.length);
	enter(NULL);
	ktap_is(io_end(&io), IO_SIZE, "and it ends well");

	io_start(&io, false);
	take(&req);
	memset(req.data, 0x3c, req.desc.length);
	ktap(!empty_buffers() && is_all(&req, 0x3c), "READ: what the daemon has put there, too");
	empty_buffers();
	ring_complete(queue, &req, req.desc.length);
	enter(NULL);
	ktap(io_end(&io) == IO_SIZE && io.byte == 0x3c,
	     "and it is read, though the mapping is empty");
}

/* Many more completions than entries: the indices wrap within the ring. */
static void test_wrap(void)
{
	unsigned int i, good = 0;

	for (i = 0; i < 10 * DEPTH; i++) {
		struct ring_request req;
		struct io io;

		io_start(&io, i & 1);
		take(&req);
		ring_complete(queue, &req, req.desc.length);
		enter(NULL);
		good += io_end(&io) == IO_SIZE;
	}
	ktap_is(good, 10 * DEPTH, "more requests than entries, one after the other");
}

static bool session_ended(void)
{
	struct pollfd p[2] = { { ring.fd, POLLPRI, 0 }, { queue->fd, POLLIN, 0 } };

	return poll(p, 2, 0) == 2 && p[0].revents & POLLHUP && p[0].revents & POLLERR &&
	       p[1].revents & POLLHUP && p[1].revents & POLLERR;
}

/* Ends the session by nonsense; the waiting request must fail. */
static void test_index(const char *what, uint32_t jump)
{
	struct blktap_state state;
	struct blktap_start start;
	struct ring_request req;
	struct io io;
	int ret;

	session_start();
	io_start(&io, true);
	take(&req);
	queue->cq_tail += jump - 1;
	ring_post(queue);
	ret = ring_enter(queue, 0, 0, NULL);
	ktap_is(ret, -EPROTO, what);
	ktap(session_ended(), "the session has ended: poll says so");
	ktap_is(io_end(&io), -EIO, "its request has failed");
	ktap_is(ring_enter(queue, 0, 0, NULL), -ENODEV, "ENTER from then on");
	ring_start_init(&start, DISK_SIZE);
	ktap(ring_state(ring.fd, &state) <= 0, "GET_STATE does no harm");
	ktap_is(ring_start(ring.fd, &start), -ENODEV, "START");
	ktap_is(ring_stop(ring.fd), -ENODEV, "STOP");
	ktap_is(ring_resize(ring.fd, 2 * DISK_SIZE), -ENODEV, "RESIZE");
	io_start(&io, false);
	ktap_is(io_end(&io), -EIO, "a new request fails at once");
	ring_close(&ring);
}

static void stop_disk(void)
{
	int tries, ret = -EBUSY;

	for (tries = 0; tries < 200 && ret == -EBUSY; tries++) {
		struct timespec nap = { .tv_nsec = SECOND / 100 };

		ret = ring_stop(ring.fd);
		if (ret)
			nanosleep(&nap, NULL);
	}
	ktap_is(ret, 0, "STOP");
	ktap_is(ring_wait_state(ring.fd, BLKTAP_DISK_STATE_NONE, 20000), 0,
		"the disk goes away");
}

static bool toctou_run;

/* Rewrites all completion entries while the kernel reads them. */
static void *toctou_thread(void *arg)
{
	volatile uint8_t *p = (uint8_t *)queue->cq + ring.at.cqe_offset;
	size_t n = ring.at.cq_entries * ring.at.cqe_stride, i;
	unsigned int seed = 1;

	(void)arg;
	while (__atomic_load_n(&toctou_run, __ATOMIC_RELAXED))
		for (i = 0; i < n; i++)
			p[i] ^= rand_r(&seed);
	return NULL;
}

/* Whatever is made of the scribbled entries, the request ends when asked properly. */
static void scribbled_io(unsigned int rounds)
{
	struct ring_request req;
	struct blktap_enter out;
	pthread_t thread;
	unsigned int i;
	struct io io;

	io_start(&io, true);
	take(&req);
	toctou_run = true;
	pthread_create(&thread, NULL, toctou_thread, NULL);
	for (i = 0; i < rounds; i++) {
		ring_complete(queue, &req, req.desc.length);
		if (ring_enter(queue, 0, 0, &out) || out.taken)
			break;
	}
	__atomic_store_n(&toctou_run, false, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	ring_complete(queue, &req, req.desc.length);
	ring_enter(queue, 0, 0, NULL);
	io_end(&io);
}

static void test_toctou(void)
{
	unsigned int i;

	for (i = 0; i < 20; i++)
		scribbled_io(500);
	ktap(true, "entries rewritten while they are read: every request ended");
}

/* ENTER with WAIT returns for a request, and poll agrees. */
static void test_wait(void)
{
	struct ring_request req;
	struct pollfd p = { .events = POLLIN };
	struct io io;

	io_start(&io, false);
	take(&req);
	queue->sq_head--;
	ring_arm(queue);
	p.fd = queue->fd;
	ktap(poll(&p, 1, 0) == 1 && p.revents == POLLIN,
	     "poll: readable while a submission is not covered");
	ktap_is(ring_enter(queue, BLKTAP_ENTER_WAIT, 10 * SECOND, NULL), 0,
		"ENTER does not wait while a submission is not covered");
	queue->sq_head++;
	ring_arm(queue);
	ktap(poll(&p, 1, 0) == 0, "poll: not readable once it is covered");
	ring_complete(queue, &req, req.desc.length);
	ktap_is(ring_enter(queue, BLKTAP_ENTER_WAIT, SECOND / 50, NULL), -ETIME,
		"ENTER takes completions although the wait ends without a request");
	ktap_is(io_end(&io), IO_SIZE, "as the request shows");
}

static void test_sq_indices_nonsense(void)
{
	struct ring_request req;
	struct io io;

	io_start(&io, false);
	take(&req);
	queue->cq->sq_head = 0x80000000;
	queue->cq->sq_event = 0x12345678;
	ring_complete(queue, &req, req.desc.length);
	ring_enter(queue, BLKTAP_ENTER_WAIT, SECOND / 50, NULL);
	ktap_is(io_end(&io), IO_SIZE, "nonsense in sq_head and sq_event harms nobody");
	ring_arm(queue);
}

static void test_open_disk_blocks_stop(void)
{
	struct blktap_state state;
	int fd = ring_open_disk(minor, O_RDONLY), ret;

	ktap_is(ring_stop(ring.fd), -EBUSY, "STOP while the disk is open");
	ret = ring_state(ring.fd, &state);
	ktap(!ret && state.openers == 1 && state.disk_state == BLKTAP_DISK_STATE_LIVE,
	     "and nothing has changed");
	ktap_is(nl_del(&nl, minor), -EBUSY, "the tap cannot be freed");
	close(fd);
	ktap(poll(&(struct pollfd){ ring.fd, POLLPRI, 0 }, 1, 10000) == 1,
	     "the last close raises EPOLLPRI");
	ret = ring_state(ring.fd, &state);
	ktap(!ret && !state.openers, "no opener is left");
	ktap(poll(&(struct pollfd){ ring.fd, POLLPRI, 0 }, 1, 0) == 0,
	     "GET_STATE clears EPOLLPRI");
}

static void start_again_refused(const char *what, int want, uint64_t capacity,
				uint32_t block, uint32_t flags)
{
	struct blktap_start start;

	ring_start_init(&start, capacity);
	start.logical_block_size = block;
	start.flags = flags;
	ktap_is(ring_start(ring.fd, &start), want, what);
}

/* The disk of a dead session is taken on by an equal START only. */
static void test_reattach(void)
{
	const uint32_t flags = BLKTAP_DISK_NO_SCAN | BLKTAP_DISK_WRITE_CACHE;
	struct blktap_state state;
	struct ring_request req;
	struct io io;
	int ret;

	session_start();
	start_again_refused("a second START", -EALREADY, DISK_SIZE, 512, flags);
	ring_close(&ring);
	ret = ring_open(&ring, minor);
	if (ret)
		ktap_die("cannot attach again: %s", strerror(-ret));
	start_again_refused("START with another capacity", -EMEDIUMTYPE, DISK_SIZE / 2, 512,
			    flags);
	start_again_refused("START with another block size", -EMEDIUMTYPE, DISK_SIZE, 4096,
			    flags);
	start_again_refused("START read-only", -EMEDIUMTYPE, DISK_SIZE, 512,
			    flags | BLKTAP_DISK_READ_ONLY);
	start_again_refused("an equal START", 0, DISK_SIZE, 512, flags);
	ret = ring_state(ring.fd, &state);
	ktap(!ret && state.disk_state == BLKTAP_DISK_STATE_LIVE, "the disk is live at once");
	io_start(&io, true);
	take(&req);
	ring_complete(queue, &req, req.desc.length);
	enter(NULL);
	ktap_is(io_end(&io), IO_SIZE, "and serves");
}

static void test_resize(void)
{
	struct blktap_state state;
	uint64_t size = 0;
	int ret, fd;

	ktap_is(ring_resize(ring.fd, 0), -EINVAL, "RESIZE to 0");
	ktap_is(ring_resize(ring.fd, DISK_SIZE + 100), -EINVAL, "RESIZE, not of whole blocks");
	ktap(ring_resize(ring.fd, 1ULL << 63) < 0, "RESIZE to 2^63 is refused");
	ktap_is(ring_resize(ring.fd, 2 * DISK_SIZE), 0, "RESIZE to the double");
	ret = ring_state(ring.fd, &state);
	fd = ring_open_disk(minor, O_RDONLY);
	ret = ret ? ret : ioctl(fd, BLKGETSIZE64, &size);
	close(fd);
	ktap(!ret && size == 2 * DISK_SIZE && state.capacity == size, "the disk has doubled");
}

int main(void)
{
	int got = -1;
	size_t i;

	ktap_start();
	if (nl_open(&nl) || nl_new(&nl, &got, 2, DEPTH))
		ktap_die("cannot allocate a tap: %s", nl.text);
	minor = got;
	session_start();
	test_descriptor();
	for (i = 0; i < sizeof(spoils) / sizeof(spoils[0]); i++)
		test_ignored(spoils[i].what, &spoils[i]);
	test_ignored("a tag that is idle", NULL);
	test_double();
	if (ring.at.queues > 1)
		test_other_queue();
	test_results(false);
	test_results(true);
	test_rejected_count();
	test_wrap();
	test_emptied_buffers();
	test_wait();
	test_sq_indices_nonsense();
	test_open_disk_blocks_stop();
	test_toctou();
	stop_disk();
	ring_close(&ring);
	test_index("a completion index too far ahead: EPROTO", 2 * ring.at.cq_entries + 1);
	test_index("a completion index that went back: EPROTO", UINT32_MAX);
	test_reattach();
	test_resize();
	stop_disk();
	ring_close(&ring);
	ktap_is(nl_del_wait(&nl, minor), 0, "the tap can be freed");
	nl_close(&nl);
	return ktap_finish();
}
