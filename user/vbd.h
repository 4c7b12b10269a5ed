/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef BLKTAP_VBD_H
#define BLKTAP_VBD_H

#include "deadline.h"
#include "image-identity.h"
#include "libblktap.h"

/* The VBDs of "list" (an array) by ascending minor; -EPROTO, -ENOMEM. */
int vbds_parse(const json_t *array, struct blktap_vbd_info **vbds, size_t *count);
/* By minor; of struct blktap_vbd_info. */
int vbds_compare(const void *a, const void *b);

/* Or may well do so: a refusal is an answer, and what fails here tells nothing. */
bool vbd_answers(pid_t pid, int timeout_ms);

/* As blktap_ctl_attach(), until @deadline. */
int vbd_ask_attach(pid_t pid, unsigned int minor, struct deadline deadline,
		   struct blktap_error *err);

/* What has come of a request to open an image. */
struct vbd_outcome {
	bool unsure;		/* see call_passing() */
	/* Of what was opened here, as the tapdisk may not; else empty. */
	char identity[IMAGE_IDENTITY_SIZE];
};

/*
 * As blktap_ctl_open(), but for the record, and with so much time for the answer, past the
 * tapdisk's own limit. @identity: what the image has to be, which can be seen where it is
 * opened here (ESTALE: it is not); NULL: anything.
 */
int vbd_ask_open(pid_t pid, unsigned int minor, const struct blktap_open_params *open_params,
		 const char *identity, int margin_ms, struct vbd_outcome *outcome,
		 struct blktap_error *err);

#endif /* BLKTAP_VBD_H */
