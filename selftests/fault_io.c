// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reading and writing with every allocation failed in turn: of whoever submits, of the
 * daemon when it fetches data or hands over answers, or of the kernel's workers. See fault.sh.
 * usage: fault_io FILE DEVICE, of at least 1 MiB each
 *        fault_io -w FILE DEVICE: what the workers do
 */
#include "disk_io.h"
#include "faults.h"
#include "ktap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DISK_SIZE (1 << 20)
#define LONG (DISK_SIZE / 2)
#define PAGE 4096
#define BOTH (BLKTAP_FILE_READ | BLKTAP_FILE_WRITE)
#define FEATURES (BLKTAP_F_REDIRECT | BLKTAP_F_EXTENTS | BLKTAP_F_DATA_ON_DEMAND)

/* Whose allocations fail, and who moves the bytes. */
enum who { SUBMITTER, FETCH, ENTER, WORKERS };
enum by { DAEMON, REDIRECT, EXTENT };
enum below { IN_FILE, ON_DEVICE };

struct trial {
	const char *what;
	enum who who;
	enum by by;
	enum below below;
	bool write;
	int least;	/* allocations that there are */
};

static const struct trial own_trials[] = {
	{ "reads by the daemon, its submitter", SUBMITTER, DAEMON, IN_FILE, false, 1 },
	{ "writes by the daemon, its submitter", SUBMITTER, DAEMON, IN_FILE, true, 0 },
	{ "reads from a file, their submitter", SUBMITTER, EXTENT, IN_FILE, false, 1 },
	{ "writes to a file, their submitter", SUBMITTER, EXTENT, IN_FILE, true, 1 },
	{ "reads from a device, their submitter", SUBMITTER, EXTENT, ON_DEVICE, false, 1 },
	{ "writes to a device, their submitter", SUBMITTER, EXTENT, ON_DEVICE, true, 1 },
	{ "FETCH", FETCH, DAEMON, IN_FILE, true, 0 },
	{ "ENTER that takes answers to reads", ENTER, DAEMON, IN_FILE, false, 0 },
	{ "ENTER that takes answers to writes", ENTER, DAEMON, IN_FILE, true, 0 },
	{ "ENTER that begins reads from a file", ENTER, REDIRECT, IN_FILE, false, 3 },
	{ "ENTER that begins writes to a file", ENTER, REDIRECT, IN_FILE, true, 3 },
	{ "ENTER that begins reads from a device", ENTER, REDIRECT, ON_DEVICE, false, 1 },
	{ "ENTER that begins writes to a device", ENTER, REDIRECT, ON_DEVICE, true, 1 },
};

static const struct trial worker_trials[] = {
	{ "reads from a file, by workers", WORKERS, EXTENT, IN_FILE, false, 3 },
	{ "writes to a file, by workers", WORKERS, EXTENT, IN_FILE, true, 3 },
};

static struct nl nl;
static unsigned int minor;
static struct ring ring;
static int backings[2], slots[2], disk;

/* The request of one try. */
static struct {
	const struct trial *trial;
	int n;			/* of the fault */
	bool tried;		/* the daemon's call has been made */
	bool struck;
	int ret;		/* of the daemon's call */
	/* the submitter's */
	pthread_t thread;
	char *buf;
	size_t length;
	long result;
	bool over;
} now;

/* ------------------------------------------------------------------ the submitter */

/* What is read was there before; what is written is another byte each time. */
static off_t place(void)
{
	return now.trial->write ? LONG : 0;
}

static void *submit(void *arg)
{
	bool faults = now.trial->who == SUBMITTER;
	ssize_t n;

	(void)arg;
	if (faults) {
		faults_open();
		faults_set(now.n);
	}
	n = now.trial->write ? pwrite(disk, now.buf, now.length, place()) :
			   pread(disk, now.buf, now.length, place());
	now.result = n < 0 ? -errno : n;
	if (faults) {
		now.struck = faults_struck();
		faults_close();
	}
	__atomic_store_n(&now.over, true, __ATOMIC_RELEASE);
	return NULL;
}

/* --------------------------------------------------------------------- the daemon */

/* Makes the call, once with the fault if it is this one's, and then until it succeeds. */
static void make_call(enum who who, struct ring_queue *q,
		      int (*call)(struct ring_queue *q, const struct ring_request *req),
		      const struct ring_request *req)
{
	int ret;

	if (now.trial->who == who && !now.tried) {
		now.tried = true;
		faults_set(now.n);
		now.ret = call(q, req);
		now.struck = faults_struck();
		if (!now.ret)
			return;
	}
	ret = call(q, req);
	if (ret)
		ktap_die("%s: %s", who == FETCH ? "FETCH" : "ENTER", strerror(-ret));
}

static int call_fetch(struct ring_queue *q, const struct ring_request *req)
{
	return ring_fetch(q, req->tag, req->desc.generation);
}

static int call_enter(struct ring_queue *q, const struct ring_request *req)
{
	(void)req;
	return ring_enter(q, 0, 0, NULL);
}

static void redirect(struct ring_queue *q, const struct ring_request *req)
{
	struct blktap_fragment *f = ring_fragment(q, 0);

	f->file = slots[now.trial->below];
	f->offset = req->desc.offset;
	f->length = req->desc.length;
	ring_redirect(q, req, 1);
}

static int64_t move(const struct ring_request *req)
{
	const struct blktap_desc *d = &req->desc;
	int fd = backings[now.trial->below];
	ssize_t n = 0;

	if (d->op == BLKTAP_OP_READ)
		n = pread(fd, req->data, d->length, d->offset);
	else if (d->op == BLKTAP_OP_WRITE)
		n = pwrite(fd, req->data, d->length, d->offset);
	return n < 0 ? -errno : n;
}

