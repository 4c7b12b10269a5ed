// SPDX-License-Identifier: GPL-2.0-only
/*
 * Disks that change hands: two tapdisks in one process, on one loop, with the real
 * control socket between them.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <syslog.h>

#include <cmocka.h>

#include "fake-ring.h"
#include "fake-sync.h"
#include "../control.h"
#include "../image.h"
#include "../offer.h"
#include "../methods.h"
#include "../takeover.h"

#define OLD_PID	4168
#define FEATURES (KERNEL_IO_FEATURES | BLKTAP_F_HOLD | BLKTAP_F_TAKEOVER)

static struct loop *loop;
static struct tapdisk old, new;
static struct control *control;		/* of the old one; NULL: it has ended */
static unsigned int old_ended, new_ended;
static char directory[64];
static char image[80];
static struct blktap_error err;
/* The kernel of the tests moves no bytes of files. */
static enum blktap_kernel_io kernel_io;
static bool no_direct;

struct outcome {
	unsigned int calls;
	struct blktap_error err;
};

static void end_old(struct tapdisk *tapdisk)
{
	(void)tapdisk;
	old_ended++;
}

static void end_new(struct tapdisk *tapdisk)
{
	(void)tapdisk;
	new_ended++;
}

static void make_image(void)
{
	int fd;

	snprintf(image, sizeof(image), "aio:/var/tmp/tapdisk-XXXXXX");
	fd = mkstemp(image + 4);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 1 << 20), 0);
	close(fd);
}

static int set_up(void **state)
{
	char path[128];

	(void)state;
	fake_reset();
	fake_features = FEATURES;
	kernel_io = BLKTAP_KERNEL_IO_OFF;
	no_direct = false;
	fake_sync_reset();
	old_ended = 0;
	new_ended = 0;
	strcpy(directory, "/tmp/tapdisk-XXXXXX");
	assert_non_null(mkdtemp(directory));
	setenv("BLKTAP_CONTROL_DIR", directory, 1);
	assert_int_equal(blktap_control_path(path, sizeof(path), OLD_PID), 0);
	assert_int_equal(loop_new(&loop), 0);
	assert_int_equal(tapdisk_init(&old, loop), 0);
	assert_int_equal(tapdisk_init(&new, loop), 0);
	old.end = end_old;
	new.end = end_new;
	assert_int_equal(control_new(&control, &old, path, &err), 0);
	make_image();
	return 0;
}

/* As a process does once its last VBD is gone. */
static void turn(int timeout_ms)
{
	unsigned int i;

	if (old_ended && control) {
		control_free(control);
		control = NULL;
	}
	for (i = 0; i < FAKE_MINORS; i++)
		fake_poll(fake_sessions[i]);
	assert_int_equal(loop_turn(loop, timeout_ms), 0);
}

static void turns(unsigned int count)
{
	while (count--)
		turn(1);
}

static void done(struct vbd *vbd, void *data, const struct blktap_error *failure)
{
	struct outcome *outcome = data;

	(void)vbd;
	outcome->calls++;
	if (failure)
		outcome->err = *failure;
}

static void taken_over(void *data, const struct blktap_error *failure)
{
	done(NULL, data, failure);
}

static void wait_for(const struct outcome *outcome)
{
	while (!outcome->calls)
		turn(100);
	assert_int_equal(outcome->calls, 1);
}

static struct vbd *attach(unsigned int minor)
{
	assert_int_equal(tapdisk_attach(&old, minor, -1, &err), 0);
	return tapdisk_find(&old, minor);
}

static struct vbd *open_disk(unsigned int minor, const char *spec, bool read_only)
{
	struct vbd_open_params params = {
		.image = spec,
		.kernel_io = kernel_io,
		.read_only = read_only,
		.no_direct = no_direct,
		.request_timeout_ms = 5000,
		.max_spin_ns = 7000,
		.timeout_ms = -1,
	};
	struct outcome outcome = { 0 };
	struct vbd *vbd = attach(minor);

	vbd_open(vbd, &params, done, &outcome);
	wait_for(&outcome);
	assert_int_equal(outcome.err.code, 0);
	return vbd;
}

