// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The control protocol's codec, see Documentation/control-protocol.md.
 */
#include <errno.h>
#include <string.h>

#include "cleanup.h"
#include "libblktap.h"

/*
 * A sentence may quote a path, and a path is bytes; JSON is UTF-8. Falls back
 * to the text with everything but ASCII replaced.
 */
static json_t *text_to_json(const char *text)
{
	CLEANUP_FREE char *copy = NULL;
	json_t *json = json_string(text);
	char *c;

	if (json)
		return json;
	copy = strdup(text);
	if (!copy)
		return NULL;
	for (c = copy; *c; c++)
		if ((unsigned char)*c >= 0x80)
			*c = '?';
	return json_string(copy);
}

/* Takes @json; returns its line. */
static char *to_line(json_t *json)
{
	CLEANUP_JSON json_t *owned = json;
	char *text, *line;
	size_t length;

	text = owned ? json_dumps(owned, JSON_COMPACT) : NULL;
	if (!text)
		return NULL;
	length = strlen(text);
	line = realloc(text, length + 2);
	if (!line) {
		free(text);
		return NULL;
	}
	memcpy(line + length, "\n", 2);
	return line;
}

char *blktap_rpc_protocol_error(json_t *id, int rpc_code, const struct blktap_error *err)
{
	return to_line(json_pack("{s:s, s:O?, s:{s:i, s:o, s:{s:i}}}",
				 "jsonrpc", "2.0", "id", id,
				 "error", "code", rpc_code,
				 "message", text_to_json(err->text),
				 "data", "errno", -err->code));
}

char *blktap_rpc_error(json_t *id, const struct blktap_error *err)
{
	return blktap_rpc_protocol_error(id, err->code, err);
}

static char *reply_failed(json_t *id, int code, const char *text)
{
	struct blktap_error err;

	blktap_error_set(&err, code, "%s", text);
	return blktap_rpc_error(id, &err);
}

char *blktap_rpc_result(json_t *id, json_t *result)
{
	char *line;

	if (!result)
		return reply_failed(id, -ENOMEM, "no memory for the answer");
	line = to_line(json_pack("{s:s, s:O?, s:o}", "jsonrpc", "2.0",
				 "id", id, "result", result));
	if (line && strlen(line) > BLKTAP_RPC_MAX_LINE) {
		free(line);
		return reply_failed(id, -EMSGSIZE, "the answer is too long for a line");
	}
	return line;
}

char *blktap_rpc_request_line(json_t *id, const char *method, json_t *params)
{
	if (!params)
		return to_line(json_pack("{s:s, s:O*, s:s}", "jsonrpc", "2.0", "id", id,
					 "method", method));
	return to_line(json_pack("{s:s, s:O*, s:s, s:o}", "jsonrpc", "2.0", "id", id,
				 "method", method, "params", params));
}

/* ------------------------------------------------------------------ parsing */

struct verdict {
	int rpc_code;
	struct blktap_error err;
};

#define REFUSE(verdict, rpc, code, ...) \
	((verdict)->rpc_code = (rpc), blktap_error_set(&(verdict)->err, (code), __VA_ARGS__))

