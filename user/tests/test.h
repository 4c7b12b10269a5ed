/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What cmocka wants included before it. */
#ifndef BLKTAP_TEST_H
#define BLKTAP_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#endif /* BLKTAP_TEST_H */
