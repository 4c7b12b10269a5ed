// SPDX-License-Identifier: GPL-2.0-only
/*
 * tapdisk: serves the images of taps.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <syslog.h>
#include <unistd.h>

#include "std.h"
#include "cleanup.h"
#include "control.h"
#include "protect.h"
#include "ready.h"
#include "sandbox.h"
#include "scope.h"
#include "vbd-record.h"

struct options {
	bool foreground;
	bool no_sandbox;
	const char *user;	/* NULL: the one who started us */
	int ready_fd;
};

struct process {
	struct loop *loop;
	struct tapdisk tapdisk;
	struct control *control;
	struct loop_fd signals;
	char path[PATH_MAX];
};

/* ------------------------------------------------------------------- options */

static void usage(FILE *out)
{
	fputs("usage: tapdisk [-D] [--no-sandbox | --user=USER] [--ready-fd=N]\n"
	      "\n"
	      "Serves the images of taps, as tap-ctl tells it.\n"
	      "\n"
	      "  -D              stay in the foreground, log to standard error\n"
	      "  --no-sandbox    keep all rights, for debugging\n"
	      "  --ready-fd=N    write a JSON line to descriptor N when listening\n"
	      "  --user=USER     run as this user, without any rights\n"
	      "  -h, --help      this text\n"
	      "  --version       the version\n", out);
}

static int parse_fd(const char *text)
{
	char *end;
	long fd;

	errno = 0;
	fd = strtol(text, &end, 10);
	if (errno || end == text || *end || fd < 0 || fd > INT_MAX || fcntl(fd, F_GETFD) < 0)
		return -1;
	return fd;
}

/* The exit status, or -1 to go on. */
static int parse_options(int argc, char **argv, struct options *options)
{
	enum { OPT_READY_FD = 256, OPT_NO_SANDBOX, OPT_USER, OPT_VERSION };
	static const struct option longs[] = {
		{ "no-sandbox", no_argument, NULL, OPT_NO_SANDBOX },
		{ "ready-fd", required_argument, NULL, OPT_READY_FD },
		{ "user", required_argument, NULL, OPT_USER },
		{ "version", no_argument, NULL, OPT_VERSION },
		{ "help", no_argument, NULL, 'h' },
		{ 0 }
	};
	int option;

	*options = (struct options){ .ready_fd = -1 };
	while ((option = getopt_long(argc, argv, "Dh", longs, NULL)) != -1) {
		switch (option) {
		case 'D':
			options->foreground = true;
			break;
		case OPT_NO_SANDBOX:
			options->no_sandbox = true;
			break;
		case OPT_USER:
			options->user = optarg;
			break;
		case 'h':
			usage(stdout);
			return 0;
		case OPT_VERSION:
			printf("tapdisk %s\n", blktap_version());
			return 0;
		case OPT_READY_FD:
			options->ready_fd = parse_fd(optarg);
			if (options->ready_fd >= 0)
				break;
			fprintf(stderr, "tapdisk: %s is not an open descriptor\n", optarg);
			return EINVAL;
		default:
			usage(stderr);
			return EINVAL;
		}
	}
	if (optind == argc)
		return -1;
	fprintf(stderr, "tapdisk: %s: there are no arguments\n", argv[optind]);
	return EINVAL;
}

/* ------------------------------------------------------------------- signals */

static void signal_ready(struct loop_fd *event, uint32_t events)
{
	struct process *process = container_of(event, struct process, signals);
	struct signalfd_siginfo info;

	(void)events;
	if (read(event->fd, &info, sizeof(info)) != sizeof(info))
		return;
	if (info.ssi_signo == SIGHUP)
		return;
	blktap_log(LOG_NOTICE, "%s from process %u", strsignal(info.ssi_signo), info.ssi_pid);
	tapdisk_terminate(&process->tapdisk);
}

static int watch_signals(struct process *process)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);	/* EFBIG tells as much */
	process->signals.ready = signal_ready;
	process->signals.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (process->signals.fd < 0)
		return -errno;
	return loop_add(process->loop, &process->signals, EPOLLIN);
}

/* --------------------------------------------------------------- start and end */

static void last_vbd_gone(struct tapdisk *tapdisk)
{
	struct process *process = container_of(tapdisk, struct process, tapdisk);

	control_finish(process->control);
}

static int set_up(struct process *process, struct blktap_error *err)
{
	int ret = loop_new(&process->loop);

	if (!ret)
		ret = watch_signals(process);
	if (!ret)
		ret = tapdisk_init(&process->tapdisk, process->loop);
	if (ret)
		return blktap_error_set(err, ret, "cannot start: %s", strerror(-ret));
	process->tapdisk.end = last_vbd_gone;
	ret = blktap_control_path(process->path, sizeof(process->path), getpid());
	if (ret)
		return blktap_error_set(err, ret, "cannot use the control directory %s: %s",
					blktap_control_dir(), strerror(-ret));
	return control_new(&process->control, &process->tapdisk, process->path, err);
}

