// SPDX-License-Identifier: GPL-2.0-only
/*
 * Redirect completions and data on demand: what they do, and what is ignored.
 * usage: ring_redirect BACKING, a file or block device of at least 2 MiB.
 */
#include "disk_io.h"
#include "ktap.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define DISK_SIZE (1 << 20)
#define BACKING_SIZE (2 << 20)
#define PAGE 4096
#define BLOCK 512
#define FEATURES (BLKTAP_F_REDIRECT | BLKTAP_F_DATA_ON_DEMAND)

static struct nl nl;
static unsigned int minor;
static struct ring ring;
static int backing;
static int both, reader, writer;	/* slots */

static void fragment(struct ring_queue *q, unsigned int index, uint32_t type, uint32_t file,
		     uint64_t offset, uint64_t length)
{
	struct blktap_fragment *f = ring_fragment(q, index);

	f->type = type;
	f->file = file;
	f->offset = offset;
	f->length = length;
}

static void to_file(struct ring_queue *q, const struct ring_request *req, uint64_t offset)
{
	fragment(q, 0, BLKTAP_FRAGMENT_FILE, both, offset, req->desc.length);
	ring_redirect(q, req, 1);
}

/* One request that is redirected to the backing file at @offset, all well. */
static bool redirected(struct io *io, uint64_t offset)
{
	struct blktap_enter out;
	struct ring_request req;
	struct ring_queue *q = tap_take(&ring, &req);

	to_file(q, &req, offset);
	tap_enter(q, &out);
	return io_end(io) == (long)io->length && out.taken == 1 && out.rejected == 0;
}

static void test_read(void)
{
	struct io io;
	bool good;

	io_start(&io, minor, false, 0, 2 * PAGE, 0, 0);
	good = redirected(&io, 8 * PAGE);
	ktap(good && io_is(&io, 0, PAGE, backing_byte(8 * PAGE)) &&
	     io_is(&io, PAGE, PAGE, backing_byte(9 * PAGE)), "a read from a file");
	io_free(&io);
}

static void test_write(void)
{
	struct io io;
	bool good;

	io_start(&io, minor, true, PAGE, 2 * PAGE, 0xa5, 0);
	good = redirected(&io, 16 * PAGE);
	ktap(good && backing_is(backing, 16 * PAGE, 2 * PAGE, 0xa5) &&
	     backing_is(backing, 15 * PAGE, PAGE, backing_byte(15 * PAGE)) &&
	     backing_is(backing, 18 * PAGE, PAGE, backing_byte(18 * PAGE)),
	     "a write to a file, where it was told to and nowhere else");
	io_free(&io);
}

/* Larger than one bio holds, in pages of all over the memory. */
static void test_large(void)
{
	struct io io;
	bool good;
	int i;

	io_start(&io, minor, false, 0, DISK_SIZE, 0, 0);
	good = redirected(&io, PAGE);
	for (i = 0; good && i < DISK_SIZE / PAGE; i++)
		if (i < 15 || i > 17)
			good = io_is(&io, i * PAGE, PAGE, backing_byte((i + 1) * PAGE));
	ktap(good, "a read of 1 MiB");
	io_free(&io);
}