static void answer(struct ring_queue *q, const struct ring_request *req)
{
	/* What the kernel cannot do comes back. */
	if (now.trial->by == REDIRECT && !(req->desc.flags & BLKTAP_REQ_RETRY)) {
		redirect(q, req);
	} else {
		if (req->desc.flags & BLKTAP_REQ_DEMAND)
			make_call(FETCH, q, call_fetch, req);
		ring_complete(q, req, move(req));
	}
	make_call(ENTER, q, call_enter, req);
}

static void serve(void)
{
	struct ring_request req;
	unsigned int i;

	while (!__atomic_load_n(&now.over, __ATOMIC_ACQUIRE)) {
		for (i = 0; i < ring.at.queues; i++) {
			while (ring_next(&ring.queues[i], &req))
				answer(&ring.queues[i], &req);
			ring_arm(&ring.queues[i]);
		}
		usleep(200);
	}
}

/* ------------------------------------------------------------------------- trials */

static bool is_right(void)
{
	size_t at;

	if (now.trial->write)
		return backing_is(backings[now.trial->below], place(), now.length, now.n % 250 + 1);
	for (at = 0; at < now.length; at += PAGE) {
		unsigned char want = backing_byte(at);

		if ((unsigned char)now.buf[at] != want || memcmp(now.buf + at, now.buf + at + 1,
								 PAGE - 1) != 0)
			return false;
	}
	return true;
}

/* Only who submits may be told that there is no memory: the others do without. */
static bool is_good(void)
{
	bool good = now.result == (long)now.length && is_right();

	if (now.trial->who == SUBMITTER && now.struck && now.result < 0)
		good = faults_sound(now.result);
	good = good && faults_sound(now.ret);
	if (!good)
		printf("# %zu bytes, allocation %d: %s, the call %s\n", now.length, now.n,
		       now.result < 0 ? strerror(-now.result) : "it ends, maybe wrongly",
		       now.ret ? strerror(-now.ret) : "is well");
	return good;
}

/* What has failed is mapped no more. */
static void map(void)
{
	int slot = slots[now.trial->below];

	if (now.trial->by == EXTENT && ring_map_extent(ring.fd, slot, BOTH, 0, DISK_SIZE, 0))
		ktap_die("cannot map an extent");
}

static void unmap(void)
{
	if (now.trial->by == EXTENT && ring_unmap_extent(ring.fd, BLKTAP_UNMAP_WAIT, 0, UINT64_MAX))
		ktap_die("cannot unmap an extent");
}

static void run_once(void)
{
	now.tried = now.struck = now.over = false;
	now.ret = 0;
	memset(now.buf, now.trial->write ? now.n % 250 + 1 : 0xee, now.length);
	map();
	if (now.trial->who == WORKERS)
		faults_set_workers(now.n);
	if (pthread_create(&now.thread, NULL, submit, NULL))
		ktap_die("cannot make a thread");
	serve();
	pthread_join(now.thread, NULL);
	if (now.trial->who == WORKERS)
		now.struck = faults_struck_workers();
	unmap();
}

/* A worker may come too late to be told of its fault. */
static bool strikes(bool *good)
{
	int tries = now.trial->who == WORKERS ? 3 : 1;

	do {
		run_once();
		*good = is_good();
	} while (*good && !now.struck && --tries);
	return *good && now.struck;
}

static void try_out(const struct trial *trial)
{
	static const size_t lengths[] = { PAGE, LONG };
	int struck = 0, faults = 0, i;
	bool good = true;

	now.trial = trial;
	for (i = 0; good && i < 2; i++) {
		now.length = lengths[i];
		for (now.n = 1; now.n < FAULTS_MOST && strikes(&good); now.n++) {
			faults++;
			/* To copy something is no allocation. */
			struck += now.ret != -EFAULT;
		}
	}
	printf("# %s: %d faults, %d of them in allocations\n", trial->what, faults, struck);
	if (struck < trial->least)
		printf("# that is too few\n");
	ktap(good && struck >= trial->least, "%s", trial->what);
}

static void open_backings(char **paths)
{
	int i;

	for (i = 0; i < 2; i++) {
		backings[i] = backing_open(paths[i]);
		backing_fill(backings[i], LONG);
		slots[i] = ring_register(ring.fd, backings[i], BOTH);
		if (slots[i] < 0)
			ktap_die("%s: %s", paths[i], strerror(-slots[i]));
	}
}

int main(int argc, char **argv)
{
	bool workers = argc > 1 && strcmp(argv[1], "-w") == 0;
	const struct trial *trials = workers ? worker_trials : own_trials;
	size_t bytes = workers ? sizeof(worker_trials) : sizeof(own_trials), i;

	ktap_start();
	if (argc != 3 + workers)
		ktap_die("usage: fault_io [-w] FILE DEVICE");
	faults_open();
	tap_new(&nl, &minor, 1, 8);
	tap_start(&ring, minor, FEATURES, BLKTAP_DISK_DEMAND, DISK_SIZE);
	open_backings(argv + argc - 2);
	now.buf = aligned_alloc(PAGE, LONG);
	disk = ring_open_disk(minor, O_RDWR | O_DIRECT);
	if (!now.buf || disk < 0)
		ktap_die("cannot open the disk");
	for (i = 0; i < bytes / sizeof(*trials); i++)
		try_out(&trials[i]);
	close(disk);
	tap_stop(&ring);
	ktap_is(nl_del_wait(&nl, minor), 0, "the tap can be freed");
	return ktap_finish();
}
