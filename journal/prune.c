#include "journal/prune.h"

#include <errno.h>

#include "base/log.h"
#include "base/why.h"
#include "journal/journal.h"
#include "journal/journal_trouble.h"

#define PRUNE_PERIOD_NS (60 * NS_PER_S)

/* Tasks before the first unfinished task have ended for good: the next search begins there. */
static int prune_note_unfinished(struct journal *j)
{
	int64_t first;
	int r =
	    db_number(&j->db, DB_FIRST_UNFINISHED, &first, BIND(bind_uint(j->prune.unfinished)));
	if (r < 0)
		return r;
	uint64_t now = r == 1 ? (uint64_t)first : j->next_task;
	if (now == j->prune.unfinished)
		return 0;
	j->prune.unfinished = now;
	return db_run(&j->db, DB_SET_MARK, BIND(bind_text("unfinished"), bind_uint(now)));
}

/* The first task within the bounds of age and count, were all older tasks finished. */
static int prune_find_cut(struct journal *j, uint64_t *ret)
{
	int64_t aged = 0;
	int r = 0;
	*ret = j->plan.count && j->next_task > j->plan.count ? j->next_task - j->plan.count : 0;
	if (j->plan.age_ms)
		r = db_number(&j->db, DB_AGED_TASK, &aged,
		    BIND(bind_int(journal_now() - (int64_t)j->plan.age_ms),
			bind_uint(j->prune.next)));
	if (r < 0)
		return r;
	uint64_t young = r == 1 ? (uint64_t)aged : j->plan.age_ms ? j->next_task : 0;
	if (young > *ret)
		*ret = young;
	return 0;
}

static int prune_range(struct journal *j, uint64_t from, uint64_t to)
{
	static const enum db_statement all[] = { DB_PRUNE_TASK, DB_PRUNE_ENDED, DB_PRUNE_ATTEMPT,
		DB_PRUNE_FORGOTTEN, DB_PRUNE_RESUMED, DB_PRUNE_MOVED };
	int r = 0;
	for (size_t i = 0; i < sizeof all / sizeof all[0] && r == 0; i++)
		r = db_run(&j->db, all[i], BIND(bind_uint(from), bind_uint(to)));
	return r;
}

/* At the end of a round: values and blobs no task can ask for. */
static int prune_shared(struct journal *j, uint64_t cut)
{
	int64_t needed = 0;
	int r = 0;
	if (j->prune.unfinished >= j->next_task)
		r = db_run(&j->db, DB_PRUNE_NEEDED, BIND(bind_uint(cut)));
	if (r == 0)
		r = db_number(&j->db, DB_FIRST_NEEDED, &needed, BIND_NOTHING);
	if (r < 0)
		return r;
	uint64_t low = r == 1 && (uint64_t)needed < cut ? (uint64_t)needed : cut;
	if (j->prune.unfinished < low)
		low = j->prune.unfinished;
	r = db_run(&j->db, DB_PRUNE_VALUE, BIND(bind_uint(low)));
	if (r == 0 && low > SHARED_TASKS)
		r = db_run(&j->db, DB_PRUNE_BLOB, BIND(bind_uint(low - SHARED_TASKS)));
	return r;
}

static int prune_step(struct journal *j, uint64_t cut)
{
	uint64_t to = j->prune.next + PRUNE_TASKS < cut ? j->prune.next + PRUNE_TASKS : cut;
	int r = db_run(&j->db, DB_BEGIN, BIND_NOTHING);
	if (r == 0 && to > j->prune.next)
		r = prune_range(j, j->prune.next, to);
	if (r == 0 && to >= cut)
		r = prune_shared(j, cut);
	if (r == 0)
		r = db_run(&j->db, DB_COMMIT, BIND_NOTHING);
	if (r < 0) {
		if (db_in_group(&j->db))
			db_run(&j->db, DB_ROLLBACK, BIND_NOTHING);
		return r;
	}
	if (to > j->prune.next)
		j->prune.next = to;
	return to >= cut;
}

void prune_some(struct journal *j)
{
	uint64_t cut = 0;
	int64_t first;
	if (clock_ns() < j->prune.due_ns || sh_peek(&j->shm->trouble))
		return;
	int r = prune_note_unfinished(j);
	if (r == 0 && j->prune.next == 0 &&
	    db_number(&j->db, DB_FIRST_TASK, &first, BIND_NOTHING) == 1)
		j->prune.next = (uint64_t)first;
	if (r == 0)
		r = prune_find_cut(j, &cut);
	if (r == 0)
		r = prune_step(j, cut);
	if (r == -EUCLEAN)
		journal_give_up(j);
	if (r < 0)
		log_warn("cannot remove old tasks from the journal: %s", why_text());
	j->prune.due_ns = clock_ns() + (r == 0 ? GROUP_MS * NS_PER_MS : PRUNE_PERIOD_NS);
}
