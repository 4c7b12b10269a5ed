/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tracepoints: the four stages of a request. Between them are the filling of its
 * buffer, the daemon's work with the ways there and back, and the emptying.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM blktap

#if !defined(_BLKTAP_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _BLKTAP_TRACE_H

#include <linux/blktap.h>
#include <linux/tracepoint.h>

#define blktap_show_op(op)						\
	__print_symbolic(op,						\
			 { BLKTAP_OP_READ, "read" },			\
			 { BLKTAP_OP_WRITE, "write" },			\
			 { BLKTAP_OP_FLUSH, "flush" },			\
			 { BLKTAP_OP_DISCARD, "discard" },		\
			 { BLKTAP_OP_WRITE_ZEROES, "write_zeroes" })

/* What all stages have in common: by these a request is followed. */
DECLARE_EVENT_CLASS(blktap_tag,
	TP_PROTO(u32 minor, u32 queue, u32 tag),
	TP_ARGS(minor, queue, tag),
	TP_STRUCT__entry(
		__field(u32, minor)
		__field(u32, queue)
		__field(u32, tag)
	),
	TP_fast_assign(
		__entry->minor = minor;
		__entry->queue = queue;
		__entry->tag = tag;
	),
	TP_printk("tapdev%u queue=%u tag=%u", __entry->minor, __entry->queue, __entry->tag)
);

/* The block layer hands it over. */
DEFINE_EVENT(blktap_tag, blktap_queued,
	TP_PROTO(u32 minor, u32 queue, u32 tag),
	TP_ARGS(minor, queue, tag)
);

/* The daemon can see it. */
TRACE_EVENT(blktap_submitted,
	TP_PROTO(u32 minor, u32 queue, u32 tag, const struct blktap_desc *desc),
	TP_ARGS(minor, queue, tag, desc),
	TP_STRUCT__entry(
		__field(u32, minor)
		__field(u32, queue)
		__field(u32, tag)
		__field(u32, generation)
		__field(u8, op)
		__field(u16, flags)
		__field(u64, offset)
		__field(u64, length)
	),
	TP_fast_assign(
		__entry->minor = minor;
		__entry->queue = queue;
		__entry->tag = tag;
		__entry->generation = desc->generation;
		__entry->op = desc->op;
		__entry->flags = desc->flags;
		__entry->offset = desc->offset;
		__entry->length = desc->length;
	),
	TP_printk("tapdev%u queue=%u tag=%u generation=%u %s flags=%#x offset=%llu length=%llu",
		  __entry->minor, __entry->queue, __entry->tag, __entry->generation,
		  blktap_show_op(__entry->op), __entry->flags, __entry->offset, __entry->length)
);

/* The daemon's answer has been taken. */
TRACE_EVENT(blktap_reaped,
	TP_PROTO(u32 minor, u32 queue, u32 tag, u32 generation, s64 result),
	TP_ARGS(minor, queue, tag, generation, result),
	TP_STRUCT__entry(
		__field(u32, minor)
		__field(u32, queue)
		__field(u32, tag)
		__field(u32, generation)
		__field(s64, result)
	),
	TP_fast_assign(
		__entry->minor = minor;
		__entry->queue = queue;
		__entry->tag = tag;
		__entry->generation = generation;
		__entry->result = result;
	),
	TP_printk("tapdev%u queue=%u tag=%u generation=%u result=%lld", __entry->minor,
		  __entry->queue, __entry->tag, __entry->generation, __entry->result)
);

/* The data of a WRITE has been put into its buffer, on demand. */
DEFINE_EVENT(blktap_tag, blktap_fetched,
	TP_PROTO(u32 minor, u32 queue, u32 tag),
	TP_ARGS(minor, queue, tag)
);

/* The daemon's answer has been taken: the kernel is to move the data. */
TRACE_EVENT(blktap_redirected,
	TP_PROTO(u32 minor, u32 queue, u32 tag, u32 fragments),
	TP_ARGS(minor, queue, tag, fragments),
	TP_STRUCT__entry(
		__field(u32, minor)
		__field(u32, queue)
		__field(u32, tag)
		__field(u32, fragments)
	),
	TP_fast_assign(
		__entry->minor = minor;
		__entry->queue = queue;
		__entry->tag = tag;
		__entry->fragments = fragments;
	),
	TP_printk("tapdev%u queue=%u tag=%u fragments=%u", __entry->minor, __entry->queue,
		  __entry->tag, __entry->fragments)
);

/* An extent has been found for it: the daemon does not see it. */
TRACE_EVENT(blktap_mapped,
	TP_PROTO(u32 minor, u32 queue, u32 tag, u64 offset, u64 length),
	TP_ARGS(minor, queue, tag, offset, length),
	TP_STRUCT__entry(
		__field(u32, minor)
		__field(u32, queue)
		__field(u32, tag)
		__field(u64, offset)
		__field(u64, length)
	),
	TP_fast_assign(
		__entry->minor = minor;
		__entry->queue = queue;
		__entry->tag = tag;
		__entry->offset = offset;
		__entry->length = length;
	),
	TP_printk("tapdev%u queue=%u tag=%u file offset=%llu length=%llu", __entry->minor,
		  __entry->queue, __entry->tag, __entry->offset, __entry->length)
);

/* The kernel's own I/O for it is over. */
TRACE_EVENT(blktap_moved,
	TP_PROTO(u32 minor, u32 queue, u32 tag, int error),
	TP_ARGS(minor, queue, tag, error),
	TP_STRUCT__entry(
		__field(u32, minor)
		__field(u32, queue)
		__field(u32, tag)
		__field(int, error)
	),
	TP_fast_assign(
		__entry->minor = minor;
		__entry->queue = queue;
		__entry->tag = tag;
		__entry->error = error;
	),
	TP_printk("tapdev%u queue=%u tag=%u error=%d", __entry->minor, __entry->queue,
		  __entry->tag, __entry->error)
);

/* Its daemon has gone, or the disk has to go: it goes round again. */
DEFINE_EVENT(blktap_tag, blktap_held,
	TP_PROTO(u32 minor, u32 queue, u32 tag),
	TP_ARGS(minor, queue, tag)
);

/* Its data is where it belongs; it goes back to the block layer. */
DEFINE_EVENT(blktap_tag, blktap_completed,
	TP_PROTO(u32 minor, u32 queue, u32 tag),
	TP_ARGS(minor, queue, tag)
);

#endif /* _BLKTAP_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
