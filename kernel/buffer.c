// SPDX-License-Identifier: GPL-2.0-only
#include "buffer.h"
#include "request.h"

#include <linux/blk-mq.h>
#include <linux/bvec.h>
#include <linux/fs.h>
#include <linux/highmem.h>
#include <linux/jiffies.h>
#include <linux/module.h>
#include <linux/slab.h>

/* Enough to move on with; idle disks keep no more than this. */
#define BLKTAP_RESERVE_BYTES	(32U << 10)
/* What most requests fit in; readahead, too. */
#define BLKTAP_SMALL_BYTES	(128U << 10)

static unsigned int blktap_queue_buffers_mib = 64;
module_param_named(queue_buffers_mib, blktap_queue_buffers_mib, uint, 0644);
MODULE_PARM_DESC(queue_buffers_mib, "Buffer memory that one queue may use, MiB (64)");

static unsigned int blktap_total_buffers_mib;
module_param_named(total_buffers_mib, blktap_total_buffers_mib, uint, 0644);
MODULE_PARM_DESC(total_buffers_mib, "Buffer memory of all queues, MiB (0: an eighth of memory)");

static atomic_long_t blktap_total_pages = ATOMIC_LONG_INIT(0);

static int blktap_get_buffers_kib(char *buf, const struct kernel_param *kp)
{
	return sysfs_emit(buf, "%ld\n", atomic_long_read(&blktap_total_pages) << (PAGE_SHIFT - 10));
}

static const struct kernel_param_ops blktap_buffers_kib_ops = {
	.get = blktap_get_buffers_kib,
};
module_param_cb(buffers_kib, &blktap_buffers_kib_ops, NULL, 0444);
MODULE_PARM_DESC(buffers_kib, "Buffer memory in use, without the reserves, KiB (read only)");

/* A slot is free, with a request, or losing its pages. */
enum { BLKTAP_SLOT_FREE, BLKTAP_SLOT_BUSY, BLKTAP_SLOT_TRIM };

/* queue_rq may not sleep, and may run for memory reclaim: no emergency memory. */
#define BLKTAP_GFP	(GFP_NOWAIT | __GFP_NOWARN | __GFP_NOMEMALLOC | __GFP_ZERO)

static u32 blktap_io_pages(u32 bytes)
{
	return DIV_ROUND_UP(bytes, PAGE_SIZE);
}

static u32 blktap_small_pages(u32 max_io)
{
	return blktap_io_pages(min(max_io, BLKTAP_SMALL_BYTES));
}

static u32 blktap_large_pages(u32 max_io)
{
	return max_io > BLKTAP_SMALL_BYTES ? blktap_io_pages(max_io) : 0;
}

u64 blktap_buffer_bytes(u32 depth, u32 max_io)
{
	u64 small = blktap_small_pages(max_io);

	return (depth * (small + blktap_large_pages(max_io)) + small) << PAGE_SHIFT;
}

/* In the order of the slots: small ones, large ones, the reserve. */
u64 blktap_buffer_offset(const struct blktap_buffer *buffer, u32 slot)
{
	u64 small = min(slot, buffer->depth);

	return (small * buffer->small_pages + (slot - small) * buffer->large_pages) << PAGE_SHIFT;
}

/* The slot around page *@index of the area, which becomes the page of the slot. */
static u32 blktap_buffer_find(const struct blktap_buffer *buffer, unsigned long *index)
{
	unsigned long small = (unsigned long)buffer->depth * buffer->small_pages;
	u32 slot;

	if (*index < small) {
		slot = *index / buffer->small_pages;
		*index %= buffer->small_pages;
		return slot;
	}

	*index -= small;
	if (!buffer->large_pages)
		return buffer->depth;

	slot = buffer->depth + *index / buffer->large_pages;
	*index %= buffer->large_pages;
	return slot;
}

/* A tag's own slot for so many pages. */
static u32 blktap_buffer_own(const struct blktap_buffer *buffer, u32 tag, u32 want)
{
	return want <= buffer->small_pages ? tag : buffer->depth + tag;
}

static struct blktap_slot *blktap_buffer_reserve(struct blktap_buffer *buffer)
{
	return &buffer->slots[buffer->nr_slots - 1];
}

/* --- pages --------------------------------------------------------------- */

