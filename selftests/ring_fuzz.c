// SPDX-License-Identifier: GPL-2.0-only
/*
 * A fuzzer of the ring: hostile daemons, one after the other, each carrying out a program
 * (fuzz_program.h) while others use its disk. After each, all must end in bounded time:
 * every process, and the tap.
 *
 * usage: ring_fuzz [-t SECONDS] [-s SEED] [-c CORPUS] [-o FOUND] [-l LOG] [-w SECONDS]
 *        ring_fuzz -r FILE [-n TIMES]
 *
 * -c  programs to begin with
 * -o  programs that reached something new are added to this file
 * -l  each program is written there before it runs, for whoever looks into a crash
 * -w  how long ending may take, 20 s if it is not given
 * -r  carries out the programs of a file in their order, instead of new ones
 */
#include "fuzz_daemon.h"
#include "fuzz_users.h"
#include "fuzz_value.h"
#include "ktap.h"
#include "netlink.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NEIGHBOUR	4711	/* a minor that no program names */
#define FORCE_MS	700	/* of attempts to free a tap before it is forced */
#define ROUND_MS	900	/* then the daemon is killed, if its program is not over */

static struct {
	unsigned int seconds, times, wait;
	uint64_t seed;
	const char *corpus, *replay;
	FILE *found, *log;
} options = { .seconds = 30, .times = 1, .wait = 20 };

static struct nl nl;
static struct fuzz_setup setup;
static struct fuzz_shared *shared;
static struct fuzz_cover cover;
static struct fuzz_random fuzz;
static pid_t neighbour;
/* Shared with the process that plays. */
static struct {
	unsigned int rounds, live, new, covered;
	uint64_t done, failed, served;
} *total;

static long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* ------------------------------------------------------------------------- set-up */

static void add_file(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0600);

	if (fd >= 0)
		setup.fds[setup.nr_fds++] = fd;
}

/* What a daemon may have open; REGISTER_FILE takes the first ones. */
static void open_files(void)
{
	char path[64];
	int fds[2];

	add_file("image", O_RDWR | O_DIRECT | O_CREAT);
	add_file("image", O_RDWR | O_DIRECT | O_DSYNC);
	add_file("image", O_RDONLY | O_DIRECT);
	snprintf(path, sizeof(path), "/dev/" BLKTAP_DISK_NAME, setup.other);
	add_file(path, O_RDONLY | O_DIRECT);
	add_file("/dev/ram0", O_RDWR | O_DIRECT);
	add_file("image", O_RDWR);
	add_file("image", O_WRONLY | O_DIRECT | O_APPEND);
	add_file(".", O_RDONLY | O_DIRECTORY);
	add_file("/dev/null", O_RDWR);
	if (!pipe2(fds, O_CLOEXEC | O_NONBLOCK)) {
		setup.fds[setup.nr_fds++] = fds[0];
		setup.fds[setup.nr_fds++] = fds[1];
	}
	setup.fds[setup.nr_fds++] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	setup.fds[setup.nr_fds++] = epoll_create1(EPOLL_CLOEXEC);
	if (ftruncate(setup.fds[0], FUZZ_CAPACITY))
		ktap_die("cannot make an image: %s", strerror(errno));
}

static void start_neighbour(void)
{
	int minor = NEIGHBOUR, fd = -1;
	long end = now_ms() + 20000;

	if (nl_open(&nl) || nl_new(&nl, &minor, 1, 16))
		ktap_die("cannot allocate a tap: %s", nl.text);
	setup.other = minor;
	setup.family = nl.family;
	neighbour = fork();
	if (!neighbour)
		fuzz_neighbour(minor);
	while (fd < 0 && now_ms() < end) {
		fuzz_nap(10000);
		fd = ring_open_disk(minor, O_RDONLY);
	}
	if (fd < 0)
		ktap_die("the neighbour does not serve");
	close(fd);
}

static void close_files(void)
{
	while (setup.nr_fds)
		close(setup.fds[--setup.nr_fds]);
}

