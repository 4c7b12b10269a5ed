// SPDX-License-Identifier: GPL-2.0-only
#include "netlink.h"
#include "disk.h"
#include "ioerror.h"
#include "ring.h"
#include "tap.h"

#include <linux/cpumask.h>
#include <linux/mutex.h>
#include <net/genetlink.h>

/* Most of a tap's attributes: a serial of 64 characters and numbers. */
#define BLKTAP_TAP_MSG_SIZE	1024

/* Events are told with a tap locked: nothing of that disk's may be waited for. */
#define BLKTAP_EVENT_GFP	(GFP_ATOMIC | __GFP_NOWARN)

static struct genl_family blktap_family;

/* Numbers the events, in the order in which they are sent. */
static DEFINE_MUTEX(blktap_event_lock);
static u64 blktap_event_seq;

static int blktap_nl_put_u64(struct sk_buff *skb, int attr, u64 value)
{
	return nla_put_u64_64bit(skb, attr, value, BLKTAP_A_PAD);
}

static int blktap_nl_put_config(struct sk_buff *skb, const struct blktap_config *config)
{
	if (nla_put_u32(skb, BLKTAP_A_QUEUES, config->queues) ||
	    nla_put_u32(skb, BLKTAP_A_DEPTH, config->depth) ||
	    nla_put_u32(skb, BLKTAP_A_MAX_IO, config->max_io) ||
	    nla_put_u32(skb, BLKTAP_A_ON_DEATH, config->on_death) ||
	    nla_put_u32(skb, BLKTAP_A_IO_TIMEOUT_MS, config->io_timeout_ms) ||
	    nla_put_u32(skb, BLKTAP_A_ON_TIMEOUT, config->on_timeout))
		return -EMSGSIZE;

	if (config->on_death == BLKTAP_ON_DEATH_HOLD &&
	    nla_put_u32(skb, BLKTAP_A_HOLD_MS, config->hold_ms))
		return -EMSGSIZE;

	if (config->serial[0] && nla_put_string(skb, BLKTAP_A_SERIAL, config->serial))
		return -EMSGSIZE;

	if (config->has_uuid && nla_put(skb, BLKTAP_A_UUID, BLKTAP_UUID_LEN, config->uuid))
		return -EMSGSIZE;

	return 0;
}

static int blktap_nl_put_kio(struct sk_buff *skb, const struct blktap_tap_info *info)
{
	if (nla_put_u32(skb, BLKTAP_A_FILES, info->files) ||
	    nla_put_u32(skb, BLKTAP_A_EXTENTS, info->extents) ||
	    blktap_nl_put_u64(skb, BLKTAP_A_IOS_DAEMON, info->counts.ios_daemon) ||
	    blktap_nl_put_u64(skb, BLKTAP_A_IOS_REDIRECT, info->counts.ios_redirect) ||
	    blktap_nl_put_u64(skb, BLKTAP_A_IOS_EXTENT, info->counts.ios_extent) ||
	    blktap_nl_put_u64(skb, BLKTAP_A_IOS_RETRY, info->counts.ios_retry))
		return -EMSGSIZE;

	return 0;
}

static int blktap_nl_put_session(struct sk_buff *skb, const struct blktap_tap_info *info)
{
	if (blktap_nl_put_u64(skb, BLKTAP_A_EPOCH, info->epoch))
		return -EMSGSIZE;

	if (!info->pid)
		return 0;

	if (nla_put_u32(skb, BLKTAP_A_PID, info->pid) ||
	    blktap_nl_put_u64(skb, BLKTAP_A_REJECTED, info->counts.rejected))
		return -EMSGSIZE;

	return blktap_nl_put_kio(skb, info);
}

