/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the control protocol promises about answers, whatever is asked: each
 * request with an id gets exactly one, each is one well-formed line.
 */
#ifndef FUZZ_ORACLE_H
#define FUZZ_ORACLE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libblktap.h"

/* What libfuzzer calls. */
int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Libfuzzer keeps the input of a run that aborts. */
#define BROKEN(...)							\
	do {								\
		fprintf(stderr, "broken promise: " __VA_ARGS__);	\
		fputc('\n', stderr);					\
		abort();						\
	} while (0)

#define PROMISE(condition, ...)						\
	do {								\
		if (!(condition))					\
			BROKEN(__VA_ARGS__);				\
	} while (0)

/* Answers that are due: how many, by the text of their id. */
struct ledger {
	json_t *due;
	unsigned int requests;
	unsigned int answers;
};

static inline void ledger_open(struct ledger *ledger)
{
	*ledger = (struct ledger){ .due = json_object() };
}

static inline void ledger_close(struct ledger *ledger)
{
	json_decref(ledger->due);
}

static inline void ledger_add(struct ledger *ledger, const json_t *id, int count)
{
	char *key = json_dumps(id, JSON_ENCODE_ANY | JSON_COMPACT);
	json_int_t due = json_integer_value(json_object_get(ledger->due, key));

	PROMISE(due + count >= 0, "an answer with the id %s that nobody waits for", key);
	json_object_set_new(ledger->due, key, json_integer(due + count));
	free(key);
}

/* Longer ones are refused. */
#define MAX_ID	1024

static inline bool is_id(const json_t *id)
{
	return (json_is_string(id) && json_string_length(id) <= MAX_ID) || json_is_number(id) ||
	       json_is_null(id);
}

/* A request whose lack of an id can be taken as meant. */
static inline bool is_request(const json_t *root)
{
	const char *version = json_string_value(json_object_get(root, "jsonrpc"));
	const char *method = json_string_value(json_object_get(root, "method"));
	const json_t *params = json_object_get(root, "params");

	return version && strcmp(version, "2.0") == 0 && method && *method &&
	       (!params || json_is_object(params));
}

/* A line that the server is about to see. */
static inline void ledger_request(struct ledger *ledger, const char *line, size_t length)
{
	json_t *root = json_loadb(line, length, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL);
	json_t *id = json_object_get(root, "id");
	json_t *null = json_null();

	ledger->requests++;
	if (is_id(id))
		ledger_add(ledger, id, 1);
	else if (id || !is_request(root))
		ledger_add(ledger, null, 1);
	json_decref(root);
}

static inline void check_error(const json_t *error)
{
	const char *message = json_string_value(json_object_get(error, "message"));
	const json_t *data = json_object_get(error, "data");
	const json_t *code = json_object_get(error, "code");
	const json_t *number = json_object_get(data, "errno");

	PROMISE(json_is_integer(code) && json_integer_value(code) < 0, "an error without a code");
	PROMISE(message && *message, "an error without a message");
	PROMISE(json_is_integer(number) && json_integer_value(number) > 0 &&
		json_integer_value(number) < 4096, "an error without an errno");
	PROMISE(json_integer_value(code) <= -32600 ||
		json_integer_value(code) == -json_integer_value(number),
		"an error whose code and errno differ");
}

/* VBDs come by ascending minor. */
static inline void check_vbds(const json_t *result)
{
	json_int_t last = -1;
	const json_t *vbd;
	size_t i;

	json_array_foreach(json_object_get(result, "vbds"), i, vbd) {
		const json_t *minor = json_object_get(vbd, "minor");

		if (!minor)
			minor = json_object_get(json_object_get(vbd, "tap"), "minor");
		PROMISE(!minor || json_integer_value(minor) > last, "VBDs are out of order");
		last = minor ? json_integer_value(minor) : last;
	}
}

/* @line ends with its newline. */
static inline void ledger_answer(struct ledger *ledger, const char *line, size_t length)
{
	const char *version;
	json_t *root, *error, *result, *id;

	PROMISE(length && line[length - 1] == '\n', "an answer that does not end its line");
	PROMISE(!memchr(line, '\n', length - 1), "an answer of several lines");
	PROMISE(length <= BLKTAP_RPC_MAX_LINE, "an answer of %zu bytes", length);
	root = json_loadb(line, length - 1, JSON_REJECT_DUPLICATES, NULL);
	PROMISE(json_is_object(root), "an answer that is not a JSON object");
	version = json_string_value(json_object_get(root, "jsonrpc"));
	error = json_object_get(root, "error");
	result = json_object_get(root, "result");
	id = json_object_get(root, "id");
	PROMISE(version && strcmp(version, "2.0") == 0, "an answer that is not JSON-RPC 2.0");
	PROMISE(!error != !result && json_object_size(root) == 3,
		"an answer that is not a result or an error");
	PROMISE(is_id(id), "an answer without an id");
	if (error)
		check_error(error);
	else
		check_vbds(result);
	ledger_add(ledger, id, -1);
	ledger->answers++;
	json_decref(root);
}

static inline void ledger_settled(const struct ledger *ledger)
{
	const char *key;
	json_t *due;

	json_object_foreach(ledger->due, key, due)
		PROMISE(!json_integer_value(due), "the request with the id %s got no answer", key);
}

/* The lowest free descriptor: the same before and after if none was leaked. */
static inline int free_descriptor(void)
{
	int fd = dup(STDERR_FILENO);

	close(fd);
	return fd;
}

#endif /* FUZZ_ORACLE_H */