static void prepare(void)
{
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		      -1, 0);
	total = mmap(NULL, sizeof(*total), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		     -1, 0);
	if (shared == MAP_FAILED || total == MAP_FAILED)
		ktap_die("no memory");
	start_neighbour();
	open_files();
}

/* ------------------------------------------------------------- the end of a round */

static void show_file(const char *pid, const char *name)
{
	char path[300], line[256];
	FILE *from;

	snprintf(path, sizeof(path), "/proc/%s/%s", pid, name);
	from = fopen(path, "re");
	while (from && fgets(line, sizeof(line), from))
		printf("#   %s: %s", name, line);
	if (from)
		fclose(from);
}

/* Whoever is left: their states and where they are in the kernel. */
static void show_left(void)
{
	DIR *dir = opendir("/proc");
	struct dirent *entry;
	char path[300], line[512], *state;
	int parent;

	while (dir && (entry = readdir(dir))) {
		FILE *from;

		snprintf(path, sizeof(path), "/proc/%s/stat", entry->d_name);
		from = entry->d_name[0] > '9' ? NULL : fopen(path, "re");
		if (!from)
			continue;
		state = fgets(line, sizeof(line), from) ? strrchr(line, ')') : NULL;
		fclose(from);
		if (!state || sscanf(state + 4, "%d", &parent) != 1 || parent != getpid())
			continue;
		printf("# left: %s, state %c\n", entry->d_name, state[2]);
		show_file(entry->d_name, "stack");
	}
	if (dir)
		closedir(dir);
}

/* Whether no child is left. */
static bool reap_all(void)
{
	pid_t pid;

	do
		pid = waitpid(-1, NULL, WNOHANG);
	while (pid > 0);
	return pid < 0;
}

struct others {
	unsigned int nr;
	uint32_t minors[64];
};

static void find_other(const struct nl_attrs *attrs, void *arg)
{
	struct others *others = arg;

	if (attrs->val[BLKTAP_A_MINOR] != setup.other && others->nr < 64)
		others->minors[others->nr++] = attrs->val[BLKTAP_A_MINOR];
}

/* All taps but the neighbour's go, those that daemons have allocated as well. */
static bool free_all(bool force)
{
	struct others others = { 0 };
	struct nl_msg msg;
	unsigned int i;

	if (nl_dump(&nl, find_other, &others))
		return false;
	for (i = 0; i < others.nr; i++) {
		nl_start(&nl, &msg, BLKTAP_CMD_DEL_TAP, NLM_F_ACK);
		nl_put_u32(&msg, BLKTAP_A_MINOR, others.minors[i]);
		if (force)
			nl_put(&msg, BLKTAP_A_FORCE, NULL, 0);
		nl_call(&nl, &msg, NULL, NULL);
	}
	return !others.nr;
}

/* What does not end although all have been killed, or NULL: requests may be held. */
static const char *end_all(void)
{
	long begin = now_ms(), end = begin + options.wait * 1000L;
	bool reaped, freed;

	for (;;) {
		reaped = reap_all();
		freed = free_all(now_ms() > begin + FORCE_MS);
		if (reaped && freed)
			return NULL;
		if (now_ms() > end)
			return reaped ? "a tap cannot be freed" : "a process does not end";
		fuzz_nap(1000);
	}
}

/* ------------------------------------------------------------------------ a round */

