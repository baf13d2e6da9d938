#include "tables/process.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

static const char *const kind_names[KINDS] = {
	[KIND_NONE] = "none",
	[KIND_MANAGER] = "manager",
	[KIND_SCHEDULER] = "scheduler",
	[KIND_WORKER] = "worker",
	[KIND_CLIENT] = "client",
	[KIND_JOURNAL] = "journal",
};

static const char *const state_names[PROCESS_STATES] = {
	[PROCESS_FREE] = "free",
	[PROCESS_STARTING] = "starting",
	[PROCESS_LIVE] = "live",
	[PROCESS_LEAVING] = "leaving",
	[PROCESS_DEAD] = "dead",
};

static const bool legal[PROCESS_STATES][PROCESS_STATES] = {
	[PROCESS_FREE] = { [PROCESS_STARTING] = true },
	[PROCESS_STARTING] = { [PROCESS_LIVE] = true, [PROCESS_DEAD] = true },
	[PROCESS_LIVE] = { [PROCESS_LEAVING] = true, [PROCESS_DEAD] = true },
	[PROCESS_LEAVING] = { [PROCESS_DEAD] = true },
	[PROCESS_DEAD] = { [PROCESS_FREE] = true },
};

const char *process_kind_name(enum process_kind kind)
{
	return kind < KINDS ? kind_names[kind] : "?";
}

const char *process_state_name(enum process_state state)
{
	return state < PROCESS_STATES ? state_names[state] : "?";
}

bool process_step_legal(enum process_state from, enum process_state to)
{
	return from < PROCESS_STATES && to < PROCESS_STATES && legal[from][to];
}

bool process_step(struct process *p, uint64_t *seen, enum process_state to)
{
	if (!process_step_legal(process_state(*seen), to))
		return false;
	return sh_cas(
	    &p->state, seen, process_word(process_generation(*seen), process_kind(*seen), to));
}

bool process_claim(struct process *p, enum process_kind kind, pid_t pid, const char *name)
{
	uint64_t seen = sh_load(&p->state);
	if (process_state(seen) != PROCESS_FREE)
		return false;
	p->pid = pid;
	p->start_time = pid ? process_start_time(pid) : 0;
	p->joined_ns = clock_ns();
	snprintf(p->name, sizeof p->name, "%s", name);
	for (int i = 0; i < WAITERS; i++)
		sh_poke(&p->waiter[i].awaiting, AWAITING_NOTHING);
	sh_poke(&p->unclean, 0);
	sh_poke(&p->watches, 0);
	sh_poke(&p->move, 0); /* an order of the last holder is about another task */
	sh_poke(&p->beat_ns, clock_coarse_ns());
	sh_poke(&p->average_ns, 0);
	sh_poke(&p->tasks_sleep, 0);
	sh_poke(&p->blocked, 0);
	sh_poke(&p->waiting_ns, 0);
	sh_poke(&p->refused, 0);
	sh_poke(&p->inside_word, 0);
	sh_poke(&p->died_ns, 0);
	sh_poke(&p->handed, 0);
	sh_poke(&p->booked, 0);
	sh_poke(&p->booked_seen, 0);
	sh_poke(&p->lent, 0);
	sh_poke(&p->node, 0);
	sh_poke(&p->running, 0);
	sh_poke(&p->alert, 0);
	sh_poke(&p->room_wanted, 0);
	sh_poke(&p->memory, 0);
	sh_poke(&p->memory_peak, 0);
	sh_poke(&p->done, 0);
	sh_poke(&p->failed, 0);
	return sh_cas(&p->state, &seen,
	    process_word(process_generation(seen) + 1, kind, PROCESS_STARTING), "state, claimed");
}

uint32_t process_depth(const struct process *p)
{
	enum {
		LOOKAHEAD_NS = 1000000, /* beside it, a wake of the scheduler costs little */
		DEPTH_MAX = DOWN_RING_ENTRIES / 2, /* half is for the worker's own successors */
		DEPTH_UNKNOWN = 2,                 /* for a worker without a task so far */
		DEPTH_SHORT = 4,         /* for short commands: the next one waits at hand */
		SHORT_WAIT_NS = 8000000, /* but no task is to wait longer in a ring */
	};
	uint32_t average = sh_peek(&p->average_ns);
	if (sh_peek(&p->blocked))
		return 0;
	if (average == 0)
		return DEPTH_UNKNOWN;
	uint32_t depth = LOOKAHEAD_NS / average, most = SHORT_WAIT_NS / average;
	if (depth > DEPTH_MAX)
		return DEPTH_MAX;
	if (depth < DEPTH_SHORT)
		depth = most < DEPTH_SHORT ? most : DEPTH_SHORT;
	return depth ? depth : 1;
}

struct proc_stat {           /* of /proc/PID/stat */
	char state;          /* field 3 */
	uint64_t start_time; /* field 22 */
};

static bool process_read_stat(pid_t pid, struct proc_stat *ret)
{
	char path[40], text[512];
	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	FILE *f = fopen(path, "re");
	if (!f)
		return false;
	size_t n = fread(text, 1, sizeof text - 1, f);
	fclose(f);
	text[n] = 0;
	/* The command's name, field 2, may hold blanks and brackets: count from the last bracket.
	 */
	char *at = strrchr(text, ')');
	if (!at || at[1] == 0)
		return false;
	ret->state = at[2];
	for (int field = 2; at && field < 22; field++)
		at = strchr(at + 1, ' ');
	ret->start_time = at ? strtoull(at, NULL, 10) : 0;
	return true;
}

/* A zombie is dead: it runs no more. */
uint64_t process_start_time(pid_t pid)
{
	struct proc_stat stat;
	if (!process_read_stat(pid, &stat) || stat.state == 'Z' || stat.state == 'X')
		return 0;
	return stat.start_time;
}

bool process_stopped(pid_t pid, uint64_t start_time)
{
	struct proc_stat stat;
	return process_read_stat(pid, &stat) && stat.start_time == start_time &&
	    (stat.state == 'T' || stat.state == 't');
}
