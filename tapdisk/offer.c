// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>

#include "offer.h"
#include "params.h"

#define NS_PER_US	1000U

json_t *offer_encode(const struct vbd *vbd)
{
	if (!vbd->spec)
		return json_pack("{s:i, s:b}", "minor", (int)vbd->minor, "closed", vbd->closed);
	return json_pack("{s:i, s:s, s:b, s:b, s:b, s:s, s:i, s:i, s:b, s:I, s:i, s:i, s:i}",
			 "minor", (int)vbd->minor, "image", vbd->spec, "paused", vbd->paused,
			 "read_only", vbd->params.read_only, "no_direct", vbd->params.no_direct,
			 "kernel_io", blktap_kernel_io_name(vbd->kernel_io),
			 "request_timeout_ms", vbd->request_timeout_ms,
			 "spin_us", (int)(vbd->max_spin_ns / NS_PER_US),
			 "restart", vbd->restart,
			 "capacity", (json_int_t)vbd->disk.capacity,
			 "logical_block_size", (int)vbd->disk.logical_block_size,
			 "physical_block_size", (int)vbd->disk.physical_block_size,
			 "disk_flags", (int)vbd->disk.flags);
}

#define PARAM(field, type)	PARAM_IN(struct vbd_offer, field, type, false)

static const struct param members[] = {
	PARAM_IN(struct vbd_offer, minor, PARAM_MINOR, true),
	PARAM(closed, PARAM_BOOL),
	PARAM(image, PARAM_STRING),
	PARAM(paused, PARAM_BOOL),
	PARAM(read_only, PARAM_BOOL),
	PARAM(no_direct, PARAM_BOOL),
	PARAM(kernel_io, PARAM_KERNEL_IO),
	PARAM(request_timeout_ms, PARAM_MS),
	PARAM(spin_us, PARAM_SPIN),
	PARAM(restart, PARAM_BOOL),
	PARAM(capacity, PARAM_BYTES),
	PARAM(logical_block_size, PARAM_NUMBER),
	PARAM(physical_block_size, PARAM_NUMBER),
	PARAM(disk_flags, PARAM_NUMBER),
	{ 0 }
};

/* Whatever is not understood might be what the data depends on. */
int offer_decode(json_t *object, struct vbd_offer *offer, struct blktap_error *err)
{
	*offer = (struct vbd_offer){ .image = NULL };
	if (!json_is_object(object))
		return blktap_error_set(err, -EPROTO, "the offer of a disk is not an object");
	if (!params_take("the offer of a disk", members, object, offer, err))
		return 0;
	if (err)
		err->code = -EOPNOTSUPP;
	return -EOPNOTSUPP;
}