static void close_disk(struct tapdisk *tapdisk, unsigned int minor)
{
	struct vbd *vbd = tapdisk_find(tapdisk, minor);
	struct outcome outcome = { 0 };

	vbd_close(vbd, 0, false, done, &outcome);
	wait_for(&outcome);
	assert_int_equal(outcome.err.code, 0);
	assert_int_equal(tapdisk_detach(tapdisk, vbd, &err), 0);
}

static int tear_down(void **state)
{
	struct tapdisk *both[] = { &old, &new };
	unsigned int i;

	(void)state;
	for (i = 0; i < 2; i++)
		while (!list_empty(&both[i]->vbds))
			close_disk(both[i], list_first(&both[i]->vbds, struct vbd, link)->minor);
	if (control)
		control_free(control);
	for (i = 0; i < 2; i++)
		while (workers_busy(both[i]->workers))
			turn(1);
	tapdisk_exit(&old);
	tapdisk_exit(&new);
	loop_free(loop);
	assert_int_equal(fake_rings, 0);
	unlink(image + 4);
	return rmdir(directory);
}

static int take_over(int timeout_ms)
{
	struct outcome outcome = { 0 };

	assert_int_equal(takeover_start(&new, OLD_PID, -1, timeout_ms, taken_over, &outcome, &err), 0);
	wait_for(&outcome);
	err = outcome.err;
	return err.code;
}

static void await_end_of_old(void)
{
	while (!old_ended)
		turn(100);
}

/* A request of the disk's users, to whom it belongs. */
static int64_t do_request(unsigned int minor, uint8_t op, uint64_t offset, int fill)
{
	struct fake_queue *q = &fake_sessions[minor]->queues[0];
	unsigned int target = q->completed + 1;

	if (op == BLKTAP_OP_WRITE)
		memset(fake_data(q, 9), fill, 4096);
	fake_submit(q, 9, op, 0, offset, 4096);
	while (__atomic_load_n(&q->completed, __ATOMIC_ACQUIRE) < target)
		turn(10);
	assert_int_equal(q->rejected, 0);
	return q->results[9];
}

static void expect_byte(unsigned int minor, uint64_t offset, int fill)
{
	assert_int_equal(do_request(minor, BLKTAP_OP_READ, offset, 0), 4096);
	assert_int_equal(fake_data(&fake_sessions[minor]->queues[0], 9)[0], fill);
}

static bool is_locked(void)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int fd = open(image + 4, O_RDWR | O_CLOEXEC), ret;

	ret = fcntl(fd, F_OFD_SETLK, &lock);
	close(fd);
	return ret != 0;
}

/* ------------------------------------------------------------------- it works */

static void test_written_image(void **state)
{
	struct vbd *vbd;

	(void)state;
	open_disk(3, image, false);
	assert_int_equal(do_request(3, BLKTAP_OP_WRITE, 8192, 'x'), 4096);
	assert_true(is_locked());
	/* More than the disk has, and not in whole blocks. */
	assert_int_equal(truncate(image + 4, (2 << 20) + 100), 0);
	assert_int_equal(take_over(60000), 0);
	await_end_of_old();
	assert_null(tapdisk_find(&old, 3));
	/* Its lock was never let go, and is still there without the old one. */
	turns(3);
	assert_true(is_locked());
	vbd = tapdisk_find(&new, 3);
	assert_non_null(vbd);
	assert_ptr_equal(vbd->env, &new.env);
	assert_int_equal(vbd->state, VBD_LIVE);
	assert_string_equal(vbd->spec, image);
	assert_int_equal(vbd->request_timeout_ms, 5000);
	assert_int_equal(vbd->max_spin_ns, 7000);
	assert_int_equal(vbd->kernel_io, BLKTAP_KERNEL_IO_OFF);
	assert_int_equal(vbd->disk.capacity, 1 << 20);
	assert_int_equal(new_ended, 0);
	expect_byte(3, 8192, 'x');
	assert_int_equal(do_request(3, BLKTAP_OP_WRITE, 0, 'y'), 4096);
	expect_byte(3, 0, 'y');
}

