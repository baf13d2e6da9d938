/* stubborn_case.h - what the tests of limits and returns share: a runtime with the functions of
 * tests/support/modules/mod_stubborn.c, and the notes that their attempts write into one file. */
#ifndef PLM_TEST_STUBBORN_CASE_H
#define PLM_TEST_STUBBORN_CASE_H

#include <stdint.h>

#include "tests/support/fixture.h"

enum { NOTES_MAX = 64, NOTES_PATH_BYTES = 128 };

struct note { /* of one attempt */
	int64_t us;
	int pid;
	char what[16];
};

extern char notes[NOTES_PATH_BYTES]; /* the file */

void stubborn_boot(const char *workers);
int read_notes(struct note *ret); /* NOTES_MAX of them have room */
void until_noted(int wanted);     /* so many, or more */

#endif