static void test_pieces(void)
{
	struct ring_request req;
	struct ring_queue *q;
	struct io io;
	bool good;

	io_start(&io, minor, false, 0, 5 * PAGE, 0, 0);
	q = tap_take(&ring, &req);
	memset(req.data, 0x11, 2 * PAGE);
	memset(req.data + 2 * PAGE, 0x22, PAGE);
	fragment(q, 0, BLKTAP_FRAGMENT_FILE, both, 100 * PAGE, PAGE);
	fragment(q, 1, BLKTAP_FRAGMENT_ZERO, 0, 0, PAGE);
	fragment(q, 2, BLKTAP_FRAGMENT_BUFFER, 0, 2 * PAGE, PAGE);
	fragment(q, 3, BLKTAP_FRAGMENT_FILE, reader, 50 * PAGE, 2 * PAGE);
	ring_redirect(q, &req, 4);
	tap_enter(q, NULL);
	good = io_end(&io) == 5 * PAGE;
	ktap(good && io_is(&io, 0, PAGE, backing_byte(100 * PAGE)) &&
	     io_is(&io, PAGE, PAGE, 0) && io_is(&io, 2 * PAGE, PAGE, 0x22) &&
	     io_is(&io, 3 * PAGE, PAGE, backing_byte(50 * PAGE)) &&
	     io_is(&io, 4 * PAGE, PAGE, backing_byte(51 * PAGE)),
	     "a read of pieces: file, zero, buffer, file");
	io_free(&io);
}

static void test_write_pieces(void)
{
	struct ring_request req;
	struct ring_queue *q;
	struct io io;
	bool good;

	io_start(&io, minor, true, 0, 4 * PAGE, 0x77, 0);
	q = tap_take(&ring, &req);
	fragment(q, 0, BLKTAP_FRAGMENT_FILE, writer, 200 * PAGE, PAGE);
	fragment(q, 1, BLKTAP_FRAGMENT_BUFFER, 0, PAGE, PAGE);
	fragment(q, 2, BLKTAP_FRAGMENT_FILE, both, 210 * PAGE, 2 * PAGE);
	ring_redirect(q, &req, 3);
	good = (unsigned char)req.data[PAGE] == 0x77;
	tap_enter(q, NULL);
	good = good && io_end(&io) == 4 * PAGE;
	ktap(good && backing_is(backing, 200 * PAGE, PAGE, 0x77) &&
	     backing_is(backing, 201 * PAGE, PAGE, backing_byte(201 * PAGE)) &&
	     backing_is(backing, 210 * PAGE, 2 * PAGE, 0x77),
	     "a write of pieces: file, the daemon's own, file");
	io_free(&io);
}

static void test_most_pieces(void)
{
	struct ring_request req;
	struct ring_queue *q;
	bool good = true;
	struct io io;
	int i;

	io_start(&io, minor, false, 0, BLKTAP_MAX_FRAGMENTS * BLOCK, 0, 0);
	q = tap_take(&ring, &req);
	for (i = 0; i < BLKTAP_MAX_FRAGMENTS; i++)
		fragment(q, i, BLKTAP_FRAGMENT_FILE, both, (300 - i) * PAGE + BLOCK, BLOCK);
	ring_redirect(q, &req, BLKTAP_MAX_FRAGMENTS);
	tap_enter(q, NULL);
	good = io_end(&io) == BLKTAP_MAX_FRAGMENTS * BLOCK;
	for (i = 0; i < BLKTAP_MAX_FRAGMENTS && good; i++)
		good = io_is(&io, i * BLOCK, BLOCK, backing_byte((300 - i) * PAGE));
	ktap(good, "%d pieces of a block each", BLKTAP_MAX_FRAGMENTS);
	io_free(&io);
}

/* The last fragments of the array serve as well as the first. */
static void test_last_fragments(void)
{
	unsigned int last = ring.at.fragments - 1;
	struct ring_request req;
	struct blktap_cqe *cqe;
	struct ring_queue *q;
	struct io io;

	io_start(&io, minor, false, 0, PAGE, 0, 0);
	q = tap_take(&ring, &req);
	fragment(q, last, BLKTAP_FRAGMENT_FILE, both, 100 * PAGE, PAGE);
	cqe = ring_cqe(q);
	cqe->tag = req.tag;
	cqe->type = BLKTAP_CQE_REDIRECT;
	cqe->generation = req.desc.generation;
	cqe->result = PAGE;
	cqe->fragment = last;
	cqe->fragments = 1;
	ring_post(q);
	tap_enter(q, NULL);
	ktap(io_end(&io) == PAGE && io_is(&io, 0, PAGE, backing_byte(100 * PAGE)),
	     "the last fragment of the array");
	io_free(&io);
}