/* It is the one that the other has open, not what its name leads to by now. */
static void test_moved_image(void **state)
{
	char identity[IMAGE_IDENTITY_SIZE];
	char moved[96];

	(void)state;
	snprintf(moved, sizeof(moved), "%s-moved", image + 4);
	open_disk(3, image, false);
	assert_int_equal(image_identity(AT_FDCWD, image + 4, identity), 0);
	assert_int_equal(rename(image + 4, moved), 0);
	assert_int_equal(take_over(60000), 0);
	await_end_of_old();
	assert_string_equal(tapdisk_find(&new, 3)->image->identity, identity);
	assert_int_equal(unlink(moved), 0);
}

static void test_image_in_memory(void **state)
{
	struct vbd *vbd = open_disk(3, "ram:1M", false);
	struct outcome outcome = { 0 };

	(void)state;
	/* The name does not tell its size any more. */
	vbd_resize(vbd, 2 << 20, false, -1, done, &outcome);
	wait_for(&outcome);
	assert_int_equal(do_request(3, BLKTAP_OP_WRITE, (2 << 20) - 4096, 'r'), 4096);
	assert_int_equal(take_over(60000), 0);
	await_end_of_old();
	expect_byte(3, (2 << 20) - 4096, 'r');
	expect_byte(3, 0, 0);
}

static void test_map_in_memory(void **state)
{
	char spec[160];

	(void)state;
	snprintf(spec, sizeof(spec), "scatter:%s,block=4K,seed=5", image + 4);
	open_disk(3, spec, false);
	assert_int_equal(do_request(3, BLKTAP_OP_WRITE, 40960, 's'), 4096);
	assert_int_equal(take_over(60000), 0);
	await_end_of_old();
	expect_byte(3, 40960, 's');
	expect_byte(3, 0, 0);
	/* A place of its own: one that has been given is not given again. */
	assert_int_equal(do_request(3, BLKTAP_OP_WRITE, 0, 't'), 4096);
	expect_byte(3, 40960, 's');
}

/* It lists another's: that one's users would get what this one offers. */
static void test_not_its_own(void **state)
{
	(void)state;
	open_disk(3, image, false);
	fake_server = OLD_PID + 1;
	assert_int_equal(take_over(60000), -ESTALE);
	assert_true(list_empty(&new.vbds));
	assert_int_equal(new_ended, 1);
	assert_int_equal(tapdisk_find(&old, 3)->state, VBD_LIVE);
	assert_int_equal(do_request(3, BLKTAP_OP_WRITE, 0, 'n'), 4096);
	fake_server = OLD_PID;
	assert_int_equal(take_over(60000), 0);
	await_end_of_old();
}

/* It waits for the last close, and need not. */
static void test_terminating(void **state)
{
	struct vbd *vbd = open_disk(3, image, false);

	(void)state;
	vbd->ring->state.openers = 1;
	tapdisk_terminate(&old);
	turns(3);
	assert_int_equal(vbd->state, VBD_CLOSING);
	assert_int_equal(take_over(60000), 0);
	await_end_of_old();
	assert_int_equal(tapdisk_find(&new, 3)->state, VBD_LIVE);
	turns(3);
	assert_int_equal(tapdisk_find(&new, 3)->state, VBD_LIVE);
	assert_int_equal(new_ended, 0);
	expect_byte(3, 0, 0);
}

static void pause_disk(struct vbd *vbd)
{
	struct outcome outcome = { 0 };

	vbd_pause(vbd, -1, done, &outcome);
	wait_for(&outcome);
	assert_int_equal(vbd->state, VBD_PAUSED);
}

