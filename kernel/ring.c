// SPDX-License-Identifier: GPL-2.0-only
#include "ring.h"
#include "barrier.h"
#include "disk.h"
#include "queue.h"
#include "session.h"
#include "tap.h"

#include <linux/cdev.h>
#include <linux/device.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/pid.h>
#include <linux/poll.h>
#include <linux/uaccess.h>

static dev_t blktap_ring_dev;
static struct cdev blktap_cdev;

int blktap_copy_struct_in(void *to, size_t size, const void __user *from, u32 *user_size)
{
	if (get_user(*user_size, (const u32 __user *)from))
		return -EFAULT;
	if (*user_size < 2 * sizeof(u32))
		return -EINVAL;
	if (*user_size > PAGE_SIZE)
		return -E2BIG;

	return copy_struct_from_user(to, size, from, *user_size);
}

int blktap_copy_struct_out(void __user *to, const void *from, size_t size, u32 user_size)
{
	return copy_to_user(to, from, min_t(size_t, size, user_size)) ? -EFAULT : 0;
}

/* What is out is 0 on entry. */
static bool blktap_attach_is_clean(const struct blktap_attach *attach)
{
	struct blktap_attach out = *attach;

	out.pid = 0;
	return !memchr_inv(&out.epoch, 0, sizeof(out) - offsetof(struct blktap_attach, epoch));
}

static long blktap_ring_attach(struct blktap_session *session, struct file *file,
			       void __user *arg)
{
	struct blktap_attach attach;
	u32 user_size;
	int err;

	err = blktap_copy_struct_in(&attach, sizeof(attach), arg, &user_size);
	if (err)
		return err;
	if (!blktap_attach_is_clean(&attach))
		return -EINVAL;
	if (attach.flags & ~BLKTAP_ATTACH_TAKEOVER)
		return -EINVAL;
	if (attach.pid && !(attach.flags & BLKTAP_ATTACH_TAKEOVER))
		return -EINVAL;
	if (attach.features & ~BLKTAP_FEATURES)
		return -EOPNOTSUPP;
	if ((attach.flags & BLKTAP_ATTACH_TAKEOVER) && !(attach.features & BLKTAP_F_TAKEOVER))
		return -EOPNOTSUPP;
	if (!(file->f_mode & FMODE_READ) || !(file->f_mode & FMODE_WRITE))
		return -EBADF;

	err = blktap_session_attach(session, file, &attach);
	if (err)
		return err;

	attach.size = sizeof(attach);
	return blktap_copy_struct_out(arg, &attach, sizeof(attach), user_size);
}

static long blktap_ring_start(struct blktap_session *session, const void __user *arg)
{
	struct blktap_start start;
	u32 user_size;
	int err;

	err = blktap_copy_struct_in(&start, sizeof(start), arg, &user_size);
	if (err)
		return err;
	if (start.reserved0 || memchr_inv(start.reserved, 0, sizeof(start.reserved)))
		return -EINVAL;

	return blktap_disk_start(session, &start);
}

static long blktap_ring_stop(struct blktap_session *session, const void __user *arg)
{
	struct blktap_stop stop;
	u32 user_size;
	int err;

	err = blktap_copy_struct_in(&stop, sizeof(stop), arg, &user_size);
	if (err)
		return err;
	if (stop.flags & ~BLKTAP_STOP_FORCE)
		return -EINVAL;

	return blktap_disk_stop(session, stop.flags & BLKTAP_STOP_FORCE);
}

static long blktap_ring_resize(struct blktap_session *session, const void __user *arg)
{
	struct blktap_resize resize;
	u32 user_size;
	int err;

	err = blktap_copy_struct_in(&resize, sizeof(resize), arg, &user_size);
	if (err)
		return err;
	if (resize.flags)
		return -EINVAL;

	return blktap_disk_resize(session, resize.capacity);
}

