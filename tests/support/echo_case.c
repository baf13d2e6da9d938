#include "tests/support/echo_case.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"

char large[LARGE_BYTES];
plm_ref task, after;

void echo_boot(void *image)
{
	(void)image;
	memset(large, 'L', sizeof large);
	world_boot();
}

void echo_submit(unsigned crash_retries, unsigned crash_retries_after)
{
	task = world_submit(
	    &world.b, "probe.echo", &PLM_BYTES(large, sizeof large), 1, 1, 0, crash_retries);
	after =
	    world_submit(&world.b, "probe.echo", &PLM_FUTURE(task), 1, 1, 0, crash_retries_after);
}

void echo_setup(unsigned crash_retries, unsigned crash_retries_after)
{
	echo_boot(NULL);
	echo_submit(crash_retries, crash_retries_after);
	world_settle();
}

void echo_run(void *image)
{
	(void)image;
	world_play(&world.worker.rt);
	world.worker.now_ns = clock_ns();
	SWEEP_REQUIRE(worker_run_record(&world.worker, ref_index(task.id)));
	worker_report(&world.worker);
}

const char *echo_is_done(void)
{
	if (!world_yields(task, large, sizeof large))
		return "the task did not yield its value";
	return world_yields(after, large, sizeof large) ? NULL
							: "its dependent did not yield its value";
}

const char *echo_or_death(void)
{
	if (!world_failed(task, EOWNERDEAD, NULL, task))
		return echo_is_done();
	return world_failed(after, EOWNERDEAD, NULL, task) ? NULL
							   : "its dependent has another failure";
}
