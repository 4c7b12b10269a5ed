/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef BLKTAP_TAPDISKS_H
#define BLKTAP_TAPDISKS_H

/* Removes the sockets that dead tapdisks left behind. */
void tapdisks_sweep(void);

#endif /* BLKTAP_TAPDISKS_H */
