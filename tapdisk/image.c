// SPDX-License-Identifier: GPL-2.0-only
/*
 * The table of image types.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "image.h"

static const struct image_driver *const drivers[] = {
	&aio_driver,
	&null_driver,
	&ram_driver,
	&scatter_driver,
};

/* Types that other tapdisks have, so that the answer can tell them from typos. */
static const char *const known_types[] = {
	"block-cache", "lcache", "llecache", "llpcache", "log", "nbd", "qcow", "qcow2", "remus",
	"sync", "valve", "vhd", "vhdi", "vhdsync", "vmdk",
};

static bool is_type(const char *name, const char *type, size_t length)
{
	return strlen(name) == length && memcmp(name, type, length) == 0;
}

static void list_drivers(char *buf, size_t size)
{
	size_t used = 0, i;

	buf[0] = '\0';
	for (i = 0; i < ARRAY_SIZE(drivers) && used < size; i++)
		used += snprintf(buf + used, size - used, "%s%s", i ? ", " : "",
				 drivers[i]->name);
}

static int unknown_type(const char *type, size_t length, struct blktap_error *err)
{
	int shown = length > 32 ? 32 : (int)length;
	char names[64];
	size_t i;

	list_drivers(names, sizeof(names));
	for (i = 0; i < ARRAY_SIZE(known_types); i++)
		if (is_type(known_types[i], type, length))
			return blktap_error_set(err, -EOPNOTSUPP, "image type %s is not built into this "
						"tapdisk, which has %s", known_types[i], names);
	return blktap_error_set(err, -ENOENT, "there is no image type %.*s; this tapdisk has %s",
				shown, type, names);
}

static bool has_control_character(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return true;
	return false;
}

int image_find_driver(const char *spec, const struct image_driver **driver, const char **path,
		      struct blktap_error *err)
{
	const char *colon = strchr(spec, ':');
	size_t length, i;

	if (!colon || colon == spec)
		return blktap_error_set(err, -EINVAL, "%s is not of the form type:path", spec);
	length = colon - spec;
	for (i = 0; i < ARRAY_SIZE(drivers); i++) {
		if (!is_type(drivers[i]->name, spec, length))
			continue;
		if (!colon[1])
			return blktap_error_set(err, -EINVAL, "%s names no image", spec);
		if (has_control_character(colon))
			return blktap_error_set(err, -EINVAL, "the name of an image may not hold "
						"control characters, which would forge lines of "
						"lists");
		*driver = drivers[i];
		*path = colon + 1;
		return 0;
	}
	return unknown_type(spec, length, err);
}

static bool power_of_two(uint32_t n)
{
	return n && !(n & (n - 1));
}

/* What a driver says is checked here once, for all drivers. */
static int check_limits(const struct image_limits *l, const char *spec, struct blktap_error *err)
{
	if (!l->capacity)
		return blktap_error_set(err, -EINVAL, "%s is empty", spec);
	if (l->logical_block_size != 512 && l->logical_block_size != 4096)
		return blktap_error_set(err, -EINVAL, "%s has blocks of %u bytes; 512 and 4096 can "
					"be served", spec, l->logical_block_size);
	if (l->capacity > INT64_MAX)
		return blktap_error_set(err, -EFBIG, "%s is too large", spec);
	if (l->map_unit % l->logical_block_size)
		return blktap_error_set(err, -EINVAL, "%s has units of %llu bytes", spec,
					(unsigned long long)l->map_unit);
	if (!power_of_two(l->physical_block_size) ||
	    l->physical_block_size < l->logical_block_size)
		return blktap_error_set(err, -EINVAL, "%s has physical blocks of %u bytes", spec,
					l->physical_block_size);
	return 0;
}

/* ------------------------------------------------------------------ sharing */

struct image_table {
	pthread_mutex_t lock;
	struct list images;	/* open, with one user or more */
};

int image_table_new(struct image_table **table)
{
	*table = calloc(1, sizeof(**table));
	if (!*table)
		return -ENOMEM;
	list_init(&(*table)->images);
	pthread_mutex_init(&(*table)->lock, NULL);
	return 0;
}

void image_table_free(struct image_table *table)
{
	if (!table)
		return;
	pthread_mutex_destroy(&table->lock);
	free(table);
}

static bool is_alike(const struct image *image, const struct image_driver *driver,
		     const struct image_params *params)
{
	return image->driver == driver && image->no_direct == params->no_direct &&
	       strcmp(image->path, params->path) == 0;
}