/* One thing made wrong in a redirect of two pieces, of a page each. */
struct bad {
	const char *what;
	bool write;
	void (*spoil)(struct blktap_cqe *cqe, struct blktap_fragment *f);
};

#define BAD(name, code) \
	static void name(struct blktap_cqe *cqe, struct blktap_fragment *f) \
	{ (void)cqe; (void)f; code; }

BAD(bad_none, cqe->fragments = 0)
BAD(bad_many, cqe->fragments = BLKTAP_MAX_FRAGMENTS + 1)
BAD(bad_most, cqe->fragments = UINT32_MAX)
BAD(bad_beyond, cqe->fragment = ring.at.fragments - 1)
BAD(bad_far, cqe->fragment = UINT32_MAX - 1)
BAD(bad_flags, cqe->flags = 1)
BAD(bad_reserved, cqe->reserved = 1)
BAD(bad_generation, cqe->generation++)
BAD(bad_tag, cqe->tag = 0xffff)
BAD(bad_result, cqe->result -= BLOCK)
BAD(bad_error, cqe->result = -EIO)
BAD(bad_short, f[1].length -= BLOCK)
BAD(bad_long, f[1].length += BLOCK)
BAD(bad_nothing, f[1].length = 0)
BAD(bad_wrap, f[0].length = -BLOCK; f[1].length = 2 * PAGE + BLOCK)
BAD(bad_odd_length, f[0].length -= 1; f[1].length += 1)
BAD(bad_odd_offset, f[0].offset += 1)
BAD(bad_overflow, f[0].offset = INT64_MAX - BLOCK + 1)
BAD(bad_negative, f[0].offset = -PAGE)
BAD(bad_type, f[0].type = 3)
BAD(bad_field, f[1].reserved = 1)
BAD(bad_slot, f[0].file = 40)
BAD(bad_slot_far, f[0].file = BLKTAP_MAX_FILES)
BAD(bad_slot_most, f[0].file = UINT32_MAX)
BAD(bad_mode, f[0].file = reader)
BAD(bad_mode_read, f[0].file = writer)
BAD(bad_zero, f[0].type = BLKTAP_FRAGMENT_ZERO; f[0].file = 0; f[0].offset = 0)
BAD(bad_zero_offset, f[0].type = BLKTAP_FRAGMENT_ZERO; f[0].file = 0; f[0].offset = PAGE)
BAD(bad_zero_file, f[0].type = BLKTAP_FRAGMENT_ZERO; f[0].file = 1; f[0].offset = 0)
BAD(bad_buffer, f[0].type = BLKTAP_FRAGMENT_BUFFER; f[0].file = 0; f[0].offset = 2 * PAGE)
BAD(bad_buffer_end, f[0].type = BLKTAP_FRAGMENT_BUFFER; f[0].file = 0; f[0].offset = PAGE + BLOCK)
BAD(bad_buffer_file, f[0].type = BLKTAP_FRAGMENT_BUFFER; f[0].file = 1; f[0].offset = 0)

