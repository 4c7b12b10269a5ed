// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a VBD has a worker do. An image on a server that does not answer may hold
 * a worker for good; the VBD need not wait with it. It may go on with another image,
 * but what it leaves behind is limited.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vbd.h"

/* Opens of one minor: each keeps a thread, and maybe an image. */
#define MAX_ABANDONED	4

struct vbd_job *vbd_job_new(struct vbd *vbd, void (*run)(struct work *work),
			    void (*done)(struct work *work))
{
	struct vbd_job *job = calloc(1, sizeof(*job));

	if (!job)
		return NULL;
	job->work.run = run;
	job->work.done = done;
	list_init(&job->abandoned);
	job->vbd = vbd;
	job->env = vbd->env;
	return job;
}

void vbd_job_submit(struct vbd_job *job)
{
	job->vbd->job = job;
	workers_submit(job->env->workers, &job->work);
}

struct vbd *vbd_job_end(struct vbd_job *job)
{
	struct vbd *vbd = job->vbd;

	if (vbd)
		vbd->job = NULL;
	return vbd;
}

void vbd_job_free(struct vbd_job *job)
{
	while (job->params.nr_fds)
		close(job->fds[--job->params.nr_fds]);
	list_del(&job->abandoned);
	free(job->spec);
	free(job);
}

void vbd_job_abandon(struct vbd *vbd)
{
	struct vbd_job *job = vbd->job;

	if (!job)
		return;
	vbd->job = NULL;
	job->vbd = NULL;
	list_add_tail(job->env->abandoned, &job->abandoned);
	workers_abandon(job->env->workers, &job->work);
}

void vbd_job_go_on(struct vbd_job *job)
{
	workers_submit(job->env->workers, &job->work);
	workers_abandon(job->env->workers, &job->work);
}

int vbd_job_check_abandoned(struct vbd *vbd, const char *spec)
{
	unsigned int count = 0;
	struct vbd_job *job;

	list_for_each(job, vbd->env->abandoned, abandoned) {
		if (job->params.minor != vbd->minor)
			continue;
		count++;
		if (count == MAX_ABANDONED || strcmp(job->spec, spec) == 0)
			return blktap_error_set(&vbd->failure, -EBUSY, "tapdev%u: an earlier open "
						"of %s still waits for its storage", vbd->minor,
						job->spec);
	}
	return 0;
}
