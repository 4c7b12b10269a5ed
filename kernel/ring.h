/* SPDX-License-Identifier: GPL-2.0-only */
/* The ring node: a tap's character device and its ioctls. */
#ifndef _BLKTAP_RING_H
#define _BLKTAP_RING_H

#include <linux/compiler_types.h>
#include <linux/types.h>

struct blktap_tap;

int blktap_ring_add_node(struct blktap_tap *tap);
void blktap_ring_remove_node(struct blktap_tap *tap);
u32 blktap_ring_major(void);

/*
 * Reads an ioctl structure of any size, as the header's rules say: what the
 * caller does not know is zero, what the kernel does not know must be.
 */
int blktap_copy_struct_in(void *to, size_t size, const void __user *from, u32 *user_size);
int blktap_copy_struct_out(void __user *to, const void *from, size_t size, u32 user_size);

int blktap_ring_init(void);
void blktap_ring_exit(void);

#endif /* _BLKTAP_RING_H */
