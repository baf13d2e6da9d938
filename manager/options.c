#include "manager/options.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/scan.h"
#include "base/why.h"
#include "client/plm.h"
#include "policy/policy.h"
#include "store/nodes.h"
#include "spec/spec.h"

enum {
	EXIT_USAGE = 64,
	CLIENTS_LEAST = 64,
	TIME_MAX_MS = 1 << 30,
	MODULE_LIMIT_DEFAULT_MS = 10000
};
enum { HISTORY_DAYS_DEFAULT = 30, HISTORY_COUNT_DEFAULT = 1000000, KEEP_DAYS_DEFAULT = 7 };

#define DAY_MS UINT64_C(86400000)
#define AGE_MAX_MS (DAY_MS * 365 * 100)

static const char help[] =
    "plm boots a task runtime on this machine: a manager, a scheduler and workers over shared "
    "memory.\n"
    "usage: plm [options]\n"
    "  --name NAME       name of the runtime (default \"default\"; PLM_NAME)\n"
    "  --workers N|SPEC  N plain workers (default: one a core), or kinds of workers, e.g.\n"
    "                    'gen=4,cpus=2 x2; gen=1,cpus=5 x2': generation 1 to 4, tasks at once,\n"
    "                    how many of them; gpus=N, mem=SIZE and resources of any NAME=N that\n"
    "                    tasks may ask for; @FILE reads them from a file (PLM_WORKERS)\n"
    "  --spares N        while tasks are queued, start up to N more processes in the place of\n"
    "                    workers whose tasks wait for other tasks (default: as many as worker\n"
    "                    processes, fewer if --processes is small; 0: none; PLM_SPARES)\n"
    "  --gpus N          act as if there were N GPUs, divided among the workers (default: those\n"
    "                    found; PLM_GPUS)\n"
    "  --memory SIZE     the memory that all tasks together may ask for (default: what the\n"
    "                    machine has; PLM_MEMORY)\n"
    "  --accept-free SIZE|N%\n"
    "                    start no task while less memory than this is free (default 5%; 0: do\n"
    "                    not look; PLM_ACCEPT_FREE)\n"
    "  --return-free SIZE|N%\n"
    "                    while less than this is free, and tasks have a quarter of what is used,\n"
    "                    end a task and put it back into the queue, which is no failure (default\n"
    "                    2%; 0: never; PLM_RETURN_FREE)\n"
    "  --victim newest|over\n"
    "                    which task that is: the one that started last (default), or the one\n"
    "                    furthest over the memory it asked for (PLM_VICTIM)\n"
    "  --reserve-cores N start a worker for each core but N, which are left to others; not with\n"
    "                    --workers (default 0; PLM_RESERVE_CORES)\n"
    "  --policy NAME     which worker gets a task: locality (default), load-aware, power-of-two,\n"
    "                    round-robin, random, static-fill; `plmctl policy` changes it\n"
    "                    (PLM_POLICY)\n"
    "  --seed N          the seed of policies that draw at random (default 0; PLM_SEED)\n"
    "  --store SIZE      room for values and arguments, e.g. 512M, 4G (default 1G; PLM_STORE)\n"
    "  --tasks N         futures at once: queued, running, and held results (default 131072; "
    "PLM_TASKS)\n"
    "  --keep-finished COUNT|AGE|COUNT,AGE|all\n"
    "                    finished results that only the runtime keeps (plmctl submit --detach,\n"
    "                    load) leave when there are more than COUNT, or after AGE, e.g. 1000, 7d,\n"
    "                    1000,12h (default 7d); failed ones after four times AGE; the oldest also\n"
    "                    when new tasks need the room; all: none leaves before `plmctl forget`\n"
    "                    (PLM_KEEP_FINISHED)\n"
    "  --processes N     process slots, a multiple of 64: workers, their spares, clients, and 2\n"
    "                    (default 256, or more for many workers; PLM_PROCESSES)\n"
    "  --module FILE.so  load a module of functions at boot; may be given more than once\n"
    "                    (PLM_MODULES: paths separated by colons)\n"
    "  --module-limit TIME\n"
    "                    a module's own code that runs so long while it is loaded is killed, and\n"
    "                    loading it fails (default 10s; PLM_MODULE_LIMIT)\n"
    "  --inject FAULTS   let tasks be slow, fail, or lose their worker on purpose (PLM_INJECT), "
    "e.g.\n"
    "                    'delay=5ms..50ms@10%, fail@1%, crash@0.1%, hang@0.01%; seed=7'; of "
    "workers\n"
    "                    of one generation: 'fail@1%; gen=4: crash@2%'\n"
    "  --pin none|core|numa\n"
    "                    keep each worker on the cpus of one core, or of one NUMA node, in turn\n"
    "                    (default none; PLM_PIN)\n"
    "  --ageing TIME     a task that has waited so long gets a turn, one of eight, before higher\n"
    "                    priorities (default 1m; 0: never; PLM_AGEING)\n"
    "  --hang-after TIME kill and replace a worker that gave no sign of life for TIME, e.g. 500ms\n"
    "                    or 30s. Signs are: its task begins, or asks whether it is cancelled. The\n"
    "                    task spends one of its --crash-retries (default 0: never;\n"
    "                    PLM_HANG_AFTER)\n"
    "  --recycle-tasks N replace each worker process after N tasks (default 0: never;\n"
    "                    PLM_RECYCLE_TASKS)\n"
    "  --recycle-growth SIZE\n"
    "                    replace a worker process when its private memory has grown by SIZE since\n"
    "                    before its first task; checked every 100 ms (default 0: never;\n"
    "                    PLM_RECYCLE_GROWTH)\n"
    "  --jobserver[=FORM]\n"
    "                    lend idle slots to the makes that commands start: they find a\n"
    "                    jobserver in MAKEFLAGS. FORM: pipe (any GNU make, cargo), fifo (make\n"
    "                    4.4, ninja 1.13, cargo), none; default: the one that the make which is\n"
    "                    installed knows (PLM_JOBSERVER, also of a task: --env)\n"
    "  --fresh           remove what a killed runtime of this name has left. Without --fresh plm\n"
    "                    resumes it with its original options: queued tasks, kept values, and the\n"
    "                    clients and workers that still live\n"
    "  --guard           a small parent process starts plm again at once when it was killed\n"
    "  --tied            end at once when the process that started it ends; its own processes end\n"
    "                    with it, however it ends (without: they go on until the next boot)\n"
    "  --state DIR       keep a journal in DIR of the tasks that the runtime keeps (plmctl submit\n"
    "                    --detach, load; PLM_KEEP): after a reboot those that had not ended are\n"
    "                    queued again; plmctl history lists all (PLM_STATE)\n"
    "  --durability none|batch|sync\n"
    "                    what the journal promises: batch (default): on the disk within some\n"
    "                    50 ms; sync: when the submission returns; none: a history alone,\n"
    "                    nothing is queued again (PLM_DURABILITY)\n"
    "  --history-age AGE, --history-count N\n"
    "                    remove tasks from the journal that ended AGE ago (default 30d), or are\n"
    "                    older than the last N (default 1000000); 0: never\n"
    "                    (PLM_HISTORY_AGE, PLM_HISTORY_COUNT)\n"
    "  --daemon          go to the background when ready; the log is NAME.log in the runtime "
    "directory\n"
    "  --help, --version\n"
    "It stays in the foreground and prints one line when it is ready:\n"
    "  plm: ready name=NAME pid=PID workers=N\n"
    "Started by a recipe of make -jN (behind +), it has one worker, and more as tasks wait and\n"
    "that make's jobserver has tokens; not with --daemon, nor with `env -u MAKEFLAGS plm`.\n"
    "SIGTERM or SIGINT drains the queue, then ends it; a second one ends it at once.\n"
    "Exit codes: 0 stopped, 64 usage, 73 could not boot, 75 a runtime of this name is up.\n";

