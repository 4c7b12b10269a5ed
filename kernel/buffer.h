/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A queue's buffer area: two slots of pages for each tag, a small one and one for
 * the largest request, and one more in reserve.
 *
 * Pages come when a request needs them and go when they have been idle. A tag uses
 * its own slots. The small ones lie close together: the page tables of a mapping
 * stay as long as it does, so they must not be spread over the whole area. When
 * pages are scarce, any slot that is free will do. If that has fewer pages
 * than the request wants, it is served in pieces. The reserve makes sure that one
 * request per queue always moves on.
 */
#ifndef _BLKTAP_BUFFER_H
#define _BLKTAP_BUFFER_H

#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/types.h>

struct address_space;
struct request;

struct blktap_slot {
	atomic_t state;
	u32 nr_pages;
	struct page **pages;
	unsigned long used;		/* jiffies of the last release */
};

struct blktap_buffer {
	struct blktap_slot *slots;
	u32 nr_slots;			/* small ones, large ones, the reserve */
	u32 depth;			/* tags */
	u32 small_pages;		/* of a slot's address range */
	u32 large_pages;		/* 0: all requests fit in small ones */
	atomic_t nr_pages;		/* without the reserve's */
	struct mutex map_lock;		/* mapping pages against removing them */
};

int blktap_buffer_init(struct blktap_buffer *buffer, u32 depth, u32 max_io);
void blktap_buffer_exit(struct blktap_buffer *buffer);

/* Bytes of the area in the address space. */
u64 blktap_buffer_bytes(u32 depth, u32 max_io);

/* What a request gets. */
struct blktap_grant {
	u32 slot;
	u32 bytes;			/* there is room for, whole pages unless all */
	bool grew;			/* pages have been added */
	bool scarce;			/* there were no more */
};

/*
 * Takes a slot, best the tag's own, with room for up to @bytes. Does not sleep.
 * -ENOMEM, if not even the reserve is free; @grant's flags are valid then, too.
 */
int blktap_buffer_take(struct blktap_buffer *buffer, u32 tag, u32 bytes,
		       struct blktap_grant *grant);
void blktap_buffer_release(struct blktap_buffer *buffer, u32 slot);

/* Copies the first @bytes of a request to the slot. */
void blktap_buffer_fill(struct blktap_buffer *buffer, u32 slot, struct request *rq, u32 bytes);
/* Copies @bytes of the slot, from byte @from on, to the request, from byte @at on. */
void blktap_buffer_drain(struct blktap_buffer *buffer, u32 slot, u32 from, struct request *rq,
			 u32 at, u32 bytes);

/* Offset of a slot in the area. */
u64 blktap_buffer_offset(const struct blktap_buffer *buffer, u32 slot);

/* Maps the slot around page @index of the area. */
vm_fault_t blktap_buffer_fault(struct blktap_buffer *buffer, struct vm_area_struct *vma,
			       unsigned long address, unsigned long index);

/*
 * Gives back the pages of slots that have been idle for @age jiffies, and unmaps
 * them: the area starts at @offset of @mapping (NULL: nothing is mapped).
 * Returns whether pages are left.
 */
bool blktap_buffer_trim(struct blktap_buffer *buffer, unsigned long age,
			struct address_space *mapping, loff_t offset);

#endif /* _BLKTAP_BUFFER_H */
