/* load_case.h - for the tests of task files: loads a text and checks the tasks of its lines. */
#ifndef PLM_TEST_LOAD_CASE_H
#define PLM_TEST_LOAD_CASE_H

#include "tests/support/command_case.h"

enum { REFS_MOST = 512 };

/* plmctl load with the text as stdin. A comma follows each option. */
#define load(text, ...) load_bytes((text), strlen(text), __VA_ARGS__ "-")
#define load_bytes(text, bytes, ...) \
	program_run(                 \
	    &host, "plmctl", (const char *const[]){ "load", __VA_ARGS__, NULL }, (text), (bytes))

struct refs {
	char *text, *ref[REFS_MOST];
	unsigned n;
};

/* The references that a successful load --quiet printed. The caller frees the text. */
struct refs refs_of(struct output_of o);
void expect_value(const char *ref, const char *expected);
unsigned count_tasks(const char *state);

#endif
