/* map_sources.h - the inputs of `plmctl map`: words, lines of files, lines of stdin, one by one.
 *
 * Every combination of several sources is a row, the last of them in front: A 1, A 2, B 1, B 2. A
 * source that is linked to the one before it goes along with that, row by row: to the end of the
 * shortest, or with `wrap` to that of the longest, the others beginning anew.
 * The first source is read as it is needed, the others are kept in memory; with `wrap` all are.
 * Who: one thread.  Blocks: in reading files, and the sources after the first; not for a first
 * source that is a pipe or a terminal. */
#ifndef PLM_CLI_MAP_SOURCES_H
#define PLM_CLI_MAP_SOURCES_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/text.h"

struct sources;

struct row {
	struct text values; /* each with a zero behind it */
	size_t count;
};

struct inputs {            /* where they come from; no file and no word: stdin */
	const char **file; /* of --arg-file, each a source, before those of the words */
	size_t files;
	char *const *word; /* "::: A B", ":::+ 1 2", ":::: FILE FILE", "::::+ FILE" */
	size_t words;
};

/* 0, or -errno with a why. */
int sources_open(struct sources **ret, const struct inputs *inputs, bool wrap, char delimiter);
void sources_close(struct sources **sp);

/* 1: *row is the next one; 0: there are no more; -EAGAIN: none yet; else -errno with a why. */
int sources_next(struct sources *s, struct row *row);
/* Where the next one comes from, for poll(); -1: it need not be waited for. */
int sources_fd(const struct sources *s);
/* How many rows there are; 0: nobody knows yet. */
uint64_t sources_total(const struct sources *s);

/* ":::", ":::+", "::::" or "::::+"? */
bool is_source_mark(const char *word);

#endif
