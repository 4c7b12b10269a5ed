/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Doubly linked lists whose links live in their elements.
 */
#ifndef TAPDISK_LIST_H
#define TAPDISK_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
	struct list *next, *prev;
};

static inline void list_init(struct list *list)
{
	list->next = list;
	list->prev = list;
}

static inline bool list_empty(const struct list *list)
{
	return list->next == list;
}

static inline void list_add_before(struct list *at, struct list *link)
{
	link->next = at;
	link->prev = at->prev;
	at->prev->next = link;
	at->prev = link;
}

static inline void list_add_tail(struct list *list, struct list *link)
{
	list_add_before(list, link);
}

/* The link is empty afterwards, so that removing it twice does no harm. */
static inline void list_del(struct list *link)
{
	link->prev->next = link->next;
	link->next->prev = link->prev;
	list_init(link);
}

/* Moves all of @from to the empty @to. */
static inline void list_take(struct list *to, struct list *from)
{
	list_init(to);
	if (list_empty(from))
		return;
	to->next = from->next;
	to->prev = from->prev;
	to->next->prev = to;
	to->prev->next = to;
	list_init(from);
}

#define container_of(pointer, type, member)				\
	((type *)((char *)(pointer) - offsetof(type, member)))

#define list_first(list, type, member)	container_of((list)->next, type, member)

/* The current element may be removed, others may not. */
#define list_for_each(pos, list, member)					\
	for (__typeof__(pos) next_ =						\
		((pos) = list_first(list, __typeof__(*(pos)), member),		\
		 list_first(&(pos)->member, __typeof__(*(pos)), member));	\
	     &(pos)->member != (list);						\
	     (pos) = next_,							\
	     next_ = list_first(&next_->member, __typeof__(*(pos)), member))

#endif /* TAPDISK_LIST_H */
