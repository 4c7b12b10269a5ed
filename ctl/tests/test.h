/* SPDX-License-Identifier: GPL-2.0-only */
/* What cmocka wants included before it. */
#ifndef TAP_CTL_TEST_H
#define TAP_CTL_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#endif /* TAP_CTL_TEST_H */
