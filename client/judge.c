/* judge.c - questions before a submission, and what became of a future: nothing is changed. */
#include <errno.h>
#include <stdatomic.h>

#include "base/why.h"
#include "client/handle.h"
#include "client/names.h"
#include "client/nested_wait.h"
#include "client/refs.h"
#include "client/submit.h"
#include "spec/spec.h"

int plm_check_function(plm *rt, const char *name)
{
	unsigned said = why_count();
	uint32_t number;
	int r = name ? handle_check(rt) : -EINVAL;
	if (r == 0)
		r = names_find(rt->names, &rt->tables.registry, name, &number);
	return handle_end(said, r);
}

int plm_check_ref(plm *rt, plm_ref ref)
{
	unsigned said = why_count();
	uint64_t word;
	int r = handle_check(rt);
	if (r == 0)
		ref_resolve(rt, ref, &word, &r);
	return handle_end(said, r);
}

static int judge_terms(const plm *rt, const plm_terms *wanted)
{
	const struct control *c = rt->tables.control;
	struct terms terms = { .replicas = wanted->replicas };
	struct resource_names names;
	if (!wanted->needs)
		return 0;
	tables_resource_names(&rt->tables, &names);
	int r = spec_needs(wanted->needs, &names, &terms);
	return r < 0 ? r
		     : needs_fit(&terms, c->kind, tables_kinds(&rt->tables), sh_load(&c->staff),
			   c->memory, &names);
}

int plm_check_terms(plm *rt, const plm_terms *terms)
{
	unsigned said = why_count();
	int r = terms ? handle_check(rt) : -EINVAL;
	return handle_end(said, r < 0 ? r : judge_terms(rt, terms));
}

int plm_note_terms(plm *rt, const plm_terms *terms)
{
	unsigned said = why_count();
	uint32_t number;
	int r = terms ? handle_check(rt) : -EINVAL;
	return handle_end(said, r < 0 ? r : terms_agree(rt, terms, terms->replicas > 1, &number));
}

static int judge_outcome(const plm *rt, plm_ref ref)
{
	uint64_t word;
	int r = 0;
	struct record *record = ref_resolve(rt, ref, &word, &r);
	if (!record)
		return r;
	ref_speaker(rt, record, &word);
	if (!word_settled(word))
		return why(-EAGAIN, "the future is not settled yet: %s",
		    record_state_name(word_state(word)));
	if (word_state(word) == RECORD_DONE)
		return 0;
	return word_state(word) == RECORD_FAILED ? why(-PLM_EFAILED, "the task failed")
						 : why(-PLM_ECANCELLED, "the task was cancelled");
}

int plm_outcome(plm *rt, plm_ref ref)
{
	unsigned said = why_count();
	int r = handle_check(rt);
	return handle_end(said, r < 0 ? r : judge_outcome(rt, ref));
}

int plm_sync(plm *rt)
{
	unsigned said = why_count();
	int r = handle_check(rt);
	return handle_end(said, r < 0 ? r : handle_sync(rt));
}

void plm_interrupt(plm *rt)
{
	handle_interrupt(rt);
}

void plm_interrupt_end(plm *rt)
{
	atomic_store(&rt->interrupted, false);
}

void plm_wait_begin(plm *rt)
{
	nested_wait_begin(rt);
}

void plm_wait_end(plm *rt)
{
	nested_wait_end(rt);
}

int plm_wait_refused(plm *rt)
{
	unsigned said = why_count();
	return handle_end(said, nested_refused(rt));
}
