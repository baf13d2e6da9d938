/* objects_case.h - for the tests of commands and futures: the references that --detach prints,
 * objects with known bytes, and the files of commands. Extends command_case.h. */
#ifndef PLM_TEST_OBJECTS_CASE_H
#define PLM_TEST_OBJECTS_CASE_H

#include "tests/support/command_case.h"

enum { PATH_BYTES = 256, LINE_BYTES = 1024, RESULTS_MOST = 8, LARGE_BYTES = 64 << 20 };

/* Boots with room for a large object and a copy as a result. */
void objects_boot(void);

struct results { /* printed by --detach: the task, then a future for each --out */
	char *all;
	const char *ref[RESULTS_MOST];
	size_t n;
};

/* Owns the text from now on. */
struct results take_results(char *text);
#define results_of(...) take_results(detached(__VA_ARGS__))

/* Writes a file of so many bytes, all pieces different; returns an object of the file. */
char *put_bytes(size_t bytes, char path[PATH_BYTES]);
/* "NAME=REF", until the next call. */
const char *in_variable(const char *name, const char *ref);

/* The directory of command files; the entries of a directory; expects an empty one. */
void files_path(char ret[PATH_BYTES]);
unsigned entries(const char *path);
void expect_no_files(void);

#endif
