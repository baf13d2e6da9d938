#include "tests/support/memory_case.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/meter.h"
#include "tests/support/suite_watcher.h"

enum { PATH_BYTES = 192, LINE_BYTES = 128, USED_MB = 10 };

static char directory[96], meter[PATH_BYTES];

/* Rename a new file, so that readers see the old or the new text. */
void memory_case_set(unsigned total_mb, unsigned free_mb)
{
	char text[LINE_BYTES], fresh[PATH_BYTES + 8];
	snprintf(text, sizeof text, "MemTotal: %u kB\nMemAvailable: %u kB\n", total_mb << 10,
	    free_mb << 10);
	snprintf(fresh, sizeof fresh, "%s.new", meter);
	FILE *file = fopen(fresh, "w");
	ck_assert_ptr_nonnull(file);
	ck_assert_int_ge(fputs(text, file), 0);
	ck_assert_int_eq(fclose(file), 0);
	ck_assert_int_eq(rename(fresh, meter), 0);
}

void memory_case_begin(unsigned total_mb)
{
	test_path("meter-XXXXXX", directory, sizeof directory);
	ck_assert_ptr_nonnull(mkdtemp(directory));
	snprintf(meter, sizeof meter, "%s/meter", directory);
	memory_case_set(total_mb, total_mb - USED_MB);
	setenv(METER_VARIABLE, meter, 1);
}

void memory_case_end(void)
{
	if (!meter[0])
		return;
	unlink(meter);
	rmdir(directory);
}
