#include "manager/descriptors.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

enum { KEPT = 32 }; /* for successors of members, for loaders, and for reads of /proc */

static struct rlimit original;
static bool raised;

void descriptors_raise(void)
{
	struct rlimit all;
	if (getrlimit(RLIMIT_NOFILE, &original) < 0 || original.rlim_cur == original.rlim_max)
		return;
	all = (struct rlimit){ .rlim_cur = original.rlim_max, .rlim_max = original.rlim_max };
	raised = setrlimit(RLIMIT_NOFILE, &all) == 0;
}

void descriptors_restore(void)
{
	if (raised)
		setrlimit(RLIMIT_NOFILE, &original);
	raised = false;
}

/* The kernel gives out the lowest free number. */
bool descriptors_short(int any)
{
	struct rlimit now;
	int lowest = fcntl(any, F_DUPFD_CLOEXEC, 0);
	if (lowest >= 0)
		close(lowest);
	return lowest < 0 ||
	    (getrlimit(RLIMIT_NOFILE, &now) == 0 && (rlim_t)lowest + KEPT >= now.rlim_cur);
}