/* Clients write those of another user's disks: root relies on them. */
static int set_up_records(struct process *process, const struct options *options,
			  struct blktap_error *err)
{
	struct vbd_env *env = &process->tapdisk.env;

	env->no_sandbox = options->no_sandbox;
	if (options->user)
		return 0;
	env->records = record_open_folder(process->path);
	if (env->records >= 0)
		return 0;
	return blktap_error_set(err, env->records, "cannot open the control directory: %s",
				strerror(-env->records));
}

static void init_log(const struct options *options)
{
	char name[32];

	snprintf(name, sizeof(name), "tapdisk[%d]", (int)getpid());
	blktap_log_init(name, options->foreground ? BLKTAP_LOG_STDERR : BLKTAP_LOG_SYSLOG,
			LOG_INFO);
}

static int run(struct process *process)
{
	int ret;

	blktap_log(LOG_INFO, "listening on %s", process->path);
	ret = loop_run(process->loop);
	if (ret)
		blktap_log(LOG_ERR, "the event loop failed: %s", strerror(-ret));
	control_free(process->control);
	blktap_log(LOG_INFO, "ended");
	if (ret)
		return 1;
	/* The system takes it all back, threads included. */
	if (tapdisk_is_stuck(&process->tapdisk))
		_exit(0);
	tapdisk_exit(&process->tapdisk);
	loop_remove(process->loop, &process->signals);
	close(process->signals.fd);
	loop_free(process->loop);
	return 0;
}

/*
 * What the one who started us had open is not ours to hold. @ready_fd moves out
 * of the way of standard input, output and error.
 */
static int close_inherited(int ready_fd)
{
	if (ready_fd < 0) {
		close_range(3, ~0U, 0);
		return -1;
	}
	if (ready_fd <= 2)
		ready_fd = fcntl(ready_fd, F_DUPFD_CLOEXEC, 3);
	else
		fcntl(ready_fd, F_SETFD, FD_CLOEXEC);
	if (ready_fd > 3)
		close_range(3, ready_fd - 1, 0);
	close_range(ready_fd + 1, ~0U, 0);
	return ready_fd;
}

/* AddressSanitizer looks for leaks at the end, in the manner of a debugger. */
#if defined(__SANITIZE_ADDRESS__)
static const bool can_be_confined;
#else
static const bool can_be_confined = true;
#endif

static int find_user(const struct options *options, struct sandbox_user *user,
		     struct blktap_error *err)
{
	if (!options->user)
		return 0;
	if (options->no_sandbox || !can_be_confined)
		return blktap_error_set(err, -EINVAL, "%s keeps its rights, and cannot give them up "
					"for --user", options->no_sandbox ? "--no-sandbox" :
					"AddressSanitizer");
	return sandbox_find_user(user, options->user, err);
}

static int confine(const struct options *options, const struct sandbox_user *user,
		   struct blktap_error *err)
{
	if (can_be_confined && !options->no_sandbox)
		return sandbox_enter(options->user ? user : NULL, err);
	blktap_log(LOG_WARNING, "%s: this process keeps all of its rights",
		   can_be_confined ? "--no-sandbox" : "built with AddressSanitizer");
	return 0;
}

/* From the background on: the log, and the one who waits, are told of errors. */
static int set_up_confined(const struct options *options, struct process *process,
			   struct blktap_error *err)
{
	struct sandbox_user user;
	int ret = find_user(options, &user, err);

	if (ret)
		return ret;
	if (!options->foreground)
		scope_enter();
	protect_process();
	ret = set_up(process, err);
	if (ret)
		return ret;
	process->tapdisk.user = options->user;
	ret = set_up_records(process, options, err);
	if (!ret)
		ret = confine(options, &user, err);
	if (ret)
		control_free(process->control);
	return ret;
}

static int start(const struct options *options, struct process *process, struct ready *ready)
{
	struct blktap_error err;
	int ret = options->foreground ? 0 : ready_daemonise(ready);

	init_log(options);
	if (ret)
		blktap_error_set(&err, ret, "cannot go into the background: %s", strerror(-ret));
	else
		ret = set_up_confined(options, process, &err);
	if (!ret)
		return 0;
	blktap_log(LOG_ERR, "%s", err.text);
	ready_fail(ready, &err);
	return ret;
}

int main(int argc, char **argv)
{
	static struct process process;
	struct options options;
	struct ready ready;
	int status;

	std_keep(O_RDWR);
	status = parse_options(argc, argv, &options);
	if (status >= 0)
		return status;
	ready = (struct ready){ .fd = close_inherited(options.ready_fd), .parent = -1 };
	if (start(&options, &process, &ready))
		return 1;
	if (options.foreground && options.ready_fd < 0) {
		puts(process.path);
		fflush(stdout);
	}
	if (ready_tell(&ready, process.path)) {
		blktap_log(LOG_ERR, "nobody waits for this process any more");
		control_free(process.control);
		return 1;
	}
	return run(&process);
}
