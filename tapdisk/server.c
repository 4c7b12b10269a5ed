// SPDX-License-Identifier: GPL-2.0-only
/*
 * The lanes of a disk, as one.
 */
#include <errno.h>
#include <stdlib.h>

#include "cleanup.h"
#include "lane.h"
#include "server.h"

struct server {
	struct server_params params;
	unsigned int count;
	struct lane **lanes;
	bool draining;
	unsigned int running;	/* lanes that have not told that they are drained */
	bool lost;
};

/* --------------------------------------------------------- what lanes report */

static void lane_drained(void *data)
{
	struct server *server = data;

	if (!server->draining || --server->running)
		return;
	server->draining = false;
	server->params.drained(server->params.data);
}

static void lane_lost(void *data, int code)
{
	struct server *server = data;

	if (server->lost)
		return;
	server->lost = true;
	server->params.lost(server->params.data, code);
}

/* ------------------------------------------------------------------- orders */

void server_drain(struct server *server)
{
	unsigned int i;

	server->draining = true;
	server->running = server->count;
	for (i = 0; i < server->count; i++)
		lane_drain(server->lanes[i]);
}

void server_resume(struct server *server, uint64_t capacity)
{
	unsigned int i;

	server->draining = false;
	for (i = 0; i < server->count; i++)
		lane_resume(server->lanes[i], capacity);
}

void server_fail_requests(struct server *server)
{
	unsigned int i;

	for (i = 0; i < server->count; i++)
		lane_fail_requests(server->lanes[i]);
}

/* ------------------------------------------------------------ start and stop */

void server_free(struct server *server)
{
	unsigned int i;

	if (!server)
		return;
	for (i = 0; i < server->count; i++)
		lane_stop(server->lanes[i]);
	for (i = 0; i < server->count; i++)
		lane_free(server->lanes[i]);
	free(server->lanes);
	free(server);
}

bool server_threaded(const struct server *server)
{
	return lane_threaded(server->lanes[0]);
}

static int start_lanes(struct server *server, struct blktap_error *err)
{
	const struct server_params *p = &server->params;
	struct lane_params params = {
		.owner = p->owner,
		.thread = p->threads,
		.ring = p->ring,
		.image = p->image,
		.kio = p->kio,
		.request_timeout_ms = p->request_timeout_ms,
		.max_spin_ns = p->max_spin_ns,
		.drained = lane_drained,
		.lost = lane_lost,
		.data = server,
	};
	unsigned int count = blktap_ring_queues(p->ring);
	int ret = 0;

	server->lanes = calloc(count, sizeof(*server->lanes));
	if (!server->lanes)
		return blktap_error_set(err, -ENOMEM, "no memory to serve a disk");
	while (server->count < count && !ret) {
		params.index = server->count;
		params.stats = &p->stats[server->count];
		ret = lane_start(&server->lanes[server->count], &params, err);
		server->count += !ret;
	}
	return ret;
}

int server_start(struct server **server, const struct server_params *params,
		 struct blktap_error *err)
{
	struct server *new = calloc(1, sizeof(*new));
	int ret;

	if (!new)
		return blktap_error_set(err, -ENOMEM, "no memory to serve a disk");
	new->params = *params;
	ret = start_lanes(new, err);
	if (ret) {
		server_free(new);
		return ret;
	}
	*server = new;
	return 0;
}
