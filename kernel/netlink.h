/* SPDX-License-Identifier: GPL-2.0-only */
/* The generic netlink family. */
#ifndef _BLKTAP_NETLINK_H
#define _BLKTAP_NETLINK_H

#include <linux/blktap.h>

struct blktap_failure;
struct blktap_tap;
struct blktap_tap_info;

/* Called with the tap locked, so that its events keep their order. */
void blktap_netlink_event(struct blktap_tap *tap, enum blktap_event event);
void blktap_netlink_event_info(const struct blktap_tap_info *info, enum blktap_event event);
/* An extent is unmapped since its I/O failed with @error, a positive errno. */
void blktap_netlink_event_dropped(struct blktap_tap *tap, u64 offset, u64 length, u32 error);

/* Requests have failed. */
void blktap_netlink_event_failure(struct blktap_tap *tap, const struct blktap_failure *failure);

int blktap_netlink_init(void);
void blktap_netlink_exit(void);

#endif /* _BLKTAP_NETLINK_H */
