// SPDX-License-Identifier: GPL-2.0-only
/*
 * A process that reads what strangers write into images: whoever takes it over
 * shall not get much further.
 */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <syslog.h>
#include <unistd.h>

#include "cleanup.h"
#include "landlock.h"
#include "libblktap.h"
#include "sandbox.h"
#include "syscalls.h"

/* To open ring nodes, and images that belong to others. Another user has neither. */
static const cap_value_t needed[] = { CAP_SYS_ADMIN, CAP_DAC_OVERRIDE };

static void cleanup_caps(cap_t *caps)
{
	if (*caps)
		cap_free(*caps);
}

#define CLEANUP_CAPS	__attribute__((cleanup(cleanup_caps)))

static int keep(cap_t caps, const cap_t now, cap_value_t value)
{
	cap_flag_value_t set;

	if (cap_get_flag(now, value, CAP_EFFECTIVE, &set) != 0)
		return -errno;
	if (cap_set_flag(caps, CAP_EFFECTIVE, 1, &value, set) != 0 ||
	    cap_set_flag(caps, CAP_PERMITTED, 1, &value, set) != 0)
		return -errno;
	return 0;
}

/* Those that programs could get again; nothing here starts one. */
static int drop_bounding_set(void)
{
	cap_value_t value;

	for (value = 0; CAP_IS_SUPPORTED(value); value++)
		if (cap_get_bound(value) == 1 && cap_drop_bound(value) != 0)
			return -errno;
	return cap_reset_ambient() ? -errno : 0;
}

/* Of another user all: securebits may have kept them. */
static int drop_capabilities(bool all)
{
	CLEANUP_CAPS cap_t now = cap_get_proc();
	CLEANUP_CAPS cap_t caps = cap_init();
	int ret = now && caps ? 0 : -errno;
	size_t i;

	for (i = 0; !ret && !all && i < ARRAY_SIZE(needed); i++)
		ret = keep(caps, now, needed[i]);
	if (!ret && cap_set_proc(caps) != 0)
		ret = -errno;
	return ret;
}

/* --------------------------------------------------------------- another user */

int sandbox_find_user(struct sandbox_user *user, const char *name, struct blktap_error *err)
{
	const struct passwd *entry;

	errno = 0;
	entry = getpwnam(name);
	if (!entry)
		return blktap_error_set(err, errno ? -errno : -ENOENT, "there is no user %s", name);
	if (!entry->pw_uid)
		return blktap_error_set(err, -EINVAL, "%s has rights that cannot be given up", name);
	*user = (struct sandbox_user){ name, entry->pw_uid, entry->pw_gid };
	return 0;
}

/* Without the limit: each queue of a disk has a thread. */
static int become(const struct sandbox_user *user, struct blktap_error *err)
{
	struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };

	setrlimit(RLIMIT_NPROC, &unlimited);
	if (initgroups(user->name, user->gid) == 0 &&
	    setresgid(user->gid, user->gid, user->gid) == 0 &&
	    setresuid(user->uid, user->uid, user->uid) == 0 && drop_capabilities(true) == 0)
		return 0;
	return blktap_error_set(err, -errno, "cannot become user %s: %s", user->name,
				strerror(errno));
}

/* ----------------------------------------------------------------- all of them */

static void give_up(const char *what, int ret)
{
	if (ret)
		blktap_log(LOG_WARNING, "%s: %s; this process has more rights than it needs", what,
			   strerror(-ret));
}

int sandbox_enter(const struct sandbox_user *user, struct blktap_error *err)
{
	int ret;

	give_up("capabilities of programs cannot be dropped", drop_bounding_set());
	ret = user ? become(user, err) : 0;
	if (ret)
		return ret;
	if (!user)
		give_up("capabilities cannot be dropped", drop_capabilities(false));
	give_up("new privileges cannot be ruled out",
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ? -errno : 0);
	give_up("making files cannot be restricted to the control directory",
		landlock_confine(blktap_control_dir()));
	give_up("system calls cannot be filtered", syscalls_confine());
	return 0;
}