static int blktap_nl_put_disk(struct sk_buff *skb, const struct blktap_tap_info *info)
{
	if (nla_put_u32(skb, BLKTAP_A_DISK_STATE, info->disk_state))
		return -EMSGSIZE;

	if (info->disk_state == BLKTAP_DISK_STATE_NONE)
		return 0;

	if (nla_put_u32(skb, BLKTAP_A_DISK_FLAGS, info->disk_flags) ||
	    nla_put_u32(skb, BLKTAP_A_OPENERS, info->openers) ||
	    blktap_nl_put_u64(skb, BLKTAP_A_CAPACITY, info->capacity) ||
	    nla_put_u32(skb, BLKTAP_A_LOGICAL_BLOCK_SIZE, info->logical_block_size) ||
	    nla_put_u32(skb, BLKTAP_A_PHYSICAL_BLOCK_SIZE, info->physical_block_size) ||
	    nla_put_u32(skb, BLKTAP_A_RECOVERY, info->recovery))
		return -EMSGSIZE;

	if (info->hold_left_ms && nla_put_u32(skb, BLKTAP_A_HOLD_LEFT_MS, info->hold_left_ms))
		return -EMSGSIZE;

	return 0;
}

static int blktap_nl_put_tap(struct sk_buff *skb, const struct blktap_tap_info *info)
{
	int err;

	if (nla_put_u32(skb, BLKTAP_A_MINOR, info->minor) ||
	    nla_put_u32(skb, BLKTAP_A_RING_MAJOR, blktap_ring_major()) ||
	    nla_put_u32(skb, BLKTAP_A_DISK_MAJOR, blktap_disk_major()))
		return -EMSGSIZE;

	err = blktap_nl_put_config(skb, &info->config);
	if (!err)
		err = blktap_nl_put_session(skb, info);
	if (!err)
		err = blktap_nl_put_disk(skb, info);
	return err;
}

static int blktap_nl_put_failure(struct sk_buff *skb, const struct blktap_failure *failure)
{
	if (!failure)
		return 0;

	if (blktap_nl_put_u64(skb, BLKTAP_A_EXTENT_OFFSET, failure->offset) ||
	    blktap_nl_put_u64(skb, BLKTAP_A_EXTENT_LENGTH, failure->length) ||
	    nla_put_u32(skb, BLKTAP_A_ERROR, failure->error))
		return -EMSGSIZE;

	if (failure->count &&
	    (nla_put_u32(skb, BLKTAP_A_IO_OP, failure->op) ||
	     blktap_nl_put_u64(skb, BLKTAP_A_IO_ERRORS, failure->count)))
		return -EMSGSIZE;

	return 0;
}

static struct sk_buff *blktap_nl_event_msg(const struct blktap_tap_info *info,
					   enum blktap_event event,
					   const struct blktap_failure *failure, u64 seq)
{
	struct sk_buff *skb;
	void *hdr;

	skb = genlmsg_new(BLKTAP_TAP_MSG_SIZE, BLKTAP_EVENT_GFP);
	if (!skb)
		return NULL;

	hdr = genlmsg_put(skb, 0, 0, &blktap_family, 0, BLKTAP_CMD_EVENT);
	if (!hdr || nla_put_u32(skb, BLKTAP_A_EVENT, event) ||
	    blktap_nl_put_u64(skb, BLKTAP_A_SEQ, seq) || blktap_nl_put_tap(skb, info) ||
	    blktap_nl_put_failure(skb, failure)) {
		nlmsg_free(skb);
		return NULL;
	}
	genlmsg_end(skb, hdr);

	return skb;
}

static void blktap_nl_send_event(const struct blktap_tap_info *info, enum blktap_event event,
				 const struct blktap_failure *failure)
{
	struct sk_buff *skb;

	mutex_lock(&blktap_event_lock);
	blktap_event_seq++;
	if (genl_has_listeners(&blktap_family, &init_net, 0)) {
		/* A message that cannot be made is a gap, which listeners notice. */
		skb = blktap_nl_event_msg(info, event, failure, blktap_event_seq);
		if (skb)
			genlmsg_multicast(&blktap_family, skb, 0, 0, BLKTAP_EVENT_GFP);
	}
	mutex_unlock(&blktap_event_lock);
}

void blktap_netlink_event_info(const struct blktap_tap_info *info, enum blktap_event event)
{
	blktap_nl_send_event(info, event, NULL);
}

void blktap_netlink_event_dropped(struct blktap_tap *tap, u64 offset, u64 length, u32 error)
{
	struct blktap_failure range = { .offset = offset, .length = length, .error = error };
	struct blktap_tap_info info;

	lockdep_assert_held(&tap->lock);
	blktap_tap_info(tap, &info);
	blktap_nl_send_event(&info, BLKTAP_EVENT_EXTENT_DROPPED, &range);
}

