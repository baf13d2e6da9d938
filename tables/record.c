#include "tables/record.h"

#include <errno.h>

#include "tables/process.h"

static const char *const state_names[RECORD_STATES] = {
	[RECORD_FREE] = "free",
	[RECORD_RESERVED] = "reserved",
	[RECORD_WAITING] = "waiting",
	[RECORD_READY] = "ready",
	[RECORD_RUNNING] = "running",
	[RECORD_DONE] = "done",
	[RECORD_FAILED] = "failed",
	[RECORD_CANCELLED] = "cancelled",
	[RECORD_PART] = "part",
};

static const bool legal[RECORD_STATES][RECORD_STATES] = {
	[RECORD_FREE] = { [RECORD_RESERVED] = true },
	[RECORD_RESERVED] = { [RECORD_WAITING] = true,
	    [RECORD_READY] = true,
	    [RECORD_DONE] = true,
	    [RECORD_PART] = true,
	    [RECORD_FREE] = true },
	[RECORD_WAITING] = { [RECORD_READY] = true,
	    [RECORD_WAITING] = true, /* parked, or back */
	    [RECORD_RUNNING] = true,
	    [RECORD_CANCELLED] = true },
	[RECORD_READY] = { [RECORD_RUNNING] = true,
	    [RECORD_CANCELLED] = true,
	    [RECORD_READY] = true }, /* enough memory again; parked, or back */
	[RECORD_RUNNING] = { [RECORD_DONE] = true,
	    [RECORD_FAILED] = true,
	    [RECORD_CANCELLED] = true,
	    [RECORD_READY] = true,     /* to be run again */
	    [RECORD_RUNNING] = true }, /* asked to stop; taken over from a dead worker */
	[RECORD_DONE] = { [RECORD_FREE] = true },
	[RECORD_FAILED] = { [RECORD_FREE] = true },
	[RECORD_CANCELLED] = { [RECORD_FREE] = true },
	[RECORD_PART] = { [RECORD_FREE] = true },
};

const char *record_state_name(enum record_state state)
{
	return state < RECORD_STATES ? state_names[state] : "?";
}

bool record_step_legal(enum record_state from, enum record_state to)
{
	return from < RECORD_STATES && to < RECORD_STATES && legal[from][to];
}

bool record_step(struct record *r, uint64_t *seen, enum record_state to, uint32_t owner,
    uint32_t attempt, uint32_t flags)
{
	if (!record_step_legal(word_state(*seen), to))
		return false;
	uint64_t next = word_make(word_generation(*seen), owner, attempt, to, flags);
	return sh_cas(&r->state, seen, next);
}

int record_cancel(struct record *r, uint64_t *seen, uint32_t by)
{
	uint32_t attempt = word_attempt(*seen), flags = word_flags(*seen);
	switch (word_state(*seen)) {
	case RECORD_WAITING:
	case RECORD_READY:
		return record_step(r, seen, RECORD_CANCELLED, by, attempt, 0) ? 0 : -EAGAIN;
	case RECORD_RUNNING:
		if (flags & FLAG_CANCEL)
			return 0;
		return record_step(
			   r, seen, RECORD_RUNNING, word_owner(*seen), attempt, flags | FLAG_CANCEL)
		    ? 0
		    : -EAGAIN;
	default: return -EALREADY;
	}
}

bool record_identity(const struct record *r, uint64_t word, uint64_t ret[2])
{
	enum record_state state = word_state(word);
	bool task = state >= RECORD_WAITING && state <= RECORD_CANCELLED &&
	    !(word_flags(word) & FLAG_OBJECT);
	bool there = task && r->args_bytes > RECORD_INLINE_ARGS;
	ret[0] = there ? r->identity[0] : 0;
	ret[1] = there ? r->identity[1] : 0;
	return ret[0] || ret[1];
}

/* Each try and each return takes a number of the word's attempts. */
static bool record_may_be_returned(const struct record *r)
{
	return r->retries + r->crash_retries + record_returns(r) + 1 < RETRIES_MAX;
}

int record_return(struct record *r, uint64_t *seen)
{
	uint32_t flags = word_flags(*seen), owner = word_owner(*seen);
	enum record_state state = word_state(*seen);
	if (state == RECORD_WAITING || state == RECORD_READY)
		return 0;
	if (state != RECORD_RUNNING)
		return state_settled(state) ? -EALREADY : -EINVAL;
	if (flags & (FLAG_CANCEL | FLAG_LATE) || owner == SLOT_SCHEDULER)
		return -EALREADY;
	if (flags & FLAG_RETURN)
		return 0;
	if (!record_may_be_returned(r))
		return -EOVERFLOW;
	return record_step(r, seen, RECORD_RUNNING, owner, word_attempt(*seen), flags | FLAG_RETURN)
	    ? 0
	    : -EAGAIN;
}

int record_evict(struct record *r, uint64_t *seen, bool for_good)
{
	uint32_t owner = word_owner(*seen);
	if (word_state(*seen) != RECORD_RUNNING || word_flags(*seen) & FLAGS_STOPPING ||
	    owner == SLOT_SCHEDULER)
		return -EALREADY;
	uint32_t how = for_good || !record_may_be_returned(r) ? FLAG_LATE : FLAG_RETURN;
	return record_step(r, seen, RECORD_RUNNING, owner, word_attempt(*seen),
		   word_flags(*seen) | how | FLAG_MEMORY)
	    ? 0
	    : -EAGAIN;
}

void record_raise_demand(struct record *r, uint64_t bytes)
{
	uint32_t code = demand_code(bytes);
	if (code > r->demand)
		r->demand = code & 0xff;
}