static int options_usage_error(void)
{
	fprintf(stderr, "plm: %s\nTry \"plm --help\".\n", why_text());
	return EXIT_USAGE + 1;
}

static int options_parse_number(const char *what, const char *text, uint64_t max, uint64_t *ret)
{
	char *end;
	errno = 0;
	uint64_t n = strtoull(text, &end, 10);
	if (errno || end == text || *end || text[0] == '-' || n > max)
		return why(
		    -EINVAL, "%s wants a number up to %" PRIu64 ", not \"%s\"", what, max, text);
	*ret = n;
	return 0;
}

static int options_parse_size(const char *what, const char *text, uint64_t *ret)
{
	static const char units[] = "KMGT";
	char *end;
	errno = 0;
	uint64_t n = strtoull(text, &end, 10);
	const char *unit = *end ? strchr(units, *end & ~0x20) : NULL;
	unsigned shift = unit ? 10 * (unsigned)(unit - units + 1) : 0;
	bool good = !errno && end != text && text[0] != '-' && (!*end || (unit && !end[1]));
	if (!good || n > UINT64_MAX >> shift)
		return why(-EINVAL, "%s wants a size such as 512M or 4G, not \"%s\"", what, text);
	*ret = n << shift;
	return 0;
}

static int options_set_number(const char *what, const char *text, uint32_t *field)
{
	uint64_t n = 0;
	int r = options_parse_number(what, text, UINT32_MAX, &n);
	if (r == 0)
		*field = (uint32_t)n;
	return r;
}

