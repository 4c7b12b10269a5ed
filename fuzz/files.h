/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The only files that a fuzz target opens: /a, /b and /odd, and one that it puts there. They
 * are in memory.
 * The linker turns open() and stat() here (--wrap), since an input can name any file.
 */
#ifndef FUZZ_FILES_H
#define FUZZ_FILES_H

#include <stddef.h>
#include <sys/stat.h>

void files_make(void);
/* As they were at first. */
void files_reset(void);
/* In place of the one that was put before; the owner alone may write it. */
void files_put(const char *path, const void *data, size_t size);

/* The linker's names. */
int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __real_stat(const char *path, struct stat *st);
int __wrap_stat(const char *path, struct stat *st);

#endif /* FUZZ_FILES_H */