static int blktap_ring_read_state(struct blktap_session *session, struct blktap_state *state)
{
	struct blktap_tap *tap = session->tap;
	struct blktap_tap_info info;

	blktap_tap_lock(tap);
	if (!blktap_session_attached(session)) {
		blktap_tap_unlock(tap);
		return -ENODEV;
	}
	WRITE_ONCE(session->event, false);
	blktap_tap_info(tap, &info);
	state->error = tap->start_error;
	blktap_tap_unlock(tap);

	state->size = sizeof(*state);
	state->disk_state = info.disk_state;
	state->openers = info.openers;
	state->recovery = info.recovery;
	state->capacity = info.capacity;
	state->rejected = info.counts.rejected;

	return 0;
}

static long blktap_ring_get_state(struct blktap_session *session, void __user *arg)
{
	struct blktap_state state;
	u32 user_size;
	int err;

	err = blktap_copy_struct_in(&state, sizeof(state), arg, &user_size);
	if (err)
		return err;
	if (state.flags || state.recovery ||
	    memchr_inv(state.reserved, 0, sizeof(state.reserved)))
		return -EINVAL;

	err = blktap_ring_read_state(session, &state);
	if (err)
		return err;

	return blktap_copy_struct_out(arg, &state, sizeof(state), user_size);
}

static long blktap_ring_get_queue_fd(struct blktap_session *session, const void __user *arg)
{
	struct blktap_queue_fd request;
	u32 user_size;
	int err;

	err = blktap_copy_struct_in(&request, sizeof(request), arg, &user_size);
	if (err)
		return err;
	if (request.flags || request.reserved)
		return -EINVAL;
	if (!blktap_session_attached(session))
		return -ENODEV;
	if (request.queue >= session->nr_queues)
		return -EINVAL;

	return blktap_queue_get_fd(&session->queues[request.queue]);
}

static int blktap_ring_need(struct blktap_session *session, u64 features)
{
	if (!blktap_session_attached(session))
		return -ENODEV;

	return session->features & features ? 0 : -EOPNOTSUPP;
}

static long blktap_ring_hold(struct blktap_session *session, const void __user *arg, bool hold)
{
	struct blktap_hold request;
	u32 user_size;
	int err;

	err = blktap_copy_struct_in(&request, sizeof(request), arg, &user_size);
	if (err)
		return err;
	if (request.flags)
		return -EINVAL;
	err = blktap_ring_need(session, BLKTAP_F_HOLD);
	if (err)
		return err;

	return blktap_disk_hold(session, hold);
}

static long blktap_ring_register_file(struct blktap_session *session, void __user *arg)
{
	struct blktap_register_file request;
	u32 user_size;
	int err;

	err = blktap_copy_struct_in(&request, sizeof(request), arg, &user_size);
	if (err)
		return err;
	if (request.slot || memchr_inv(request.reserved, 0, sizeof(request.reserved)))
		return -EINVAL;
	/* Who is not told the slot could not free it. */
	if (user_size < offsetofend(struct blktap_register_file, slot))
		return -EINVAL;
	err = blktap_ring_need(session, BLKTAP_F_REDIRECT | BLKTAP_F_EXTENTS);
	if (err)
		return err;

	err = blktap_file_register(session, request.fd, request.flags, &request.slot);
	if (err)
		return err;

	request.size = sizeof(request);
	err = blktap_copy_struct_out(arg, &request, sizeof(request), user_size);
	if (err)
		blktap_file_unregister(session, request.slot);
	return err;
}

/* For all that the kernel's I/O touches: nothing of it, then no open file. */
static int blktap_ring_wait(struct blktap_session *session)
{
	int err = blktap_barrier_wait(session);

	return err ? err : blktap_files_wait(session);
}

static long blktap_ring_unregister_file(struct blktap_session *session, const void __user *arg)
{
	struct blktap_unregister_file request;
	u32 user_size;
	int err;

	err = blktap_copy_struct_in(&request, sizeof(request), arg, &user_size);
	if (err)
		return err;
	if ((request.flags & ~BLKTAP_UNMAP_WAIT) || request.reserved)
		return -EINVAL;
	err = blktap_ring_need(session, BLKTAP_F_REDIRECT | BLKTAP_F_EXTENTS);
	if (err)
		return err;

	err = blktap_file_unregister(session, request.slot);
	if (!err && (request.flags & BLKTAP_UNMAP_WAIT))
		err = blktap_ring_wait(session);
	return err;
}