static int options_set_name(struct options *o, const char *name)
{
	int r = tables_check_name(name);
	if (r == 0)
		snprintf(o->name, sizeof o->name, "%s", name);
	return r;
}

static int options_set_workers(struct options *o, const char *text)
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

static int options_set_gpus(struct options *o, const char *what, const char *text)
{
	uint64_t n = 0;
	int r = options_parse_number(what, text, DEVICES_MAX, &n);
	o->gpus = (uint32_t)n;
	return r;
}

static int options_set_policy(struct options *o, const char *name)
{
	for (uint32_t i = 0; policy_at(i); i++)
		if (policy_at(i) == policy_find(name)) {
			o->policy = i;
			return 0;
		}
	return why(-EINVAL,
	    "no such policy: \"%s\"; there are locality (the default), "
	    "load-aware, power-of-two, round-robin, random and static-fill",
	    name);
}

static int options_add_module(struct options *o, const char *path)
{
	if (o->module_count == COUNT_OF(o->modules))
		return why(-E2BIG, "--module may be given %d times at most", MODULES_MAX);
	o->modules[o->module_count++] = path;
	return 0;
}

static int options_set_module_limit(struct options *o, const char *what, const char *text)
{
	int r = text_time(what, text, TIME_MAX_MS, &o->module_limit_ms);
	return r == 0 && o->module_limit_ms == 0 ? why(-EINVAL,
						       "%s 0 would load no module: give "
						       "a time, e.g. 10s",
						       what)
						 : r;
}

static int options_set_pin(struct options *o, const char *what, const char *text)
{
	enum pin mode = pin_of(text);
	if (mode == PIN_MODES)
		return why(-EINVAL, "%s wants none, core or numa, not \"%s\"", what, text);
	o->pin = mode;
	return 0;
}

static int options_set_durability(struct options *o, const char *what, const char *text)
{
	o->durability = durability_of(text);
	if (o->durability == DURABILITIES)
		return why(-EINVAL, "%s wants none, batch or sync, not \"%s\"", what, text);
	o->durability_given = true;
	return 0;
}

