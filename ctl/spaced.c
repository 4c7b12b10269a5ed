// SPDX-License-Identifier: GPL-2.0-only
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "spaced.h"

/* The longest that @length characters can become. */
static size_t most(size_t length)
{
	return 2 * length + 1;
}

static char *space(const char *c, char *out)
{
	bool in_string = false;
	const char *begin = out;

	for (; *c; c++) {
		if (!in_string && strchr("]}", *c) && out > begin && out[-1] != ' ')
			*out++ = ' ';
		*out++ = *c;
		if (in_string && *c == '\\')
			*out++ = *++c;
		else if (*c == '"')
			in_string = !in_string;
		else if (!in_string && strchr("[{,:", *c))
			*out++ = ' ';
	}
	return out;
}

char *json_spaced(const json_t *json)
{
	CLEANUP_FREE char *text = json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY);
	char *spaced = text ? malloc(most(strlen(text)) + 1) : NULL;

	if (spaced)
		*space(text, spaced) = '\0';
	return spaced;
}
