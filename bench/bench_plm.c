/* bench_plm - plm beside the limits of the machine, in the same run. */
#include "base/check.h"
#include "bench/cases.h"

static const char usage[] =
    "usage: bench_plm [--quick] [--only CASE] [--workers N] [--idle SECONDS] [--plm PATH]\n"
    "                 [--csv FILE] [--help]\n"
    "Measures plm beside the bare limits of this machine. Timing never decides the exit code.\n"
    "  --quick         shorter rounds, and fewer (a minute)\n"
    "  --only CASE     one of: flow trip watched cost map scale get put sizes boot\n"
    "                  queue load death recovery pressure command waiting journal top idle\n"
    "                  trace\n"
    "  --workers N     of the runtimes booted (default 2; boot, queue, scale have their own)\n"
    "  --idle SECONDS  how long the runtime is watched at rest (default 10; quick 4)\n"
    "  --plm PATH      the program to boot (default ./plm)\n"
    "  --csv FILE      append the figures there (default build/bench/results.csv)\n";

int main(int argc, char **argv)
{
	static const struct bench_part parts[] = {
		{ "flow", case_flow },
		{ "trip", case_trip },
		{ "watched", case_watched },
		{ "cost", case_cost },
		{ "map", case_map },
		{ "scale", case_scale },
		{ "get", case_get },
		{ "put", case_put },
		{ "sizes", case_sizes },
		{ "boot", case_boot },
		{ "queue", case_queue },
		{ "load", case_load },
		{ "death", case_death },
		{ "recovery", case_recovery },
		{ "pressure", case_pressure },
		{ "command", case_command },
		{ "waiting", case_commands_waiting },
		{ "journal", case_journal },
		{ "top", case_top },
		{ "idle", case_idle },
		{ "trace", case_trace },
	};
	static const struct bench_program program = {
		"bench_plm",
		usage,
		parts,
		COUNT_OF(parts),
	};
	return bench_main(&program, argc, argv);
}
