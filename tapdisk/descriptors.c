// SPDX-License-Identifier: GPL-2.0-only
/*
 * Descriptors that came over a connection, and that no request has taken yet.
 */
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "descriptors.h"

static void keep(struct descriptors *descriptors, const struct cmsghdr *cmsg)
{
	size_t count = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	size_t i;
	int fd;

	for (i = 0; i < count; i++) {
		memcpy(&fd, CMSG_DATA(cmsg) + i * sizeof(fd), sizeof(fd));
		if (descriptors->count < MAX_DESCRIPTORS)
			descriptors->fds[descriptors->count++] = fd;
		else
			close(fd);
	}
}

ssize_t descriptors_receive(struct descriptors *descriptors, int socket, void *data, size_t size)
{
	char control[CMSG_SPACE(sizeof(int) * MAX_DESCRIPTORS)] __attribute__((aligned(8)));
	struct iovec iov = { .iov_base = data, .iov_len = size };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	ssize_t done = recvmsg(socket, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	struct cmsghdr *cmsg;

	if (done < 0)
		return done;
	for (cmsg = CMSG_FIRSTHDR(&msg); cmsg; cmsg = CMSG_NXTHDR(&msg, cmsg))
		if (cmsg->cmsg_level == SOL_SOCKET && cmsg->cmsg_type == SCM_RIGHTS)
			keep(descriptors, cmsg);
	return done;
}

int descriptors_take(struct descriptors *descriptors)
{
	int fd = descriptors->fds[0];

	if (!descriptors->count)
		return -1;
	descriptors->count--;
	memmove(descriptors->fds, descriptors->fds + 1, descriptors->count * sizeof(fd));
	return fd;
}

void descriptors_close(struct descriptors *descriptors)
{
	while (descriptors->count)
		close(descriptors->fds[--descriptors->count]);
}
