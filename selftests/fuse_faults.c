// SPDX-License-Identifier: GPL-2.0-only
#include "fuse_faults.h"

#include <err.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static void read_line(const char *line, const char *operation, struct fuse_fault *fault)
{
	char name[16], kind[16];
	unsigned long value;

	if (sscanf(line, "%15s %15s %lu", name, kind, &value) != 3)
		errx(2, "no fault: %s", line);
	if (strcmp(name, operation) != 0)
		return;
	if (strcmp(kind, "error") == 0)
		fault->error = value;
	else if (strcmp(kind, "short") == 0)
		fault->at_most = value;
	else
		errx(2, "no fault: %s", line);
}

bool fuse_fault_of(const char *path, const char *operation, struct fuse_fault *fault)
{
	FILE *file = fopen(path, "re");
	char line[64];

	*fault = (struct fuse_fault){ .at_most = SIZE_MAX };
	if (!file)
		return false;
	while (fgets(line, sizeof(line), file))
		read_line(line, operation, fault);
	fclose(file);
	return fault->error || fault->at_most != SIZE_MAX;
}
