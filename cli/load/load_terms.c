/* load_terms.c - needs and limits of lines. A file has many lines and few different terms: each
 * combination is judged once, and equal lines share one entry. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/why.h"
#include "cli/load/load.h"

enum { WHY_BYTES = 400, TERMS_MOST = 1024 }; /* as in the table of a runtime */

struct load_terms { /* a list, the last used entry in front */
	struct load_terms *next;
	plm_terms terms;
	int error; /* -EINVAL: no worker can ever meet the needs */
	char why[WHY_BYTES];
};

static bool load_terms_same(const plm_terms *a, const plm_terms *b)
{
	const char *x = a->needs ? a->needs : "", *y = b->needs ? b->needs : "";
	return a->queue_ms == b->queue_ms && a->run_ms == b->run_ms && a->total_ms == b->total_ms &&
	    a->backoff_ms == b->backoff_ms && a->backoff_max_ms == b->backoff_max_ms &&
	    a->grace_ms == b->grace_ms && a->keep_ms == b->keep_ms && a->replicas == b->replicas &&
	    strcmp(x, y) == 0;
}

static bool load_terms_ask_for_nothing(const plm_terms *terms)
{
	static const plm_terms nothing;
	return load_terms_same(terms, &nothing);
}

static struct load_terms *load_terms_add(
    struct load_terms **terms, plm *rt, const plm_terms *wanted)
{
	struct load_terms *one = calloc(1, sizeof *one);
	if (!one)
		exit(failed(-ENOMEM, "load"));
	one->terms = *wanted;
	one->terms.needs = wanted->needs ? strdup(wanted->needs) : NULL;
	if (wanted->needs && !one->terms.needs)
		exit(failed(-ENOMEM, "load"));
	one->error = rt ? plm_check_terms(rt, wanted) : 0;
	snprintf(one->why, sizeof one->why, "%s", why_text());
	one->next = *terms;
	*terms = one;
	return one;
}

int load_terms_find(
    struct load_terms **terms, plm *rt, const plm_terms *wanted, const plm_terms **ret)
{
	struct load_terms **at = terms, *one;
	unsigned n = 0;
	*ret = NULL;
	if (load_terms_ask_for_nothing(wanted))
		return 0;
	for (; (one = *at) != NULL && !load_terms_same(&one->terms, wanted); at = &one->next)
		n++;
	if (one) {
		*at = one->next; /* to the front */
		one->next = *terms;
		*terms = one;
	} else if (n >= TERMS_MOST) {
		return why(-EINVAL,
		    "more than %d different combinations of needs and limits in "
		    "one file",
		    TERMS_MOST);
	} else {
		one = load_terms_add(terms, rt, wanted);
	}
	*ret = &one->terms;
	return one->error ? why(one->error, "%s", one->why) : 0;
}

int load_terms_agree(const struct load_terms *terms, plm *rt)
{
	int r = 0;
	for (; rt && terms && r == 0; terms = terms->next)
		if (!terms->error)
			r = plm_note_terms(rt, &terms->terms);
	return r;
}

void load_terms_free(struct load_terms *terms)
{
	while (terms) {
		struct load_terms *next = terms->next;
		union {
			const char *text;
			void *memory;
		} needs = { .text = terms->terms.needs };
		free(needs.memory);
		free(terms);
		terms = next;
	}
}
