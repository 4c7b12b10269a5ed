// SPDX-License-Identifier: GPL-2.0-only
/*
 * A systemd scope for this process.
 */
#include <errno.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "libblktap.h"
#include "scope.h"

#ifdef TAPDISK_SYSTEMD
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>

#include <systemd/sd-bus.h>

#define SCOPE_TIMEOUT_USEC	5000000ULL

#define MANAGER		"org.freedesktop.systemd1"
#define MANAGER_PATH	"/org/freedesktop/systemd1"
#define MANAGER_IFACE	"org.freedesktop.systemd1.Manager"

struct scope {
	sd_bus *bus;
	uint64_t deadline;	/* microseconds */
	char name[64];
	const char *job;	/* D-Bus path */
	bool ended;
	bool entered;
};

static uint64_t now_usec(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000ULL + now.tv_nsec / 1000;
}

static uint64_t left_usec(const struct scope *scope)
{
	uint64_t now = now_usec();

	return now < scope->deadline ? scope->deadline - now : 0;
}

/*
 * The manager's own socket comes first: a bus daemon may not run yet when disks
 * are needed early, and its activated socket would make us wait for it.
 */
static int scope_connect(struct scope *scope)
{
	int ret = sd_bus_new(&scope->bus);

	if (ret >= 0)
		ret = sd_bus_set_address(scope->bus, "unix:path=/run/systemd/private");
	if (ret >= 0)
		ret = sd_bus_start(scope->bus);
	if (ret >= 0)
		return 0;
	scope->bus = sd_bus_unref(scope->bus);
	ret = sd_bus_open_system(&scope->bus);
	return ret < 0 ? ret : 0;
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

static int scope_wait(struct scope *scope)
{
	while (!scope->ended) {
		int ret = sd_bus_process(scope->bus, NULL);

		if (ret < 0)
			return ret;
		if (ret > 0)
			continue;
		if (!left_usec(scope))
			return -ETIMEDOUT;
		ret = sd_bus_wait(scope->bus, left_usec(scope));
		if (ret < 0)
			return ret;
	}
	return scope->entered ? 0 : -ECANCELED;
}

static int scope_start(struct scope *scope, sd_bus_error *error)
{
	sd_bus_message *request = NULL, *reply = NULL;
	int ret;

	/* Who calls over a bus must ask for signals. */
	if (sd_bus_is_bus_client(scope->bus) > 0) {
		ret = sd_bus_call_method(scope->bus, MANAGER, MANAGER_PATH, MANAGER_IFACE,
					 "Subscribe", error, NULL, NULL);
		if (ret < 0)
			return ret;
	}
	ret = sd_bus_match_signal(scope->bus, NULL, NULL, MANAGER_PATH, MANAGER_IFACE,
				  "JobRemoved", job_removed, scope);
	if (ret >= 0)
		ret = scope_request(scope, &request);
	if (ret >= 0)
		ret = sd_bus_call(scope->bus, request, left_usec(scope), error, &reply);
	if (ret >= 0)
		ret = sd_bus_message_read(reply, "o", &scope->job);
	if (ret >= 0)
		ret = scope_wait(scope);
	sd_bus_message_unref(request);
	sd_bus_message_unref(reply);
	return ret < 0 ? ret : 0;
}

static void systemd_scope(void)
{
	struct scope scope = { .deadline = now_usec() + SCOPE_TIMEOUT_USEC };
	sd_bus_error error = SD_BUS_ERROR_NULL;
	int ret;

	if (access("/run/systemd/system", F_OK) != 0)
		return;
	snprintf(scope.name, sizeof(scope.name), "blktap-tapdisk-%d.scope", (int)getpid());
	ret = scope_connect(&scope);
	if (!ret) {
		sd_bus_set_method_call_timeout(scope.bus, SCOPE_TIMEOUT_USEC);
		ret = scope_start(&scope, &error);
	}
	if (ret)
		blktap_log(LOG_WARNING, "%s: systemd does not give one, so stopping the service that started this process ends it: %s",
			   scope.name, error.message ? error.message : strerror(-ret));
	sd_bus_error_free(&error);
	sd_bus_close(scope.bus);
	sd_bus_unref(scope.bus);
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