static bool make_tap(const struct fuzz_program *program)
{
	static const uint32_t depths[] = { 8, 1, 64, 2, 17, 1024 };
	static const uint32_t holds[] = { 100, 0, 10, 400 };
	static const uint32_t sizes[] = { 1 << 20, 4096, 65536, 4 << 20, 12288 };
	const uint8_t *args = program->ops[0].args;
	struct nl_msg msg;
	int minor = setup.other + 1 + fuzz_random(&fuzz, 3);

	nl_start(&nl, &msg, BLKTAP_CMD_NEW_TAP, NLM_F_ACK);
	nl_put_u32(&msg, BLKTAP_A_MINOR, minor);
	nl_put_u32(&msg, BLKTAP_A_QUEUES, 1 + args[0] % 2);
	nl_put_u32(&msg, BLKTAP_A_DEPTH, depths[args[1] % 6]);
	nl_put_u32(&msg, BLKTAP_A_MAX_IO, sizes[args[2] % 5]);
	nl_put(&msg, BLKTAP_A_SERIAL, "fuzz", 5);
	nl_put_u32(&msg, BLKTAP_A_ON_DEATH, args[5] % 2 ? BLKTAP_ON_DEATH_HOLD :
		   BLKTAP_ON_DEATH_FAIL);
	if (args[5] % 2)
		nl_put_u32(&msg, BLKTAP_A_HOLD_MS, holds[args[6] % 4]);
	if (args[7] % 4 == 3)
		nl_put_u32(&msg, BLKTAP_A_IO_TIMEOUT_MS, 1 + args[7]);
	if (args[7] % 8 == 7)
		nl_put_u32(&msg, BLKTAP_A_ON_TIMEOUT, BLKTAP_ON_TIMEOUT_KILL);
	setup.minor = minor;
	if (!nl_call(&nl, &msg, NULL, NULL))
		return true;
	printf("# no tap: %s\n", nl.text);
	return false;
}

/* Each in a group of its own, with all that it will fork. */
static pid_t start(const struct fuzz_program *program, unsigned int user, uint64_t seed)
{
	struct fuzz_random random = { seed };
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid > 0)
		setpgid(pid, pid);
	if (pid)
		return pid;
	setpgid(0, 0);
	if (program)
		fuzz_daemon(&setup, shared, program);
	fuzz_cover_begin(&shared->cover);
	fuzz_users[user].run(&setup, shared, &random);
	_exit(0);
}

static void kill_group(pid_t pid)
{
	if (pid > 0)
		kill(-pid, SIGKILL);
}

static void wait_for_program(void)
{
	long end = now_ms() + ROUND_MS;

	while (!__atomic_load_n(&shared->over, __ATOMIC_RELAXED) && now_ms() < end)
		fuzz_nap(2000);
}

static void play(const struct fuzz_program *program)
{
	pid_t users[16], daemon;
	bool users_first = program->ops[0].args[3] % 2;
	unsigned int i, turn;

	daemon = start(program, 0, 0);
	for (i = 0; i < fuzz_nr_users; i++)
		users[i] = start(NULL, i, fuzz_random(&fuzz, UINT32_MAX));
	wait_for_program();
	for (turn = 0; turn < 2; turn++) {
		if (turn == users_first)
			kill_group(daemon);
		else
			for (i = 0; i < fuzz_nr_users; i++)
				kill_group(users[i]);
		if (!turn)
			fuzz_nap(1000 * (program->ops[0].args[4] % 16));
	}
}

static void tell_failure(const char *what, const struct fuzz_program *program)
{
	printf("# round %u, seed %llu: %s; the program:\n", total->rounds,
	       (unsigned long long)options.seed, what);
	fuzz_print(stdout, program);
}

/* False if something did not end: there is no going on then. */
static bool run_round(const struct fuzz_program *program)
{
	const char *what;

	memset(shared, 0, sizeof(*shared));
	if (options.log)
		fuzz_print(options.log, program);
	if (!make_tap(program)) {
		tell_failure("the tap cannot be allocated", program);
		return false;
	}
	play(program);
	what = end_all();
	if (!what && shared->neighbour_failed)
		what = "the neighbour's disk has failed";
	if (what) {
		tell_failure(what, program);
		show_left();
	}
	total->rounds++;
	total->live += shared->live;
	total->done += shared->done;
	total->failed += shared->failed;
	total->served += shared->served;
	return !what;
}

/* -------------------------------------------------------------------------- all */

static bool search(struct fuzz_corpus *corpus)
{
	long end = now_ms() + options.seconds * 1000L;
	struct fuzz_program program;
	unsigned int given = corpus->nr, next = 0, new;

	while (now_ms() < end) {
		/* First what is known, so that only what is new counts as new. */
		if (next < given)
			program = corpus->programs[next++];
		else
			fuzz_make(&program, corpus, &fuzz);
		if (!run_round(&program))
			return false;
		new = fuzz_cover_add(&cover, &shared->cover);
		if (!new || next < given)
			continue;
		total->new++;
		fuzz_keep(corpus, &program);
		if (options.found) {
			fprintf(options.found, "# round %u: %u new\n", total->rounds, new);
			fuzz_print(options.found, &program);
		}
	}
	return true;
}

