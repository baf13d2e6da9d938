/* load_case.h - what the tests of task files share: loading a text, and what came of its lines. */
#ifndef PLM_TEST_LOAD_CASE_H
#define PLM_TEST_LOAD_CASE_H

#include "tests/support/command_case.h"

enum { REFS_MOST = 512 };

/* plmctl load with these options, each with a comma behind it, and the text as its stdin. */
#define load(text, ...) load_bytes((text), strlen(text), __VA_ARGS__ "-")
#define load_bytes(text, bytes, ...) \
	program_run(                 \
	    &host, "plmctl", (const char *const[]){ "load", __VA_ARGS__, NULL }, (text), (bytes))

struct refs {
	char *text, *ref[REFS_MOST];
	unsigned n;
};

/* Of what load --quiet printed, which must have gone well. The caller frees the text. */
struct refs refs_of(struct output_of o);
void expect_value(const char *ref, const char *expected);
unsigned count_tasks(const char *state);

#endif
