/* map_change.h - what replacement strings make of a value: {.} {/} {//} {/.}, those of --plus, and
 * those of --rpl and {= =}.
 * Who: one thread. */
#ifndef PLM_CLI_MAP_CHANGE_H
#define PLM_CLI_MAP_CHANGE_H

#include <stdbool.h>
#include <stddef.h>

#include "cli/text.h"

struct slice {
	const char *at;
	size_t length;
};

enum change_kind {
	CHANGE_NONE,        /* {} */
	CHANGE_STEM,        /* {.} */
	CHANGE_BASE,        /* {/} */
	CHANGE_FOLDER,      /* {//} */
	CHANGE_BASE_STEM,   /* {/.} */
	CHANGE_STEM_2,      /* {..}, and the rest with --plus alone */
	CHANGE_STEM_3,      /* {...} */
	CHANGE_BASE_STEM_2, /* {/..} */
	CHANGE_BASE_STEM_3, /* {/...} */
	CHANGE_PARENT,      /* {+/} */
	CHANGE_ENDING,      /* {+.} */
	CHANGE_ENDING_2,    /* {+..} */
	CHANGE_ENDING_3,    /* {+...} */
	CHANGE_KINDS,       /* the kinds that have a name */
	CHANGE_RULES = CHANGE_KINDS,
};

struct rule;

struct change { /* zeroes: {} */
	enum change_kind kind;
	struct rule *rules; /* of CHANGE_RULES, in turn */
	bool unquoted;      /* uq() */
};

/* The kind between the braces of {TEXT}. False: no kind has this name. */
bool change_named(const char *text, size_t length, bool plus, enum change_kind *ret);
/* "s/RE/TEXT/gi; uq" of --rpl and {= =}. 0, or -EINVAL with a why. */
int change_read_rules(const char *text, size_t length, struct change *ret);
/* The forms of --plus with a text of their own: {:-x} {:1} {:1:2} {#re} {##re} {%re} {%%re} {/re/x}
 * {//re/x} {^re} {^^re} {,re} {,,re}. 1: read; 0: no such form; -EINVAL with a why. */
int change_read_plus(const char *text, size_t length, struct change *ret);
void change_free(struct change *change);

/* The changed value: a part of the value, or in scratch until the next call. */
struct slice change_apply(const struct change *change, struct slice value, struct text *scratch);

#endif