static bool blktap_charge_page(struct blktap_buffer *buffer)
{
	long queue_max = (long)READ_ONCE(blktap_queue_buffers_mib) << (20 - PAGE_SHIFT);
	long total_max = (long)READ_ONCE(blktap_total_buffers_mib) << (20 - PAGE_SHIFT);

	if (!total_max)
		total_max = totalram_pages() / 8;

	if (atomic_read(&buffer->nr_pages) >= queue_max ||
	    atomic_long_read(&blktap_total_pages) >= total_max)
		return false;

	atomic_inc(&buffer->nr_pages);
	atomic_long_inc(&blktap_total_pages);
	return true;
}

static void blktap_uncharge_pages(struct blktap_buffer *buffer, u32 nr)
{
	atomic_sub(nr, &buffer->nr_pages);
	atomic_long_sub(nr, &blktap_total_pages);
}

static bool blktap_slot_alloc_array(struct blktap_slot *slot, u32 room, gfp_t gfp)
{
	struct page **pages;

	if (slot->pages)
		return true;

	pages = kcalloc(room, sizeof(*pages), gfp);
	if (!pages)
		return false;

	/* Pairs with the fault handler. */
	smp_store_release(&slot->pages, pages);
	return true;
}

/* Adds pages to a tag's busy slot until it has @want, or there are no more. */
static bool blktap_slot_grow(struct blktap_buffer *buffer, struct blktap_slot *slot, u32 want)
{
	u32 room = want <= buffer->small_pages ? buffer->small_pages : buffer->large_pages;
	u32 nr = slot->nr_pages;
	u32 had = nr;

	if (!blktap_slot_alloc_array(slot, room, BLKTAP_GFP))
		return false;

	while (nr < want && blktap_charge_page(buffer)) {
		slot->pages[nr] = alloc_page(BLKTAP_GFP);
		if (!slot->pages[nr]) {
			blktap_uncharge_pages(buffer, 1);
			break;
		}
		nr++;
	}

	/* Pairs with blktap_slot_map(): the pages it counts are there. */
	smp_store_release(&slot->nr_pages, nr);
	return nr > had;
}

static void blktap_free_pages(struct page **pages, u32 nr)
{
	while (nr--)
		put_page(pages[nr]);
	kfree(pages);
}

/* --- slots --------------------------------------------------------------- */

static bool blktap_slot_claim(struct blktap_slot *slot)
{
	return atomic_cmpxchg(&slot->state, BLKTAP_SLOT_FREE, BLKTAP_SLOT_BUSY) ==
	       BLKTAP_SLOT_FREE;
}

static void blktap_slot_release(struct blktap_slot *slot)
{
	atomic_set_release(&slot->state, BLKTAP_SLOT_FREE);
}

/* Claims a free slot that has @want pages already, or returns -1. */
static int blktap_claim_filled(struct blktap_buffer *buffer, u32 want)
{
	u32 i;

	for (i = 0; i < buffer->nr_slots - 1; i++) {
		struct blktap_slot *slot = &buffer->slots[i];

		if (READ_ONCE(slot->nr_pages) < want || !blktap_slot_claim(slot))
			continue;
		if (slot->nr_pages >= want)
			return i;
		blktap_slot_release(slot);
	}

	return -1;
}

/* Claims a tag's own slot and fills it; -1 if it is not free, or stays empty. */
static int blktap_claim_own(struct blktap_buffer *buffer, u32 tag, u32 want,
			    struct blktap_grant *grant)
{
	u32 own = blktap_buffer_own(buffer, tag, want);
	struct blktap_slot *slot = &buffer->slots[own];

	if (!blktap_slot_claim(slot))
		return -1;

	if (slot->nr_pages < want) {
		grant->grew = blktap_slot_grow(buffer, slot, want);
		grant->scarce = slot->nr_pages < want;
	}
	if (slot->nr_pages)
		return own;

	blktap_slot_release(slot);
	return -1;
}

/* The own slot is lent out, being trimmed, or too small. */
static int blktap_claim_other(struct blktap_buffer *buffer, int own, u32 want)
{
	u32 reserve = buffer->nr_slots - 1;
	int slot;

	slot = blktap_claim_filled(buffer, want);
	if (slot >= 0 && own >= 0)
		blktap_slot_release(&buffer->slots[own]);
	if (slot >= 0 || own >= 0)
		return slot >= 0 ? slot : own;

	slot = blktap_claim_filled(buffer, 1);
	if (slot >= 0)
		return slot;

	return blktap_slot_claim(&buffer->slots[reserve]) ? reserve : -1;
}

