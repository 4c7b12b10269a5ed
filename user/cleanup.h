/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Variables that give back what they own at the end of their scope.
 */
#ifndef BLKTAP_CLEANUP_H
#define BLKTAP_CLEANUP_H

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <unistd.h>

static inline void cleanup_free(void *pointer)
{
	free(*(void **)pointer);
}

static inline void cleanup_close(const int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	errno = saved;
}

static inline void cleanup_json(json_t **json)
{
	json_decref(*json);
}

#define CLEANUP_FREE	__attribute__((cleanup(cleanup_free)))
#define CLEANUP_CLOSE	__attribute__((cleanup(cleanup_close)))
#define CLEANUP_JSON	__attribute__((cleanup(cleanup_json)))

#define ARRAY_SIZE(array)	(sizeof(array) / sizeof((array)[0]))

/* Hands an owned pointer or descriptor on, so that the scope's end keeps off. */
#define TAKE_POINTER(pointer)						\
	({								\
		__typeof__(pointer) taken_ = (pointer);			\
		(pointer) = NULL;					\
		taken_;							\
	})

#define TAKE_FD(fd)							\
	({								\
		int taken_ = (fd);					\
		(fd) = -1;						\
		taken_;							\
	})

#endif /* BLKTAP_CLEANUP_H */
