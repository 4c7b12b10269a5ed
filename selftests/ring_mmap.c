// SPDX-License-Identifier: GPL-2.0-only
/* What can be mapped of a session, how, and what happens to those who touch it. */
#include "ktap.h"
#include "netlink.h"
#include "ring.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef MADV_DOFORK
#define MADV_DOFORK 11
#endif

static struct nl nl;
static unsigned int minor;
static struct blktap_attach at;
static int ring_fd;
static long page;

static sigjmp_buf back;

static void on_fault(int sig)
{
	siglongjmp(back, sig);
}

/* The signal that touching @p raises, or 0. */
static int touch(volatile char *p, bool write)
{
	int sig = sigsetjmp(back, 1);

	if (sig)
		return sig;
	if (write)
		*p = 0;
	else
		(void)*p;
	return 0;
}

static void catch_faults(void)
{
	struct sigaction act = { .sa_handler = on_fault, .sa_flags = SA_NODEFER };

	sigaction(SIGSEGV, &act, NULL);
	sigaction(SIGBUS, &act, NULL);
}

static int try_map(size_t len, int prot, int flags, off_t offset)
{
	void *p = mmap(NULL, len, prot, flags, ring_fd, offset);

	if (p == MAP_FAILED)
		return -errno;
	munmap(p, len);
	return 0;
}

static void refused(const char *what, size_t len, int prot, int flags, off_t offset)
{
	int ret = try_map(len, prot, flags, offset);

	if (!ret)
		printf("# mmap succeeded\n");
	ktap(ret < 0, "refused: %s", what);
}

static void test_sq_map(void)
{
	const size_t len = at.sq_area_bytes;
	const off_t off = at.sq_area;

	ktap_is(try_map(len, PROT_READ, MAP_SHARED, off), 0, "submission area, read-only");
	refused("submission area, writable", len, PROT_READ | PROT_WRITE, MAP_SHARED, off);
	refused("submission area, executable", len, PROT_READ | PROT_EXEC, MAP_SHARED, off);
	refused("submission area, private", len, PROT_READ, MAP_PRIVATE, off);
	refused("submission area, private and writable", len, PROT_READ | PROT_WRITE,
		MAP_PRIVATE, off);
	refused("submission area, a page too long", len + page, PROT_READ, MAP_SHARED, off);
	if (len > (size_t)page)
		refused("submission area, a page too short", len - page, PROT_READ,
			MAP_SHARED, off);
	refused("submission area, from its second page", len, PROT_READ, MAP_SHARED,
		off + page);
}

static void test_cq_map(void)
{
	const int rw = PROT_READ | PROT_WRITE;
	const size_t len = at.cq_area_bytes;
	const off_t off = at.cq_area;

	ktap_is(try_map(len, rw, MAP_SHARED, off), 0, "completion area, writable");
	refused("completion area, executable", len, rw | PROT_EXEC, MAP_SHARED, off);
	refused("completion area, private", len, rw, MAP_PRIVATE, off);
	refused("completion area, a page too long", len + page, rw, MAP_SHARED, off);
	refused("completion area, of a queue that is not there", len, rw, MAP_SHARED,
		off + at.queues * at.cq_area_stride);
}

static void test_buffer_map(void)
{
	const int rw = PROT_READ | PROT_WRITE;
	const size_t len = at.buffer_area_bytes;
	const off_t off = at.buffer_area;

	ktap_is(try_map(len, rw, MAP_SHARED, off), 0, "buffer area, whole");
	ktap_is(try_map(page, rw, MAP_SHARED, off + page), 0, "buffer area, one page of it");
	refused("buffer area, executable", len, rw | PROT_EXEC, MAP_SHARED, off);
	refused("buffer area, private", len, rw, MAP_PRIVATE, off);
	refused("buffer area, beyond the last queue", page, rw, MAP_SHARED,
		off + at.queues * at.buffer_area_stride);
	refused("buffer area, out of a queue's end", at.buffer_area_stride + page, rw,
		MAP_SHARED, off + (at.queues - 1) * at.buffer_area_stride);
	refused("an offset far away", page, PROT_READ, MAP_SHARED, 1LL << 50);
}

