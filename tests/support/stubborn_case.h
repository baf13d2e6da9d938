/* stubborn_case.h - for the tests of limits and returns: a host with the functions of
 * tests/support/modules/mod_stubborn.c. Each attempt writes notes into one file. */
#ifndef PLM_TEST_STUBBORN_CASE_H
#define PLM_TEST_STUBBORN_CASE_H

#include <stdint.h>

#include "tests/support/fixture.h"

enum { NOTES_MAX = 64, NOTES_PATH_BYTES = 128 };

struct note {
	int64_t us;
	int pid;
	char what[16];
};

extern char notes[NOTES_PATH_BYTES]; /* the file */

void stubborn_boot(const char *workers);
int read_notes(struct note *ret); /* at most NOTES_MAX */
void until_noted(int wanted);     /* at least so many */

#endif
