/* map_tags.h - replacement strings: how they are written, and what they ask for.
 *
 * {} {.} {/} {//} {/.} for a value, {#} the number of the job, {%} its place; {2}, {-1}, {2/.} for
 * one of several values; {NAME} {NAME.} for a column with a name (--header); {= s/a/b/ =}; with
 * --plus {..} {+.} {##} {0#} and more; and whatever --rpl, -I and their like name. */
#ifndef PLM_CLI_MAP_TAGS_H
#define PLM_CLI_MAP_TAGS_H

#include "cli/map/map_change.h"

enum piece_kind {
	PIECE_TEXT,
	PIECE_VALUE,
	PIECE_NUMBER, /* {#} */
	PIECE_PLACE,  /* {%} */
	PIECE_TOTAL,  /* {##} */
	PIECE_GAP,    /* blanks between the parts of a line that -X repeats */
	PIECE_END,    /* of a word */
};

struct piece {
	enum piece_kind kind;
	bool from_zero; /* tags.place_from_zero: the place counts from 0 */
	bool padded;    /* {0#} {0%}: with zeroes to the width of the largest */
	long which;     /* number of the value, from 1, or from -1 at the end; 0: all values */
	struct change change;
	bool measured;    /* for map_template.c: stands for each value */
	const char *text; /* of PIECE_TEXT and PIECE_GAP */
	size_t length;
};

enum tag_name {
	TAG_VALUE,
	TAG_STEM,
	TAG_BASE,
	TAG_FOLDER,
	TAG_BASE_STEM,
	TAG_NUMBER,
	TAG_PLACE,
	TAG_NAMES
};

struct tags {                        /* zeroes: the usual ones */
	const char *name[TAG_NAMES]; /* instead of {} {.} {/} {//} {/.} {#} {%}; NULL: these */
	bool plus;
	const char **rule; /* of --rpl: "TAG s/RE/TEXT/" */
	size_t rules;
	const char *parens;        /* of --parens; NULL: {==} */
	const char *const *column; /* names of the values, from 1 on */
	size_t columns;
	/* A byte that stands for the place of the job less one, in the variable of
	 * --process-slot-var: found by its address, because a text may contain any byte. */
	const char *place_from_zero;
};

/* The length of the replacement string at the text; 0: none; -EINVAL with a why. */
long tags_read(const struct tags *tags, const char *text, struct piece *ret);
/* How many bytes may be plain text, before the next place to look at. */
size_t tags_plain(const struct tags *tags, const char *text);

#endif
