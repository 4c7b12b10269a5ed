// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A disk goes from a tapdisk that is dead, or as good as dead, to another one.
 *
 * Two things keep the old from writing beneath the new: the lock on the image, which
 * only the end of the process gives back, and the kernel, which lets no request pass
 * before that process can write no more.
 */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <string.h>

#include "cancel.h"
#include "cleanup.h"
#include "disk-seq.h"
#include "image-look.h"
#include "record.h"
#include "serving.h"
#include "tap-wait.h"
#include "vbd.h"

#define RECOVER_MS	60000
#define OPEN_MARGIN_MS	1000	/* for a tapdisk to say that it took too long */
#define UNDO_MS		5000	/* for an open that nobody waits for any more */
#define ANSWER_MS	3000	/* for a tapdisk that is said to be sick */
#define RETRY_MS	50

struct recovery {
	struct blktap_nl *nl;
	struct deadline deadline;
	struct blktap_tap tap;
	struct blktap_record *record;	/* NULL: there is none */
	struct blktap_open_params open;
	bool named;			/* its image, by who asks for it */
	struct serving serving;
	struct record_order order;	/* to open it */
	struct vbd_outcome outcome;	/* of that */
	pid_t killed;
};

/* ------------------------------------------------------------ whether, and what */

static bool is_alive(pid_t pid)
{
	return kill(pid, 0) == 0 || errno != ESRCH;
}

/* Who cannot be asked need not hang. */
static bool has_no_socket(pid_t pid)
{
	char path[PATH_MAX];

	return !blktap_control_path(path, sizeof(path), pid) && access(path, F_OK) != 0 &&
	       errno == ENOENT;
}

static int check_tapdisk(const struct recovery *recovery, struct blktap_error *err)
{
	unsigned int minor = recovery->tap.minor;
	pid_t pid = recovery->tap.pid;

	if (vbd_answers(pid, deadline_step(recovery->deadline, ANSWER_MS)))
		return blktap_error_set(err, -EBUSY, "tapdev%u: tapdisk %d has it, and answers",
					minor, (int)pid);
	if (has_no_socket(pid) && is_alive(pid))
		return blktap_error_set(err, -EBUSY, "tapdev%u: process %d has it, and is no tapdisk "
					"of %s: -f kills it", minor, (int)pid, blktap_control_dir());
	return 0;
}

static int check_tap(const struct recovery *recovery, const struct blktap_recover_params *params,
		     struct blktap_error *err)
{
	const struct blktap_tap *tap = &recovery->tap;
	int ret = 0;

	if (tap->disk_state != BLKTAP_DISK_STATE_LIVE)
		return blktap_error_set(err, -EINVAL, "minor %u: there is no disk to recover",
					tap->minor);
	if (tap->pid && params->unserved)
		return blktap_error_set(err, -EBUSY, "tapdev%u: tapdisk %d has it by now",
					tap->minor, (int)tap->pid);
	if (tap->pid && !params->force)
		ret = check_tapdisk(recovery, err);
	if (ret)
		return ret;
	/* It may not have had the time to answer. */
	if (deadline_passed(recovery->deadline))
		return blktap_error_set(err, -ETIMEDOUT, "tapdev%u: there was not the time to "
					"recover it", tap->minor);
	return serving_check_cancelled(err);
}

static int cannot_look(const struct recovery *recovery, int code, struct blktap_error *err)
{
	if (code == -EINTR)
		return blktap_error_set(err, code, "interrupted");
	return blktap_error_set(err, code, "tapdev%u: whether %s is what the disk had cannot be "
				"told: %s", recovery->tap.minor, recovery->open.image,
				strerror(-code));
}

/* The tap may have had another disk since, of a daemon that keeps no records here. */
static int compare_disk(const struct blktap_record *record, uint64_t *now)
{
	int ret;

	if (!record->disk_seq)
		return 0;
	ret = disk_seq(record->minor, now);
	if (ret)
		return ret;
	return *now == record->disk_seq ? 0 : -ESTALE;
}

