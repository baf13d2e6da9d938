#include "cli/top/top_watch.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

void watched_close(struct watched *watched)
{
	plm_inspect_close(&watched->in);
}

static int watched_lost(struct watched *watched, int error)
{
	watched_close(watched);
	if (error == -ENOENT && watched->boot)
		snprintf(watched->trouble, sizeof watched->trouble,
		    "the runtime has stopped; top goes on when it is booted again");
	else
		snprintf(watched->trouble, sizeof watched->trouble, "%.200s", plm_why());
	return error;
}

int watched_look(struct watched *watched)
{
	plm_inspect *in = NULL;
	plm_runtime_row row;
	int r = plm_inspect_open(&in, watched->name);
	if (r == 0 && (r = plm_inspect_runtime(in, &row, sizeof row)) < 0)
		plm_inspect_close(&in);
	if (r < 0)
		return watched_lost(watched, r);
	watched->trouble[0] = 0;
	if (watched->in && watched->boot == row.runtime) {
		plm_inspect_close(&in);
		return 0;
	}
	watched_close(watched);
	watched->in = in;
	watched->boot = row.runtime;
	return WATCH_NEW;
}

static bool watched_dead(int32_t pid)
{
	return pid > 0 && kill(pid, 0) < 0 && errno == ESRCH;
}

void watched_judge(struct watched *watched, int32_t manager_pid, int32_t scheduler_pid)
{
	bool manager = watched_dead(manager_pid), scheduler = watched_dead(scheduler_pid);
	if (manager && scheduler)
		snprintf(watched->trouble, sizeof watched->trouble,
		    "manager and scheduler are dead: this is what they left; plm adopts it");
	else if (manager)
		snprintf(watched->trouble, sizeof watched->trouble,
		    "the manager (pid %d) is dead; plm takes over", manager_pid);
	else if (scheduler)
		snprintf(watched->trouble, sizeof watched->trouble,
		    "the scheduler (pid %d) is dead; the manager starts another", scheduler_pid);
}