/* One more user of an image, the youngest of those alike; or NULL. */
static struct image *take_alike(struct image_table *table, const struct image_driver *driver,
				const struct image_params *params)
{
	struct image *image, *found = NULL;

	pthread_mutex_lock(&table->lock);
	list_for_each(image, &table->images, link)
		if (is_alike(image, driver, params))
			found = image;
	if (found)
		found->users++;
	pthread_mutex_unlock(&table->lock);
	return found;
}

/* Without the lock: a server that does not answer holds up nobody else. */
static struct image *find_shared(const struct image_driver *driver,
				 const struct image_params *params)
{
	struct image *image;

	if (!params->table || !params->read_only || !driver->share)
		return NULL;
	image = take_alike(params->table, driver, params);
	if (image && driver->share(image, params)) {
		image_close(image);
		return NULL;
	}
	return image;
}

/* Two that were opened at the same time become one; gives back what to use. */
static struct image *add_shared(struct image *image, struct image_params *params)
{
	struct image *other = take_alike(params->table, image->driver, params);

	if (other && image->driver->share(other, params) == 0) {
		image_close(image);
		return other;
	}
	image_close(other);
	pthread_mutex_lock(&params->table->lock);
	image->table = params->table;
	list_add_tail(&params->table->images, &image->link);
	pthread_mutex_unlock(&params->table->lock);
	return image;
}

static bool was_last_user(struct image *image)
{
	struct image_table *table = image->table;
	bool last;

	if (!table)
		return true;
	pthread_mutex_lock(&table->lock);
	last = !--image->users;
	if (last)
		list_del(&image->link);
	pthread_mutex_unlock(&table->lock);
	return last;
}

/* --------------------------------------------------------- opening, closing */

/* It works without, too. */
static void identify(struct image *image)
{
	int fds[IMAGE_MAX_FILES];

	image->identity[0] = '\0';
	if (!image->driver->of_file)
		return;
	image->driver->descriptors(image, fds);
	image_identity(fds[0], "", image->identity);
}

static int finish_open(struct image *image, const char *spec, const struct image_params *params,
		       struct blktap_error *err)
{
	image->path = strdup(params->path);
	if (!image->path)
		return blktap_error_set(err, -ENOMEM, "no memory for %s", spec);
	image->no_direct = params->no_direct;
	image->read_only = params->read_only || image->limits.read_only;
	identify(image);
	return check_limits(&image->limits, spec, err);
}

static int open_new(struct image **image, const struct image_driver *driver, const char *spec,
		    const struct image_params *params, struct blktap_error *err)
{
	struct image *new;
	int ret = driver->open(&new, params, err);

	if (ret)
		return ret;
	list_init(&new->link);
	new->driver = driver;
	new->path = NULL;
	new->table = NULL;
	new->users = 1;
	ret = finish_open(new, spec, params, err);
	if (ret)
		image_close(new);
	else
		*image = new;
	return ret;
}

static int check_descriptors(const struct image_driver *driver, const char *spec,
			     const struct image_params *params, struct blktap_error *err)
{
	if (!params->adopt || params->nr_fds == driver->nr_descriptors)
		return 0;
	return blktap_error_set(err, -EPROTO, "%s comes with %u descriptors, but this tapdisk "
				"knows what to do with %u", spec, params->nr_fds,
				driver->nr_descriptors);
}

int image_open(struct image **image, const char *spec, struct image_params *params,
	       struct blktap_error *err)
{
	const struct image_driver *driver;
	int ret;

	*image = NULL;
	ret = image_find_driver(spec, &driver, &params->path, err);
	if (!ret)
		ret = check_descriptors(driver, spec, params, err);
	if (ret)
		return ret;
	*image = find_shared(driver, params);
	if (*image)
		return 0;
	ret = open_new(image, driver, spec, params, err);
	if (!ret && params->table && params->read_only && driver->share)
		*image = add_shared(*image, params);
	return ret;
}

int image_sync(struct image *image)
{
	return image->driver->sync ? image->driver->sync(image) : 0;
}

bool image_damaged(const struct image *image)
{
	return image->driver->damaged && image->driver->damaged(image);
}

void image_close(struct image *image)
{
	if (!image || !was_last_user(image))
		return;
	free(image->path);
	image->driver->close(image);
}
