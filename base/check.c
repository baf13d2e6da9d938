#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>

void check_failed(const char *file, int line, const char *what)
{
	fprintf(stderr, "plm: bug: %s:%d: this must hold: %s\n", file, line, what);
	abort();
}