static const struct bad bads[] = {
	{ "no fragments", false, bad_none },
	{ "17 fragments", false, bad_many },
	{ "2^32 - 1 fragments", false, bad_most },
	{ "fragments beyond the array", false, bad_beyond },
	{ "fragments far beyond the array", false, bad_far },
	{ "a flag", false, bad_flags },
	{ "the completion's reserved field", false, bad_reserved },
	{ "the next generation", false, bad_generation },
	{ "the tag 65535", false, bad_tag },
	{ "a result that is short", false, bad_result },
	{ "a result that is an error", false, bad_error },
	{ "a block too few", false, bad_short },
	{ "a block too many", false, bad_long },
	{ "a piece of nothing", false, bad_nothing },
	{ "lengths that wrap", false, bad_wrap },
	{ "a length of no whole blocks", false, bad_odd_length },
	{ "an offset of no whole blocks", false, bad_odd_offset },
	{ "an end beyond 2^63", false, bad_overflow },
	{ "an offset beyond 2^63", false, bad_negative },
	{ "an unknown type of fragment", false, bad_type },
	{ "a fragment's reserved field", false, bad_field },
	{ "a slot without a file", false, bad_slot },
	{ "slot 64", false, bad_slot_far },
	{ "slot 2^32 - 1", false, bad_slot_most },
	{ "a write to a file for reading", true, bad_mode },
	{ "a read from a file for writing", false, bad_mode_read },
	{ "a write of zeroes", true, bad_zero },
	{ "zeroes with an offset", false, bad_zero_offset },
	{ "zeroes with a file", false, bad_zero_file },
	{ "a buffer's offset beyond its end", false, bad_buffer },
	{ "a buffer's piece beyond its end", false, bad_buffer_end },
	{ "a buffer with a file", false, bad_buffer_file },
};

static void test_ignored(const struct bad *bad)
{
	struct blktap_fragment *f;
	struct blktap_enter out;
	struct ring_request req;
	struct blktap_cqe *cqe;
	struct ring_queue *q;
	bool ignored;
	struct io io;

	io_start(&io, minor, bad->write, 0, 2 * PAGE, 0x33, 0);
	q = tap_take(&ring, &req);
	f = ring_fragment(q, 0);
	fragment(q, 0, BLKTAP_FRAGMENT_FILE, both, 400 * PAGE, PAGE);
	fragment(q, 1, BLKTAP_FRAGMENT_FILE, both, 402 * PAGE, PAGE);
	cqe = ring_cqe(q);
	cqe->tag = req.tag;
	cqe->type = BLKTAP_CQE_REDIRECT;
	cqe->generation = req.desc.generation;
	cqe->result = req.desc.length;
	cqe->fragments = 2;
	bad->spoil(cqe, f);
	ring_post(q);
	tap_enter(q, &out);
	ignored = out.taken == 0 && out.rejected == 1;
	ring_complete(q, &req, req.desc.length);
	tap_enter(q, &out);
	ktap(io_end(&io) == 2 * PAGE && ignored && out.taken == 1 &&
	     backing_is(backing, 400 * PAGE, PAGE, backing_byte(400 * PAGE)) &&
	     backing_is(backing, 402 * PAGE, PAGE, backing_byte(402 * PAGE)),
	     "%s is ignored, the right completion ends the request", bad->what);
	io_free(&io);
}

static void test_double(void)
{
	struct blktap_enter out;
	struct ring_request req;
	struct ring_queue *q;
	struct io io;

	io_start(&io, minor, false, 0, PAGE, 0, 0);
	q = tap_take(&ring, &req);
	to_file(q, &req, 0);
	ring_redirect(q, &req, 1);
	ring_complete(q, &req, PAGE);
	tap_enter(q, &out);
	ktap(io_end(&io) == PAGE && out.taken == 1 && out.rejected == 2,
	     "a second redirect or completion is ignored");
	io_free(&io);
}

static void test_flush(void)
{
	struct blktap_enter out;
	struct ring_request req;
	struct ring_queue *q;
	struct io io;
	bool good;

	io_start(&io, minor, true, 0, PAGE, 0x44, O_DSYNC);
	q = tap_take(&ring, &req);
	to_file(q, &req, 0);
	tap_enter(q, NULL);
	q = tap_take(&ring, &req);
	good = req.desc.op == BLKTAP_OP_FLUSH;
	fragment(q, 0, BLKTAP_FRAGMENT_FILE, both, 0, BLOCK);
	ring_redirect(q, &req, 1);
	tap_enter(q, &out);
	good = good && out.rejected == 1;
	ring_complete(q, &req, 0);
	tap_enter(q, NULL);
	/* How often it flushes is the block layer's affair. */
	tap_serve_until(&ring, &io);
	ktap(io_end(&io) == PAGE && good, "a flush comes to the daemon and cannot be redirected");
	io_free(&io);
}

