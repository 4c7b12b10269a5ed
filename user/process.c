// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "process.h"

/* What the kernel says of @key, "Uid:"; -1: nothing. */
static long status_of(pid_t pid, const char *key)
{
	size_t length = strlen(key);
	char line[256], path[32];
	long number = -1;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	file = fopen(path, "re");
	if (!file)
		return -1;
	while (number < 0 && fgets(line, sizeof(line), file))
		if (strncmp(line, key, length) == 0)
			number = strtol(line + length, NULL, 10);
	fclose(file);
	return number;
}

int process_user(pid_t pid, char **name)
{
	struct passwd entry, *found;
	char buffer[4096];
	long uid = status_of(pid, "Uid:");
	int ret;

	*name = NULL;
	if (uid < 0 || uid == geteuid())
		return 0;
	ret = getpwuid_r(uid, &entry, buffer, sizeof(buffer), &found);
	if (!found)
		return ret ? -ret : -ENOENT;
	*name = strdup(entry.pw_name);
	return *name ? 0 : -ENOMEM;
}

bool process_is_confined(pid_t pid)
{
	return status_of(pid, "NoNewPrivs:") != 0;
}
