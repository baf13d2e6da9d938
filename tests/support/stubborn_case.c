#include "tests/support/stubborn_case.h"

#include <check.h>
#include <inttypes.h>
#include <stdio.h>

#include "tests/support/deaths.h"
#include "tests/support/roles_case.h"

char notes[NOTES_PATH_BYTES];

void stubborn_boot(const char *workers)
{
	runtime_boot(&host, "--workers", workers, "--tasks", "1024", "--store", "16M", "--module",
	    test_module("mod_stubborn"), );
	host_join();
	scratch_write(&host, "notes", "", 0, notes, sizeof notes);
}

int read_notes(struct note *ret)
{
	FILE *file = fopen(notes, "r");
	int n = 0;
	ck_assert_ptr_nonnull(file);
	while (n < NOTES_MAX &&
	    fscanf(file, "%" SCNd64 " %d %15s", &ret[n].us, &ret[n].pid, ret[n].what) == 3)
		n++;
	fclose(file);
	return n;
}

static bool stubborn_case_are_noted(void *wanted)
{
	struct note all[NOTES_MAX];
	return read_notes(all) >= *(const int *)wanted;
}

void until_noted(int wanted)
{
	until(stubborn_case_are_noted, &wanted, "the notes of the attempts");
}
