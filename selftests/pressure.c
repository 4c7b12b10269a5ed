// SPDX-License-Identifier: GPL-2.0-only
/*
 * More memory than there is: what is left of the machine's is locked but for
 * KEEP MiB, and a child fills TOUCH MiB, time and again, and looks whether all of it
 * is what it was.
 *
 * usage: pressure [-s SECONDS] [-l] KEEP [TOUCH ROUNDS]
 *
 * Without TOUCH, others find out what it is like, until this is killed; "locked" is
 * printed from when on. Else:
 * -s: so long without any progress (30) is a hang. Then the kernel's log gets the
 * stacks of who waits, the OOM killer gets the child, and the exit status is 3; it
 * is 2 if a page had other bytes, 4 if the child was killed. Nothing that is done
 * under pressure needs memory. -l: a line for each round.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MIB		(1UL << 20)
#define PAGE		4096UL
#define WORDS		(PAGE / sizeof(uint64_t))
#define RESCUE_SECONDS	60

struct pressure {
	unsigned long keep, touch, rounds;
	unsigned int patience;
	bool lines;
	volatile unsigned long *progress;	/* pages; shared with the child */
	int sysrq;
};

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

/* ------------------------------------------------------------------ the child */

/* No two pages are alike, nor those of two rounds. */
static uint64_t pattern(unsigned long page, unsigned long round, unsigned int word)
{
	uint64_t x = (page << 24 | round << 16 | word) * 0x9e3779b97f4a7c15ULL;

	return x ^ x >> 29;
}

static void fill(uint64_t *words, unsigned long page, unsigned long round)
{
	unsigned int i;

	for (i = 0; i < WORDS; i++)
		words[i] = pattern(page, round, i);
}

static bool is_right(const uint64_t *words, unsigned long page, unsigned long round)
{
	unsigned int i;

	for (i = 0; i < WORDS; i++) {
		if (words[i] != pattern(page, round, i))
			return false;
	}
	return true;
}

static void one_round(const struct pressure *p, char *memory, unsigned long round)
{
	unsigned long page, pages = p->touch * MIB / PAGE;

	for (page = 0; page < pages; page++, ++*p->progress)
		fill((uint64_t *)(memory + page * PAGE), page, round);
	for (page = 0; page < pages; page++, ++*p->progress) {
		if (is_right((uint64_t *)(memory + page * PAGE), page, round))
			continue;
		printf("page %lu is wrong in round %lu\n", page, round);
		_exit(2);
	}
	if (p->lines)
		printf("round %lu\n", round);
}

static void write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		fail(path);
	close(fd);
}

static __attribute__((noreturn)) void child(const struct pressure *p)
{
	unsigned long round;
	char *memory;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	write_text("/proc/self/oom_score_adj", "1000");
	memory = mmap(NULL, p->touch * MIB, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (memory == MAP_FAILED)
		fail("mmap");
	for (round = 1; round <= p->rounds; round++)
		one_round(p, memory, round);
	_exit(0);
}

/* ----------------------------------------------------------------- the parent */

static unsigned long available(void)
{
	FILE *file = fopen("/proc/meminfo", "re");
	unsigned long kib = 0;
	char line[128];

	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "MemAvailable: %lu kB", &kib) == 1)
			break;
	}
	if (!kib)
		fail("/proc/meminfo");
	fclose(file);
	return kib >> 10;
}

/* What others would need has to stay away. */
static void take_the_rest(unsigned long keep)
{
	unsigned long mib = available();
	char *memory;

	if (mib <= keep)
		return;
	memory = mmap(NULL, (mib - keep) * MIB, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE | MAP_LOCKED, -1, 0);
	if (memory == MAP_FAILED)
		fail("locking memory");
	printf("%lu MiB are locked\n", mib - keep);
}

static bool ended(int *status, unsigned int seconds)
{
	struct timespec time = { .tv_sec = seconds };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigtimedwait(&set, NULL, &time);
	return waitpid(-1, status, WNOHANG) > 0;
}

static void sysrq(const struct pressure *p, char key)
{
	if (write(p->sysrq, &key, 1) != 1)
		perror("sysrq-trigger");
}

static int rescue(const struct pressure *p, pid_t pid)
{
	unsigned int i;
	int status;

	printf("no progress for %u s after %lu pages\n", p->patience, *p->progress);
	sysrq(p, 'm');
	sysrq(p, 'w');
	kill(pid, SIGKILL);
	for (i = 0; i < RESCUE_SECONDS; i += 2) {
		sysrq(p, 'f');
		if (ended(&status, 2))
			break;
	}
	return 3;
}

static int watch(const struct pressure *p, pid_t pid)
{
	unsigned long last = 0;
	unsigned int idle = 0;
	int status;

	while (!ended(&status, 1)) {
		idle = *p->progress == last ? idle + 1 : 0;
		last = *p->progress;
		if (idle >= p->patience)
			return rescue(p, pid);
	}
	printf("%lu pages\n", *p->progress);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 4;
}

static void block_sigchld(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

static void usage(void)
{
	fprintf(stderr, "usage: pressure [-s SECONDS] [-l] KEEP [TOUCH ROUNDS]\n");
	exit(1);
}

static void parse(struct pressure *p, int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "s:l")) != -1) {
		if (option == 's')
			p->patience = strtoul(optarg, NULL, 10);
		else if (option == 'l')
			p->lines = true;
		else
			usage();
	}
	if (argc - optind != 1 && argc - optind != 3)
		usage();
	p->keep = strtoul(argv[optind], NULL, 10);
	if (argc - optind == 1)
		return;
	p->touch = strtoul(argv[optind + 1], NULL, 10);
	p->rounds = strtoul(argv[optind + 2], NULL, 10);
}

/* What is needed later is there now. */
static void prepare(struct pressure *p)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	block_sigchld();
	write_text("/proc/self/oom_score_adj", "-1000");
	p->sysrq = open("/proc/sysrq-trigger", O_WRONLY | O_CLOEXEC);
	p->progress = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (p->sysrq < 0 || p->progress == MAP_FAILED || mlockall(MCL_CURRENT | MCL_FUTURE))
		fail("pressure");
}

/* It begins when the rest is taken: it must not be in the way of that. */
static pid_t start_child(const struct pressure *p)
{
	pid_t pid = fork();

	if (pid < 0)
		fail("fork");
	if (pid)
		return pid;
	while (!*p->progress)
		usleep(1000);
	child(p);
}

int main(int argc, char **argv)
{
	struct pressure p = { .patience = 30 };
	pid_t pid = 0;

	parse(&p, argc, argv);
	prepare(&p);
	if (p.touch)
		pid = start_child(&p);
	take_the_rest(p.keep);
	if (!p.touch) {
		puts("locked");
		pause();
	}
	++*p.progress;
	return watch(&p, pid);
}
