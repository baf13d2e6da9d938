#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/check.h"
#include "dump/dump.h"

enum {
	STRUCTURES_MAX = 16 + ARENAS_MAX,
	NAME_BYTES = 24,
	REASON_BYTES = 160,
	TRIES_MAX = 50,
	PAUSE_NS = 2000000,
};

struct verdict {
	char structure[NAME_BYTES];
	char reason[REASON_BYTES]; /* "": it was sound at least once */
};

struct verdicts {
	struct verdict verdict[STRUCTURES_MAX];
	unsigned n, unsound;
};

static struct verdict *dump_check_find_verdict(struct verdicts *all, const char *structure)
{
	for (unsigned i = 0; i < all->n; i++)
		if (strcmp(all->verdict[i].structure, structure) == 0)
			return &all->verdict[i];
	return NULL;
}

static struct verdict *dump_check_add_verdict(struct verdicts *all, const char *structure)
{
	CHECK(all->n < STRUCTURES_MAX);
	struct verdict *v = &all->verdict[all->n++];
	snprintf(v->structure, sizeof v->structure, "%s", structure);
	return v;
}

static void dump_check_note(void *context, const char *structure, const char *why)
{
	struct verdicts *all = context;
	struct verdict *v = dump_check_find_verdict(all, structure);
	if (!v) {
		v = dump_check_add_verdict(all, structure);
		snprintf(v->reason, sizeof v->reason, "%s", why ? why : "");
		all->unsound += why != NULL;
	} else if (!why && v->reason[0]) {
		v->reason[0] = 0;
		all->unsound--;
	}
}

static void dump_check_print_verdicts(struct output *out, const struct verdicts *all)
{
	static const struct column columns[] = {
		{ "STRUCTURE", "structure", -14 },
		{ "VERDICT", "verdict", -40 },
	};
	list_begin(out, columns, COUNT_OF(columns));
	for (unsigned i = 0; i < all->n; i++) {
		const char *reason = all->verdict[i].reason;
		cell_text(out, all->verdict[i].structure);
		cell_tinted(out, reason[0] ? reason : "sound", reason[0] ? TINT_BAD : TINT_GOOD);
		row_end(out);
	}
}

bool dump_check(const struct tables *t, struct output *out, bool moving)
{
	static const struct timespec pause = { .tv_nsec = PAUSE_NS };
	struct verdicts all = { .n = 0 };
	dump_check_note(&all, "header", NULL); /* tables_inspect() was satisfied */
	tables_check_each(t, dump_check_note, &all);
	for (int tries = 1; moving && all.unsound > 0 && tries < TRIES_MAX; tries++) {
		nanosleep(&pause, NULL);
		tables_check_each(t, dump_check_note, &all);
	}
	dump_check_print_verdicts(out, &all);
	return all.unsound == 0;
}
