/* option_rows.c - the table of the options of plm, and the functions that take values which are
 * more than a number or a word. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/log.h"
#include "base/option_table.h"
#include "base/scan.h"
#include "base/why.h"
#include "client/plm.h"
#include "events/eventlog_segment.h"
#include "manager/options.h"
#include "policy/policy.h"
#include "spec/spec.h"

enum { READY_FD_MAX = 1 << 20, TIME_MAX_MS = 1 << 30, MODULE_LIMIT_LEAST_MS = 1 };

#define AGE_MAX_MS (UINT64_C(86400000) * 365 * 100)
#define SIZE_MAX_BYTES (UINT64_C(1) << 62)

static int option_rows_name(void *target, const struct option_given *given)
{
	struct options *o = target;
	int r = tables_check_name(given->text);
	if (r == 0)
		snprintf(o->name, sizeof o->name, "%s", given->text);
	return r;
}

int options_set_workers(struct options *o, const char *text)
{
	struct resource_names names = { 0 };
	int r = text[0] == '@' ? spec_workers_file(text + 1, &names, o->kind, &o->kinds)
			       : spec_workers(text, &names, o->kind, &o->kinds);
	if (r < 0)
		return r;
	o->resources = names;
	o->limits.workers = 0;
	for (uint32_t i = 0; i < o->kinds; i++)
		o->limits.workers += o->kind[i].count * o->kind[i].cpus;
	return 0;
}

static int option_rows_workers(void *target, const struct option_given *given)
{
	return options_set_workers(target, given->text);
}

static int option_rows_policy(void *target, const struct option_given *given)
{
	struct options *o = target;
	for (uint32_t i = 0; policy_at(i); i++)
		if (policy_at(i) == policy_find(given->text)) {
			o->policy = i;
			return 0;
		}
	return why(-EINVAL,
	    "no such policy: \"%s\"; there are locality (the default), "
	    "load-aware, power-of-two, round-robin, random and static-fill",
	    given->text);
}

static int option_rows_add_module(struct options *o, const char *path)
{
	if (o->module_count == COUNT_OF(o->modules))
		return why(-E2BIG, "--module may be given %d times at most", MODULES_MAX);
	o->modules[o->module_count++] = path;
	return 0;
}

/* The variable holds several paths. The copy lives as long as the program, like argv. */
static int option_rows_module(void *target, const struct option_given *given)
{
	if (!given->environment)
		return option_rows_add_module(target, given->text);
	char *save = NULL, *paths = strdup(given->text);
	if (!paths)
		return why(-ENOMEM, "out of memory");
	for (char *path = strtok_r(paths, ":", &save); path; path = strtok_r(NULL, ":", &save)) {
		int r = option_rows_add_module(target, path);
		if (r < 0)
			return r;
	}
	return 0;
}

static int option_rows_module_limit(void *target, const struct option_given *given)
{
	struct options *o = target;
	int r = text_time(given->what, given->text, TIME_MAX_MS, &o->module_limit_ms);
	if (r == 0 && o->module_limit_ms < MODULE_LIMIT_LEAST_MS)
		return why(
		    -EINVAL, "%s 0 would load no module: give a time, e.g. 10s", given->what);
	return r;
}

static int option_rows_keep_finished(void *target, const struct option_given *given)
{
	return retention_parse(given->what, given->text, &((struct options *)target)->retention);
}

static int option_rows_on_finish(void *target, const struct option_given *given)
{
	if (strlen(given->text) >= ON_FINISH_BYTES)
		return why(-EINVAL, "%s has %d bytes at most: put a longer line into a script",
		    given->what, ON_FINISH_BYTES - 1);
	((struct options *)target)->on_finish = given->text;
	return 0;
}

static int option_rows_accept_free(void *target, const struct option_given *given)
{
	return threshold_parse(given->what, given->text, &((struct options *)target)->accept_free);
}

