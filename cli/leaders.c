#include "cli/leaders.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

enum { STAT_PATH_BYTES = 32, STAT_LINE_BYTES = 1024, AGE_SLACK_MS = 2000 };

/* The fields 4 to 21 of /proc/PID/stat, which stand between the state and the start time. */
#define SKIP_6 " %*s %*s %*s %*s %*s %*s"
#define SKIP_18 SKIP_6 SKIP_6 SKIP_6

/* The state letter and the age of a process, of /proc/PID/stat (proc(5)); false: no such process.
 */
static bool leaders_stat(int32_t pid, char *ret_letter, uint64_t *ret_age_ms)
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

static enum leader_state leaders_state(const plm_process_row *row)
{
	char letter;
	uint64_t age_ms;
	if (row->dead || !leaders_stat(row->pid, &letter, &age_ms) || strchr("ZXx", letter) ||
	    age_ms + AGE_SLACK_MS < row->age_ms)
		return LEADER_DEAD;
	return strcmp(row->condition, "stopped") == 0 ? LEADER_STOPPED : LEADER_WELL;
}

void leaders_look(plm_inspect *in, struct leaders *ret)
{
	plm_process_row row[2];
	uint64_t cursor = 0;
	*ret = (struct leaders){ .manager = { .state = LEADER_WELL } };
	int n = plm_inspect_processes(
	    in, 1U << PLM_KIND_MANAGER | 1U << PLM_KIND_SCHEDULER, &cursor, row, sizeof row[0], 2);
	for (int i = 0; i < n; i++) {
		struct leader *leader =
		    row[i].kind == PLM_KIND_MANAGER ? &ret->manager : &ret->scheduler;
		*leader = (struct leader){ leaders_state(&row[i]), row[i].pid };
	}
}