/* One that was never open, one that was closed, one that is paused, two that share. */
static void test_all_kinds(void **state)
{
	struct outcome outcome = { 0 };
	struct vbd *vbd;

	(void)state;
	attach(1);
	vbd = open_disk(2, "null:1M", false);
	vbd_close(vbd, 0, false, done, &outcome);
	wait_for(&outcome);
	pause_disk(open_disk(3, "null:1M", false));
	open_disk(4, image, true);
	open_disk(5, image, true);
	assert_int_equal(take_over(60000), 0);
	await_end_of_old();
	assert_int_equal(vbd_user_state(tapdisk_find(&new, 1)), 0);
	assert_int_equal(vbd_user_state(tapdisk_find(&new, 2)), BLKTAP_VBD_CLOSED);
	assert_int_equal(vbd_user_state(tapdisk_find(&new, 3)), 0x2a);
	assert_true(fake_sessions[3]->held);
	assert_ptr_equal(tapdisk_find(&new, 4)->image, tapdisk_find(&new, 5)->image);
	assert_true(tapdisk_find(&new, 4)->image->read_only);

	memset(&outcome, 0, sizeof(outcome));
	vbd_unpause(tapdisk_find(&new, 3), NULL, -1, done, &outcome);
	wait_for(&outcome);
	assert_int_equal(outcome.err.code, 0);
	assert_false(fake_sessions[3]->held);
	assert_int_equal(do_request(3, BLKTAP_OP_WRITE, 0, 'p'), 4096);
}

/* One that may not open ring nodes gets them. */
static void test_passed_ring(void **state)
{
	int fd = dup(0), unused = dup(0);

	(void)state;
	open_disk(3, "ram:1M", false);
	assert_int_equal(takeover_pass_ring(&new, 3, fd), 0);
	assert_int_equal(takeover_pass_ring(&new, 4, unused), 0);
	assert_int_equal(take_over(60000), 0);
	await_end_of_old();
	assert_int_equal(fake_adopted, fd);
	assert_true(list_empty(&new.rings));
	assert_int_equal(fcntl(unused, F_GETFD), -1);
}

/* More than one page of the list. */
static void test_pages(void **state)
{
	unsigned int i;

	(void)state;
	old.page_bytes = 60;
	for (i = 0; i < 9; i++)
		attach(i);
	assert_int_equal(take_over(60000), 0);
	await_end_of_old();
	for (i = 0; i < 9; i++)
		assert_non_null(tapdisk_find(&new, i));
}

/* The kernel does not know files of the old one when requests are held. */
static void test_kernel_io_ends_before(void **state)
{
	unsigned int i, registered = 0, unregistered = 0;

	(void)state;
	kernel_io = BLKTAP_KERNEL_IO_AUTO;
	open_disk(3, image, false);
	assert_int_equal(kernel_io_mode(tapdisk_find(&old, 3)->kio), BLKTAP_KERNEL_IO_AUTO);
	assert_int_equal(take_over(60000), 0);
	await_end_of_old();
	assert_int_equal(kernel_io_mode(tapdisk_find(&new, 3)->kio), BLKTAP_KERNEL_IO_AUTO);
	assert_true(fake_sessions[3]->start.flags & BLKTAP_DISK_DEMAND);
	for (i = 0; i < fake_nr_calls; i++) {
		registered += fake_calls[i].what == FAKE_REGISTER;
		unregistered += fake_calls[i].what == FAKE_UNREGISTER && fake_calls[i].wait;
	}
	assert_int_equal(registered, 2);
	assert_int_equal(unregistered, 1);
	/* the new one knows the file before, and maps after */
	assert_int_equal(fake_calls[fake_nr_calls - 1].what, FAKE_MAP);
}

/* -------------------------------------------------------------- it is refused */

static void test_nobody_there(void **state)
{
	(void)state;
	assert_int_equal(takeover_start(&new, 1, -1, -1, taken_over, NULL, &err), -ENOENT);
	assert_int_equal(takeover_start(&new, getpid(), -1, -1, taken_over, NULL, &err), -EINVAL);
	assert_null(new.takeover);
	assert_int_equal(take_over(60000), -ENODEV);
	assert_int_equal(new_ended, 1);
}

static void test_older_module(void **state)
{
	(void)state;
	fake_features = KERNEL_IO_FEATURES;
	open_disk(3, "ram:1M", false);
	assert_int_equal(take_over(60000), -EOPNOTSUPP);
	assert_int_equal(new_ended, 1);
	assert_int_equal(do_request(3, BLKTAP_OP_READ, 0, 0), 4096);
}