static int load(const char *line, size_t length, json_t **root, struct verdict *verdict)
{
	json_error_t error;

	if (length >= BLKTAP_RPC_MAX_LINE)
		return REFUSE(verdict, BLKTAP_RPC_INVALID_REQUEST, -EINVAL,
			      "the line is longer than %u bytes", BLKTAP_RPC_MAX_LINE);
	/* A key that comes twice means different things to different readers. */
	*root = json_loadb(line, length, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
	if (*root)
		return 0;
	if (json_error_code(&error) == json_error_out_of_memory)
		return REFUSE(verdict, -ENOMEM, -ENOMEM, "no memory for the request");
	return REFUSE(verdict, BLKTAP_RPC_PARSE_ERROR, -EPROTO, "not JSON: %s", error.text);
}

/* It comes back in the answer, which has to fit into a line. */
#define MAX_ID	1024	/* bytes */

static int take_id(struct blktap_rpc_request *req, struct verdict *verdict)
{
	json_t *id = json_object_get(req->root, "id");

	if (id && !json_is_string(id) && !json_is_number(id) && !json_is_null(id))
		return REFUSE(verdict, BLKTAP_RPC_INVALID_REQUEST, -EINVAL,
			      "the id is neither a string nor a number");
	if (json_string_length(id) > MAX_ID)
		return REFUSE(verdict, BLKTAP_RPC_INVALID_REQUEST, -EINVAL,
			      "the id is longer than %u bytes", MAX_ID);
	req->id = id;
	return 0;
}

static int take_method(struct blktap_rpc_request *req, struct verdict *verdict)
{
	const char *version = json_string_value(json_object_get(req->root, "jsonrpc"));
	const char *method = json_string_value(json_object_get(req->root, "method"));

	if (!version || strcmp(version, "2.0") != 0)
		return REFUSE(verdict, BLKTAP_RPC_INVALID_REQUEST, -EINVAL,
			      "not a JSON-RPC 2.0 request");
	if (!method || !*method)
		return REFUSE(verdict, BLKTAP_RPC_INVALID_REQUEST, -EINVAL,
			      "the request names no method");
	req->method = method;
	return 0;
}

static int take_params(struct blktap_rpc_request *req, struct verdict *verdict)
{
	json_t *params = json_object_get(req->root, "params");

	if (params && !json_is_object(params))
		return REFUSE(verdict, BLKTAP_RPC_INVALID_PARAMS, -EINVAL,
			      "%.64s: the parameters are not an object", req->method);
	req->params = params;
	return 0;
}

static int parse(const char *line, size_t length, struct blktap_rpc_request *req,
		 struct verdict *verdict)
{
	int ret = load(line, length, &req->root, verdict);

	if (ret)
		return ret;
	if (json_is_array(req->root))
		return REFUSE(verdict, BLKTAP_RPC_INVALID_REQUEST, -EINVAL,
			      "batches are not taken: one request a line");
	if (!json_is_object(req->root))
		return REFUSE(verdict, BLKTAP_RPC_INVALID_REQUEST, -EINVAL,
			      "the request is not an object");
	ret = take_id(req, verdict);
	if (!ret)
		ret = take_method(req, verdict);
	if (!ret)
		ret = take_params(req, verdict);
	return ret;
}

int blktap_rpc_parse(const char *line, size_t length, struct blktap_rpc_request *req,
		     char **reply)
{
	struct verdict verdict;
	int ret;

	memset(req, 0, sizeof(*req));
	if (reply)
		*reply = NULL;
	ret = parse(line, length, req, &verdict);
	if (!ret)
		return 0;
	if (reply)
		*reply = blktap_rpc_protocol_error(req->id, verdict.rpc_code, &verdict.err);
	blktap_rpc_request_free(req);
	return ret;
}

void blktap_rpc_request_free(struct blktap_rpc_request *req)
{
	json_decref(req->root);
	memset(req, 0, sizeof(*req));
}

/* ------------------------------------------------------------------- answers */

/*
 * The errno of an error answer: as it says, or its code if that is one; for
 * everything else the peer does not speak our protocol.
 */
static int answered_errno(const json_t *error)
{
	json_int_t code;

	code = -json_integer_value(json_object_get(json_object_get(error, "data"), "errno"));
	if (code >= 0 || code < -4095)
		code = json_integer_value(json_object_get(error, "code"));
	return code < 0 && code >= -4095 ? (int)code : -EPROTO;
}

static int answered_error(const json_t *error, const char *who, struct blktap_error *err)
{
	const char *message = json_string_value(json_object_get(error, "message"));
	int code = answered_errno(error);

	if (message && *message)
		return blktap_error_set(err, code, "%s", message);
	return blktap_error_set(err, code, "%s refuses without a reason", who);
}

static int take_answer(const json_t *answer, int wanted, const char *who, json_t **result,
		       struct blktap_error *err)
{
	const char *version = json_string_value(json_object_get(answer, "jsonrpc"));
	json_t *error = json_object_get(answer, "error");
	json_t *id = json_object_get(answer, "id");

	*result = json_object_get(answer, "result");
	if (!version || strcmp(version, "2.0") != 0 || !error == !*result)
		return blktap_error_set(err, -EPROTO, "%s: what it says is not an answer", who);
	if (error)
		return answered_error(error, who, err);
	if (!json_is_integer(id) || json_integer_value(id) != wanted)
		return blktap_error_set(err, -EPROTO, "%s: its answer is for another request", who);
	json_incref(*result);
	return 0;
}

int blktap_rpc_parse_answer(const char *line, size_t length, int id, const char *who,
			    json_t **result, struct blktap_error *err)
{
	CLEANUP_JSON json_t *answer = NULL;
	json_error_t error;
	int ret;

	*result = NULL;
	answer = json_loadb(line, length, JSON_REJECT_DUPLICATES, &error);
	if (!answer)
		return blktap_error_set(err, -EPROTO, "%s: its answer is not JSON: %s", who,
					error.text);
	ret = take_answer(answer, id, who, result, err);
	if (ret)
		*result = NULL;
	return ret;
}
