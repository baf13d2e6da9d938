#include "tables/memory_limits.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/scan.h"
#include "tables/tables.h"

static const char *const victims[MEMORY_VICTIMS] = {
	[VICTIM_NEWEST] = "newest", [VICTIM_OVER] = "over"
};

const char *memory_victim_name(uint32_t victim)
{
	return victim < MEMORY_VICTIMS ? victims[victim] : "?";
}

/* Beside other tasks, the free memory must cover the demand and what every start must leave
 * (accept_free). Alone, a little less: the demand before rounding up, and what a running task must
 * leave (return_free). Alone with more than half of the memory free, try in any case: should the
 * memory be too small, no other task is to blame, and the task fails. */
bool memory_keeps(const struct tables *t, const struct record *r)
{
	const struct control *c = t->control;
	bool alone = sh_peek(&c->memory_running) == 0;
	if (!r->demand || c->memory_rules.accept_free == 0 ||
	    (alone && sh_peek(&c->memory_free) > sh_peek(&c->memory_total) / 2))
		return false;
	uint64_t wants = alone ? demand_bytes(r->demand - 1) + c->memory_rules.return_free
			       : demand_bytes(r->demand) + c->memory_rules.accept_free;
	return sh_peek(&c->memory_free) < wants;
}

/* In whole MiB: for people. */
static const char *memory_limits_mebibytes(uint64_t bytes, char ret[DECIMAL_TEXT_BYTES])
{
	snprintf(ret, DECIMAL_TEXT_BYTES, "%" PRIu64 "M", bytes >> 20);
	return ret;
}

void memory_describe(const struct tables *t, const struct record *r, char *ret, size_t size)
{
	char used[DECIMAL_TEXT_BYTES], total[DECIMAL_TEXT_BYTES], left[DECIMAL_TEXT_BYTES];
	const struct control *c = t->control;
	snprintf(ret, size,
	    "it does not fit: it ran alone, used about %s of the %s of memory that "
	    "there are, and left less than --return-free %s",
	    memory_limits_mebibytes(demand_bytes(r->demand), used),
	    memory_limits_mebibytes(sh_load(&c->memory_total), total),
	    memory_limits_mebibytes(c->memory_rules.return_free, left));
}
