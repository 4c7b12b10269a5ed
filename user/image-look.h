/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the name of an image leads to now, looked at in a thread: its storage may not answer.
 */
#ifndef BLKTAP_IMAGE_LOOK_H
#define BLKTAP_IMAGE_LOOK_H

#include "deadline.h"
#include "image-identity.h"

/*
 * @image is "type:path"; of a type without files, @identity is "". ETIMEDOUT: its storage has not
 * answered; EINTR: cancelled; otherwise an errno of stat(), ENOENT say.
 */
int image_look(const char *image, struct deadline deadline, char identity[IMAGE_IDENTITY_SIZE]);

#endif /* BLKTAP_IMAGE_LOOK_H */