/* A time of people: also in days. */
static int options_parse_age(const char *what, const char *text, uint64_t *ret_ms)
{
	size_t n = strlen(text);
	char number[24];
	if (n < 2 || n > sizeof number || text[n - 1] != 'd')
		return text_time(what, text, AGE_MAX_MS, ret_ms);
	memcpy(number, text, n - 1);
	number[n - 1] = 0;
	int r = options_parse_number(what, number, AGE_MAX_MS / DAY_MS, ret_ms);
	*ret_ms *= DAY_MS;
	return r;
}

static int options_apply(struct options *o, const char *what, char letter, char *text)
{
	switch (letter) {
	case 'n': return options_set_name(o, text);
	case 'w': return options_set_workers(o, text);
	case 't': return options_set_number(what, text, &o->limits.records);
	case 'p': return options_set_number(what, text, &o->limits.processes);
	case 's': return options_parse_size(what, text, &o->limits.store_bytes);
	case 'm': return options_add_module(o, text);
	case 'x': return options_set_number(what, text, &o->spares);
	case 'k': return retention_parse(what, text, &o->retention);
	case 'g': return options_set_gpus(o, what, text);
	case 'M': return options_parse_size(what, text, &o->memory);
	case 'a': return threshold_parse(what, text, &o->accept_free);
	case 'B': return threshold_parse(what, text, &o->return_free);
	case 'V': return victim_parse(what, text, &o->memory_rules.victim);
	case 'U': return options_set_number(what, text, &o->reserve_cores);
	case 'P': return options_set_policy(o, text);
	case 'S': return options_parse_number(what, text, UINT64_MAX, &o->seed);
	case 'l': return options_set_module_limit(o, what, text);
	case 'i': return injections_parse(text, &o->injections);
	case 'c': return options_set_pin(o, what, text);
	case 'A': return text_time(what, text, TIME_MAX_MS, &o->ageing_ms);
	case 'H': return text_time(what, text, TIME_MAX_MS, &o->hang_after_ms);
	case 'D': o->state = text; return 0;
	case 'y': return options_set_durability(o, what, text);
	case 'E': return options_parse_age(what, text, &o->history_age_ms);
	case 'C': return options_parse_number(what, text, UINT32_MAX, &o->history_count);
	case 'r': return options_parse_number(what, text, UINT32_MAX, &o->recycling.tasks);
	case 'R': return options_parse_size(what, text, &o->recycling.growth);
	case 'j': return jobserver_choose(what, text, &o->jobserver);
	default:
		for (char *save, *path = strtok_r(text, ":", &save); path;
		     path = strtok_r(NULL, ":", &save))
			if (options_add_module(o, path) < 0)
				return -E2BIG;
		return 0;
	}
}

static int options_apply_environment(struct options *o)
{
	static const struct {
		const char *variable;
		char letter;
	} all[] = {
		{ "PLM_NAME", 'n' },
		{ "PLM_WORKERS", 'w' },
		{ "PLM_TASKS", 't' },
		{ "PLM_STORE", 's' },
		{ "PLM_PROCESSES", 'p' },
		{ "PLM_KEEP_FINISHED", 'k' },
		{ "PLM_SPARES", 'x' },
		{ "PLM_GPUS", 'g' },
		{ "PLM_MEMORY", 'M' },
		{ "PLM_ACCEPT_FREE", 'a' },
		{ "PLM_RETURN_FREE", 'B' },
		{ "PLM_VICTIM", 'V' },
		{ "PLM_RESERVE_CORES", 'U' },
		{ "PLM_POLICY", 'P' },
		{ "PLM_SEED", 'S' },
		{ "PLM_INJECT", 'i' },
		{ "PLM_MODULES", ':' },
		{ "PLM_MODULE_LIMIT", 'l' },
		{ "PLM_PIN", 'c' },
		{ "PLM_AGEING", 'A' },
		{ "PLM_HANG_AFTER", 'H' },
		{ "PLM_RECYCLE_TASKS", 'r' },
		{ "PLM_RECYCLE_GROWTH", 'R' },
		{ "PLM_STATE", 'D' },
		{ "PLM_DURABILITY", 'y' },
		{ "PLM_HISTORY_AGE", 'E' },
		{ "PLM_HISTORY_COUNT", 'C' },
		{ "PLM_JOBSERVER", 'j' },
	};
	int r = 0;
	for (size_t i = 0; i < COUNT_OF(all) && r == 0; i++) {
		char *text = getenv(all[i].variable);
		if (text && text[0])
			r = options_apply(o, all[i].variable, all[i].letter, text);
	}
	return r;
}