/* The image's driver, but requests stay with it. */
static struct image_driver holding;
static struct image_request *kept[8];
static atomic_uint nr_kept;

static void keep(struct image_channel *channel, struct image_request *req)
{
	(void)channel;
	kept[nr_kept++] = req;
}

/* Needs image requests that the test can answer from here. */
static struct vbd *open_holding(unsigned int minor, const char *spec)
{
	struct vbd *vbd;

	old.env.threads = false;
	vbd = open_disk(minor, spec, false);
	nr_kept = 0;
	holding = *vbd->image->driver;
	holding.submit = keep;
	vbd->image->driver = &holding;
	fake_submit(&fake_sessions[minor]->queues[0], 1, BLKTAP_OP_READ, 0, 0, 4096);
	while (!nr_kept)
		turn(10);
	return vbd;
}

static void test_too_slow(void **state)
{
	struct vbd *vbd = open_holding(3, "ram:1M");

	(void)state;
	assert_int_equal(take_over(50), -ETIMEDOUT);
	assert_int_equal(new_ended, 1);
	/* the old one sees it later */
	while (vbd->state != VBD_LIVE)
		turn(10);
	assert_ptr_equal(vbd->ring, fake_sessions[3]);
	kept[0]->done(kept[0], 0);
	turns(3);
	assert_int_equal(fake_sessions[3]->queues[0].results[1], 4096);
	fake_submit(&fake_sessions[3]->queues[0], 2, BLKTAP_OP_READ, 0, 0, 4096);
	while (nr_kept < 2)
		turn(10);
	kept[1]->done(kept[1], 0);
	turns(3);
	assert_int_equal(fake_holds, 0);
}

static void test_partly(void **state)
{
	struct vbd *busy;

	(void)state;
	attach(0);
	open_disk(1, "ram:1M", false);
	busy = open_disk(4, "ram:1M", false);
	attach(5);
	attach(6);
	busy->state = VBD_RESIZING;
	assert_int_equal(take_over(60000), -EBUSY);
	busy->state = VBD_LIVE;
	assert_non_null(strstr(err.text, "tapdev0-1 moved to tapdisk"));
	assert_non_null(strstr(err.text, "tapdev4-6 did not"));
	assert_int_equal(new_ended, 0);
	assert_int_equal(old_ended, 0);
	assert_non_null(tapdisk_find(&new, 1));
	assert_null(tapdisk_find(&new, 4));
	assert_int_equal(do_request(1, BLKTAP_OP_WRITE, 0, 'a'), 4096);
	assert_int_equal(do_request(4, BLKTAP_OP_WRITE, 0, 'b'), 4096);
	expect_byte(1, 0, 'a');
}

/* The open file changes hands, and what it has to tell is for the new one to hear. */
static void test_page_cache(void **state)
{
	(void)state;
	no_direct = true;
	open_disk(3, image, false);
	fake_sync.lost = EIO;
	assert_int_equal(take_over(60000), 0);
	await_end_of_old();
	assert_int_equal(fake_sync.calls, 0);
	assert_int_equal(do_request(3, BLKTAP_OP_FLUSH, 0, 0), -EIO);
	assert_int_equal(do_request(3, BLKTAP_OP_FLUSH, 0, 0), -EIO);
}

/* The one that does not get it leaves that to be told to the one that has it. */
static void test_page_cache_given_up(void **state)
{
	struct outcome outcome = { 0 };
	struct vbd *vbd;

	(void)state;
	no_direct = true;
	vbd = open_holding(3, image);
	fake_sync.lost = EIO;
	assert_int_equal(takeover_start(&new, OLD_PID, -1, 10000, taken_over, &outcome, &err), 0);
	while (vbd->state != VBD_HANDING_OVER)
		turn(10);
	takeover_cancel(new.takeover, "test");
	wait_for(&outcome);
	assert_int_equal(new_ended, 1);
	while (vbd->state != VBD_LIVE)
		turn(10);
	kept[0]->done(kept[0], 0);
	turns(3);
	assert_int_equal(fake_sync.calls, 0);
}

