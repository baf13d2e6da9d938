/* reasons.h - why a future is not settled, or what became of it, in plain words.
 *
 * explain() asks a table of checks in order (the end of reasons.c), each of the states it is about;
 * each adds a reason or none. So the first reason is the first rule that keeps the task back, and
 * the ones behind it would keep it back next. A new rule is a function and a line in that table.
 * Where: any mapping of the control segment; every word is judged before it is followed, so that a
 * damaged one makes a wrong sentence and nothing worse. What is read may be old when it is printed.
 * Blocks: never.  Allocates: never.  Lock: none. */
#ifndef PLM_CLI_REASONS_H
#define PLM_CLI_REASONS_H

#include "cli/view.h"

enum { REASONS_MAX = 8, REASON_REFS_MAX = 8, REASON_TEXT_BYTES = 1024 };

struct reason {
	const char *code; /* one word, for scripts: cli/README.md has them all */
	char text[REASON_TEXT_BYTES];
	uint64_t ref[REASON_REFS_MAX]; /* the futures the text is about, but for this one */
	uint32_t refs;
};

struct explanation {
	uint64_t ref; /* the task that speaks for the future that was asked about */
	enum record_state state;
	bool object;
	char function[VIEW_TEXT_BYTES];    /* "" of an object */
	struct reason reason[REASONS_MAX]; /* one at least */
	uint32_t reasons;
};

/* False: there is no such future (any more). */
bool explain(const struct tables *t, uint64_t ref, struct explanation *ret);

#endif
