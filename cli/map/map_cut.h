/* map_cut.h - where a stream may be cut into blocks of whole records (--pipe, --pipepart).
 *
 * A record ends behind `end` and before `start`; both are texts, or regular expressions (POSIX,
 * extended) with `regexp`. With --max-replace-args N and --max-lines L a block has N records, N
 * times L records, or a multiple of L lines.
 * Who: one thread.  Blocks: never. */
#ifndef PLM_CLI_MAP_CUT_H
#define PLM_CLI_MAP_CUT_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/text.h"

struct cut_plan {                /* zeroes: lines */
	const char *start, *end; /* as on the command line; NULL: not given */
	bool regexp, remove;     /* remove: leave out start and end of records */
	uint64_t records, lines; /* in a block; 0: as many as fit */
};

struct cut;

enum { CUT_NOWHERE = -1 };

/* 0, or -errno with a why. */
int cut_make(struct cut **ret, const struct cut_plan *plan);
void cut_free(struct cut *cut);
/* Has each block a number of records or lines? Else a block is as long as possible. */
bool cut_counts(const struct cut *cut);
bool cut_counts_records(const struct cut *cut);
/* Are text and length all that decides, so that the first or the last place can be found from a
 * part of the block? */
bool cut_is_plain(const struct cut *cut);
/* The bytes that may belong to one place: how much two neighbouring parts must overlap. */
size_t cut_overlap(const struct cut *cut);

/* Each returns how long the block is that begins with the data, at least 1; or CUT_NOWHERE.
 * cut_block(): a block with the records or lines asked for, else the longest. */
long cut_block(const struct cut *cut, const char *data, size_t length);
/* cut_last(), cut_first(): the last and the first place; cut_first() also finds place 0. */
long cut_last(const struct cut *cut, const char *data, size_t length);
long cut_first(const struct cut *cut, const char *data, size_t length);

/* Appends a block without the starts and ends of its records. */
void cut_strip(const struct cut *cut, const char *data, size_t length, struct text *to);

#endif
