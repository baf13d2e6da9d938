#include "tables/inherited.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/check.h"

#define MARK "plm-inherited:" /* no NAME=VALUE begins so: a name ends at "=" */

enum { UMASK_MAX = 0777, NICE_MIN = -20, NICE_MAX = 19, OCTAL = 8, DECIMAL = 10 };

/* "MARK UMASK NICE SOFT:HARD SOFT:HARD ...", "-" for no limit; a hard limit equal to the soft limit
 * is left out. */

/* ---- writing ---- */

static size_t inherited_add_limit(char *to, size_t room, char before, rlim_t limit)
{
	int n = limit == RLIM_INFINITY
	    ? snprintf(to, room, "%c-", before)
	    : snprintf(to, room, "%c%llu", before, (unsigned long long)limit);
	CHECK(n > 0 && (size_t)n < room);
	return (size_t)n;
}

void inherited_get(struct inherited *ret)
{
	*ret = (struct inherited){ .nice = getpriority(PRIO_PROCESS, 0), .limits = RLIM_NLIMITS };
	for (int i = 0; i < RLIM_NLIMITS; i++)
		if (getrlimit((__rlimit_resource_t)i, &ret->limit[i]) < 0)
			ret->limit[i] = (struct rlimit){ RLIM_INFINITY, RLIM_INFINITY };
}

void inherited_print(char ret[INHERITED_TEXT_BYTES])
{
	struct inherited own;
	inherited_get(&own);
	own.umask = umask(S_IRWXG | S_IRWXO);
	umask(own.umask);
	size_t room = INHERITED_TEXT_BYTES,
	       n = (size_t)snprintf(ret, room, MARK " %o %d", (unsigned)own.umask, own.nice);
	for (unsigned i = 0; i < own.limits; i++) {
		struct rlimit limit = own.limit[i];
		n += inherited_add_limit(ret + n, room - n, ' ', limit.rlim_cur);
		if (limit.rlim_max != limit.rlim_cur)
			n += inherited_add_limit(ret + n, room - n, ':', limit.rlim_max);
	}
}

/* ---- reading ---- */

bool inherited_begins(const char *text)
{
	return strncmp(text, MARK, strlen(MARK)) == 0;
}

static bool inherited_read_number(const char **at, int base, long least, long most, long *ret)
{
	char *end;
	errno = 0;
	*ret = strtol(*at, &end, base);
	bool good = end > *at && errno == 0 && *ret >= least && *ret <= most;
	*at = end;
	return good;
}

static bool inherited_read_limit(const char **at, rlim_t *ret)
{
	char *end;
	errno = 0;
	*ret = RLIM_INFINITY;
	if (**at == '-') {
		++*at;
		return true;
	}
	if (!isdigit((unsigned char)**at))
		return false;
	*ret = strtoull(*at, &end, DECIMAL);
	*at = end;
	return errno == 0;
}

bool inherited_read(const char *text, struct inherited *ret)
{
	long mask, nice;
	const char *at = text + strlen(MARK);
	if (!inherited_begins(text) || !inherited_read_number(&at, OCTAL, 0, UMASK_MAX, &mask) ||
	    !inherited_read_number(&at, DECIMAL, NICE_MIN, NICE_MAX, &nice))
		return false;
	*ret = (struct inherited){ .umask = (mode_t)mask, .nice = (int)nice };
	while (*at == ' ' && ret->limits < RLIM_NLIMITS) {
		struct rlimit *limit = &ret->limit[ret->limits++];
		at++;
		if (!inherited_read_limit(&at, &limit->rlim_cur))
			return false;
		limit->rlim_max = limit->rlim_cur;
		if (*at == ':' && (at++, !inherited_read_limit(&at, &limit->rlim_max)))
			return false;
	}
	return *at == 0;
}

/* ---- applying ---- */

/* A limit that may not be raised stays as high as permitted. */
static void inherited_take_limit(unsigned resource, struct rlimit wanted, const struct rlimit *own)
{
	if ((own->rlim_cur == wanted.rlim_cur && own->rlim_max == wanted.rlim_max) ||
	    setrlimit((__rlimit_resource_t)resource, &wanted) == 0)
		return;
	if (wanted.rlim_max > own->rlim_max)
		wanted.rlim_max = own->rlim_max;
	if (wanted.rlim_cur > wanted.rlim_max)
		wanted.rlim_cur = wanted.rlim_max;
	setrlimit((__rlimit_resource_t)resource, &wanted);
}

void inherited_take(const struct inherited *inherited, const struct inherited *own)
{
	umask(inherited->umask);
	if (inherited->nice != own->nice)
		setpriority(PRIO_PROCESS, 0, inherited->nice);
	for (unsigned i = 0; i < inherited->limits; i++)
		inherited_take_limit(i, inherited->limit[i], &own->limit[i]);
}