/* The file ends before the read does: the daemon has to do it, once. */
static void test_retry(bool write)
{
	const uint64_t beyond = 1ULL << 60;
	struct ring_request req, again;
	struct ring_queue *q;
	struct io io;
	bool good;

	io_start(&io, minor, write, 0, PAGE, 0x55, 0);
	q = tap_take(&ring, &req);
	to_file(q, &req, beyond);
	tap_enter(q, NULL);
	q = tap_take(&ring, &again);
	good = again.desc.flags & BLKTAP_REQ_RETRY && !(req.desc.flags & BLKTAP_REQ_RETRY) &&
	       again.desc.op == req.desc.op && again.desc.offset == req.desc.offset &&
	       again.desc.length == PAGE && again.desc.generation != req.desc.generation;
	if (again.desc.flags & BLKTAP_REQ_DEMAND)
		good = good && !ring_fetch(q, again.tag, again.desc.generation);
	if (write)
		good = good && (unsigned char)again.data[PAGE - 1] == 0x55;
	else
		memset(again.data, 0x66, PAGE);
	ring_complete(q, &again, PAGE);
	tap_enter(q, NULL);
	ktap(io_end(&io) == PAGE && good && (write || io_is(&io, 0, PAGE, 0x66)),
	     "a %s that fails comes to the daemon with RETRY", write ? "write" : "read");
	io_free(&io);

	io_start(&io, minor, write, 0, PAGE, 0x55, 0);
	q = tap_take(&ring, &req);
	to_file(q, &req, beyond);
	tap_enter(q, NULL);
	q = tap_take(&ring, &again);
	to_file(q, &again, beyond);
	tap_enter(q, NULL);
	ktap(io_end(&io) < 0, "and fails if it fails again");
	io_free(&io);
}

/* Good and bad pieces in one request: the bad one counts. */
static void test_retry_piece(void)
{
	struct ring_request req;
	struct ring_queue *q;
	struct io io;
	bool good;

	io_start(&io, minor, false, 0, 3 * PAGE, 0, 0);
	q = tap_take(&ring, &req);
	fragment(q, 0, BLKTAP_FRAGMENT_FILE, both, 0, PAGE);
	fragment(q, 1, BLKTAP_FRAGMENT_FILE, both, 1ULL << 60, PAGE);
	fragment(q, 2, BLKTAP_FRAGMENT_FILE, both, 0, PAGE);
	ring_redirect(q, &req, 3);
	tap_enter(q, NULL);
	q = tap_take(&ring, &req);
	good = req.desc.flags & BLKTAP_REQ_RETRY && req.desc.length == 3 * PAGE;
	to_file(q, &req, 60 * PAGE);
	tap_enter(q, NULL);
	ktap(io_end(&io) == 3 * PAGE && good && io_is(&io, 0, PAGE, backing_byte(60 * PAGE)) &&
	     io_is(&io, 2 * PAGE, PAGE, backing_byte(62 * PAGE)),
	     "one bad piece fails the whole; a second redirect may be right");
	io_free(&io);
}

