// SPDX-License-Identifier: GPL-2.0-only
/*
 * The library against a tapdisk that says anything: the input is what a client
 * reads as the answer to a call, and what a server reads as a request.
 */
#include <sys/socket.h>

#include "call.h"
#include "oracle.h"
#include "vbd.h"

static void check_list(json_t *result)
{
	struct blktap_vbd_info *vbds = NULL;
	size_t count = 0, i;

	if (vbds_parse(result, &vbds, &count))
		return;
	for (i = 0; i < count; i++) {
		PROMISE(vbds[i].minor >= 0, "a VBD without a minor");
		PROMISE(!i || vbds[i].minor >= vbds[i - 1].minor, "VBDs are out of order");
		PROMISE(!vbds[i].type == !vbds[i].path, "half an image");
	}
	blktap_vbd_info_free(vbds, count);
}

static void read_answer(const uint8_t *data, size_t size)
{
	struct call call;
	int pair[2];

	PROMISE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == 0,
		"no sockets");
	PROMISE(send(pair[1], data, size, MSG_NOSIGNAL) == (ssize_t)size, "not sent");
	close(pair[1]);
	PROMISE(call_init(&call, 1, "list", NULL) == 0, "no call");
	call.fd = pair[0];
	call.phase = CALL_RECEIVING;
	calls_run(&call, 1, deadline_in(5000));
	PROMISE(call.phase == CALL_DONE, "the call does not end");
	PROMISE(!call.err.code == !!call.result, "neither a result nor an error");
	PROMISE(!call.err.code || (call.err.code < 0 && call.err.code > -4096),
		"the error %d is no errno", call.err.code);
	if (call.result)
		check_list(call.result);
	call_clear(&call);
}

static void read_request(const uint8_t *data, size_t size)
{
	const char *line = (const char *)data;
	struct blktap_rpc_request req;
	struct ledger ledger;
	char *reply;

	ledger_open(&ledger);
	if (blktap_rpc_parse(line, size, &req, &reply) == 0) {
		PROMISE(!reply && req.root && req.method && *req.method, "half a request");
		blktap_rpc_request_free(&req);
	} else {
		ledger_request(&ledger, line, size);
		ledger_answer(&ledger, reply, strlen(reply));
		ledger_settled(&ledger);
		free(reply);
	}
	ledger_close(&ledger);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > 65536)
		return 0;
	read_answer(data, size);
	read_request(data, size);
	return 0;
}
