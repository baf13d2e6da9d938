#include "manager/options.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/option_table.h"
#include "base/why.h"
#include "events/eventlog_segment.h"
#include "store/nodes.h"

enum { EXIT_USAGE = 64, CLIENTS_LEAST = 64 + VISITS_KEPT, MODULE_LIMIT_DEFAULT_MS = 10000 };
enum { HISTORY_DAYS_DEFAULT = 30, HISTORY_COUNT_DEFAULT = 1000000, KEEP_DAYS_DEFAULT = 7 };

#define DAY_MS UINT64_C(86400000)

static const char help_before[] =
    "plm boots a task runtime on this machine: a manager, a scheduler and workers over\n"
    "shared memory.\n"
    "usage: plm [options]\n";

static const char help_after[] =
    "plm stays in the foreground and prints one line when the runtime is ready:\n"
    "  plm: ready name=NAME pid=PID workers=N\n"
    "Started by a recipe of make -jN (behind +), plm has one worker, and more as tasks\n"
    "wait and the jobserver of that make has tokens; not with --daemon, nor with\n"
    "`env -u MAKEFLAGS plm`.\n"
    "SIGTERM or SIGINT lets the accepted tasks run, then ends the runtime; a second\n"
    "signal ends the runtime at once.\n"
    "Exit codes: 0 stopped, 64 usage, 73 could not boot, 75 a runtime of this name is up.\n";

void options_print_help(const char *form)
{
	if (form && strcmp(form, "table") == 0) {
		option_table_list(stdout, "plm", "", option_rows);
		return;
	}
	fputs(help_before, stdout);
	option_table_help(stdout, option_rows);
	fputs(help_after, stdout);
}

static int options_usage_error(void)
{
	fprintf(stderr, "plm: %s\nTry \"plm --help\".\n", why_text());
	return EXIT_USAGE + 1;
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
	o->event_ring = EVENT_RING_DEFAULT;
	o->retention.age_ms = KEEP_DAYS_DEFAULT * DAY_MS;
	o->history_age_ms = HISTORY_DAYS_DEFAULT * DAY_MS;
	o->history_count = HISTORY_COUNT_DEFAULT;
	o->memory = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* One worker a core, unless the user chose a number. */
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

/* Process slots for workers, spares and CLIENTS_LEAST clients, unless the user chose a number. */
static void options_fit_processes(struct options *o)
{
	uint32_t workers = o->limits.workers, fit = PROCESSES_DEFAULT;
	uint32_t spares = o->spares == SPARES_AS_WORKERS ? workers : o->spares;
	if (o->limits.processes || workers > WORKERS_MAX || spares >= PROCESSES_MAX)
		return;
	while (fit < SLOT_FIRST_SHARED + workers + spares + CLIENTS_LEAST && fit < PROCESSES_MAX)
		fit += EXTENSION_SLOTS;
	o->limits.processes = fit;
}

/* The default number of spares leaves CLIENTS_LEAST process slots to clients, or half of the slots
 * without a worker when that is less. A number the user chose leaves one at least, because a
 * runtime without a client has no work. */
static int options_fit_spares(struct options *o)
{
	uint32_t room = o->limits.processes - SLOT_FIRST_SHARED - o->limits.workers;
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

static int options_check_ready(const struct options *o)
{
	if (!o->ready_fd)
		return 0;
	if (o->daemon || o->guard)
		return why(-EINVAL, "--ready and %s cannot be combined",
		    o->daemon ? "--daemon" : "--guard");
	if (fcntl((int)o->ready_fd, F_SETFD, FD_CLOEXEC) < 0)
		return why(-EINVAL, "--ready %u: no such descriptor is open: %s", o->ready_fd,
		    strerror(errno));
	return 0;
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

/* Makes the options agree with each other. 0 or -EINVAL. */
static int options_fit(struct options *o)
{
	if (eventlog_check_entries(o->event_ring) < 0 || options_check_tie(o) < 0 ||
	    options_check_ready(o) < 0 || options_fit_workers(o) < 0 || memory_plan(o) < 0)
		return -EINVAL;
	if (o->durability_given && !o->state)
		return why(-EINVAL, "--durability %s needs a place for the journal: --state DIR",
		    durability_name(o->durability));
	options_fit_processes(o);
	if (interpreters_plan(o) < 0)
		return -EINVAL;
	if (devices_plan(o) < 0 || tables_check_limits(&o->limits) < 0)
		return -EINVAL;
	return options_fit_spares(o);
}

int options_parse(int argc, char **argv, struct options *ret)
{
	const struct option_use use = { option_rows, ret };
	options_set_defaults(ret);
	int r = option_table_environment(&use, 1);
	if (r == 0)
		r = option_table_parse(&use, 1, argc, argv, false);
	if (r == OPTIONS_END)
		return 1;
	if (r == 0 && optind < argc)
		r = why(-EINVAL, "unexpected argument \"%s\"", argv[optind]);
	ret->starter = getppid();
	return r < 0 || options_fit(ret) < 0 ? options_usage_error() : 0;
}
