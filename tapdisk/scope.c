// SPDX-License-Identifier: GPL-2.0-only
/*
 * A systemd scope for this process.
 */
#include <errno.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "scope.h"

#ifdef TAPDISK_SYSTEMD
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>

#include <systemd/sd-bus.h>

#include "deadline.h"

#define SCOPE_MS	2000

#define MANAGER		"org.freedesktop.systemd1"
#define MANAGER_PATH	"/org/freedesktop/systemd1"
#define MANAGER_IFACE	"org.freedesktop.systemd1.Manager"

struct scope {
	sd_bus *bus;
	struct deadline deadline;
	char name[64];
	const char *job;	/* D-Bus path */
	bool ended;
	bool entered;
};

/* ------------------------------------------------------------------ waiting
 *
 * systemd itself may wait for a disk that is to be recovered here. What libsystemd
 * does by itself to have a connection waits without limit, so it gets nothing to ask
 * for before there is one.
 */

static int wait_until(struct scope *scope, bool (*reached)(const struct scope *scope))
{
	while (!reached(scope)) {
		int left = deadline_left(scope->deadline);
		int ret = left ? sd_bus_process(scope->bus, NULL) : -ETIMEDOUT;

		if (ret == 0)
			ret = sd_bus_wait(scope->bus, left * 1000ULL);
		if (ret < 0 && ret != -EINTR)
			return ret;
	}
	return 0;
}

/* Before each call. */
static int limit_call(struct scope *scope)
{
	int left = deadline_left(scope->deadline);

	return left ? sd_bus_set_method_call_timeout(scope->bus, left * 1000ULL) : -ETIMEDOUT;
}

static bool is_connected(const struct scope *scope)
{
	return sd_bus_is_ready(scope->bus) > 0;
}

static bool has_ended(const struct scope *scope)
{
	return scope->ended;
}

/* ------------------------------------------------------------------- asking */

/*
 * The manager's own socket comes first: a bus daemon may not run yet when disks
 * are needed early, and its activated socket would make us wait for it.
 */
static int scope_connect(struct scope *scope, const char *address)
{
	int ret = sd_bus_new(&scope->bus);

	if (ret >= 0)
		ret = sd_bus_set_address(scope->bus, address);
	if (ret >= 0)
		ret = sd_bus_start(scope->bus);
	if (ret < 0) {
		scope->bus = sd_bus_unref(scope->bus);
		ret = sd_bus_open_system(&scope->bus);
	}
	return ret < 0 ? ret : wait_until(scope, is_connected);
}

static int job_removed(sd_bus_message *message, void *arg, sd_bus_error *error)
{
	struct scope *scope = arg;
	const char *job, *unit, *result;
	uint32_t id;

	(void)error;
	if (sd_bus_message_read(message, "uoss", &id, &job, &unit, &result) < 0)
		return 0;
	/* One of this name can only be ours, even before we know its job. */
	if (scope->job ? strcmp(job, scope->job) : strcmp(unit, scope->name))
		return 0;
	scope->ended = true;
	scope->entered = !strcmp(result, "done");
	return 0;
}

/*
 * Without the default dependencies nothing stops the scope at shutdown: the
 * process ends with the last ones, when file systems are unmounted. A slice of
 * our own would be stopped, and the scope with it.
 */
static int scope_request(const struct scope *scope, sd_bus_message **request)
{
	sd_bus_message *message;
	int ret;

	ret = sd_bus_message_new_method_call(scope->bus, &message, MANAGER, MANAGER_PATH,
					     MANAGER_IFACE, "StartTransientUnit");
	if (ret < 0)
		return ret;
	*request = message;
	ret = sd_bus_message_append(message, "ss", scope->name, "fail");
	if (ret < 0)
		return ret;
	ret = sd_bus_message_append(message, "a(sv)", 7,
				    "Description", "s", "blktap disks",
				    "Slice", "s", "system.slice",
				    "DefaultDependencies", "b", 0,
				    "CollectMode", "s", "inactive-or-failed",
				    "SendSIGHUP", "b", 0,
				    /* a thread for each disk */
				    "TasksMax", "t", UINT64_MAX,
				    "PIDs", "au", 1, (uint32_t)getpid());
	if (ret < 0)
		return ret;
	return sd_bus_message_append(message, "a(sa(sv))", 0);
}

/* Who calls over a bus must ask for signals. */
static int scope_listen(struct scope *scope, sd_bus_error *error)
{
	int ret = 0;

	if (sd_bus_is_bus_client(scope->bus) > 0) {
		ret = limit_call(scope);
		if (ret >= 0)
			ret = sd_bus_call_method(scope->bus, MANAGER, MANAGER_PATH, MANAGER_IFACE,
						 "Subscribe", error, NULL, NULL);
	}
	if (ret >= 0)
		ret = limit_call(scope);
	if (ret < 0)
		return ret;
	return sd_bus_match_signal(scope->bus, NULL, NULL, MANAGER_PATH, MANAGER_IFACE,
				   "JobRemoved", job_removed, scope);
}

static int scope_start(struct scope *scope, sd_bus_error *error)
{
	sd_bus_message *request = NULL, *reply = NULL;
	int ret = scope_listen(scope, error);

	if (ret >= 0)
		ret = scope_request(scope, &request);
	if (ret >= 0)
		ret = limit_call(scope);
	if (ret >= 0)
		ret = sd_bus_call(scope->bus, request, 0, error, &reply);
	if (ret >= 0)
		ret = sd_bus_message_read(reply, "o", &scope->job);
	if (ret >= 0)
		ret = wait_until(scope, has_ended);
	if (ret >= 0 && !scope->entered)
		ret = -ECANCELED;
	sd_bus_message_unref(request);
	sd_bus_message_unref(reply);
	return ret < 0 ? ret : 0;
}

int scope_move(const char *address, int limit_ms, struct blktap_error *err)
{
	struct scope scope = { .deadline = deadline_in(limit_ms) };
	sd_bus_error error = SD_BUS_ERROR_NULL;
	int ret;

	snprintf(scope.name, sizeof(scope.name), "blktap-tapdisk-%d.scope", (int)getpid());
	ret = scope_connect(&scope, address);
	if (!ret)
		ret = scope_start(&scope, &error);
	if (ret)
		blktap_error_set(err, ret, "%s: systemd does not give one, so stopping the service "
				 "that started this process ends it: %s", scope.name,
				 error.message ? error.message : strerror(-ret));
	sd_bus_error_free(&error);
	sd_bus_close(scope.bus);
	sd_bus_unref(scope.bus);
	return ret;
}

static void systemd_scope(void)
{
	struct blktap_error err;

	if (access("/run/systemd/system", F_OK) != 0)
		return;
	if (scope_move("unix:path=/run/systemd/private", SCOPE_MS, &err))
		blktap_log(LOG_WARNING, "%s", err.text);
}
#endif

/*
 * One that the initramfs starts may serve the root file system: by this mark it
 * is spared when the machine goes down and all other processes are killed.
 */
static void mark_of_storage(void)
{
	if (access("/etc/initrd-release", F_OK) == 0)
		program_invocation_name[0] = '@';
}

void scope_enter(void)
{
	mark_of_storage();
#ifdef TAPDISK_SYSTEMD
	systemd_scope();
#endif
}
