// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cleanup.h"
#include "landlock.h"

#define HERE	(LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_REMOVE_FILE)
#define NAMES	(HERE | LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR | \
		 LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO | \
		 LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM | \
		 LANDLOCK_ACCESS_FS_REMOVE_DIR)

/* The C library has no names for these calls. */
static int make_rules(void)
{
	struct landlock_ruleset_attr attr = { .handled_access_fs = NAMES };

	return syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
}

static int permit(int rules, int folder)
{
	struct landlock_path_beneath_attr attr = {
		.allowed_access = HERE,
		.parent_fd = folder,
	};

	return syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &attr, 0);
}

int landlock_confine(const char *folder)
{
	CLEANUP_CLOSE int fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	CLEANUP_CLOSE int rules = make_rules();

	if (fd < 0 || rules < 0 || permit(rules, fd) != 0 ||
	    syscall(SYS_landlock_restrict_self, rules, 0) != 0)
		return -errno;
	return 0;
}
