/* log_judge.c - the order rules of the event log, over a stream of events in the order of a
 * reader. Events of one process come in the order of its ring. */
#include <stdlib.h>

#include "tests/support/roles_log.h"

enum { SLOTS = 1 << 20, DEPTH = 128, PROCESSES = PROCESSES_MAX };

struct attempt {
	uint64_t ref; /* 0: a free place of the table */
	uint32_t attempt;
	bool ended;
};

struct log_judge {
	struct attempt seen[SLOTS];
	uint32_t used;
	uint64_t ends;
	struct {
		uint32_t n;
		uint64_t ref[DEPTH];
		uint32_t attempt[DEPTH];
	} open[PROCESSES];
};

struct log_judge *log_judge_new(void)
{
	return calloc(1, sizeof(struct log_judge));
}

void log_judge_free(struct log_judge *judge)
{
	free(judge);
}

static struct attempt *judge_find(struct log_judge *judge, uint64_t ref, uint32_t attempt)
{
	uint64_t hash = (ref * 2 + attempt) * UINT64_C(0x9e3779b97f4a7c15);
	for (uint64_t at = hash >> 44;; at = (at + 1) % SLOTS) {
		struct attempt *a = &judge->seen[at % SLOTS];
		if (a->ref == 0 || (a->ref == ref && a->attempt == attempt))
			return a;
	}
}

static const char *judge_start(struct log_judge *judge, const plm_event *e, struct attempt *a)
{
	if (a->ref)
		return "an attempt has started twice, or after its end";
	if (judge->open[e->process].n == DEPTH || judge->used == SLOTS / 2)
		return "the judge has no room for so many attempts";
	*a = (struct attempt){ e->ref.id, e->attempt, false };
	judge->used++;
	uint32_t n = judge->open[e->process].n++;
	judge->open[e->process].ref[n] = e->ref.id;
	judge->open[e->process].attempt[n] = e->attempt;
	return NULL;
}

static const char *judge_end(struct log_judge *judge, const plm_event *e, struct attempt *a)
{
	if (a->ref == 0)
		return "an attempt has ended that never started";
	if (a->ended)
		return "an attempt has ended twice";
	uint32_t n = judge->open[e->process].n;
	if (n == 0 || judge->open[e->process].ref[n - 1] != e->ref.id ||
	    judge->open[e->process].attempt[n - 1] != e->attempt)
		return "the attempts of a process do not nest";
	a->ended = true;
	judge->open[e->process].n--;
	judge->ends++;
	return NULL;
}

const char *log_judge_see(struct log_judge *judge, const plm_event *e)
{
	bool end = e->kind >= PLM_EVENT_DONE && e->kind <= PLM_EVENT_RETURNED;
	if (e->marks & PLM_MARK_DAMAGED || e->process >= PROCESSES)
		return "an event makes no sense";
	if (e->kind != PLM_EVENT_STARTED && !end)
		return NULL;
	struct attempt *a = judge_find(judge, e->ref.id, e->attempt);
	if (e->kind == PLM_EVENT_STARTED)
		return judge_start(judge, e, a);
	if (e->argument || e->kind == PLM_EVENT_RETURNED)
		return judge_end(judge, e, a);
	return a->ref ? "an attempt that never started had started" : NULL;
}

bool log_judge_open(const struct log_judge *judge)
{
	for (uint32_t i = 0; i < PROCESSES; i++)
		if (judge->open[i].n)
			return true;
	return false;
}

uint64_t log_judge_ends(const struct log_judge *judge)
{
	return judge->ends;
}