/* What was lost before is known here alone, so it stays here. */
static void test_damaged(void **state)
{
	struct vbd *vbd;

	(void)state;
	no_direct = true;
	vbd = open_disk(3, image, false);
	fake_sync.lost = EIO;
	assert_int_equal(do_request(3, BLKTAP_OP_FLUSH, 0, 0), -EIO);
	assert_int_equal(take_over(60000), -EIO);
	assert_non_null(strstr(err.text, "has lost what was written to it"));
	while (vbd->state != VBD_LIVE)
		turn(10);
	assert_ptr_equal(tapdisk_find(&old, 3), vbd);
	assert_int_equal(do_request(3, BLKTAP_OP_WRITE, 0, 'a'), 4096);
	assert_int_equal(do_request(3, BLKTAP_OP_FLUSH, 0, 0), -EIO);
}

static void expect_refused(const char *text, int code)
{
	struct vbd_offer offer;
	json_t *json = json_loads(text, 0, NULL);

	assert_non_null(json);
	assert_int_equal(offer_decode(json, &offer, &err), code);
	json_decref(json);
}

static void test_offers(void **state)
{
	(void)state;
	expect_refused("{\"minor\":1,\"closed\":true}", 0);
	expect_refused("{\"minor\":1,\"image\":\"ram:1M\",\"parent\":7}", -EOPNOTSUPP);
	assert_non_null(strstr(err.text, "parent"));
	expect_refused("{\"minor\":1,\"spin_us\":100000}", -EOPNOTSUPP);
	expect_refused("{\"image\":\"ram:1M\"}", -EOPNOTSUPP);
	expect_refused("[]", -EPROTO);
}

/* Descriptors that belong to something else. */
static void test_wrong_descriptors(void **state)
{
	struct image_params params = { .adopt = true, .minor = 1 };
	int fds[2] = { open("/dev/null", O_RDWR | O_CLOEXEC), dup(0) };
	struct image *opened;

	(void)state;
	params.fds = fds;
	assert_int_equal(image_open(&opened, "ram:1M", &params, &err), -EPROTO);
	params.nr_fds = 1;
	assert_int_equal(image_open(&opened, "ram:1M", &params, &err), -EINVAL);
	assert_int_equal(image_open(&opened, image, &params, &err), -EINVAL);
	params.nr_fds = 2;
	assert_int_equal(image_open(&opened, image, &params, &err), -EPROTO);
	close(fds[0]);
	close(fds[1]);
}

/* ----------------------------------------------------- somebody goes on the way */

struct fake_client {
	struct client client;
	char *line;
	int fds[IMAGE_MAX_FILES];
	unsigned int nr_fds;
};

static void take_answer(struct client *client, char *line)
{
	struct fake_client *c = container_of(client, struct fake_client, client);

	free(c->line);
	c->line = line;
}

static int take_descriptors(struct client *client, char *line, const int *fds, unsigned int count)
{
	struct fake_client *c = container_of(client, struct fake_client, client);

	memcpy(c->fds, fds, count * sizeof(*fds));
	c->nr_fds = count;
	take_answer(client, line);
	return 0;
}

static void come(struct fake_client *c)
{
	memset(c, 0, sizeof(*c));
	client_init(&c->client, take_answer);
	c->client.send_with = take_descriptors;
}

static void go(struct fake_client *c)
{
	client_gone(&c->client);
	free(c->line);
	c->line = NULL;
}

static bool ask(struct fake_client *c, const char *method, unsigned int minor)
{
	char line[128];

	free(c->line);
	c->line = NULL;
	snprintf(line, sizeof(line), "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"%s\",\"params\":"
		 "{\"minor\":%u}}", method, minor);
	methods_handle(&old, &c->client, line, strlen(line));
	while (!c->line)
		turn(10);
	return strstr(c->line, "\"result\"");
}