int blktap_buffer_take(struct blktap_buffer *buffer, u32 tag, u32 bytes,
		       struct blktap_grant *grant)
{
	u32 want = blktap_io_pages(bytes);
	int slot;

	grant->grew = false;
	grant->scarce = false;
	slot = blktap_claim_own(buffer, tag, want, grant);
	if (slot < 0 || grant->scarce)
		slot = blktap_claim_other(buffer, slot, want);
	if (slot < 0)
		return -ENOMEM;

	grant->slot = slot;
	grant->bytes = min_t(u64, bytes, (u64)buffer->slots[slot].nr_pages << PAGE_SHIFT);
	return 0;
}

void blktap_buffer_release(struct blktap_buffer *buffer, u32 slot)
{
	WRITE_ONCE(buffer->slots[slot].used, jiffies);
	blktap_slot_release(&buffer->slots[slot]);
}

/* --- copying ------------------------------------------------------------- */

/* Copies @len bytes between @data and the slot, from byte @at on. */
static void blktap_slot_copy(const struct blktap_slot *slot, u32 at, void *data, u32 len,
			     bool to_slot)
{
	while (len) {
		u32 chunk = min_t(u32, len, PAGE_SIZE - offset_in_page(at));
		struct page *page = slot->pages[at >> PAGE_SHIFT];

		if (to_slot)
			memcpy_to_page(page, offset_in_page(at), data, chunk);
		else
			memcpy_from_page(data, page, offset_in_page(at), chunk);

		data += chunk;
		at += chunk;
		len -= chunk;
	}
}

/* Copies @bytes between the slot, from byte @from on, and the request, from @at on. */
static void blktap_slot_copy_request(const struct blktap_slot *slot, u32 from,
				     struct request *rq, u32 at, u32 bytes, bool to_slot)
{
	struct req_iterator iter;
	struct bio_vec bv;
	u32 start = 0;

	rq_for_each_segment(bv, rq, iter) {
		struct bio_vec part = blktap_bvec_clip(bv, start, at, bytes);
		void *data;

		if (part.bv_len) {
			data = bvec_kmap_local(&part);
			blktap_slot_copy(slot, from, data, part.bv_len, to_slot);
			if (!to_slot)
				flush_dcache_page(part.bv_page);
			kunmap_local(data);
			from += part.bv_len;
		}
		start += bv.bv_len;
		if (start >= at + bytes)
			break;
	}
}

void blktap_buffer_fill(struct blktap_buffer *buffer, u32 slot, struct request *rq, u32 bytes)
{
	blktap_slot_copy_request(&buffer->slots[slot], 0, rq, 0, bytes, true);
}

void blktap_buffer_drain(struct blktap_buffer *buffer, u32 slot, u32 from, struct request *rq,
			 u32 at, u32 bytes)
{
	blktap_slot_copy_request(&buffer->slots[slot], from, rq, at, bytes, false);
}

/* --- mapping ------------------------------------------------------------- */

/* Maps the pages of @slot from @index on, as far as the mapping reaches. */
static vm_fault_t blktap_slot_map(const struct blktap_slot *slot, struct vm_area_struct *vma,
				  unsigned long address, u32 index)
{
	/* Pairs with blktap_slot_grow(). */
	u32 nr = smp_load_acquire(&slot->nr_pages);
	int err;

	if (index >= nr)
		return VM_FAULT_SIGBUS;

	err = vm_insert_page(vma, address, slot->pages[index]);
	if (err && err != -EBUSY)
		return err == -ENOMEM ? VM_FAULT_OOM : VM_FAULT_SIGBUS;

	/* The rest of the request will be wanted next; if it fails, it faults. */
	while (++index < nr && (address += PAGE_SIZE) < vma->vm_end) {
		if (vm_insert_page(vma, address, slot->pages[index]))
			break;
	}

	return VM_FAULT_NOPAGE;
}

