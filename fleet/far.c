#include "fleet/far.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>

#include "base/why.h"

enum { TRIES = 5, AGAIN_MS = 300 };

static int far_lost(const struct far_ways *ways, uint64_t id, const struct engine_far *far)
{
	int again = ways->remake(ways->context, id, far);
	if (again < 0)
		return again;
	return again ? why(-EAGAIN, "the value is made again")
		     : why(-ENODATA,
			   "the value was on host %s and is lost, and --crash-retries do not "
			   "allow to make it again",
			   far->host);
}

int far_fetch(const struct far_ways *ways, uint64_t id, const struct engine_far *far, void *to)
{
	char reason[WHY_TEXT_BYTES];
	int r = 0;
	for (int i = 0; i < TRIES; i++) {
		struct carry_order order;
		if (i)
			poll(NULL, 0, AGAIN_MS);
		r = ways->place(ways->context, far, &order);
		if (r < 0 && r != -ENODATA)
			return r;
		if (r == 0)
			r = carry_fetch(&order, to);
		if (r == 0)
			return 0;
		if (r == -ENODATA)
			return far_lost(ways, id, far);
	}
	snprintf(reason, sizeof reason, "%s", why_text());
	return why(-EHOSTUNREACH, "the value is on host %s, and cannot be fetched: %.300s",
	    far->host, reason);
}