static void test_offered_and_gone(void **state)
{
	struct vbd *vbd = open_disk(3, "ram:1M", false);
	struct fake_client one, other;

	(void)state;
	come(&one);
	come(&other);
	assert_true(ask(&one, "offer", 3));
	assert_int_equal(one.nr_fds, 1);
	assert_int_equal(vbd->state, VBD_OFFERED);
	assert_int_equal(do_request(3, BLKTAP_OP_WRITE, 0, 'o'), 4096);
	/* Whom it was not offered to does not get it, and nothing else begins. */
	assert_false(ask(&other, "hand_over", 3));
	assert_false(ask(&other, "offer", 3));
	assert_false(ask(&other, "pause", 3));
	go(&one);
	assert_int_equal(vbd->state, VBD_LIVE);
	assert_true(ask(&other, "offer", 3));
	go(&other);
	expect_byte(3, 0, 'o');
}

static void test_held_and_gone(void **state)
{
	struct fake_client client;
	struct vbd *vbd;

	(void)state;
	kernel_io = BLKTAP_KERNEL_IO_AUTO;
	vbd = open_disk(3, image, false);
	come(&client);
	assert_true(ask(&client, "offer", 3));
	assert_true(ask(&client, "hand_over", 3));
	assert_int_equal(vbd->state, VBD_HELD);
	assert_true(vbd->ring->held);
	go(&client);
	assert_false(vbd->ring->held);
	while (vbd->state != VBD_LIVE)
		turn(10);
	assert_int_equal(kernel_io_mode(vbd->kio), BLKTAP_KERNEL_IO_AUTO);
	assert_int_equal(do_request(3, BLKTAP_OP_READ, 0, 0), 4096);
}

static void test_held_for_too_long(void **state)
{
	struct vbd *vbd = open_disk(3, "ram:1M", false);
	struct fake_client client;

	(void)state;
	come(&client);
	assert_true(ask(&client, "offer", 3));
	assert_true(ask(&client, "hand_over", 3));
	assert_true(loop_timer_active(&vbd->deadline));
	loop_timer_cancel(&vbd->deadline);
	vbd->deadline.fire(&vbd->deadline);
	while (vbd->state != VBD_LIVE)
		turn(10);
	assert_false(vbd->ring->held);
	assert_false(ask(&client, "hand_over", 3));
	assert_int_equal(do_request(3, BLKTAP_OP_READ, 0, 0), 4096);
	go(&client);
}

static void test_paused_and_gone(void **state)
{
	struct vbd *vbd = open_disk(3, "null:1M", false);
	struct fake_client client;

	(void)state;
	pause_disk(vbd);
	assert_true(vbd->ring->held);
	come(&client);
	assert_true(ask(&client, "offer", 3));
	assert_int_equal(client.nr_fds, 0);
	assert_int_equal(vbd_user_state(vbd), 0x2a);
	assert_true(ask(&client, "hand_over", 3));
	go(&client);
	assert_int_equal(vbd->state, VBD_PAUSED);
	assert_true(vbd->ring->held);
}

/* It goes while the image still has requests. */
static void test_gone_while_draining(void **state)
{
	struct vbd *vbd = open_holding(3, "ram:1M");
	static const char line[] = "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"hand_over\","
				   "\"params\":{\"minor\":3}}";
	struct fake_client client;

	(void)state;
	come(&client);
	assert_true(ask(&client, "offer", 3));
	methods_handle(&old, &client.client, line, strlen(line));
	turns(3);
	assert_int_equal(vbd->state, VBD_HANDING_OVER);
	go(&client);
	assert_int_equal(vbd->state, VBD_LIVE);
	kept[0]->done(kept[0], 0);
	turns(3);
	assert_int_equal(fake_sessions[3]->queues[0].results[1], 4096);
	assert_int_equal(fake_holds, 0);
}

