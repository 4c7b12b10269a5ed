// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "aside.h"
#include "image-look.h"

struct look {
	struct aside aside;
	char *path;
	int code;
	char identity[IMAGE_IDENTITY_SIZE];
};

/* NULL: it has none. */
static char *path_of(const char *image)
{
	if (strncmp(image, "aio:/", 5) == 0)
		return strdup(image + 4);
	if (strncmp(image, "scatter:/", 9) == 0)
		return strndup(image + 8, strcspn(image + 8, ","));
	return NULL;
}

static void do_look(struct aside *aside)
{
	struct look *look = (struct look *)aside;

	look->code = image_identity(AT_FDCWD, look->path, look->identity);
}

static void free_look(struct aside *aside)
{
	struct look *look = (struct look *)aside;

	free(look->path);
	free(look);
}

/* Takes @path. */
static struct look *new_look(char *path)
{
	struct look *look = calloc(1, sizeof(*look));

	if (!look) {
		free(path);
		return NULL;
	}
	look->aside.call = do_look;
	look->aside.release = free_look;
	look->path = path;
	return look;
}

int image_look(const char *image, struct deadline deadline, char identity[IMAGE_IDENTITY_SIZE])
{
	char *path = path_of(image);
	struct look *look;
	int ret;

	identity[0] = '\0';
	if (!path)
		return 0;
	look = new_look(path);
	if (!look)
		return -ENOMEM;
	ret = aside_run(&look->aside, deadline);
	if (!ret)
		ret = look->code;
	if (!ret)
		strcpy(identity, look->identity);
	aside_put(&look->aside);
	return ret;
}
