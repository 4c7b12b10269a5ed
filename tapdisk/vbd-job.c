// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a VBD has a worker do. An image on a server that does not answer may hold
 * a worker for good; the VBD need not wait with it.
 */
#include <stdlib.h>
#include <unistd.h>

#include "vbd.h"

struct vbd_job *vbd_job_new(struct vbd *vbd, void (*run)(struct work *work),
			    void (*done)(struct work *work))
{
	struct vbd_job *job = calloc(1, sizeof(*job));

	if (!job)
		return NULL;
	job->work.run = run;
	job->work.done = done;
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
	free(job->spec);
	free(job);
}

void vbd_job_abandon(struct vbd *vbd)
{
	if (vbd->job)
		vbd->job->vbd = NULL;
	vbd->job = NULL;
}