/* Killed after it has offered: its session ends a moment after its connection. */
static void test_old_dies(void **state)
{
	struct outcome outcome = { 0 };
	struct vbd *vbd = open_holding(3, "ram:1M");

	(void)state;
	memset(vbd->stats, 0, sizeof(*vbd->stats));
	assert_int_equal(takeover_start(&new, OLD_PID, -1, 10000, taken_over, &outcome, &err), 0);
	while (vbd->state != VBD_HANDING_OVER)
		turn(10);
	control_free(control);
	control = NULL;
	turns(30);
	assert_int_equal(outcome.calls, 0);
	vbd->ring->held = true;		/* as good as gone */
	wait_for(&outcome);
	assert_int_equal(outcome.err.code, 0);
	assert_int_equal(do_request(3, BLKTAP_OP_READ, 0, 0), 4096);
	kept[0]->done(kept[0], 0);
	await_end_of_old();
}

/* Nobody wants it any more: the old one goes on. */
static void test_cancelled(void **state)
{
	struct outcome outcome = { 0 };
	struct vbd *vbd = open_holding(3, "ram:1M");

	(void)state;
	assert_int_equal(takeover_start(&new, OLD_PID, -1, -1, taken_over, &outcome, &err), 0);
	assert_int_equal(takeover_start(&new, OLD_PID, -1, -1, taken_over, NULL, &err), -EBUSY);
	while (vbd->state != VBD_HANDING_OVER)
		turn(10);
	tapdisk_terminate(&new);
	wait_for(&outcome);
	assert_int_equal(outcome.err.code, -ECANCELED);
	assert_int_equal(new_ended, 1);
	while (vbd->state != VBD_LIVE)
		turn(10);
	kept[0]->done(kept[0], 0);
	turns(3);
	assert_int_equal(fake_sessions[3]->queues[0].results[1], 4096);
}

/* All that is known of is here already. */
static void test_cancelled_at_the_end(void **state)
{
	struct outcome outcome = { 0 };

	(void)state;
	open_disk(3, "ram:1M", false);
	assert_int_equal(takeover_start(&new, OLD_PID, -1, -1, taken_over, &outcome, &err), 0);
	while (!tapdisk_find(&new, 3))
		turn(10);
	takeover_cancel(new.takeover, "test");
	wait_for(&outcome);
	assert_int_equal(outcome.err.code, -ECANCELED);
	assert_non_null(strstr(outcome.err.text, "; tapdev3 moved to tapdisk"));
	assert_null(strstr(outcome.err.text, "did not"));
	assert_int_equal(new_ended, 0);
	await_end_of_old();
}

/* The driver ends the successor's session, here before it has begun. */
static void test_session_of_new_ends(void **state)
{
	struct outcome outcome = { 0 };
	struct vbd *vbd = open_holding(3, "ram:1M");

	(void)state;
	assert_int_equal(takeover_start(&new, OLD_PID, -1, 10000, taken_over, &outcome, &err), 0);
	while (vbd->state != VBD_HANDING_OVER)
		turn(10);
	fake_end(fake_ring);
	wait_for(&outcome);
	assert_int_equal(outcome.err.code, -EIO);
	assert_int_equal(new_ended, 1);
	while (vbd->state != VBD_LIVE)
		turn(10);
	kept[0]->done(kept[0], 0);
	turns(3);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

static const struct CMUnitTest tests[] = {
	TEST(test_written_image),
	TEST(test_moved_image),
	TEST(test_image_in_memory),
	TEST(test_map_in_memory),
	TEST(test_not_its_own),
	TEST(test_terminating),
	TEST(test_all_kinds),
	TEST(test_passed_ring),
	TEST(test_pages),
	TEST(test_kernel_io_ends_before),
	TEST(test_nobody_there),
	TEST(test_older_module),
	TEST(test_too_slow),
	TEST(test_partly),
	TEST(test_page_cache),
	TEST(test_page_cache_given_up),
	TEST(test_damaged),
	TEST(test_offers),
	TEST(test_wrong_descriptors),
	TEST(test_offered_and_gone),
	TEST(test_held_and_gone),
	TEST(test_held_for_too_long),
	TEST(test_paused_and_gone),
	TEST(test_gone_while_draining),
	TEST(test_old_dies),
	TEST(test_cancelled),
	TEST(test_cancelled_at_the_end),
	TEST(test_session_of_new_ends),
};

int main(void)
{
	blktap_log_init("test", BLKTAP_LOG_STDERR, LOG_EMERG);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
