#include "web/web_look.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"

enum { MAP_LINE_BYTES = 512, STAT_PATH_BYTES = 32, STAT_LINE_BYTES = 1024, AGE_SLACK_MS = 2000 };

/* The fields 4 to 21 of /proc/PID/stat, which stand between the state and the start time. */
#define SKIP_6 " %*s %*s %*s %*s %*s %*s"
#define SKIP_18 SKIP_6 SKIP_6 SKIP_6

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

/* The state letter and the age of a process, of /proc/PID/stat (proc(5)); false: no such process.
 */
static bool look_stat(int32_t pid, char *ret_letter, uint64_t *ret_age_ms)
{
	char path[STAT_PATH_BYTES], line[STAT_LINE_BYTES] = "";
	unsigned long long start_ticks;
	snprintf(path, sizeof path, "/proc/%d/stat", pid);
	FILE *file = fopen(path, "re");
	size_t n = file ? fread(line, 1, sizeof line - 1, file) : 0;
	if (file)
		fclose(file);
	line[n] = 0;
	const char *end = strrchr(line, ')'); /* the name of the program may hold anything */
	if (!end || sscanf(end + 1, " %c" SKIP_18 "%llu", ret_letter, &start_ticks) != 2)
		return false;
	uint64_t now_ms = clock_of(CLOCK_BOOTTIME) / NS_PER_MS;
	uint64_t start_ms = start_ticks * 1000 / (uint64_t)sysconf(_SC_CLK_TCK);
	*ret_age_ms = now_ms > start_ms ? now_ms - start_ms : 0;
	return true;
}

/* Not kill(pid, 0), which also finds a dead child that its parent leaves (a container whose first
 * process reaps nobody), and a stranger that has the number of the dead. */
static const char *look_ails(const plm_process_row *row)
{
	char letter;
	uint64_t age_ms;
	if (row->dead || !look_stat(row->pid, &letter, &age_ms) || strchr("ZXx", letter) ||
	    age_ms + AGE_SLACK_MS < row->age_ms)
		return "dead";
	return strcmp(row->condition, "stopped") == 0 ? "stopped" : NULL;
}

void look_judge(struct look *look)
{
	plm_process_row row[2];
	uint64_t cursor = 0;
	const char *manager = NULL, *scheduler = NULL, *text = "";
	int n = plm_inspect_processes(look->in, 1U << PLM_KIND_MANAGER | 1U << PLM_KIND_SCHEDULER,
	    &cursor, row, sizeof row[0], 2);
	for (int i = 0; i < n; i++)
		if (row[i].kind == PLM_KIND_MANAGER)
			manager = look_ails(&row[i]);
		else
			scheduler = look_ails(&row[i]);
	bool dead = manager && strcmp(manager, "dead") == 0;
	if (dead && scheduler && strcmp(scheduler, "dead") == 0)
		text = "manager and scheduler are dead: the page shows what they left; the next "
		       "plm of this name adopts it";
	else if (dead)
		text = "the manager is dead; the next plm of this name takes over";
	else if (manager)
		text = "the manager is stopped: nobody may join, and the dead are not replaced, "
		       "until it goes on";
	else if (scheduler && strcmp(scheduler, "dead") == 0)
		text = "the scheduler is dead; the manager starts another";
	else if (scheduler)
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
