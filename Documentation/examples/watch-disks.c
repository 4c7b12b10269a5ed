// SPDX-License-Identifier: LGPL-2.1-or-later
/* Prints the disks that are served, then what happens to any of them.
 *	cc -o watch-disks watch-disks.c $(pkg-config --cflags --libs libblktap)
 */
#include <libblktap.h>
#include <poll.h>
#include <stdio.h>

int main(void)
{
	const struct blktap_filter all = BLKTAP_FILTER_INIT;
	struct blktap_monitor *monitor = NULL;
	struct blktap_notice notice;
	struct blktap_row *rows = NULL;
	struct blktap_error err;
	size_t count = 0, i;
	int ret;

	/* The events first, so that nothing falls between them and the list. */
	ret = blktap_monitor_open(&monitor, &err);
	if (!ret)
		ret = blktap_list(&all, 10000, &rows, &count, &err);
	for (i = 0; i < count; i++)
		if (rows[i].path)
			printf("tapdev%d: %s:%s, tapdisk %d\n", rows[i].minor, rows[i].type,
			       rows[i].path, (int)rows[i].pid);
	while (!ret) {
		struct pollfd fd = { .fd = blktap_monitor_fd(monitor), .events = POLLIN };

		fflush(stdout);
		poll(&fd, 1, -1);
		while ((ret = blktap_monitor_next(monitor, &notice, &err)) > 0) {
			const char *what = blktap_event_name(notice.msg.event);

			printf("tapdev%u: %s\n", notice.msg.tap.minor, what ? what : "?");
		}
	}
	fprintf(stderr, "%s\n", err.text);
	blktap_rows_free(rows, count);
	blktap_monitor_close(monitor);
	return 1;
}
