#include "tests/support/seen.h"

#ifdef PLM_STEPS

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "base/check.h"
#include "tests/support/label.h"

static unsigned char *seen; /* shared with the victims */
static FILE *list;

static size_t seen_steps(void)
{
	return (size_t)(__stop_steps - __start_steps);
}

static void write_line(const char *operation, const char *how, const struct step *step)
{
	char label[LABEL_BYTES];
	fprintf(list, "%s\t%s\t%s:%u\t%s\n", operation, how, step->file, step->line,
	    step_label(step, label));
}

void seen_open(void)
{
	char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof path - sizeof ".steps");
	CHECK(n > 0);
	memcpy(path + n, ".steps", sizeof ".steps");
	list = fopen(path, "w");
	CHECK(list);
	seen = mmap(NULL, seen_steps(), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(seen != MAP_FAILED);
	for (size_t i = 0; i < seen_steps(); i++)
		write_line("-", "there", &__start_steps[i]);
}

void seen_here(const struct step *step, enum seen how)
{
	if (seen)
		seen[step - __start_steps] |= (unsigned char)how;
}

static void write_seen(const char *operation, const struct step *step, unsigned hows)
{
	if (hows & SEEN_KILLED)
		write_line(operation, "killed", step);
	if (hows & SEEN_KILLED_IN_RECOVERY)
		write_line(operation, "recovery", step);
	if (hows & SEEN_REACHED)
		write_line(operation, "reached", step);
}

void seen_write(const char *operation)
{
	if (!seen)
		return;
	for (size_t i = 0; i < seen_steps(); i++)
		write_seen(operation, &__start_steps[i], seen[i]);
	memset(seen, 0, seen_steps());
	fflush(list); /* else victims would write the buffer again at exit */
}

#else
typedef int no_step_is_named; /* as in shm/steps.c */
#endif