static int check_disk(const struct recovery *recovery, struct blktap_error *err)
{
	const struct blktap_record *record = recovery->record;
	uint64_t now;
	int ret = compare_disk(record, &now);

	if (ret == -ESTALE)
		return blktap_error_set(err, ret, "tapdev%u: %s is on record for an earlier disk, "
					"%llu, and this one is %llu: say -a with the image that it has",
					record->minor, record->open.image,
					(unsigned long long)record->disk_seq,
					(unsigned long long)now);
	return ret ? cannot_look(recovery, ret, err) : 0;
}

/* Which image it has to be; NULL: any that bears the name. */
static const char *expected(const struct recovery *recovery)
{
	const struct blktap_record *record = recovery->record;

	return record && !recovery->named && !record->paused ? record->image_identity : NULL;
}

/* Its name may lead to something else now, whatever was meant by that. */
static int check_same(const struct recovery *recovery, struct blktap_error *err)
{
	const char *identity = expected(recovery);
	char now[IMAGE_IDENTITY_SIZE];
	int ret = recovery->named ? 0 : check_disk(recovery, err);

	if (ret || !identity)
		return ret;
	ret = image_look(recovery->open.image, recovery->deadline, now);
	if (ret)
		return cannot_look(recovery, ret, err);
	if (strcmp(now, identity) == 0)
		return 0;
	return blktap_error_set(err, -ESTALE, "tapdev%u: %s is another %s than the disk had: say "
				"-a %s to go on with it", recovery->tap.minor, recovery->open.image,
				strncmp(now, "device", 6) == 0 ? "device" : "file",
				recovery->open.image);
}

/* One that cannot be read, or is of another disk, is as none, where there is no need for it. */
static int find_record(struct recovery *recovery, const struct blktap_recover_params *params,
		       struct blktap_error *err)
{
	int ret = blktap_record_read(params->minor, &recovery->record, err);
	uint64_t now;

	if (!params->image)
		return ret;
	if (!ret && compare_disk(recovery->record, &now) == -ESTALE)
		blktap_record_free(TAKE_POINTER(recovery->record));
	return 0;
}

static int find_image(struct recovery *recovery, const struct blktap_recover_params *params,
		      struct blktap_error *err)
{
	int ret = find_record(recovery, params, err);

	if (ret)
		return ret;
	if (recovery->record)
		recovery->open = recovery->record->open;
	recovery->named = params->image;
	if (params->image)
		recovery->open.image = params->image;
	else if (recovery->record->paused && !params->force)
		return blktap_error_set(err, -EBUSY, "tapdev%u was paused, so its image may be in "
					"other hands: say which one to go on with", params->minor);
	return 0;
}

static int look(struct recovery *recovery, const struct blktap_recover_params *params,
		struct blktap_error *err)
{
	int ret;

	ret = blktap_nl_open(&recovery->nl, err);
	if (!ret)
		ret = blktap_nl_get(recovery->nl, params->minor, &recovery->tap, err);
	if (!ret)
		ret = check_tap(recovery, params, err);
	if (!ret)
		ret = find_image(recovery, params, err);
	return ret ? ret : check_same(recovery, err);
}

/* ----------------------------------------------------------------------- doing */

static int end_earlier(struct recovery *recovery, struct blktap_error *err)
{
	pid_t pid = recovery->tap.pid;
	int ret;

	if (!pid)
		return 0;
	ret = blktap_nl_end_session(recovery->nl, recovery->tap.minor, pid, false, err);
	/* It has died meanwhile, or somebody else was faster, as attaching will show. */
	if (ret == -ESRCH)
		return 0;
	if (!ret)
		recovery->killed = pid;
	return ret;
}

/* Whether the process that served the disk may still have the image. */
static bool may_linger(const struct recovery *recovery)
{
	pid_t pid = recovery->killed;

	if (!pid && recovery->record)
		pid = recovery->record->pid;
	return pid && pid != recovery->serving.pid && is_alive(pid);
}