static void options_set_defaults(struct options *o)
{
	*o = (struct options){ .name = "default",
		.limits = { .records = RECORDS_DEFAULT,
		    .store_bytes = STORE_BYTES_DEFAULT,
		    .nodes = nodes_count() } };
	o->gpus = GPUS_AS_DETECTED;
	o->spares = SPARES_AS_WORKERS;
	o->ageing_ms = AGEING_DEFAULT_MS;
	o->module_limit_ms = MODULE_LIMIT_DEFAULT_MS;
	o->durability = DURABILITY_BATCH;
	o->retention.age_ms = KEEP_DAYS_DEFAULT * DAY_MS;
	o->history_age_ms = HISTORY_DAYS_DEFAULT * DAY_MS;
	o->history_count = HISTORY_COUNT_DEFAULT;
	o->memory = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* One a core, unless the user said how many. */
static int options_fit_workers(struct options *o)
{
	cpu_set_t allowed;
	char workers[16];
	uint32_t cores =
	    sched_getaffinity(0, sizeof allowed, &allowed) == 0 ? (uint32_t)CPU_COUNT(&allowed) : 1;
	if (o->kinds && o->reserve_cores)
		return why(-EINVAL,
		    "--reserve-cores and --workers cannot be combined: both say "
		    "how many workers there are");
	if (o->kinds)
		return 0;
	if (o->reserve_cores >= cores)
		return why(-EINVAL,
		    "--reserve-cores %u leaves no core for a worker: plm may use "
		    "%u",
		    o->reserve_cores, cores);
	snprintf(workers, sizeof workers, "%u", cores - o->reserve_cores);
	return options_set_workers(o, workers);
}

/* Process slots for the workers, their spares and CLIENTS_LEAST clients, unless the user chose. */
static void options_fit_processes(struct options *o)
{
	uint32_t workers = o->limits.workers, fit = PROCESSES_DEFAULT;
	uint32_t spares = o->spares == SPARES_AS_WORKERS ? workers : o->spares;
	if (o->limits.processes || workers > WORKERS_MAX || spares >= PROCESSES_MAX)
		return;
	while (fit < SLOT_FIRST_MEMBER + workers + spares + CLIENTS_LEAST && fit < PROCESSES_MAX)
		fit += PROCESSES_STEP;
	o->limits.processes = fit;
}

/* The default number of spares leaves process slots to clients: CLIENTS_LEAST of them, or half of
 * what the workers leave when that is less. A number the user chose leaves one at least, because a
 * runtime without a client has no work. */
static int options_fit_spares(struct options *o)
{
	uint32_t room = o->limits.processes - SLOT_FIRST_MEMBER - o->limits.workers;
	uint32_t half = (room + 1) / 2, clients = half < CLIENTS_LEAST ? half : CLIENTS_LEAST;
	if (o->spares == SPARES_AS_WORKERS)
		o->spares = o->limits.workers < room - clients ? o->limits.workers : room - clients;
	if (o->spares < room)
		return 0;
	return why(-EINVAL,
	    "%u spares are too many: beside %u workers there is room for %u; boot "
	    "with a larger --processes",
	    o->spares, o->limits.workers, room - 1);
}

static int options_check_tie(const struct options *o)
{
	if (!o->tied || (!o->daemon && !o->guard))
		return 0;
	return why(-EINVAL,
	    "--tied and %s cannot be combined: plm would not be a child of the "
	    "process that starts it",
	    o->daemon ? "--daemon" : "--guard");
}

static bool *options_flag_of(struct options *o, int letter)
{
	switch (letter) {
	case 'd': return &o->daemon;
	case 'f': return &o->fresh;
	case 'G': return &o->guard;
	case 'T': return &o->tied;
	default: return NULL;
	}
}

static const struct option flags[] = {
	{ "name", required_argument, NULL, 'n' },
	{ "workers", required_argument, NULL, 'w' },
	{ "tasks", required_argument, NULL, 't' },
	{ "store", required_argument, NULL, 's' },
	{ "keep-finished", required_argument, NULL, 'k' },
	{ "processes", required_argument, NULL, 'p' },
	{ "module", required_argument, NULL, 'm' },
	{ "spares", required_argument, NULL, 'x' },
	{ "gpus", required_argument, NULL, 'g' },
	{ "memory", required_argument, NULL, 'M' },
	{ "accept-free", required_argument, NULL, 'a' },
	{ "return-free", required_argument, NULL, 'B' },
	{ "victim", required_argument, NULL, 'V' },
	{ "reserve-cores", required_argument, NULL, 'U' },
	{ "policy", required_argument, NULL, 'P' },
	{ "seed", required_argument, NULL, 'S' },
	{ "module-limit", required_argument, NULL, 'l' },
	{ "inject", required_argument, NULL, 'i' },
	{ "pin", required_argument, NULL, 'c' },
	{ "ageing", required_argument, NULL, 'A' },
	{ "hang-after", required_argument, NULL, 'H' },
	{ "recycle-tasks", required_argument, NULL, 'r' },
	{ "recycle-growth", required_argument, NULL, 'R' },
	{ "state", required_argument, NULL, 'D' },
	{ "durability", required_argument, NULL, 'y' },
	{ "history-age", required_argument, NULL, 'E' },
	{ "history-count", required_argument, NULL, 'C' },
	{ "jobserver", optional_argument, NULL, 'j' },
	{ "daemon", no_argument, NULL, 'd' },
	{ "fresh", no_argument, NULL, 'f' },
	{ "guard", no_argument, NULL, 'G' },
	{ "tied", no_argument, NULL, 'T' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'v' },
	{ NULL, 0, NULL, 0 },
};

int options_parse(int argc, char **argv, struct options *ret)
{
	int letter, which = 0;
	options_set_defaults(ret);
	if (options_apply_environment(ret) < 0)
		return options_usage_error();
	while ((letter = getopt_long(argc, argv, "", flags, &which)) != -1) {
		if (letter == 'h' || letter == 'v') {
			fputs(letter == 'h' ? help : "plm " PLM_VERSION "\n", stdout);
			return 1;
		}
		if (letter == '?') {
			fprintf(stderr, "Try \"plm --help\".\n");
			return EXIT_USAGE + 1;
		}
		bool *flag = options_flag_of(ret, letter);
		if (flag)
			*flag = true;
		else if (options_apply(ret, flags[which].name, (char)letter, optarg) < 0)
			return options_usage_error();
	}
	if (optind < argc) {
		why(-EINVAL, "unexpected argument \"%s\"", argv[optind]);
		return options_usage_error();
	}
	ret->starter = getppid();
	if (options_check_tie(ret) < 0 || options_fit_workers(ret) < 0 || memory_plan(ret) < 0)
		return options_usage_error();
	if (ret->durability_given && !ret->state) {
		why(-EINVAL, "--durability %s needs a place for the journal: --state DIR",
		    durability_name(ret->durability));
		return options_usage_error();
	}
	options_fit_processes(ret);
	if (devices_plan(ret) < 0)
		return options_usage_error();
	if (tables_check_limits(&ret->limits) < 0 || options_fit_spares(ret) < 0)
		return options_usage_error();
	return 0;
}
