/* sim_rows.c - prints the results of a simulation. */
#include <errno.h>
#include <stdlib.h>

#include "base/why.h"
#include "bench/sim.h"

void sim_title(const struct sim_output *to, const char *title, const struct sim_setup *setup)
{
	printf("\n%s: %u workers, %u slots each, %u tasks, %s, seed %llu\n", title, setup->workers,
	    setup->slots, setup->tasks, setup->immediate ? "immediate" : "queued",
	    (unsigned long long)setup->seed);
	printf("  %-13s %13s %12s %12s %12s %12s %8s %8s %8s %6s\n", "us", "makespan", "wait p50",
	    "wait p99", "stay p50", "stay p99", "balance", "most", "waiting", "moved");
	if (to->csv && ftell(to->csv) == 0)
		fprintf(to->csv,
		    "case,policy,workers,slots,tasks,mode,seed,makespan_us,"
		    "wait_p50_us,wait_p99_us,stay_p50_us,stay_p99_us,balance,most,waiting,moved\n");
}

void sim_row(const struct sim_output *to, const char *title, const struct sim_setup *setup,
    const char *policy, const struct sim_result *result)
{
	const struct sim_result *r = result;
	printf("  %-13s %13.0f %12.1f %12.1f %12.1f %12.1f %8.3f %8.0f %8.0f %6.3f\n", policy,
	    r->makespan_us, r->wait_p50_us, r->wait_p99_us, r->stay_p50_us, r->stay_p99_us,
	    r->balance, r->most, r->waiting, r->moved);
	if (!to->csv)
		return;
	fprintf(to->csv, "%s,%s,%u,%u,%u,%s,%llu", title, policy, setup->workers, setup->slots,
	    setup->tasks, setup->immediate ? "immediate" : "queued",
	    (unsigned long long)setup->seed);
	fprintf(to->csv, ",%.3f,%.3f,%.3f,%.3f,%.3f,%.5f,%.0f,%.0f,%.5f\n", r->makespan_us,
	    r->wait_p50_us, r->wait_p99_us, r->stay_p50_us, r->stay_p99_us, r->balance, r->most,
	    r->waiting, r->moved);
}

int sim_table(const struct sim_output *to, const char *title, const struct sim_setup *setup,
    const struct policy *policy)
{
	int r = 0;
	struct sim_task *tasks = sim_make_tasks(setup);
	if (!tasks)
		return why(-ENOMEM, "no memory for %u tasks: ask for fewer", setup->tasks);
	sim_title(to, title, setup);
	for (size_t i = 0; r == 0 && policy_at(i); i++) {
		struct sim_result result;
		if (policy && policy != policy_at(i))
			continue;
		r = sim_run(setup, policy_at(i), tasks, &result);
		if (r == 0)
			sim_row(to, title, setup, policy_at(i)->name, &result);
	}
	free(tasks);
	return r;
}
