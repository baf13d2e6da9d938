/* ref_resolve.c - from a reference to the record and back. Nothing is changed here. */
#include <errno.h>

#include "base/why.h"
#include "client/handle.h"

int ref_gone(const struct tables *t, uint64_t ref)
{
	char rules[RETENTION_TEXT_BYTES];
	enum retention_fate fate = retention_fate(t, ref);
	if (fate == FATE_UNKNOWN)
		return why(-ESTALE, "unknown reference: it was dropped, or never existed");
	retention_print(&t->control->retention, rules, sizeof rules);
	return why(-ESTALE,
	    "the result %s: results kept by the runtime alone leave after some time, or to make "
	    "room (plm --keep-finished %s; submit --keep)%s",
	    fate == FATE_LEFT ? "has left" : "was dropped, or has left", rules,
	    journal_slot(t) ? "; `plmctl history @REF` tells how it ended" : "");
}

struct record *ref_resolve(const struct plm *rt, plm_ref ref, uint64_t *ret_word, int *ret_error)
{
	if (ref.id == 0) {
		*ret_error = why(-EINVAL, "no future: the reference is empty");
		return NULL;
	}
	if (ref.runtime != rt->runtime) {
		*ret_error = why(-EXDEV,
		    "the future belongs to another runtime, or to an earlier boot of "
		    "this one%s",
		    journal_slot(&rt->tables) ? "; `plmctl history @REF` tells what became of it"
					      : "");
		return NULL;
	}
	struct record *r = record_lookup(&rt->tables, ref.id, ret_word);
	/* Reserved and held by nobody: a task or object still to be made. Arguments are judged
	 * before the birth of a task, so no task names itself or a later task: cycles cannot
	 * arise. */
	if (r && word_state(*ret_word) == RECORD_RESERVED &&
	    !hold_any(&rt->tables, ref_index(ref.id)))
		r = NULL;
	if (!r)
		*ret_error = ref_gone(&rt->tables, ref.id);
	return r;
}

struct record *ref_speaker(const struct plm *rt, struct record *r, uint64_t *word)
{
	if (word_state(*word) != RECORD_PART)
		return r;
	/* A part keeps the task alive. If the words of a damaged segment say otherwise, the part
	 * speaks for itself: a part never settles. */
	struct record *task = record_lookup(&rt->tables, r->part.task, word);
	return task ? task : r;
}

plm_ref ref_public(const struct plm *rt, uint64_t ref)
{
	return (plm_ref){ .id = ref, .runtime = rt->runtime };
}

uint64_t ref_held(const struct record *r, uint64_t ref, uint64_t word)
{
	return word_state(word) == RECORD_PART ? r->part.task : ref;
}

uint32_t ref_held_index(const struct plm *rt, plm_ref ref)
{
	uint64_t word;
	struct record *r = record_lookup(&rt->tables, ref.id, &word);
	uint32_t index = ref_index(r ? ref_held(r, ref.id, word) : ref.id);
	return index < rt->tables.limits.records ? index : 0;
}