vm_fault_t blktap_buffer_fault(struct blktap_buffer *buffer, struct vm_area_struct *vma,
			       unsigned long address, unsigned long index)
{
	u32 nr = blktap_buffer_find(buffer, &index);
	struct blktap_slot *slot;
	vm_fault_t ret = VM_FAULT_SIGBUS;

	if (nr >= buffer->nr_slots)
		return VM_FAULT_SIGBUS;

	/* A page is mapped, or removed, but never mapped once it is removed. */
	slot = &buffer->slots[nr];
	mutex_lock(&buffer->map_lock);
	/* The acquire pairs with blktap_slot_alloc_array(). */
	if (atomic_read(&slot->state) == BLKTAP_SLOT_BUSY && smp_load_acquire(&slot->pages))
		ret = blktap_slot_map(slot, vma, address, index);
	mutex_unlock(&buffer->map_lock);

	return ret;
}

/* --- trimming ------------------------------------------------------------ */

static bool blktap_slot_is_idle(const struct blktap_slot *slot, unsigned long age)
{
	return READ_ONCE(slot->nr_pages) && time_after_eq(jiffies, READ_ONCE(slot->used) + age);
}

static void blktap_slot_trim(struct blktap_buffer *buffer, struct blktap_slot *slot,
			     struct address_space *mapping, loff_t offset)
{
	if (mapping)
		unmap_mapping_range(mapping, offset, (loff_t)slot->nr_pages << PAGE_SHIFT, 1);

	blktap_uncharge_pages(buffer, slot->nr_pages);
	blktap_free_pages(slot->pages, slot->nr_pages);
	slot->pages = NULL;
	WRITE_ONCE(slot->nr_pages, 0);
}

bool blktap_buffer_trim(struct blktap_buffer *buffer, unsigned long age,
			struct address_space *mapping, loff_t offset)
{
	u32 i;

	if (!atomic_read(&buffer->nr_pages))
		return false;

	for (i = 0; i < buffer->nr_slots - 1; i++) {
		struct blktap_slot *slot = &buffer->slots[i];

		if (!blktap_slot_is_idle(slot, age))
			continue;

		mutex_lock(&buffer->map_lock);
		if (atomic_cmpxchg(&slot->state, BLKTAP_SLOT_FREE, BLKTAP_SLOT_TRIM) ==
		    BLKTAP_SLOT_FREE) {
			blktap_slot_trim(buffer, slot, mapping,
					 offset + blktap_buffer_offset(buffer, i));
			blktap_slot_release(slot);
		}
		mutex_unlock(&buffer->map_lock);
		cond_resched();
	}

	return atomic_read(&buffer->nr_pages);
}

/* --- life ---------------------------------------------------------------- */

static int blktap_buffer_fill_reserve(struct blktap_buffer *buffer)
{
	struct blktap_slot *slot = blktap_buffer_reserve(buffer);
	u32 want = min(blktap_io_pages(BLKTAP_RESERVE_BYTES), buffer->small_pages);

	if (!blktap_slot_alloc_array(slot, want, GFP_KERNEL))
		return -ENOMEM;

	while (slot->nr_pages < want) {
		slot->pages[slot->nr_pages] = alloc_page(GFP_KERNEL | __GFP_ZERO);
		if (!slot->pages[slot->nr_pages])
			return -ENOMEM;
		slot->nr_pages++;
	}

	return 0;
}

int blktap_buffer_init(struct blktap_buffer *buffer, u32 depth, u32 max_io)
{
	int err;

	mutex_init(&buffer->map_lock);
	atomic_set(&buffer->nr_pages, 0);
	buffer->depth = depth;
	buffer->small_pages = blktap_small_pages(max_io);
	buffer->large_pages = blktap_large_pages(max_io);
	buffer->nr_slots = depth + (buffer->large_pages ? depth : 0) + 1;
	buffer->slots = kvcalloc(buffer->nr_slots, sizeof(*buffer->slots), GFP_KERNEL);
	if (!buffer->slots)
		return -ENOMEM;

	err = blktap_buffer_fill_reserve(buffer);
	if (err)
		blktap_buffer_exit(buffer);
	return err;
}

void blktap_buffer_exit(struct blktap_buffer *buffer)
{
	u32 i;

	for (i = 0; i < buffer->nr_slots; i++)
		blktap_free_pages(buffer->slots[i].pages, buffer->slots[i].nr_pages);

	atomic_long_sub(atomic_read(&buffer->nr_pages), &blktap_total_pages);
	kvfree(buffer->slots);
	mutex_destroy(&buffer->map_lock);
}
