// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "process-user.h"

static int uid_of(pid_t pid, uid_t *uid)
{
	char line[256], path[32];
	int ret = -ESRCH;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	file = fopen(path, "re");
	if (!file)
		return ret;
	while (ret && fgets(line, sizeof(line), file))
		ret = sscanf(line, "Uid: %u", uid) == 1 ? 0 : ret;
	fclose(file);
	return ret;
}

int process_user(pid_t pid, char **name)
{
	struct passwd entry, *found;
	char buffer[4096];
	uid_t uid;
	int ret;

	*name = NULL;
	if (uid_of(pid, &uid) || uid == geteuid())
		return 0;
	ret = getpwuid_r(uid, &entry, buffer, sizeof(buffer), &found);
	if (!found)
		return ret ? -ret : -ENOENT;
	*name = strdup(entry.pw_name);
	return *name ? 0 : -ENOMEM;
}
