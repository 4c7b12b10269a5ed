/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Processes that have but a pid and rights, for tapdisks that are threads.
 */
#ifndef BLKTAP_TEST_PROCESSES_H
#define BLKTAP_TEST_PROCESSES_H

#include <signal.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOBODY	65534

/* Another user. Only root can start that. */
static inline bool be_nobody(void)
{
	return setuid(NOBODY) == 0;
}

static inline bool be_as_we_are(void)
{
	return true;
}

/* Returns when the process is what @prepare makes of it. */
static inline pid_t start_process(bool (*prepare)(void))
{
	int fds[2];
	char byte;
	pid_t child;

	assert_int_equal(pipe(fds), 0);
	child = fork();
	if (child == 0) {
		/* It does not outlive a test that fails. Another user forgets that. */
		if (prepare() && prctl(PR_SET_PDEATHSIG, SIGKILL) == 0)
			close(fds[1]);
		for (;;)
			pause();
	}
	close(fds[1]);
	assert_int_equal(read(fds[0], &byte, 1), 0);
	close(fds[0]);
	return child;
}

static inline void end_process(pid_t child)
{
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

#endif /* BLKTAP_TEST_PROCESSES_H */
