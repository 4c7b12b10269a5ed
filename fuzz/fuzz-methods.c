// SPDX-License-Identifier: GPL-2.0-only
/*
 * The methods of the control protocol, line by line, without sockets.
 *
 * A line of the input is a line of a client, but for those that begin with "!":
 * "!o" someone opens the disks, "!c" they are closed, "!e" sessions cannot be
 * begun, "!s" disks cannot be started, "!g" the client goes and another comes,
 * "!t" SIGTERM. After a line that begins with a blank the loop does not turn.
 */
#include <syslog.h>

#include "world.h"

struct fuzz_client {
	struct client client;
	struct ledger ledger;
};

static void take_answer(struct client *client, char *line)
{
	struct fuzz_client *c = container_of(client, struct fuzz_client, client);

	PROMISE(line, "no memory for an answer");
	ledger_answer(&c->ledger, line, strlen(line));
	free(line);
}

static int take_answer_with(struct client *client, char *line, const int *fds, unsigned int count)
{
	unsigned int i;

	for (i = 0; i < count; i++)
		PROMISE(fcntl(fds[i], F_GETFD) >= 0, "a descriptor that is not open");
	take_answer(client, line);
	return 0;
}

static void come(struct fuzz_client *c)
{
	client_init(&c->client, take_answer);
	c->client.send_with = take_answer_with;
	ledger_open(&c->ledger);
}

static void go(struct fuzz_client *c)
{
	client_gone(&c->client);
	ledger_close(&c->ledger);
}

static void set_all_openers(struct world *world, unsigned int openers)
{
	struct vbd *vbd;

	list_for_each(vbd, &world->tapdisk.vbds, link)
		set_openers(vbd, openers);
}

/* Returns whether all requests can still be expected to end by themselves. */
static bool direct(struct world *world, struct fuzz_client *c, char what)
{
	switch (what) {
	case 'o':
		set_all_openers(world, 1);
		return false;
	case 'c':
		set_all_openers(world, 0);
		return true;
	case 'e':
		fake_open_error = -EBUSY;
		return true;
	case 's':
		fake_start_error = -EINVAL;
		return true;
	case 'g':
		go(c);
		come(c);
		return true;
	case 't':
		tapdisk_terminate(&world->tapdisk);
		return true;
	default:
		return true;
	}
}

static void settle(struct world *world, struct fuzz_client *c, bool patient)
{
	time_t limit = time(NULL) + PATIENCE_S;
	unsigned int turns = 0;

	while (!list_empty(&c->client.calls) && (patient || turns++ < 10)) {
		if (time(NULL) >= limit)
			ledger_settled(&c->ledger);
		world_turn(world, patient ? 100 : 1);
	}
	if (list_empty(&c->client.calls))
		ledger_settled(&c->ledger);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	blktap_log_init("fuzz", BLKTAP_LOG_STDERR, -1);
	files_make();
	return 0;
}

static bool run_line(struct world *world, struct fuzz_client *c, const char *line, size_t length)
{
	if (length > 1 && line[0] == '!')
		return direct(world, c, line[1]);
	ledger_request(&c->ledger, line, length);
	methods_handle(&world->tapdisk, &c->client, line, length);
	if (!length || line[0] != ' ')
		world_turn(world, list_empty(&c->client.calls) ? 0 : 1);
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *line = (const char *)data, *end = line + size, *newline;
	struct fuzz_client client;
	struct world world;
	bool patient = true;

	world_open(&world);
	come(&client);
	for (; line < end; line = newline + 1) {
		newline = memchr(line, '\n', end - line);
		if (!newline)
			newline = end;
		patient &= run_line(&world, &client, line, newline - line);
	}
	settle(&world, &client, patient);
	go(&client);
	world_close(&world);
	return 0;
}