static int option_rows_return_free(void *target, const struct option_given *given)
{
	return threshold_parse(given->what, given->text, &((struct options *)target)->return_free);
}

static int option_rows_victim(void *target, const struct option_given *given)
{
	struct options *o = target;
	return victim_parse(given->what, given->text, &o->memory_rules.victim);
}

static int option_rows_inject(void *target, const struct option_given *given)
{
	return injections_parse(given->text, &((struct options *)target)->injections);
}

static int option_rows_durability(void *target, const struct option_given *given)
{
	struct options *o = target;
	o->durability = durability_of(given->text);
	o->durability_given = true;
	return o->durability != DURABILITIES
	    ? 0
	    : why(-EINVAL, "%s wants none, batch or sync, not \"%s\"", given->what, given->text);
}

static int option_rows_jobserver(void *target, const struct option_given *given)
{
	return jobserver_choose(given->what, given->text, &((struct options *)target)->jobserver);
}

/* The variable may hold a password: no command that the runtime starts inherits it. */
static int option_rows_fleet(void *target, const struct option_given *given)
{
	struct options *o = target;
	int r = fleet_url_parse(given->what, given->text, given->environment, &o->fleet);
	o->fleet_given = r == 0;
	if (given->environment)
		unsetenv(given->what);
	return r;
}

static int option_rows_help(void *target, const struct option_given *given)
{
	(void)target;
	options_print_help(given->text);
	return OPTIONS_END;
}

static int option_rows_version(void *target, const struct option_given *given)
{
	(void)target;
	(void)given;
	puts("plm " PLM_VERSION);
	return OPTIONS_END;
}

