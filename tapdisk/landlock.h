/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where names can be made and removed: filters of system calls see no names.
 */
#ifndef TAPDISK_LANDLOCK_H
#define TAPDISK_LANDLOCK_H

/*
 * From now on this thread, and those that it makes, can make regular files in @folder
 * and remove names there, and nowhere else. Opening what is there is as before. The
 * process must have ruled out new privileges. EOPNOTSUPP, ENOSYS: the kernel cannot.
 */
int landlock_confine(const char *folder);

#endif /* TAPDISK_LANDLOCK_H */