static bool replay(const struct fuzz_corpus *corpus)
{
	unsigned int i, times;

	for (times = 0; times < options.times; times++) {
		for (i = 0; i < corpus->nr; i++) {
			printf("# program %u\n", i);
			if (!run_round(&corpus->programs[i]))
				return false;
		}
	}
	return true;
}

static FILE *open_append(const char *path)
{
	FILE *to = fopen(path, "ae");

	if (!to)
		ktap_die("cannot write %s: %s", path, strerror(errno));
	return to;
}

static void parse(int argc, char **argv)
{
	int option;

	options.seed = now_ms();
	while ((option = getopt(argc, argv, "t:s:c:o:l:w:r:n:")) != -1) {
		switch (option) {
		case 't':
			options.seconds = atoi(optarg);
			break;
		case 's':
			options.seed = strtoull(optarg, NULL, 10);
			break;
		case 'c':
			options.corpus = optarg;
			break;
		case 'o':
			options.found = open_append(optarg);
			break;
		case 'l':
			options.log = open_append(optarg);
			break;
		case 'w':
			options.wait = atoi(optarg);
			break;
		case 'r':
			options.replay = optarg;
			break;
		case 'n':
			options.times = atoi(optarg);
			break;
		default:
			ktap_die("see the beginning of ring_fuzz.c for its usage");
		}
	}
	fuzz.state = options.seed;
}

static unsigned int covered(void)
{
	static struct fuzz_cover none;

	return fuzz_cover_add(&none, &cover);
}

/* Why what went well means nothing, or NULL. Programs that are replayed are what they are. */
static const char *weakness(void)
{
	if (!total->live || !total->done)
		return "no disk was there and worked";
	if (options.replay)
		return NULL;
	/* A short run on a kernel that watches itself has few rounds, and may be out of luck. */
	if ((total->live + 2) * 8 < total->rounds)
		return "in more than seven of eight rounds no disk was there";
	if (total->done * 16 < total->rounds)
		return "in most rounds no I/O was done";
	if (!total->covered && fuzz_cover_there())
		return "the kernel has KCOV, and it has told nothing";
	return NULL;
}

static void __attribute__((noreturn)) run(struct fuzz_corpus *corpus)
{
	const char *weak;
	bool good;

	/* Children of a daemon that has died are ours to wait for. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	good = options.replay ? replay(corpus) : search(corpus);
	total->covered = covered();
	printf("# seed %llu: %llu requests served, %llu I/Os failed\n",
	       (unsigned long long)options.seed, (unsigned long long)total->served,
	       (unsigned long long)total->failed);
	weak = good ? weakness() : NULL;
	if (weak)
		printf("# %s\n", weak);
	fflush(stdout);
	_exit(good ? weak ? 2 : 0 : 1);
}

int main(int argc, char **argv)
{
	struct fuzz_corpus corpus = { 0 };
	const char *file;
	int status = -1;
	pid_t runner;

	ktap_start();
	parse(argc, argv);
	file = options.replay ? options.replay : options.corpus;
	if (file && !fuzz_load(&corpus, file))
		ktap_die("cannot read %s: %s", file, strerror(errno));
	prepare();
	/* A process of its own, all of whose children are a round's. */
	runner = fork();
	if (!runner)
		run(&corpus);
	waitpid(runner, &status, 0);
	status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	ktap(status == 0 || status == 2, "whatever a daemon does, all ends, and its tap can be freed");
	ktap(status != 2,
	     "disks were there and worked: %u rounds, %u with a live disk, %llu I/Os, %u places covered, %u programs kept",
	     total->rounds, total->live, (unsigned long long)total->done, total->covered,
	     total->new);
	close_files();
	kill(neighbour, SIGKILL);
	waitpid(neighbour, NULL, 0);
	ktap_is(nl_del_wait(&nl, setup.other), 0, "the neighbour's tap is freed");
	return ktap_finish();
}