void blktap_netlink_event_failure(struct blktap_tap *tap, const struct blktap_failure *failure)
{
	struct blktap_tap_info info;

	lockdep_assert_held(&tap->lock);
	blktap_tap_info(tap, &info);
	blktap_nl_send_event(&info, BLKTAP_EVENT_IO_ERROR, failure);
}

void blktap_netlink_event(struct blktap_tap *tap, enum blktap_event event)
{
	struct blktap_tap_info info;

	lockdep_assert_held(&tap->lock);
	blktap_tap_info(tap, &info);
	blktap_netlink_event_info(&info, event);
}

static struct sk_buff *blktap_nl_new_reply(struct genl_info *info, void **hdr)
{
	struct sk_buff *skb = genlmsg_new(BLKTAP_TAP_MSG_SIZE, GFP_KERNEL);

	if (skb)
		*hdr = genlmsg_put_reply(skb, info, &blktap_family, 0, info->genlhdr->cmd);
	else
		NL_SET_ERR_MSG(info->extack, "no memory for the reply");

	return skb;
}

static int blktap_nl_reply_tap(struct genl_info *info, struct blktap_tap *tap)
{
	struct blktap_tap_info tap_info;
	struct sk_buff *skb;
	void *hdr;

	blktap_tap_lock(tap);
	blktap_tap_info(tap, &tap_info);
	blktap_tap_unlock(tap);

	skb = blktap_nl_new_reply(info, &hdr);
	if (!skb)
		return -ENOMEM;

	if (!hdr || blktap_nl_put_tap(skb, &tap_info)) {
		nlmsg_free(skb);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, hdr);

	return genlmsg_reply(skb, info);
}

static int blktap_nl_get_features(struct sk_buff *request, struct genl_info *info)
{
	struct sk_buff *skb;
	void *hdr;

	skb = blktap_nl_new_reply(info, &hdr);
	if (!skb)
		return -ENOMEM;

	if (!hdr || nla_put_u32(skb, BLKTAP_A_ABI, BLKTAP_ABI_VERSION) ||
	    blktap_nl_put_u64(skb, BLKTAP_A_FEATURES, BLKTAP_FEATURES) ||
	    nla_put_u32(skb, BLKTAP_A_MAX_MINORS, BLKTAP_MAX_MINORS) ||
	    nla_put_u32(skb, BLKTAP_A_MAX_QUEUES, nr_cpu_ids) ||
	    nla_put_u32(skb, BLKTAP_A_MAX_DEPTH, BLKTAP_MAX_DEPTH) ||
	    nla_put_u32(skb, BLKTAP_A_MAX_IO_LIMIT, BLKTAP_MAX_IO)) {
		nlmsg_free(skb);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, hdr);

	return genlmsg_reply(skb, info);
}

/* A choice of 0 or 1, and what it is if nothing is said. */
static int blktap_nl_parse_choice(struct genl_info *info, int attr, u32 otherwise, u32 *choice)
{
	*choice = info->attrs[attr] ? nla_get_u32(info->attrs[attr]) : otherwise;
	if (*choice <= 1)
		return 0;

	NL_SET_ERR_MSG_ATTR(info->extack, info->attrs[attr], "there is no such policy");
	return -EINVAL;
}

static int blktap_nl_parse_ms(struct genl_info *info, int attr, u32 otherwise, u32 *ms)
{
	*ms = info->attrs[attr] ? nla_get_u32(info->attrs[attr]) : otherwise;
	if (*ms <= BLKTAP_MAX_TIME_MS)
		return 0;

	NL_SET_ERR_MSG_ATTR(info->extack, info->attrs[attr], "the time is more than a day");
	return -ERANGE;
}

static int blktap_nl_parse_recovery(struct genl_info *info, struct blktap_config *config)
{
	int err;

	err = blktap_nl_parse_choice(info, BLKTAP_A_ON_DEATH, BLKTAP_ON_DEATH_HOLD,
				     &config->on_death);
	if (!err)
		err = blktap_nl_parse_choice(info, BLKTAP_A_ON_TIMEOUT, BLKTAP_ON_TIMEOUT_REPORT,
					     &config->on_timeout);
	if (!err)
		err = blktap_nl_parse_ms(info, BLKTAP_A_HOLD_MS, BLKTAP_DEFAULT_HOLD_MS,
					 &config->hold_ms);
	if (!err)
		err = blktap_nl_parse_ms(info, BLKTAP_A_IO_TIMEOUT_MS, 0, &config->io_timeout_ms);
	if (err)
		return err;

	if (info->attrs[BLKTAP_A_HOLD_MS] && config->on_death != BLKTAP_ON_DEATH_HOLD) {
		NL_SET_ERR_MSG_ATTR(info->extack, info->attrs[BLKTAP_A_HOLD_MS],
				    "a hold time is for on-death=hold");
		return -EINVAL;
	}
	return 0;
}

