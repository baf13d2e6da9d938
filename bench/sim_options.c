/* sim_options.c - the command line of the simulation. */
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/why.h"
#include "bench/sim.h"

const char sim_usage[] =
    "usage: sim [OPTIONS]             one setup, each policy through the same tasks\n"
    "       sim --table [--seed N]    the standard set (some seconds)\n"
    "       sim --cost                what a decision costs on this machine\n"
    "Tasks on workers by a virtual clock, placed by the policies of plm.\n"
    "  --policy NAME       one of them, or all (default)\n"
    "  --workers N         (64)   --slots N: of each (1)   --nodes N: NUMA nodes they are on (1)\n"
    "  --tasks N           (100000)\n"
    "  --mode MODE         immediate: a task goes to a worker's own queue when it arrives\n"
    "                      (default); queued: it waits in one queue until a slot is free\n"
    "  --depth N           immediate: tasks a slot has room for; what finds none anywhere waits\n"
    "                      in one queue (65536)\n"
    "  --load SHARE        Poisson arrivals of so much work, of what all slots can do (0.9);\n"
    "                      0: all tasks arrive at once\n"
    "  --runtime DIST[:US] constant, exponential (default), bimodal (one in ten is ten times as\n"
    "                      long), pareto (shape 1.5); mean in us on generation 1 (1000)\n"
    "  --generations MIX   1 to 4, dealt out to the workers in turn, as 1,1,4 (1)\n"
    "  --bytes SHARE       of the tasks have argument bytes in the cache of one worker (0)\n"
    "  --transfer X        bytes from another node take X mean runtimes, within a node half (1)\n"
    "  --seed N            of arrivals, runtimes and draws (1)\n"
    "  --csv FILE          the rows, too\n";

enum option_id {
	OPT_POLICY = 1,
	OPT_WORKERS,
	OPT_SLOTS,
	OPT_NODES,
	OPT_TASKS,
	OPT_MODE,
	OPT_DEPTH,
	OPT_LOAD,
	OPT_RUNTIME,
	OPT_GENERATIONS,
	OPT_BYTES,
	OPT_TRANSFER,
	OPT_SEED,
	OPT_CSV,
	OPT_TABLE,
	OPT_COST,
	OPT_HELP,
	OPTIONS,
};

static const struct option long_options[] = {
	{ "policy", required_argument, NULL, OPT_POLICY },
	{ "workers", required_argument, NULL, OPT_WORKERS },
	{ "slots", required_argument, NULL, OPT_SLOTS },
	{ "nodes", required_argument, NULL, OPT_NODES },
	{ "tasks", required_argument, NULL, OPT_TASKS },
	{ "mode", required_argument, NULL, OPT_MODE },
	{ "depth", required_argument, NULL, OPT_DEPTH },
	{ "load", required_argument, NULL, OPT_LOAD },
	{ "runtime", required_argument, NULL, OPT_RUNTIME },
	{ "generations", required_argument, NULL, OPT_GENERATIONS },
	{ "bytes", required_argument, NULL, OPT_BYTES },
	{ "transfer", required_argument, NULL, OPT_TRANSFER },
	{ "seed", required_argument, NULL, OPT_SEED },
	{ "csv", required_argument, NULL, OPT_CSV },
	{ "table", no_argument, NULL, OPT_TABLE },
	{ "cost", no_argument, NULL, OPT_COST },
	{ "help", no_argument, NULL, OPT_HELP },
	{ NULL, 0, NULL, 0 },
};

static const char *const runtime_names[SIM_RUNTIMES] = {
	[SIM_CONSTANT] = "constant",
	[SIM_EXPONENTIAL] = "exponential",
	[SIM_BIMODAL] = "bimodal",
	[SIM_PARETO] = "pareto",
};

#define LOAD_MAX 100.0
#define TRANSFER_MAX 1000.0
#define MEAN_US_MIN 0.01
#define MEAN_US_MAX 1e6

/* ---- values ---- */

static int sim_options_whole(
    const char *name, const char *text, uint64_t least, uint64_t most, uint64_t *ret)
{
	char *end;
	errno = 0;
	unsigned long long value = strtoull(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || errno || value < least || value > most)
		return why(-EINVAL, "--%s wants a whole number from %llu to %llu, not '%s'", name,
		    (unsigned long long)least, (unsigned long long)most, text);
	*ret = value;
	return 0;
}

static int sim_options_count(const char *name, const char *text, uint32_t most, uint32_t *ret)
{
	uint64_t value;
	int r = sim_options_whole(name, text, 1, most, &value);
	if (r == 0)
		*ret = (uint32_t)value;
	return r;
}

static int sim_options_number(
    const char *name, const char *text, double least, double most, double *ret)
{
	char *end;
	double value = strtod(text, &end);
	bool plain = *text && strspn(text, "0123456789.eE-+") == strlen(text);
	if (!plain || *end || !(value >= least && value <= most))
		return why(-EINVAL, "--%s wants a number from %g to %g, not '%s'", name, least,
		    most, text);
	*ret = value;
	return 0;
}

static int policy_of(const char *text, const struct policy **ret)
{
	char names[256] = "all";
	size_t at = strlen(names);
	if (strcmp(text, "all") == 0) {
		*ret = NULL;
		return 0;
	}
	const struct policy *found = policy_find(text);
	if (found) {
		*ret = found;
		return 0;
	}
	for (size_t i = 0; policy_at(i) && at < sizeof names; i++)
		at += (size_t)snprintf(names + at, sizeof names - at, ", %s", policy_at(i)->name);
	return why(-EINVAL, "there is no policy '%s'; ask for %s", text, names);
}

