#include "cli/top/top_watch.h"

#include <errno.h>
#include <stdio.h>

#include "cli/leaders.h"

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

void watched_judge(struct watched *watched)
{
	struct leaders leaders;
	char *text = watched->trouble;
	leaders_look(watched->in, &leaders);
	enum leader_state manager = leaders.manager.state, scheduler = leaders.scheduler.state;
	if (manager == LEADER_DEAD && scheduler == LEADER_DEAD)
		snprintf(text, sizeof watched->trouble,
		    "manager and scheduler are dead: this is what they left; plm adopts it");
	else if (manager == LEADER_DEAD)
		snprintf(text, sizeof watched->trouble,
		    "the manager (pid %d) is dead; plm takes over", leaders.manager.pid);
	else if (manager == LEADER_STOPPED)
		snprintf(text, sizeof watched->trouble,
		    "the manager (pid %d) is stopped: the dead are not replaced until it goes on",
		    leaders.manager.pid);
	else if (scheduler == LEADER_DEAD)
		snprintf(text, sizeof watched->trouble,
		    "the scheduler (pid %d) is dead; the manager starts another",
		    leaders.scheduler.pid);
	else if (scheduler == LEADER_STOPPED)
		snprintf(text, sizeof watched->trouble,
		    "the scheduler (pid %d) is stopped: no task is placed until it goes on",
		    leaders.scheduler.pid);
}
