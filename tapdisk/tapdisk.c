// SPDX-License-Identifier: GPL-2.0-only
/*
 * The process: its VBDs, and when it ends.
 */
#include <errno.h>
#include <syslog.h>

#include "cleanup.h"
#include "image.h"
#include "takeover.h"
#include "tapdisk.h"
#include "vbd-record.h"

/* Each can be stuck for long with an image on a server that does not answer. */
#define OPENER_THREADS	256

static struct tapdisk *from_env(const struct vbd_env *env)
{
	return container_of(env, struct tapdisk, env);
}

static void vbd_removed(struct tapdisk *tapdisk)
{
	if (!list_empty(&tapdisk->vbds) || tapdisk->takeover || tapdisk->ending)
		return;
	tapdisk->ending = true;
	tapdisk->end(tapdisk);
}

static void vbd_changed(const struct vbd_env *env, struct vbd *vbd)
{
	struct tapdisk *tapdisk = from_env(env);

	(void)vbd;
	if (tapdisk->terminating)
		loop_defer(tapdisk->loop, &tapdisk->progress);
}

static void vbd_gone(const struct vbd_env *env, struct vbd *vbd)
{
	blktap_log(vbd->handed_over ? LOG_INFO : LOG_WARNING, "tapdev%u: detached", vbd->minor);
	vbd_free(vbd);
	vbd_removed(from_env(env));
}

static void guest_changed(const struct vbd_env *env, struct vbd *vbd)
{
	(void)env;
	(void)vbd;
}

static void guest_gone(const struct vbd_env *env, struct vbd *vbd)
{
	takeover_lost(container_of(env, struct tapdisk, guest_env)->takeover, vbd);
}

/* -------------------------------------------------------------- termination */

static void closed_at_end(struct vbd *vbd, void *data, const struct blktap_error *err)
{
	(void)data;
	if (err)
		blktap_log(LOG_WARNING, "tapdev%u: not closed: %s", vbd->minor, err->text);
}

/*
 * The requests of a paused disk wait, and so does who has it open: were it opened
 * just now, only unpausing would help, so that must not be kept out for long.
 */
static void close_at_end(struct tapdisk *tapdisk, struct vbd *vbd)
{
	bool paused = vbd->state == VBD_PAUSED;

	vbd_close(vbd, paused ? 0 : -1, false, closed_at_end, tapdisk);
	if (vbd->state == VBD_CLOSING && !paused)
		blktap_log(LOG_NOTICE, "tapdev%u: still open; tapdisk serves it and leaves at its "
			   "last close", vbd->minor);
}

static void progress(struct loop_task *task)
{
	struct tapdisk *tapdisk = container_of(task, struct tapdisk, progress);
	struct vbd *vbd;

	list_for_each(vbd, &tapdisk->vbds, link) {
		if (vbd->state == VBD_IDLE && !vbd->lost)
			vbd_detach(vbd, NULL);
		else if (vbd->state == VBD_LIVE ||
			 (vbd->state == VBD_PAUSED && !vbd_in_use(vbd)))
			close_at_end(tapdisk, vbd);
	}
	vbd_removed(tapdisk);
}

void tapdisk_terminate(struct tapdisk *tapdisk)
{
	tapdisk->terminating = true;
	if (tapdisk->takeover)
		takeover_cancel(tapdisk->takeover, "this tapdisk is about to end");
	loop_defer(tapdisk->loop, &tapdisk->progress);
}

void tapdisk_give_way(struct tapdisk *tapdisk, struct vbd *vbd)
{
	vbd_withdraw(vbd, tapdisk);
}

/* ---------------------------------------------------------------------- VBDs */

struct vbd *tapdisk_find(struct tapdisk *tapdisk, unsigned int minor)
{
	struct vbd *vbd;

	list_for_each(vbd, &tapdisk->vbds, link)
		if (vbd->minor == minor)
			return vbd;
	return NULL;
}

static void insert(struct tapdisk *tapdisk, struct vbd *new)
{
	struct list *at = &tapdisk->vbds;
	struct vbd *vbd;

	list_for_each(vbd, &tapdisk->vbds, link) {
		if (vbd->minor > new->minor) {
			at = &vbd->link;
			break;
		}
	}
	list_add_before(at, &new->link);
}

int tapdisk_attach(struct tapdisk *tapdisk, unsigned int minor, int fd, struct blktap_error *err)
{
	CLEANUP_CLOSE int ring = fd;
	struct vbd *vbd;
	int ret;

	if (tapdisk->terminating || tapdisk->ending)
		return blktap_error_set(err, -ESHUTDOWN, "tapdev%u: this tapdisk is about to end",
					minor);
	if (tapdisk_find(tapdisk, minor))
		return blktap_error_set(err, -EEXIST, "tapdev%u is attached to this tapdisk already",
					minor);
	ret = vbd_attach(&vbd, &tapdisk->env, minor, TAKE_FD(ring), err);
	if (ret)
		return ret;
	insert(tapdisk, vbd);
	blktap_log(LOG_INFO, "tapdev%u: attached", minor);
	return 0;
}

void tapdisk_adopt(struct tapdisk *tapdisk, struct vbd *vbd)
{
	vbd->env = &tapdisk->env;
	insert(tapdisk, vbd);
	if (vbd->spec)
		record_write(tapdisk->env.records, vbd);
	vbd_changed(&tapdisk->env, vbd);
}

void tapdisk_takeover_over(struct tapdisk *tapdisk)
{
	tapdisk->takeover = NULL;
	vbd_removed(tapdisk);
}

int tapdisk_detach(struct tapdisk *tapdisk, struct vbd *vbd, struct blktap_error *err)
{
	unsigned int minor = vbd->minor;
	int ret = vbd_detach(vbd, err);

	if (ret)
		return ret;
	blktap_log(LOG_INFO, "tapdev%u: detached", minor);
	vbd_removed(tapdisk);
	return 0;
}

int tapdisk_init(struct tapdisk *tapdisk, struct loop *loop)
{
	int ret;

	*tapdisk = (struct tapdisk){ .loop = loop, .page_bytes = BLKTAP_RPC_MAX_LINE / 2 };
	list_init(&tapdisk->vbds);
	list_init(&tapdisk->rings);
	list_init(&tapdisk->abandoned);
	loop_task_init(&tapdisk->progress, progress);
	ret = image_table_new(&tapdisk->images);
	if (!ret)
		ret = workers_new(&tapdisk->workers, loop, OPENER_THREADS);
	tapdisk->env = (struct vbd_env){
		.loop = loop,
		.workers = tapdisk->workers,
		.abandoned = &tapdisk->abandoned,
		.images = tapdisk->images,
		.records = -1,
		.threads = true,
		.changed = vbd_changed,
		.gone = vbd_gone,
	};
	tapdisk->guest_env = tapdisk->env;
	tapdisk->guest_env.changed = guest_changed;
	tapdisk->guest_env.gone = guest_gone;
	return ret;
}

void tapdisk_exit(struct tapdisk *tapdisk)
{
	loop_task_cancel(&tapdisk->progress);
	takeover_drop_rings(tapdisk);
	workers_free(tapdisk->workers);
	image_table_free(tapdisk->images);
}

bool tapdisk_is_stuck(const struct tapdisk *tapdisk)
{
	return workers_busy(tapdisk->workers);
}