static int blktap_nl_parse_geometry(struct genl_info *info, struct blktap_config *config)
{
	struct nlattr **attrs = info->attrs;

	config->queues = min_t(u32, BLKTAP_DEFAULT_QUEUES, num_online_cpus());
	config->depth = BLKTAP_DEFAULT_DEPTH;
	config->max_io = BLKTAP_DEFAULT_IO;

	if (attrs[BLKTAP_A_QUEUES])
		config->queues = nla_get_u32(attrs[BLKTAP_A_QUEUES]);
	if (!config->queues || config->queues > nr_cpu_ids) {
		NL_SET_ERR_MSG_ATTR(info->extack, attrs[BLKTAP_A_QUEUES],
				    "queues is not from 1 to the number of CPUs");
		return -ERANGE;
	}

	if (attrs[BLKTAP_A_DEPTH])
		config->depth = nla_get_u32(attrs[BLKTAP_A_DEPTH]);
	if (!config->depth || config->depth > BLKTAP_MAX_DEPTH) {
		NL_SET_ERR_MSG_ATTR(info->extack, attrs[BLKTAP_A_DEPTH],
				    "depth is not from 1 to 1024");
		return -ERANGE;
	}

	if (attrs[BLKTAP_A_MAX_IO])
		config->max_io = nla_get_u32(attrs[BLKTAP_A_MAX_IO]);
	if (config->max_io < max_t(u32, BLKTAP_MIN_IO, PAGE_SIZE) ||
	    config->max_io > BLKTAP_MAX_IO) {
		NL_SET_ERR_MSG_ATTR(info->extack, attrs[BLKTAP_A_MAX_IO],
				    "max-io is not from one page to 4 MiB");
		return -ERANGE;
	}
	if (config->max_io % BLKTAP_MIN_IO) {
		NL_SET_ERR_MSG_ATTR(info->extack, attrs[BLKTAP_A_MAX_IO],
				    "max-io is not a multiple of 4096");
		return -EINVAL;
	}

	return 0;
}

static int blktap_nl_parse_identity(struct genl_info *info, int *minor,
				    struct blktap_config *config)
{
	struct nlattr **attrs = info->attrs;
	u32 wanted;

	*minor = -1;
	if (attrs[BLKTAP_A_MINOR]) {
		wanted = nla_get_u32(attrs[BLKTAP_A_MINOR]);
		if (wanted >= BLKTAP_MAX_MINORS) {
			NL_SET_ERR_MSG_ATTR(info->extack, attrs[BLKTAP_A_MINOR],
					    "the minor is above 65535");
			return -ERANGE;
		}
		*minor = wanted;
	}

	if (attrs[BLKTAP_A_SERIAL])
		nla_strscpy(config->serial, attrs[BLKTAP_A_SERIAL], sizeof(config->serial));

	if (attrs[BLKTAP_A_UUID]) {
		config->has_uuid = true;
		memcpy(config->uuid, nla_data(attrs[BLKTAP_A_UUID]), BLKTAP_UUID_LEN);
	}

	return 0;
}

static int blktap_nl_new_tap(struct sk_buff *request, struct genl_info *info)
{
	struct blktap_config config = {};
	struct blktap_tap *tap;
	int minor;
	int err;

	err = blktap_nl_parse_geometry(info, &config);
	if (!err)
		err = blktap_nl_parse_recovery(info, &config);
	if (!err)
		err = blktap_nl_parse_identity(info, &minor, &config);
	if (err)
		return err;

	tap = blktap_tap_new(minor, &config, info->extack);
	if (IS_ERR(tap)) {
		if (PTR_ERR(tap) == -ENOMEM)
			NL_SET_ERR_MSG(info->extack, "out of memory");
		return PTR_ERR(tap);
	}

	/* A caller that cannot be told its minor could never free it. */
	err = blktap_nl_reply_tap(info, tap);
	if (err)
		blktap_tap_end(tap, false, info->extack);
	blktap_tap_put(tap);

	return err;
}