/* Memory that the disk takes and the backing may not. */
static void test_odd_memory(void)
{
	struct ring_request req;
	struct ring_queue *q;
	bool good, retry;
	struct io io;

	io_start_odd(&io, minor, false, 0, 2 * PAGE, 0, 16);
	q = tap_take(&ring, &req);
	to_file(q, &req, 20 * PAGE);
	tap_enter(q, NULL);
	ring_arm(q);
	retry = ring_enter(q, BLKTAP_ENTER_WAIT, 2000000000LL, NULL) == 0 && ring_next(q, &req);
	if (retry) {
		memset(req.data, backing_byte(20 * PAGE), PAGE);
		memset(req.data + PAGE, backing_byte(21 * PAGE), PAGE);
		ring_complete(q, &req, 2 * PAGE);
		tap_enter(q, NULL);
	}
	good = io_end(&io) == 2 * PAGE && (!retry || req.desc.flags & BLKTAP_REQ_RETRY);
	ktap(good && io_is(&io, 0, PAGE, backing_byte(20 * PAGE)) &&
	     io_is(&io, PAGE, PAGE, backing_byte(21 * PAGE)),
	     "a read into memory at byte 16 of a page%s", retry ? ", by the daemon" : "");
	io_free(&io);
}

static void test_unregistered(void)
{
	int slot = ring_register(ring.fd, backing, BLKTAP_FILE_READ);
	struct blktap_enter out;
	struct ring_request req;
	struct ring_queue *q;
	bool ignored;
	struct io io;

	io_start(&io, minor, false, 0, PAGE, 0, 0);
	q = tap_take(&ring, &req);
	fragment(q, 0, BLKTAP_FRAGMENT_FILE, slot, 0, PAGE);
	ktap_is(ring_unregister(ring.fd, slot, BLKTAP_UNMAP_WAIT), 0, "UNREGISTER_FILE, WAIT");
	ring_redirect(q, &req, 1);
	tap_enter(q, &out);
	ignored = out.rejected == 1;
	to_file(q, &req, 0);
	tap_enter(q, NULL);
	ktap(io_end(&io) == PAGE && ignored, "a redirect to a slot that was freed is ignored");
	io_free(&io);
}

static void test_counts(void)
{
	struct nl_attrs attrs;
	int ret = nl_get(&nl, minor, &attrs);

	ktap(!ret && attrs.val[BLKTAP_A_FILES] == 3 && attrs.val[BLKTAP_A_IOS_REDIRECT] >= 9 &&
	     attrs.val[BLKTAP_A_IOS_RETRY] >= 5 && attrs.val[BLKTAP_A_IOS_EXTENT] == 0 &&
	     attrs.val[BLKTAP_A_IOS_DAEMON] >= sizeof(bads) / sizeof(bads[0]),
	     "netlink counts files and requests");
}

static void test_fetch(void)
{
	struct ring_request req;
	struct ring_queue *q;
	struct io io;
	bool good;

	io_start(&io, minor, true, 0, 2 * PAGE, 0x99, 0);
	q = tap_take(&ring, &req);
	memset(req.data, 0, 2 * PAGE);
	ktap(req.desc.flags & BLKTAP_REQ_DEMAND, "a write comes with DEMAND");
	ktap_is(ring_fetch(q, req.tag, req.desc.generation + 1), -ESTALE, "FETCH, next generation");
	ktap_is(ring_fetch(q, req.tag, 0), -ESTALE, "FETCH, generation 0");
	ktap_is(ring_fetch(q, ring.at.depth, req.desc.generation), -ESTALE, "FETCH, no such tag");
	ktap_is(ring_fetch(q, UINT32_MAX, req.desc.generation), -ESTALE, "FETCH, tag 2^32 - 1");
	good = !req.data[0] && !req.data[2 * PAGE - 1];
	ktap(good, "and without its data");
	ktap_is(ring_fetch(q, req.tag, req.desc.generation), 0, "FETCH");
	ktap((unsigned char)req.data[0] == 0x99 &&
	     !memcmp(req.data, req.data + 1, 2 * PAGE - 1), "brings it");
	ktap_is(ring_fetch(q, req.tag, req.desc.generation), -EINVAL, "FETCH once more");
	ring_complete(q, &req, 2 * PAGE);
	tap_enter(q, NULL);
	ktap_is(io_end(&io), 2 * PAGE, "it ends well");
	ktap_is(ring_fetch(q, req.tag, req.desc.generation), -ESTALE, "FETCH when it has ended");
	io_free(&io);
}

