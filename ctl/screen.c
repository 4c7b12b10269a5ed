// SPDX-License-Identifier: GPL-2.0-only
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "screen.h"

static struct termios before;
static bool has_keys;		/* standard input is a terminal, too */
static volatile sig_atomic_t resized;

bool screen_there(void)
{
	const char *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && term && *term && strcmp(term, "dumb") != 0;
}

static void note_resize(int signal)
{
	(void)signal;
	resized = 1;
}

/* Only while it is waited for, see screen_wait(). */
static void catch_resizes(void)
{
	struct sigaction action = { .sa_handler = note_resize };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGWINCH);
	sigprocmask(SIG_BLOCK, &set, NULL);
	sigaction(SIGWINCH, &action, NULL);
}

/* Keys come one by one, those that make signals as well. */
static void take_keys(void)
{
	struct termios raw;

	has_keys = isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &before) == 0;
	if (!has_keys)
		return;
	raw = before;
	raw.c_lflag &= ~(ICANON | ECHO | ISIG);
	raw.c_cc[VMIN] = 0;
	raw.c_cc[VTIME] = 0;
	tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
}

void screen_enter(void)
{
	catch_resizes();
	take_keys();
	/* The other screen, no cursor, and what is too long is cut: some characters are wide. */
	fputs("\033[?1049h\033[?25l\033[?7l", stdout);
	fflush(stdout);
}

void screen_leave(void)
{
	fputs("\033[?7h\033[?25h\033[?1049l", stdout);
	fflush(stdout);
	if (has_keys)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &before);
	has_keys = false;
}

void screen_size(unsigned int *rows, unsigned int *columns)
{
	struct winsize size;

	*rows = 24;
	*columns = 79;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) || !size.ws_row || size.ws_col < 2)
		return;
	*rows = size.ws_row;
	/* With the last one in use, erasing the rest of the line would erase it. */
	*columns = size.ws_col - 1;
}

bool screen_resized(void)
{
	bool was = resized;

	resized = 0;
	return was;
}

static int read_key(void)
{
	unsigned char key;
	ssize_t done = read(STDIN_FILENO, &key, 1);

	/* A terminal that is gone would be readable forever. */
	if (done <= 0)
		has_keys = false;
	return done == 1 ? key : 0;
}

int screen_wait(int fd, int timeout_ms)
{
	const struct timespec timeout = { timeout_ms / 1000, timeout_ms % 1000 * 1000000L };
	struct pollfd fds[] = {
		{ .fd = has_keys ? STDIN_FILENO : -1, .events = POLLIN },
		{ .fd = fd, .events = POLLIN },
	};
	sigset_t mask;

	sigprocmask(SIG_BLOCK, NULL, &mask);
	sigdelset(&mask, SIGWINCH);
	if (ppoll(fds, 2, timeout_ms < 0 ? NULL : &timeout, &mask) <= 0)
		return 0;
	return fds[0].revents ? read_key() : 0;
}

void screen_suspend(void)
{
	screen_leave();
	kill(0, SIGTSTP);
	screen_enter();
	resized = 1;
}