static long blktap_ring_map_extent(struct blktap_session *session, const void __user *arg)
{
	struct blktap_map_extent request;
	u32 user_size;
	int err;

	err = blktap_copy_struct_in(&request, sizeof(request), arg, &user_size);
	if (err)
		return err;
	if (request.reserved)
		return -EINVAL;
	err = blktap_ring_need(session, BLKTAP_F_EXTENTS);
	if (err)
		return err;

	return blktap_extent_map(session, &request);
}

static long blktap_ring_unmap_extent(struct blktap_session *session, const void __user *arg)
{
	struct blktap_unmap_extent request;
	u32 user_size;
	int err;

	err = blktap_copy_struct_in(&request, sizeof(request), arg, &user_size);
	if (err)
		return err;
	if (request.flags & ~BLKTAP_UNMAP_WAIT)
		return -EINVAL;
	/* Without extents it is the way to wait for redirects. */
	err = blktap_ring_need(session, BLKTAP_F_REDIRECT | BLKTAP_F_EXTENTS);
	if (err)
		return err;

	err = blktap_extent_unmap(session, request.offset, request.length);
	if (!err && (request.flags & BLKTAP_UNMAP_WAIT))
		err = blktap_ring_wait(session);
	return err;
}

/* The structures may grow, so their sizes do not tell one call from another. */
#define BLKTAP_IOC_WITHOUT_SIZE(cmd)	((cmd) & ~IOCSIZE_MASK)

static long blktap_ring_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct blktap_session *session = file->private_data;
	void __user *user = (void __user *)arg;

	switch (BLKTAP_IOC_WITHOUT_SIZE(cmd)) {
	case BLKTAP_IOC_WITHOUT_SIZE(BLKTAP_IOC_ATTACH):
		return blktap_ring_attach(session, file, user);
	case BLKTAP_IOC_WITHOUT_SIZE(BLKTAP_IOC_START):
		return blktap_ring_start(session, user);
	case BLKTAP_IOC_WITHOUT_SIZE(BLKTAP_IOC_STOP):
		return blktap_ring_stop(session, user);
	case BLKTAP_IOC_WITHOUT_SIZE(BLKTAP_IOC_RESIZE):
		return blktap_ring_resize(session, user);
	case BLKTAP_IOC_WITHOUT_SIZE(BLKTAP_IOC_GET_STATE):
		return blktap_ring_get_state(session, user);
	case BLKTAP_IOC_WITHOUT_SIZE(BLKTAP_IOC_GET_QUEUE_FD):
		return blktap_ring_get_queue_fd(session, user);
	case BLKTAP_IOC_WITHOUT_SIZE(BLKTAP_IOC_HOLD):
		return blktap_ring_hold(session, user, true);
	case BLKTAP_IOC_WITHOUT_SIZE(BLKTAP_IOC_RELEASE):
		return blktap_ring_hold(session, user, false);
	case BLKTAP_IOC_WITHOUT_SIZE(BLKTAP_IOC_REGISTER_FILE):
		return blktap_ring_register_file(session, user);
	case BLKTAP_IOC_WITHOUT_SIZE(BLKTAP_IOC_UNREGISTER_FILE):
		return blktap_ring_unregister_file(session, user);
	case BLKTAP_IOC_WITHOUT_SIZE(BLKTAP_IOC_MAP_EXTENT):
		return blktap_ring_map_extent(session, user);
	case BLKTAP_IOC_WITHOUT_SIZE(BLKTAP_IOC_UNMAP_EXTENT):
		return blktap_ring_unmap_extent(session, user);
	default:
		return -ENOTTY;
	}
}

static __poll_t blktap_ring_poll(struct file *file, poll_table *wait)
{
	struct blktap_session *session = file->private_data;
	__poll_t mask = 0;

	poll_wait(file, &session->wait, wait);

	if (READ_ONCE(session->event))
		mask |= EPOLLPRI;
	if (READ_ONCE(session->state) == BLKTAP_SESSION_ENDED)
		mask |= EPOLLERR | EPOLLHUP;

	return mask;
}

