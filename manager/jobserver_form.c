/* jobserver_form.c - which form of jobserver commands are shown (command/jobserver.h). GNU make
 * before 4.4 stops at a path in MAKEFLAGS, so the installed make is asked for its version, once. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/why.h"
#include "manager/options.h"

enum { FIFO_MAJOR = 4, FIFO_MINOR = 4 };

/* A make other than GNU make knows neither form; without any make, ninja and cargo know the
 * path. */
static enum jobserver_form jobserver_form_of_make(void)
{
	unsigned major = FIFO_MAJOR, minor = FIFO_MINOR;
	FILE *make = popen("timeout 5 make --version 2>/dev/null", "re");
	if (make && fscanf(make, "GNU Make %u.%u", &major, &minor) < 1)
		major = FIFO_MAJOR;
	if (make)
		pclose(make);
	return major < FIFO_MAJOR || (major == FIFO_MAJOR && minor < FIFO_MINOR) ? JOBSERVER_PIPE
										 : JOBSERVER_FIFO;
}

int jobserver_choose(const char *what, const char *text, enum jobserver_form *ret)
{
	static const char *const names[] = {
		[JOBSERVER_NONE] = "none", [JOBSERVER_PIPE] = "pipe", [JOBSERVER_FIFO] = "fifo"
	};
	if (!text) {
		*ret = jobserver_form_of_make();
		return 0;
	}
	for (size_t i = 0; i < COUNT_OF(names); i++)
		if (strcmp(text, names[i]) == 0) {
			*ret = (enum jobserver_form)i;
			return 0;
		}
	return why(-EINVAL, "%s wants pipe, fifo or none, not \"%s\"", what, text);
}