static int mode_of(const char *text, bool *ret_immediate)
{
	bool immediate = strcmp(text, "immediate") == 0;
	if (!immediate && strcmp(text, "queued") != 0)
		return why(-EINVAL, "--mode wants immediate or queued, not '%s'", text);
	*ret_immediate = immediate;
	return 0;
}

/* DIST[:US] */
static int runtime_of(const char *text, struct sim_setup *ret)
{
	size_t length = strcspn(text, ":");
	for (int i = 0; i < SIM_RUNTIMES; i++) {
		const char *name = runtime_names[i];
		if (strlen(name) != length || strncmp(name, text, length) != 0)
			continue;
		ret->runtime = (enum sim_runtime)i;
		if (!text[length])
			return 0;
		return sim_options_number(
		    "runtime", text + length + 1, MEAN_US_MIN, MEAN_US_MAX, &ret->mean_us);
	}
	return why(-EINVAL,
	    "--runtime wants constant, exponential, bimodal or pareto, and after "
	    "it perhaps a colon and the mean in us, not '%s'",
	    text);
}

/* 1,1,4 */
static int mix_of(const char *text, struct sim_setup *ret)
{
	uint32_t n = 0;
	for (const char *at = text; n < SIM_MIX_MAX; at += 2) {
		if (at[0] < '1' || at[0] > '0' + SIM_GENERATIONS || (at[1] && at[1] != ','))
			break;
		ret->mix[n++] = (uint32_t)(at[0] - '0');
		if (at[1])
			continue;
		ret->mix_n = n;
		return 0;
	}
	return why(-EINVAL,
	    "--generations wants up to %d numbers from 1 to %d with commas between "
	    "them, not '%s'",
	    SIM_MIX_MAX, SIM_GENERATIONS, text);
}

/* ---- options ---- */

static int sim_options_take(int option, struct sim_request *ret)
{
	struct sim_setup *setup = &ret->setup;
	switch (option) {
	case OPT_POLICY: return policy_of(optarg, &ret->policy);
	case OPT_WORKERS:
		return sim_options_count("workers", optarg, SIM_WORKERS_MAX, &setup->workers);
	case OPT_SLOTS: return sim_options_count("slots", optarg, SIM_SLOTS_MAX, &setup->slots);
	case OPT_NODES: return sim_options_count("nodes", optarg, SIM_NODES_MAX, &setup->nodes);
	case OPT_TASKS: return sim_options_count("tasks", optarg, SIM_TASKS_MAX, &setup->tasks);
	case OPT_MODE: return mode_of(optarg, &setup->immediate);
	case OPT_DEPTH: return sim_options_count("depth", optarg, SIM_DEPTH_MAX, &setup->depth);
	case OPT_LOAD: return sim_options_number("load", optarg, 0, LOAD_MAX, &setup->load);
	case OPT_RUNTIME: return runtime_of(optarg, setup);
	case OPT_GENERATIONS: return mix_of(optarg, setup);
	case OPT_BYTES: return sim_options_number("bytes", optarg, 0, 1, &setup->bytes);
	case OPT_TRANSFER:
		return sim_options_number("transfer", optarg, 0, TRANSFER_MAX, &setup->transfer);
	case OPT_SEED: return sim_options_whole("seed", optarg, 0, UINT64_MAX, &setup->seed);
	case OPT_CSV: ret->csv_path = optarg; return 0;
	case OPT_TABLE: ret->standard = true; return 0;
	case OPT_COST: ret->cost = true; return 0;
	default: ret->help = true; return 0;
	}
}

/* An option without effect is a mistake that the user should hear about. */
static int sim_options_fits(const bool *given, const struct sim_request *request)
{
	const char *what = request->standard ? "table" : request->cost ? "cost" : NULL;
	for (int i = 0; what && i < OPT_TABLE; i++)
		if (given[i] && i != OPT_CSV && !(i == OPT_SEED && request->standard))
			return why(-EINVAL, "--%s has setups of its own: --%s does not go with it",
			    what, long_options[i - 1].name);
	if (request->standard && request->cost)
		return why(-EINVAL, "--table and --cost are two runs: ask for one of them");
	if (request->setup.nodes > request->setup.workers)
		return why(-EINVAL, "%u workers cannot be on %u nodes: there is a worker on each",
		    request->setup.workers, request->setup.nodes);
	if ((given[OPT_TRANSFER] || given[OPT_NODES]) && request->setup.bytes <= 0)
		return why(-EINVAL, "--%s changes nothing while no task has bytes: add --bytes",
		    given[OPT_NODES] ? "nodes" : "transfer");
	if (given[OPT_DEPTH] && !request->setup.immediate)
		return why(-EINVAL, "--depth is of workers' own queues: --mode queued has none");
	return 0;
}

int sim_options(int argc, char **argv, struct sim_request *ret)
{
	bool given[OPTIONS] = { false };
	struct sim_request request = { .setup = sim_default() };
	opterr = 0; /* said below, as everything else */
	for (int option; (option = getopt_long(argc, argv, ":", long_options, NULL)) != -1;) {
		if (option == ':')
			return why(-EINVAL, "%s wants a value", argv[optind - 1]);
		if (option == '?')
			return why(-EINVAL, "there is no option %s, or it takes no value",
			    argv[optind - 1]);
		int r = sim_options_take(option, &request);
		if (r < 0)
			return r;
		given[option] = true;
	}
	if (optind < argc)
		return why(-EINVAL, "'%s' is no option", argv[optind]);
	if (!request.help) {
		int r = sim_options_fits(given, &request);
		if (r < 0)
			return r;
	}
	*ret = request;
	return 0;
}