static void test_sq_protection(char *sq)
{
	ktap_is(touch(sq, false), 0, "submission area can be read");
	ktap_is(touch(sq, true), SIGSEGV, "writing to it raises SIGSEGV");
	ktap(mprotect(sq, at.sq_area_bytes, PROT_READ | PROT_WRITE) && errno == EACCES,
	     "mprotect cannot make it writable");
	ktap(mprotect(sq, at.sq_area_bytes, PROT_READ | PROT_EXEC) && errno == EACCES,
	     "mprotect cannot make it executable");
}

static void test_cq_protection(char *cq)
{
	const int rw = PROT_READ | PROT_WRITE;

	ktap_is(touch(cq + at.cqe_offset, true), 0, "completion area can be written");
	ktap(mprotect(cq, at.cq_area_bytes, rw | PROT_EXEC) && errno == EACCES,
	     "mprotect cannot make it executable");
	ktap(!mprotect(cq, at.cq_area_bytes, PROT_READ) && touch(cq, true) == SIGSEGV &&
	     !mprotect(cq, at.cq_area_bytes, rw) && !touch(cq, true),
	     "mprotect can take the right to write and give it back");
}

static void test_remap(const char *what, char *p, size_t len)
{
	void *moved;

	ktap(mremap(p, len, 2 * len, 0) == MAP_FAILED, "%s cannot grow", what);
	ktap(mremap(p, len, 2 * len, MREMAP_MAYMOVE) == MAP_FAILED,
	     "%s cannot grow by moving", what);
	moved = mmap(NULL, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ktap(mremap(p, len, len, MREMAP_MAYMOVE | MREMAP_FIXED, moved) == MAP_FAILED,
	     "%s cannot move", what);
}

/* Whatever madvise says, the kernel must not mind and the data must stay. */
static void test_advice(char *cq)
{
	static const int advice[] = {
		MADV_FREE, MADV_REMOVE, MADV_HUGEPAGE, MADV_NOHUGEPAGE,
		MADV_MERGEABLE, MADV_SEQUENTIAL, MADV_WILLNEED, MADV_COLD, MADV_PAGEOUT,
		MADV_DODUMP,
	};
	bool kept = true;
	size_t i;

	for (i = 0; i < sizeof(advice) / sizeof(advice[0]); i++) {
		cq[at.cqe_offset] = 42;
		madvise(cq, at.cq_area_bytes, advice[i]);
		kept = kept && !touch(cq, false) && cq[at.cqe_offset] == 42;
	}
	ktap(kept, "advice does not change the completion area");
}

static int in_child(char *p)
{
	int status;
	pid_t pid = fork();

	if (!pid)
		_exit(touch(p, false));
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

static void test_fork(char *sq, char *cq, char *buffer)
{
	ktap_is(in_child(sq), SIGSEGV, "a forked child has no submission area");
	ktap_is(in_child(cq), SIGSEGV, "a forked child has no completion area");
	ktap_is(in_child(buffer), SIGSEGV, "a forked child has no buffer area");
}

/* Whoever insists may get it; the child's copy must not outlive it as a session. */
static void test_dofork(char *cq)
{
	int ret = madvise(cq, at.cq_area_bytes, MADV_DOFORK), sig = in_child(cq);

	ktap(sig == (ret ? SIGSEGV : 0), "MADV_DOFORK is %s and means it",
	     ret ? "refused" : "taken");
	madvise(cq, at.cq_area_bytes, MADV_DONTFORK);
	ktap_is(in_child(cq), SIGSEGV, "after MADV_DONTFORK a child has no completion area");
}

static void test_buffers(char *buffer)
{
	size_t off, step = at.buffer_area_bytes / 16 / page * page;
	int wrong = 0;

	if (!step)
		step = page;
	for (off = 0; off < at.buffer_area_bytes; off += step)
		wrong += touch(buffer + off, off & step) != SIGBUS;
	ktap(!wrong, "touching buffers without a request raises SIGBUS");
	ktap_is(touch(buffer + at.buffer_area_bytes - 1, false), SIGBUS,
		"so does the area's last byte");
}

static void test_twice(char *cq)
{
	char *again = ring_map_cq(ring_fd, &at, 0);

	if (!ktap((void *)again != MAP_FAILED, "an area can be mapped twice"))
		return;
	cq[at.cqe_offset] = 17;
	ktap(again[at.cqe_offset] == 17, "both mappings show the same memory");
	munmap(again, at.cq_area_bytes);
}

/*
 * A mapping that was emptied shows the same memory again, or has to be made anew; nobody else
 * notices, neither the other mapping nor who maps it next.
 */
static void test_emptied(const char *what, void *(*map)(int, const struct blktap_attach *, unsigned int),
			 size_t len, char *first, size_t place)
{
	char byte = first[place], *again = map(ring_fd, &at, 0), *third;
	int ret, sig;

	ret = madvise(again, len, MADV_DONTNEED);
	sig = touch(again + place, false);
	printf("# %s: madvise %s, then %s\n", what, ret ? strerror(errno) : "succeeds",
	       sig ? strsignal(sig) : "it is there");
	ktap((sig == SIGBUS && !ret) || (!sig && again[place] == byte),
	     "%s, MADV_DONTNEED: the same memory or none", what);
	munmap(again, len);
	third = map(ring_fd, &at, 0);
	ktap(!touch(first + place, false) && first[place] == byte && (void *)third != MAP_FAILED &&
	     !touch(third + place, false) && third[place] == byte,
	     "other mappings have what was there");
	munmap(third, len);
}

/* Splitting is refused, or it works and leaves the rest usable. */
static void test_partial(void)
{
	char *p = ring_map_buffer(ring_fd, &at, 0);
	int ret = munmap(p, page), after;

	after = touch(p + page, false);
	ktap(after == SIGBUS, "a partial munmap (%s) leaves the rest as it was",
	     ret ? "refused" : "done");
	munmap(p, at.buffer_area_bytes);
}

static void test_mapping_holds_session(char *cq)
{
	struct nl_attrs attrs;
	int ret;

	close(ring_fd);
	ret = nl_get(&nl, minor, &attrs);
	ktap(!ret && attrs.has[BLKTAP_A_PID], "mappings keep the session of a closed descriptor");
	ktap_is(touch(cq, true), 0, "and stay usable");
	ktap_is(nl_del(&nl, minor), -EBUSY, "and the tap cannot be freed");
}

int main(void)
{
	char *sq, *cq, *buffer;
	int got = -1;

	ktap_start();
	page = sysconf(_SC_PAGESIZE);
	if (nl_open(&nl) || nl_new(&nl, &got, 2, 128))
		ktap_die("cannot allocate a tap: %s", nl.text);
	minor = got;
	ring_fd = ring_open_node(minor);
	if (ring_fd < 0 || ring_attach(ring_fd, &at))
		ktap_die("cannot attach");
	catch_faults();
	test_sq_map();
	test_cq_map();
	test_buffer_map();
	sq = ring_map_sq(ring_fd, &at, 0);
	cq = ring_map_cq(ring_fd, &at, 0);
	buffer = ring_map_buffer(ring_fd, &at, 0);
	test_sq_protection(sq);
	test_cq_protection(cq);
	test_remap("the submission area", sq, at.sq_area_bytes);
	test_remap("the completion area", cq, at.cq_area_bytes);
	test_remap("the buffer area", buffer, at.buffer_area_bytes);
	test_advice(cq);
	test_fork(sq, cq, buffer);
	test_dofork(cq);
	test_buffers(buffer);
	test_twice(cq);
	cq[at.cqe_offset] = 21;
	test_emptied("completion area", ring_map_cq, at.cq_area_bytes, cq, at.cqe_offset);
	test_emptied("submission area", ring_map_sq, at.sq_area_bytes, sq, at.sqe_offset);
	test_partial();
	test_mapping_holds_session(cq);
	munmap(sq, at.sq_area_bytes);
	munmap(cq, at.cq_area_bytes);
	munmap(buffer, at.buffer_area_bytes);
	ktap_is(nl_del_wait(&nl, minor), 0, "unmapping ends the session: the tap can be freed");
	nl_close(&nl);
	return ktap_finish();
}
