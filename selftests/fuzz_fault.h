/* SPDX-License-Identifier: GPL-2.0-only */
/* Touching memory that may not be there: the signal ends the statement, no more. */
#ifndef FUZZ_FAULT_H
#define FUZZ_FAULT_H

#include <setjmp.h>
#include <stdbool.h>

extern _Thread_local sigjmp_buf fuzz_fault;
extern _Thread_local bool fuzz_fault_set;

#define FUZZ_GUARDED(statement)					\
	do {							\
		fuzz_fault_set = true;				\
		if (!sigsetjmp(fuzz_fault, 0))			\
			statement;				\
		fuzz_fault_set = false;				\
	} while (0)

#endif
