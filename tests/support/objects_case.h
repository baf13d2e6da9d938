/* objects_case.h - what the tests of commands and futures share: what --detach prints, objects with
 * known bytes, and the files that there are of a runtime's commands. Beside command_case.h. */
#ifndef PLM_TEST_OBJECTS_CASE_H
#define PLM_TEST_OBJECTS_CASE_H

#include "tests/support/command_case.h"

enum { PATH_BYTES = 256, LINE_BYTES = 1024, RESULTS_MOST = 8, LARGE_BYTES = 64 << 20 };

/* With room for a large object, and its copy as a result. */
void objects_boot(void);

struct results { /* what --detach printed: the task, and a further one for each --out */
	char *all;
	const char *ref[RESULTS_MOST];
	size_t n;
};

/* Takes the text over. */
struct results take_results(char *text);
#define results_of(...) take_results(detached(__VA_ARGS__))

/* A file of so many bytes, no two pieces of which are alike, and an object of them. */
char *put_bytes(size_t bytes, char path[PATH_BYTES]);
/* "NAME=REF", until the next call. */
const char *in_variable(const char *name, const char *ref);

/* Where the files of commands are, how many are in a directory, and that none is left. */
void files_path(char ret[PATH_BYTES]);
unsigned entries(const char *path);
void expect_no_files(void);

#endif