static int blktap_ring_mmap(struct file *file, struct vm_area_struct *vma)
{
	return blktap_session_mmap(file->private_data, vma);
}

static void blktap_ring_show_fdinfo(struct seq_file *m, struct file *file)
{
	blktap_files_show(file->private_data, m);
}

static int blktap_ring_open(struct inode *inode, struct file *file)
{
	struct blktap_session *session;
	struct blktap_tap *tap;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;

	tap = blktap_tap_find(iminor(inode));
	if (!tap)
		return -ENODEV;

	session = blktap_session_new(tap);
	blktap_tap_put(tap);
	if (!session)
		return -ENOMEM;

	file->private_data = session;
	return nonseekable_open(inode, file);
}

static int blktap_ring_release(struct inode *inode, struct file *file)
{
	struct blktap_session *session = file->private_data;

	blktap_session_end(session);
	blktap_session_release(session);
	blktap_session_put(session);

	return 0;
}

static const struct file_operations blktap_ring_fops = {
	.owner		= THIS_MODULE,
	.open		= blktap_ring_open,
	.release	= blktap_ring_release,
	.unlocked_ioctl	= blktap_ring_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
	.poll		= blktap_ring_poll,
	.mmap		= blktap_ring_mmap,
	.show_fdinfo	= blktap_ring_show_fdinfo,
};

/* For scripts that look for a tap's process in sysfs; empty without one. */
static ssize_t task_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct blktap_tap *tap = dev_get_drvdata(dev);
	ssize_t len = 0;

	blktap_tap_lock(tap);
	if (tap->session)
		len = sysfs_emit(buf, "%d\n", pid_nr(tap->session->pid));
	blktap_tap_unlock(tap);

	return len;
}
static DEVICE_ATTR_RO(task);

static struct attribute *blktap_ring_attrs[] = {
	&dev_attr_task.attr,
	NULL,
};
ATTRIBUTE_GROUPS(blktap_ring);

static char *blktap_ring_devnode(blktap_devnode_device *dev, umode_t *mode)
{
	if (mode)
		*mode = 0600;
	return kasprintf(GFP_KERNEL, BLKTAP_RING_NAME, MINOR(dev->devt));
}

static struct class blktap_ring_class = {
	.name		= "blktap2",
	.dev_groups	= blktap_ring_groups,
	.devnode	= blktap_ring_devnode,
};

int blktap_ring_add_node(struct blktap_tap *tap)
{
	dev_t devt = MKDEV(MAJOR(blktap_ring_dev), tap->minor);

	return PTR_ERR_OR_ZERO(device_create(&blktap_ring_class, NULL, devt, tap,
					     "blktap!blktap%u", tap->minor));
}

void blktap_ring_remove_node(struct blktap_tap *tap)
{
	device_destroy(&blktap_ring_class, MKDEV(MAJOR(blktap_ring_dev), tap->minor));
}

u32 blktap_ring_major(void)
{
	return MAJOR(blktap_ring_dev);
}

int blktap_ring_init(void)
{
	int err;

	err = alloc_chrdev_region(&blktap_ring_dev, 0, BLKTAP_MAX_MINORS, "blktap2");
	if (err)
		return err;

	err = class_register(&blktap_ring_class);
	if (err)
		goto err_region;

	cdev_init(&blktap_cdev, &blktap_ring_fops);
	blktap_cdev.owner = THIS_MODULE;
	err = cdev_add(&blktap_cdev, blktap_ring_dev, BLKTAP_MAX_MINORS);
	if (err)
		goto err_class;

	return 0;

err_class:
	class_unregister(&blktap_ring_class);
err_region:
	unregister_chrdev_region(blktap_ring_dev, BLKTAP_MAX_MINORS);
	return err;
}

void blktap_ring_exit(void)
{
	cdev_del(&blktap_cdev);
	class_unregister(&blktap_ring_class);
	unregister_chrdev_region(blktap_ring_dev, BLKTAP_MAX_MINORS);
}
