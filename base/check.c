#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>

check_tell_f *check_tell;

void check_failed(const char *file, int line, const char *what)
{
	if (check_tell)
		check_tell(file, line, what);
	else
		fprintf(stderr, "plm: bug: %s:%d: this must hold: %s\n", file, line, what);
	abort();
}
