#include "web/web_look.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "cli/leaders.h"

enum { MAP_LINE_BYTES = 512 };

void look_close(struct look *look)
{
	plm_inspect_close(&look->in);
}

void look_let_go(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[MAP_LINE_BYTES];
	unsigned long begin, end;
	while (maps && fgets(line, sizeof line, maps))
		if (strstr(line, " /dev/shm/plm-") && sscanf(line, "%lx-%lx ", &begin, &end) == 2)
			madvise((void *)begin, end - begin, MADV_DONTNEED); /* shared: kept */
	if (maps)
		fclose(maps);
}

static int look_lost(struct look *look, int error)
{
	look_close(look);
	look->error = error;
	if (error == -ENOENT && look->boot)
		snprintf(look->trouble, sizeof look->trouble,
		    "the runtime has stopped; this page goes on when plm boots it again");
	else
		snprintf(look->trouble, sizeof look->trouble, "%.200s", plm_why());
	return error;
}

int look_again(struct look *look)
{
	plm_inspect *in = NULL;
	plm_runtime_row row;
	int r = plm_inspect_open(&in, look->name);
	if (r == 0 && (r = plm_inspect_runtime(in, &row, sizeof row)) < 0)
		plm_inspect_close(&in);
	if (r < 0)
		return look_lost(look, r);
	look_close(look);
	look->in = in;
	look->error = 0;
	look->runtime = row;
	bool again = look->boot == row.runtime;
	look->boot = row.runtime;
	if (!again)
		look->trouble[0] = 0;
	return again ? 0 : LOOK_NEW;
}

void look_judge(struct look *look)
{
	struct leaders leaders;
	const char *text = "";
	leaders_look(look->in, &leaders);
	enum leader_state manager = leaders.manager.state, scheduler = leaders.scheduler.state;
	if (manager == LEADER_DEAD && scheduler == LEADER_DEAD)
		text = "manager and scheduler are dead: the page shows what they left; the next "
		       "plm of this name adopts it";
	else if (manager == LEADER_DEAD)
		text = "the manager is dead; the next plm of this name takes over";
	else if (manager == LEADER_STOPPED)
		text = "the manager is stopped: nobody may join, and the dead are not replaced, "
		       "until it goes on";
	else if (scheduler == LEADER_DEAD)
		text = "the scheduler is dead; the manager starts another";
	else if (scheduler == LEADER_STOPPED)
		text = "the scheduler is stopped: no task is placed until it goes on";
	snprintf(look->trouble, sizeof look->trouble, "%s", text);
}

const char *look_state(const struct look *look)
{
	switch (look->error) {
	case 0: return plm_mode_name(look->runtime.mode);
	case -ENOENT: return "gone";
	case -EPROTO: return "other version";
	case -EACCES:
	case -EPERM: return "other user";
	default: return "unreadable";
	}
}