static bool is_worth_waiting(const struct recovery *recovery, int code)
{
	return code == -EAGAIN || (code == -EBUSY && may_linger(recovery));
}

static int ask_open(struct recovery *recovery, struct blktap_error *err)
{
	const struct serving *serving = &recovery->serving;

	recovery->open.timeout_ms = deadline_left(recovery->deadline) ?: 1;
	return vbd_ask_open(serving->pid, serving->minor, &recovery->open, expected(recovery),
			    OPEN_MARGIN_MS, &recovery->outcome, err);
}

/* Which image the disk had; whether the tapdisk knows what to do with that: older ones do not. */
static bool tell_earlier_image(const struct recovery *recovery)
{
	const struct serving *serving = &recovery->serving;
	json_t *params;

	if (!recovery->record)
		return false;
	params = json_pack("{s:i, s:s}", "minor", (int)serving->minor,
			   "image", recovery->record->open.image);
	return params && !blktap_ctl_call(serving->pid, "left_over", params,
					  deadline_left(recovery->deadline), NULL, NULL);
}

/* What was extended is larger than its disk: that one keeps its size. */
static int try_to_open(struct recovery *recovery, struct blktap_error *err)
{
	int ret = ask_open(recovery, err);

	if (ret == -EMEDIUMTYPE && tell_earlier_image(recovery))
		ret = ask_open(recovery, err);
	return ret;
}

static int open_image(struct recovery *recovery, struct blktap_error *err)
{
	int ret;

	/* Whoever dies now leaves to the next what there was to compare with. */
	ret = record_order_open(&recovery->order, recovery->serving.pid, recovery->serving.minor,
				&recovery->open, expected(recovery), err);
	if (ret)
		return ret;
	for (;;) {
		ret = check_same(recovery, err);
		if (!ret)
			ret = try_to_open(recovery, err);
		if (!is_worth_waiting(recovery, ret) || deadline_passed(recovery->deadline))
			return ret;
		if (cancel_poll(-1, RETRY_MS) < 0)
			return serving_check_cancelled(err);
	}
}

/* Or a negative errno. */
static int has_image(const struct serving *serving)
{
	struct blktap_vbd_info *vbds;
	size_t count, i;
	int ret = blktap_ctl_list(serving->pid, &vbds, &count, UNDO_MS, NULL);

	if (ret)
		return ret;
	for (i = 0; i < count; i++)
		ret |= vbds[i].minor == (int)serving->minor && vbds[i].path;
	blktap_vbd_info_free(vbds, count);
	return ret;
}

/*
 * What was interrupted goes on in a tapdisk that is not ours to end, until the image is
 * open, or is not and can be undone.
 */
static int settle(struct recovery *recovery, struct blktap_error *err)
{
	struct serving *serving = &recovery->serving;
	struct deadline deadline = deadline_in(UNDO_MS);
	int ret = serving_detach(serving);

	while (ret == -EBUSY && has_image(serving) <= 0 && !deadline_passed(deadline)) {
		cancel_poll(-1, RETRY_MS);
		ret = serving_detach(serving);
	}
	/* One that does not answer is asked once: it may still do what it was told. */
	serving->attached = ret == -EBUSY || ret == -ETIMEDOUT;
	recovery->outcome.unsure = serving->attached;
	if (!serving->attached)
		return -EINTR;
	if (has_image(serving) > 0)
		return 0;
	return blktap_error_set(err, -EINTR, "interrupted; tapdisk %d goes on opening the image of "
				"tapdev%u", (int)serving->pid, serving->minor);
}

static int settle_undisturbed(struct recovery *recovery, struct blktap_error *err)
{
	int ret;

	cancel_suspend();
	ret = settle(recovery, err);
	cancel_resume();
	return ret;
}

