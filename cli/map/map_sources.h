/* map_sources.h - the inputs of `plmctl map`: words, lines of files, lines of stdin, one by one.
 *
 * Every combination of the values of several sources is a row; the last source changes
 * fastest: A 1, A 2, B 1, B 2. A linked source advances together with the source before, row by
 * row, until the shortest of them ends; with `wrap` until the longest ends, while shorter
 * sources begin anew. The first source is read on demand, all other sources are kept in memory;
 * with `wrap` all are.
 * Who: one thread.
 * Blocks: in reading files, and the sources after the first; not for a first source that is a
 * pipe or a terminal. */
#ifndef PLM_CLI_MAP_SOURCES_H
#define PLM_CLI_MAP_SOURCES_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/text.h"

struct sources;

struct row {
	struct text values; /* each ends with a zero */
	size_t count;
};

struct inputs {            /* no file and no word: stdin */
	const char **file; /* of --arg-file: each is a source, before the sources of the words */
	size_t files;
	char *const *word; /* "::: A B", ":::+ 1 2", ":::: FILE FILE", "::::+ FILE" */
	size_t words;
	const char *separator, *file_separator; /* instead of ::: and ::::; NULL: these */
	bool named; /* the first value of each source is its name (--header :) */
};

struct ending { /* of a value in a file */
	const char *text;
	size_t length;
};

/* 0, or -errno with a why. */
int sources_open(
    struct sources **ret, const struct inputs *inputs, bool wrap, struct ending delimiter);
void sources_close(struct sources **sp);

/* 1: *row is the next row; 0: the end; -EAGAIN: no input yet; else -errno with a why. */
int sources_next(struct sources *s, struct row *row);
/* The descriptor of the next row, for poll(); -1: no need to wait. */
int sources_fd(const struct sources *s);
/* The number of rows; 0: unknown so far. */
uint64_t sources_total(const struct sources *s);

/* The first values of the sources, with inputs->named. */
struct row *sources_names(struct sources *s);

enum source_mark { MARK_NONE, MARK_WORDS, MARK_WORDS_LINKED, MARK_FILES, MARK_FILES_LINKED };

/* Which of ":::", ":::+", "::::" and "::::+" is the word? */
enum source_mark source_mark(const struct inputs *inputs, const char *word);

#endif