static int blktap_nl_minor(struct genl_info *info, u32 *minor)
{
	if (!info->attrs[BLKTAP_A_MINOR]) {
		NL_SET_ERR_MSG(info->extack, "no minor is given");
		return -EINVAL;
	}

	*minor = nla_get_u32(info->attrs[BLKTAP_A_MINOR]);
	return 0;
}

static int blktap_nl_del_tap(struct sk_buff *request, struct genl_info *info)
{
	u32 minor;
	int err;

	err = blktap_nl_minor(info, &minor);
	if (err)
		return err;

	return blktap_tap_del(minor, nla_get_flag(info->attrs[BLKTAP_A_FORCE]), info->extack);
}

static int blktap_nl_end_session(struct sk_buff *request, struct genl_info *info)
{
	struct nlattr **attrs = info->attrs;
	u32 minor, pid = 0;
	int err;

	err = blktap_nl_minor(info, &minor);
	if (err)
		return err;

	if (attrs[BLKTAP_A_PID]) {
		pid = nla_get_u32(attrs[BLKTAP_A_PID]);
		if (!pid) {
			NL_SET_ERR_MSG_ATTR(info->extack, attrs[BLKTAP_A_PID], "no process is 0");
			return -EINVAL;
		}
	}

	return blktap_tap_end_session(minor, pid, nla_get_flag(attrs[BLKTAP_A_FORCE]),
				      info->extack);
}

static int blktap_nl_get_tap(struct sk_buff *request, struct genl_info *info)
{
	struct blktap_tap *tap;
	u32 minor;
	int err;

	err = blktap_nl_minor(info, &minor);
	if (err)
		return err;

	tap = blktap_tap_find(minor);
	if (!tap) {
		NL_SET_ERR_MSG_ATTR(info->extack, info->attrs[BLKTAP_A_MINOR], "no such minor");
		return -ENODEV;
	}

	err = blktap_nl_reply_tap(info, tap);
	blktap_tap_put(tap);

	return err;
}

static int blktap_nl_dump_one(struct sk_buff *skb, struct netlink_callback *cb,
			      struct blktap_tap *tap)
{
	struct blktap_tap_info info;
	void *hdr;

	blktap_tap_lock(tap);
	blktap_tap_info(tap, &info);
	blktap_tap_unlock(tap);

	hdr = genlmsg_put(skb, NETLINK_CB(cb->skb).portid, cb->nlh->nlmsg_seq, &blktap_family,
			  NLM_F_MULTI, BLKTAP_CMD_GET_TAP);
	if (!hdr)
		return -EMSGSIZE;

	genl_dump_check_consistent(cb, hdr);
	if (blktap_nl_put_tap(skb, &info)) {
		genlmsg_cancel(skb, hdr);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, hdr);

	return 0;
}

static int blktap_nl_dump_taps(struct sk_buff *skb, struct netlink_callback *cb)
{
	unsigned long minor = cb->args[0];
	struct blktap_tap *tap;
	int err = 0;

	cb->seq = blktap_tap_generation();

	while (!err && (tap = blktap_tap_next(&minor))) {
		err = blktap_nl_dump_one(skb, cb, tap);
		blktap_tap_put(tap);
		if (!err)
			minor++;
	}
	cb->args[0] = minor;

	return skb->len;
}

static int blktap_nl_permit(const struct sk_buff *skb, struct netlink_ext_ack *extack)
{
	if (netlink_capable(skb, CAP_SYS_ADMIN))
		return 0;

	NL_SET_ERR_MSG(extack, "CAP_SYS_ADMIN in the initial user namespace is needed");
	return -EPERM;
}

static int blktap_nl_pre_doit(const struct genl_split_ops *ops, struct sk_buff *skb,
			      struct genl_info *info)
{
	return blktap_nl_permit(skb, info->extack);
}

static int blktap_nl_dump_start(struct netlink_callback *cb)
{
	return blktap_nl_permit(cb->skb, cb->extack);
}

