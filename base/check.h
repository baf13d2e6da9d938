/* check.h - an impossible state stops the process; a failure that can happen is returned as -errno.
 * CHECK is for invariants that our own process, or a lock held by our process, vouches for. Never
 * CHECK bytes that another process wrote: such an assertion is a remote kill switch. */
#ifndef PLM_CHECK_H
#define PLM_CHECK_H

#include <stddef.h>

_Noreturn void check_failed(const char *file, int line, const char *what);

/* How a failed check is told; NULL: on stderr. The log of a process of the runtime sets another. */
typedef void check_tell_f(const char *file, int line, const char *what);
extern check_tell_f *check_tell;

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