static void test_fetch_read(void)
{
	struct ring_request req;
	struct ring_queue *q;
	struct io io;

	io_start(&io, minor, false, 0, PAGE, 0, 0);
	q = tap_take(&ring, &req);
	ktap(!(req.desc.flags & BLKTAP_REQ_DEMAND), "a read comes without DEMAND");
	ktap_is(ring_fetch(q, req.tag, req.desc.generation), -EINVAL, "FETCH of a read");
	memset(req.data, 0x12, PAGE);
	ring_complete(q, &req, PAGE);
	tap_enter(q, NULL);
	ktap(io_end(&io) == PAGE && io_is(&io, 0, PAGE, 0x12), "it ends well");
	io_free(&io);
}

/* To a file without the daemon ever having the data; with it, too. */
static void test_demand_redirect(bool fetch)
{
	uint64_t offset = (450 + fetch) * PAGE;
	struct ring_request req;
	struct ring_queue *q;
	struct io io;

	io_start(&io, minor, true, 0, PAGE, 0x88 + fetch, 0);
	q = tap_take(&ring, &req);
	if (fetch)
		ktap_is(ring_fetch(q, req.tag, req.desc.generation), 0, "FETCH");
	to_file(q, &req, offset);
	tap_enter(q, NULL);
	ktap(io_end(&io) == PAGE && backing_is(backing, offset, PAGE, 0x88 + fetch),
	     "a redirect %s FETCH", fetch ? "after" : "without");
	io_free(&io);
}

int main(int argc, char **argv)
{
	size_t i;

	ktap_start();
	if (argc != 2)
		ktap_die("usage: ring_redirect BACKING");
	backing = backing_open(argv[1]);
	backing_fill(backing, BACKING_SIZE);
	tap_new(&nl, &minor, 2, 4);
	tap_start(&ring, minor, FEATURES, BLKTAP_DISK_WRITE_CACHE, DISK_SIZE);
	ktap(ring.at.features == FEATURES && ring.at.fragments >= BLKTAP_MAX_FRAGMENTS &&
	     ring.at.fragments_max == BLKTAP_MAX_FRAGMENTS && ring.at.files == BLKTAP_MAX_FILES &&
	     ring.at.fragment_offset + ring.at.fragments * sizeof(struct blktap_fragment) <=
	     ring.at.cq_area_bytes, "ATTACH tells what was granted");
	both = ring_register(ring.fd, backing, BLKTAP_FILE_READ | BLKTAP_FILE_WRITE);
	reader = ring_register(ring.fd, backing, BLKTAP_FILE_READ);
	writer = ring_register(ring.fd, backing, BLKTAP_FILE_WRITE);
	ktap(both >= 0 && reader >= 0 && writer >= 0, "three slots for one file");
	test_read();
	test_write();
	test_large();
	test_pieces();
	test_write_pieces();
	test_most_pieces();
	test_last_fragments();
	for (i = 0; i < sizeof(bads) / sizeof(bads[0]); i++)
		test_ignored(&bads[i]);
	test_double();
	test_flush();
	test_retry(false);
	test_retry(true);
	test_retry_piece();
	test_odd_memory();
	test_unregistered();
	test_counts();
	tap_stop(&ring);
	tap_start(&ring, minor, FEATURES, BLKTAP_DISK_DEMAND, DISK_SIZE);
	both = ring_register(ring.fd, backing, BLKTAP_FILE_READ | BLKTAP_FILE_WRITE);
	test_fetch();
	test_fetch_read();
	test_demand_redirect(false);
	test_demand_redirect(true);
	test_retry(true);
	tap_stop(&ring);
	ktap_is(nl_del_wait(&nl, minor), 0, "the tap can be freed");
	nl_close(&nl);
	return ktap_finish();
}