/* Whether its image was there by now is known only before. */
static void undo(struct recovery *recovery)
{
	cancel_suspend();
	if (recovery->order.written && recovery->outcome.unsure &&
	    has_image(&recovery->serving) == 0)
		recovery->outcome.unsure = false;
	serving_undo(&recovery->serving, false);
	cancel_resume();
}

/* Which image that is, as far as it is known. */
static const char *opened(const struct recovery *recovery)
{
	if (recovery->outcome.identity[0])
		return recovery->outcome.identity;
	return expected(recovery) ?: "";
}

static int serve(struct recovery *recovery, pid_t pid, struct blktap_error *err)
{
	const struct blktap_record *record = recovery->record;
	struct serving *serving = &recovery->serving;
	int ret = 0;

	serving->minor = recovery->tap.minor;
	serving->pid = pid;
	if (!pid)
		ret = serving_spawn(serving, record ? &record->spawn : NULL, err);
	if (!ret)
		ret = end_earlier(recovery, err);
	if (!ret)
		ret = serving_attach(serving, err);
	/* It is somebody else's then, perhaps of this very tapdisk. */
	if (ret == -EBUSY || ret == -EEXIST)
		serving->attached = false;
	if (!ret)
		ret = open_image(recovery, err);
	if (ret == -EINTR && pid && serving->attached)
		ret = settle_undisturbed(recovery, err);
	else if (ret)
		undo(recovery);
	if (!ret)
		record_opened(&recovery->order, &recovery->open, opened(recovery));
	record_order_end(&recovery->order, ret && !recovery->outcome.unsure);
	return ret;
}

static bool is_settled(const struct blktap_tap *tap)
{
	return tap->recovery == BLKTAP_RECOVERY_NONE || !tap->pid;
}

/* Who waits for one that is dead keeps others from trying again. */
static int check_served(struct recovery *recovery, struct blktap_error *err)
{
	int ret = blktap_nl_get(recovery->nl, recovery->tap.minor, &recovery->tap, err);

	if (ret || recovery->tap.recovery == BLKTAP_RECOVERY_NONE)
		return ret;
	return blktap_error_set(err, -ECHILD, "tapdev%u: tapdisk %d has died before it served it",
				recovery->tap.minor, (int)recovery->serving.pid);
}

/* The kernel's part of the fence. The new tapdisk is there: nothing is undone. */
static int wait_served(struct recovery *recovery, struct blktap_error *err)
{
	int ret = tap_wait(recovery->nl, recovery->tap.minor, is_settled, recovery->deadline, err);

	if (!ret)
		return check_served(recovery, err);
	if (ret == -ETIMEDOUT)
		return blktap_error_set(err, ret, "tapdev%u: tapdisk %d has it now, and waits for "
					"I/O of the earlier one to end", recovery->tap.minor,
					(int)recovery->serving.pid);
	if (ret == -EINTR)
		return blktap_error_set(err, ret, "interrupted; tapdev%u: tapdisk %d has it now",
					recovery->tap.minor, (int)recovery->serving.pid);
	return ret;
}

int blktap_recover(const struct blktap_recover_params *params, pid_t *pid, pid_t *killed,
		   struct blktap_error *err)
{
	struct recovery recovery = {
		.deadline = deadline_in(params->timeout_ms ? params->timeout_ms : RECOVER_MS),
		.serving = SERVING_INIT,
	};
	struct blktap_error ignored;
	int ret;

	err = err ? err : &ignored;
	recovery.serving.deadline = recovery.deadline;
	ret = look(&recovery, params, err);
	if (!ret)
		ret = serve(&recovery, params->pid, err);
	if (!ret)
		ret = wait_served(&recovery, err);
	if (!ret)
		err->code = 0;
	*pid = recovery.serving.pid;
	*killed = recovery.killed;
	/* What it listened on. */
	if (recovery.killed)
		blktap_ctl_sweep();
	serving_done(&recovery.serving);
	blktap_record_free(recovery.record);
	blktap_nl_close(recovery.nl);
	return ret;
}