/* An operation takes what its policy lists; the rest is refused as unsupported. */
static const struct nla_policy blktap_no_attrs[BLKTAP_A_MINOR + 1] = {};

static const struct nla_policy blktap_minor_attrs[BLKTAP_A_MINOR + 1] = {
	[BLKTAP_A_MINOR]	= { .type = NLA_U32 },
};

static const struct nla_policy blktap_new_attrs[BLKTAP_A_ON_TIMEOUT + 1] = {
	[BLKTAP_A_MINOR]	= { .type = NLA_U32 },
	[BLKTAP_A_QUEUES]	= { .type = NLA_U32 },
	[BLKTAP_A_DEPTH]	= { .type = NLA_U32 },
	[BLKTAP_A_MAX_IO]	= { .type = NLA_U32 },
	[BLKTAP_A_ON_DEATH]	= { .type = NLA_U32 },
	[BLKTAP_A_HOLD_MS]	= { .type = NLA_U32 },
	[BLKTAP_A_IO_TIMEOUT_MS] = { .type = NLA_U32 },
	[BLKTAP_A_SERIAL]	= { .type = NLA_NUL_STRING, .len = BLKTAP_MAX_SERIAL },
	[BLKTAP_A_UUID]		= NLA_POLICY_EXACT_LEN(BLKTAP_UUID_LEN),
	[BLKTAP_A_ON_TIMEOUT]	= { .type = NLA_U32 },
};

static const struct nla_policy blktap_del_attrs[BLKTAP_A_FORCE + 1] = {
	[BLKTAP_A_MINOR]	= { .type = NLA_U32 },
	[BLKTAP_A_FORCE]	= { .type = NLA_FLAG },
};

static const struct nla_policy blktap_end_attrs[BLKTAP_A_FORCE + 1] = {
	[BLKTAP_A_MINOR]	= { .type = NLA_U32 },
	[BLKTAP_A_PID]		= { .type = NLA_U32 },
	[BLKTAP_A_FORCE]	= { .type = NLA_FLAG },
};

static const struct genl_ops blktap_ops[] = {
	{
		.cmd		= BLKTAP_CMD_GET_FEATURES,
		.doit		= blktap_nl_get_features,
		.policy		= blktap_no_attrs,
		.maxattr	= ARRAY_SIZE(blktap_no_attrs) - 1,
	},
	{
		.cmd		= BLKTAP_CMD_NEW_TAP,
		.doit		= blktap_nl_new_tap,
		.policy		= blktap_new_attrs,
		.maxattr	= ARRAY_SIZE(blktap_new_attrs) - 1,
	},
	{
		.cmd		= BLKTAP_CMD_DEL_TAP,
		.doit		= blktap_nl_del_tap,
		.policy		= blktap_del_attrs,
		.maxattr	= ARRAY_SIZE(blktap_del_attrs) - 1,
	},
	{
		.cmd		= BLKTAP_CMD_GET_TAP,
		.doit		= blktap_nl_get_tap,
		.start		= blktap_nl_dump_start,
		.dumpit		= blktap_nl_dump_taps,
		.policy		= blktap_minor_attrs,
		.maxattr	= ARRAY_SIZE(blktap_minor_attrs) - 1,
	},
	{
		.cmd		= BLKTAP_CMD_END_SESSION,
		.doit		= blktap_nl_end_session,
		.policy		= blktap_end_attrs,
		.maxattr	= ARRAY_SIZE(blktap_end_attrs) - 1,
	},
};

static const struct genl_multicast_group blktap_groups[] = {
	{ .name = BLKTAP_GENL_GROUP, .flags = GENL_MCAST_CAP_SYS_ADMIN },
};

static struct genl_family blktap_family __ro_after_init = {
	.name		= BLKTAP_GENL_NAME,
	.version	= BLKTAP_GENL_VERSION,
	.module		= THIS_MODULE,
	.parallel_ops	= true,
	.ops		= blktap_ops,
	.n_ops		= ARRAY_SIZE(blktap_ops),
	.mcgrps		= blktap_groups,
	.n_mcgrps	= ARRAY_SIZE(blktap_groups),
	.pre_doit	= blktap_nl_pre_doit,
};

int blktap_netlink_init(void)
{
	return genl_register_family(&blktap_family);
}

void blktap_netlink_exit(void)
{
	genl_unregister_family(&blktap_family);
}
