#include "cli/map/map_units.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/why.h"

int units_number(const char *what, const char *text, uint64_t least, uint64_t most, uint64_t *ret)
{
	static const char letters[] = "kmgtp";
	char *end;
	double number = strtod(text, &end);
	const char *letter = *end ? strchr(letters, tolower((unsigned char)*end)) : NULL;
	double unit = letter && *end == *letter ? 1000 : 1024;
	bool good = end > text && isdigit((unsigned char)text[0]) && (!*end || (letter && !end[1]));
	for (const char *at = letters; letter && at <= letter; at++)
		number *= unit;
	if (!good)
		return why(-EINVAL,
		    "%s wants a number such as 100, 64K (times 1024) or 64k (times 1000), not "
		    "\"%s\"",
		    what, text);
	if (number < (double)least || number > (double)most)
		return why(-EINVAL, "%s wants a number from %llu to %llu, not %s", what,
		    (unsigned long long)least, (unsigned long long)most, text);
	*ret = (uint64_t)number;
	return 0;
}
