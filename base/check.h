/* check.h - what cannot happen stops the process; what can is returned as -errno.
 * CHECK is for invariants that this process, or a lock it holds, vouches for. Never for bytes that
 * another process wrote: an assertion on those is a remote kill switch. */
#ifndef PLM_CHECK_H
#define PLM_CHECK_H

#include <stddef.h>

_Noreturn void check_failed(const char *file, int line, const char *what);

#define CHECK(condition)                                              \
	do {                                                          \
		if (__builtin_expect(!(condition), 0))                \
			check_failed(__FILE__, __LINE__, #condition); \
	} while (0)

/* A whole-structure check after each mutation, in debug builds only. */
#ifdef PLM_DEBUG
#define EXPENSIVE(condition) CHECK(condition)
#else
#define EXPENSIVE(condition) ((void)0)
#endif

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#endif