const struct option_row option_rows[] = {
	{ "name", NULL, "PLM_NAME", OPTION_RUNTIME, .word = "NAME", .standard = "\"default\"",
	    .help = "name of the runtime", .take = option_rows_name },
	{ "workers", NULL, "PLM_WORKERS", OPTION_TEXT, .word = "N|SPEC", .standard = "one a core",
	    .help = "N plain workers, or kinds of workers, e.g. 'gen=4,cpus=2 x2; gen=1,cpus=5 "
		    "x2': generation 1 to 4, tasks at once, how many workers; gpus=N, mem=SIZE "
		    "and resources of any NAME=N that tasks may ask for; python=INTERPRETER "
		    "makes Python workers; @FILE reads the text "
		    "from a file",
	    .take = option_rows_workers },
	{ "python", NULL, "PLM_PYTHON", OPTION_FILE, .word = "INTERPRETER",
	    .help = "run Python tasks: each worker is a process of this interpreter, which has "
		    "the package plm. Kinds with their own 'python=INTERPRETER' in --workers keep "
		    "it, so that some kinds can be Python workers and others not",
	    OPTION_FIELD(struct options, python) },
	{ "preload", NULL, "PLM_PRELOAD", OPTION_TEXT, .word = "MODULES",
	    .help = "Python modules, separated by commas, that each interpreter imports once, "
		    "before its workers are forked: a worker then has them without the time and "
		    "memory of another import",
	    OPTION_FIELD(struct options, preload) },
	{ "spares", NULL, "PLM_SPARES", OPTION_NUMBER, .word = "N",
	    .standard = "as many as worker processes, fewer if --processes is small",
	    .help = "while tasks are queued, start up to N more processes in the place of workers "
		    "whose tasks wait for other tasks; 0: none",
	    OPTION_FIELD(struct options, spares), .most = UINT32_MAX },
	{ "gpus", NULL, "PLM_GPUS", OPTION_NUMBER, .word = "N", .standard = "those found",
	    .help = "act as if there were N GPUs, divided among the workers",
	    OPTION_FIELD(struct options, gpus), .most = DEVICES_MAX },
	{ "memory", NULL, "PLM_MEMORY", OPTION_SIZE, .word = "SIZE",
	    .standard = "what the machine has",
	    .help = "the memory that all tasks together may ask for",
	    OPTION_FIELD(struct options, memory), .most = SIZE_MAX_BYTES },
	{ "accept-free", NULL, "PLM_ACCEPT_FREE", OPTION_TEXT, .word = "SIZE|N%", .standard = "5%",
	    .help = "start no task while less memory than this is free; 0: do not look",
	    .take = option_rows_accept_free },
	{ "return-free", NULL, "PLM_RETURN_FREE", OPTION_TEXT, .word = "SIZE|N%", .standard = "2%",
	    .help = "while less memory than this is free, and tasks have a quarter of what is "
		    "used, end a task and put it back into the queue, which is no failure; 0: "
		    "never",
	    .take = option_rows_return_free },
	{ "victim", NULL, "PLM_VICTIM", OPTION_CHOICE, .choices = "newest|over",
	    .standard = "newest",
	    .help = "the task that --return-free ends: the one that started last, or the one "
		    "furthest over the memory it asked for",
	    .take = option_rows_victim },
	{ "reserve-cores", NULL, "PLM_RESERVE_CORES", OPTION_NUMBER, .word = "N", .standard = "0",
	    .help = "start a worker for each core but N, which are left to others; not with "
		    "--workers",
	    OPTION_FIELD(struct options, reserve_cores), .most = UINT32_MAX },
	{ "policy", NULL, "PLM_POLICY", OPTION_CHOICE, .word = "NAME",
	    .choices = "locality|load-aware|power-of-two|round-robin|random|static-fill",
	    .standard = "locality",
	    .help = "which worker gets a task: locality, load-aware, power-of-two, round-robin, "
		    "random, static-fill; `plmctl policy` changes it",
	    .take = option_rows_policy },
	{ "seed", NULL, "PLM_SEED", OPTION_NUMBER, .word = "N", .standard = "0",
	    .help = "the seed of policies that draw at random", OPTION_FIELD(struct options, seed),
	    .most = UINT64_MAX },
	{ "store", NULL, "PLM_STORE", OPTION_SIZE, .word = "SIZE", .standard = "1G",
	    .help = "room for values and arguments, e.g. 512M, 4G",
	    OPTION_FIELD(struct options, limits.store_bytes), .most = SIZE_MAX_BYTES },
	{ "tasks", NULL, "PLM_TASKS", OPTION_NUMBER, .word = "N", .standard = "131072",
	    .help = "futures at once: queued, running, and held results",
	    OPTION_FIELD(struct options, limits.records), .most = UINT32_MAX },
	{ "keep-finished", NULL, "PLM_KEEP_FINISHED", OPTION_TEXT,
	    .word = "COUNT|AGE|COUNT,AGE|all", .standard = "7d",
	    .help = "finished results that only the runtime keeps (plmctl submit --detach, load) "
		    "leave when there are more than COUNT, or after AGE, e.g. 1000, 7d, 1000,12h; "
		    "failed results after four times AGE. When new tasks need the room, the "
		    "oldest results leave, too. all: no result leaves before `plmctl forget`",
	    .take = option_rows_keep_finished },
	{ "on-finish", NULL, NULL, OPTION_TEXT, .word = "LINE",
	    .help = "run LINE in a shell after the end of each command of `plmctl submit` and "
		    "`plmctl load` that has no --on-finish of its own",
	    .take = option_rows_on_finish },
	{ "processes", NULL, "PLM_PROCESSES", OPTION_NUMBER, .word = "N",
	    .standard = "256, or more for many workers",
	    .help = "process slots, a multiple of 64: for workers, their spares, clients, and 2",
	    OPTION_FIELD(struct options, limits.processes), .most = UINT32_MAX },
	{ "module", NULL, "PLM_MODULES", OPTION_FILE, .word = "FILE",
	    .help = "load a module of functions at boot, a shared object or, with --python, a "
		    "Python file; may be given more than once. The variable holds paths "
		    "separated by colons",
	    .take = option_rows_module },
	{ "module-limit", NULL, "PLM_MODULE_LIMIT", OPTION_TIME, .word = "TIME", .standard = "10s",
	    .help = "kill a module's own code that runs longer than TIME while the module is "
		    "loaded; loading it fails",
	    .take = option_rows_module_limit },
	{ "inject", NULL, "PLM_INJECT", OPTION_TEXT, .word = "FAULTS",
	    .help = "let tasks be slow, fail, or lose their worker on purpose, e.g. "
		    "'delay=5ms..50ms@10%, fail@1%, crash@0.1%, hang@0.01%; seed=7'; for workers "
		    "of one generation: 'fail@1%; gen=4: crash@2%'",
	    .take = option_rows_inject },
	{ "pin", NULL, "PLM_PIN", OPTION_CHOICE, .choices = "none|core|numa", .standard = "none",
	    .help = "keep each worker on the cpus of one core, or of one NUMA node, in turn",
	    OPTION_FIELD(struct options, pin) },
	{ "ageing", NULL, "PLM_AGEING", OPTION_TIME, .word = "TIME", .standard = "1m",
	    .help = "a task that has waited longer than TIME gets a turn, one of eight, before "
		    "higher priorities; 0: never",
	    OPTION_FIELD(struct options, ageing_ms), .most = TIME_MAX_MS },
	{ "hang-after", NULL, "PLM_HANG_AFTER", OPTION_TIME, .word = "TIME", .standard = "never",
	    .help = "kill and replace a worker that gave no sign of life for TIME, e.g. 500ms or "
		    "30s. Signs are: its task begins, or asks whether it is cancelled. The task "
		    "spends one of its --crash-retries",
	    OPTION_FIELD(struct options, hang_after_ms), .most = TIME_MAX_MS },
	{ "recycle-tasks", NULL, "PLM_RECYCLE_TASKS", OPTION_NUMBER, .word = "N",
	    .standard = "never", .help = "replace each worker process after N tasks",
	    OPTION_FIELD(struct options, recycling.tasks), .most = UINT32_MAX },
	{ "recycle-growth", NULL, "PLM_RECYCLE_GROWTH", OPTION_SIZE, .word = "SIZE",
	    .standard = "never",
	    .help = "replace a worker process when its private memory has grown by SIZE since "
		    "before its first task; checked every 100 ms",
	    OPTION_FIELD(struct options, recycling.growth), .most = SIZE_MAX_BYTES },
	{ "jobserver", NULL, "PLM_JOBSERVER", OPTION_CHOICE, .optional = true, .word = "FORM",
	    .choices = "pipe|fifo|none", .standard = "the form that the installed make knows",
	    .help = "lend idle cpus to the makes that commands start, which find a jobserver in "
		    "MAKEFLAGS. FORM: pipe (any GNU make, cargo), fifo (make 4.4, ninja 1.13, "
		    "cargo), none. `plmctl submit --env PLM_JOBSERVER=none` excepts one task",
	    .take = option_rows_jobserver },
	{ "fresh", NULL, NULL, OPTION_FLAG,
	    .help = "remove what a killed runtime of this name has left. Without --fresh plm "
		    "resumes it with its original options: queued tasks, kept values, and the "
		    "clients and workers that still live",
	    OPTION_FIELD(struct options, fresh) },
	{ "guard", NULL, NULL, OPTION_FLAG,
	    .help = "a small parent process starts plm again at once when plm was killed",
	    OPTION_FIELD(struct options, guard) },
	{ "tied", NULL, NULL, OPTION_FLAG,
	    .help = "end at once when the process that started plm ends; the runtime's processes "
		    "end with plm, even if it is killed (without --tied they go on until the next "
		    "boot)",
	    OPTION_FIELD(struct options, tied) },
	{ "state", NULL, "PLM_STATE", OPTION_DIRECTORY, .word = "DIR",
	    .help = "keep a journal in DIR of the tasks that the runtime keeps (plmctl submit "
		    "--detach, load; PLM_KEEP): after a reboot tasks that had not ended are queued "
		    "again; plmctl history lists all",
	    OPTION_FIELD(struct options, state) },
	{ "durability", NULL, "PLM_DURABILITY", OPTION_CHOICE, .choices = "none|batch|sync",
	    .standard = "batch",
	    .help = "what the journal promises. batch: a task is on the disk within some 50 ms; "
		    "sync: when the submission returns; none: a history alone, nothing is queued "
		    "again",
	    .take = option_rows_durability },
	{ "history-age", NULL, "PLM_HISTORY_AGE", OPTION_AGE, .word = "AGE", .standard = "30d",
	    .help = "remove tasks from the journal that ended AGE ago; 0: never",
	    OPTION_FIELD(struct options, history_age_ms), .most = AGE_MAX_MS },
	{ "history-count", NULL, "PLM_HISTORY_COUNT", OPTION_NUMBER, .word = "N",
	    .standard = "1000000",
	    .help = "remove tasks from the journal that are older than the last N; 0: never",
	    OPTION_FIELD(struct options, history_count), .most = UINT32_MAX },
	{ "fleet", NULL, "PLM_FLEET", OPTION_TEXT, .word = "URL",
	    .help = "run tasks of a fleet, too: a queue in Redis that many machines share, "
		    "redis://HOST[:PORT][/DB][?queue=NAME] or unix://PATH[?queue=NAME]. A "
		    "password stands in a file of mode 600 (?password-file=FILE), or in the "
		    "variable: redis://:PASSWORD@HOST. docs/fleet.md has the rest",
	    .take = option_rows_fleet },
	{ "events", NULL, "PLM_EVENTS", OPTION_CHOICE, .choices = "watched|on",
	    .standard = "watched",
	    .help = "when the event log is written. watched: while a program watches (plmctl "
		    "events, trace, top); on: always, so that the last events of each process can "
		    "be read after a crash (plmdump events)",
	    OPTION_FIELD(struct options, events) },
	{ "event-ring", NULL, "PLM_EVENT_RING", OPTION_NUMBER, .word = "N", .standard = "16384",
	    .help = "events kept of each process, a power of two; each takes 32 bytes of "
		    "/dev/shm, from the first event of the process on",
	    OPTION_FIELD(struct options, event_ring), .least = EVENT_RING_MIN,
	    .most = EVENT_RING_MAX },
	{ "daemon", NULL, NULL, OPTION_FLAG,
	    .help = "go to the background when ready; the log is NAME.log in the runtime directory",
	    OPTION_FIELD(struct options, daemon) },
	{ "quiet", NULL, LOG_QUIET, OPTION_FLAG,
	    .help = "log warnings alone: nothing about births, orderly ends and stops",
	    OPTION_FIELD(struct options, quiet) },
	{ "log", NULL, LOG_FORM, OPTION_CHOICE, .choices = LOG_FORMS, .standard = "text",
	    .help = "the form of the log. json: an object a line with time, level, runtime, role, "
		    "pid, message and the subject (worker, process_slot, about_pid, signal, ...)",
	    OPTION_FIELD(struct options, log) },
	{ "ready", NULL, NULL, OPTION_NUMBER, .word = "FD",
	    .help = "write the ready line to the open descriptor FD, then close it, instead of to "
		    "stdout; for programs that start plm",
	    OPTION_FIELD(struct options, ready_fd), .least = STDERR_FILENO + 1,
	    .most = READY_FD_MAX },
	{ "help", NULL, NULL, OPTION_TEXT, .optional = true, .help = "show this text",
	    .take = option_rows_help },
	{ "version", NULL, NULL, OPTION_FLAG, .help = "show the version",
	    .take = option_rows_version },
	{ 0 },
};
