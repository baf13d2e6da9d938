/* prune.c - the journal is bounded: tasks that ended long ago, or before so many others, go.
 *
 * A few at a time between two groups. What has not ended stays whatever its age, and so does what
 * such a task may ask for: blobs that it may share, and the values of tasks it waits for, which go
 * when nothing is unfinished. The file does not shrink; its room is used again. */
#include <errno.h>

#include "base/log.h"
#include "base/why.h"
#include "journal/journal.h"

#define PRUNE_PERIOD_NS (60 * NS_PER_S)

/* What is below has ended for good: where to begin the next search. */
static int prune_note_unfinished(struct journal *j)
{
	int64_t first;
	int r = db_number(&j->db, DB_FIRST_UNFINISHED, &first, "i", (int64_t)j->unfinished);
	if (r < 0)
		return r;
	uint64_t now = r == 1 ? (uint64_t)first : j->next_task;
	if (now == j->unfinished)
		return 0;
	j->unfinished = now;
	return db_run(&j->db, DB_SET_MARK, "ti", "unfinished", (int64_t)now);
}

/* The first task that stays, were all before it finished. */
static int prune_find_cut(struct journal *j, uint64_t *ret)
{
	int64_t aged = 0;
	int r = 0;
	*ret = j->plan.count && j->next_task > j->plan.count ? j->next_task - j->plan.count : 0;
	if (j->plan.age_ms)
		r = db_number(&j->db, DB_AGED_TASK, &aged, "ii",
		    journal_now() - (int64_t)j->plan.age_ms, (int64_t)j->prune_next);
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
		DB_PRUNE_FORGOTTEN, DB_PRUNE_RESUMED };
	int r = 0;
	for (size_t i = 0; i < sizeof all / sizeof all[0] && r == 0; i++)
		r = db_run(&j->db, all[i], "ii", (int64_t)from, (int64_t)to);
	return r;
}

/* At the end of a round. */
static int prune_shared(struct journal *j, uint64_t cut)
{
	int64_t needed = 0;
	int r = 0;
	if (j->unfinished >= j->next_task)
		r = db_run(&j->db, DB_PRUNE_NEEDED, "i", (int64_t)cut);
	if (r == 0)
		r = db_number(&j->db, DB_FIRST_NEEDED, &needed, "");
	if (r < 0)
		return r;
	uint64_t low = r == 1 && (uint64_t)needed < cut ? (uint64_t)needed : cut;
	if (j->unfinished < low)
		low = j->unfinished;
	r = db_run(&j->db, DB_PRUNE_VALUE, "i", (int64_t)low);
	if (r == 0 && low > SHARED_TASKS)
		r = db_run(&j->db, DB_PRUNE_BLOB, "i", (int64_t)(low - SHARED_TASKS));
	return r;
}

static int prune_prune(struct journal *j, uint64_t cut)
{
	uint64_t to = j->prune_next + PRUNE_TASKS < cut ? j->prune_next + PRUNE_TASKS : cut;
	int r = db_run(&j->db, DB_BEGIN, "");
	if (r == 0 && to > j->prune_next)
		r = prune_range(j, j->prune_next, to);
	if (r == 0 && to >= cut)
		r = prune_shared(j, cut);
	if (r == 0)
		r = db_run(&j->db, DB_COMMIT, "");
	if (r < 0) {
		if (db_in_group(&j->db))
			db_run(&j->db, DB_ROLLBACK, "");
		return r;
	}
	if (to > j->prune_next)
		j->prune_next = to;
	return to >= cut;
}

void prune_some(struct journal *j)
{
	uint64_t cut = 0;
	int64_t first;
	if (clock_ns() < j->prune_due_ns || sh_peek(&j->shm->trouble))
		return;
	int r = prune_note_unfinished(j);
	if (r == 0 && j->prune_next == 0 && db_number(&j->db, DB_FIRST_TASK, &first, "") == 1)
		j->prune_next = (uint64_t)first;
	if (r == 0)
		r = prune_find_cut(j, &cut);
	if (r == 0)
		r = prune_prune(j, cut);
	if (r == -EUCLEAN)
		journal_give_up(j);
	if (r < 0)
		log_warn("old tasks cannot be taken out of the journal: %s", why_text());
	j->prune_due_ns = clock_ns() + (r == 0 ? GROUP_MS * NS_PER_MS : PRUNE_PERIOD_NS);
}
