// SPDX-License-Identifier: GPL-2.0-only
/* Prints the kernel's uevents of block devices, one a line, until killed. */
#include <errno.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static void print_event(const char *text, ssize_t len)
{
	const char *end = text + len;

	for (; text < end; text += strlen(text) + 1)
		printf("%s ", text);
	putchar('\n');
}

int main(void)
{
	struct sockaddr_nl addr = { .nl_family = AF_NETLINK, .nl_groups = 1 };
	int fd = socket(AF_NETLINK, SOCK_DGRAM, NETLINK_KOBJECT_UEVENT);
	char buf[8192 + 1];
	ssize_t len;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr))) {
		perror("uevents");
		return 1;
	}
	puts("listening");
	while ((len = recv(fd, buf, sizeof(buf) - 1, 0)) > 0) {
		buf[len] = 0;
		if (memmem(buf, len, "SUBSYSTEM=block", 15))
			print_event(buf, len);
	}
	perror("uevents");
	return 1;
}
