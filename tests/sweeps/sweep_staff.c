/* sweep_staff.c - the manager, killed at every step of changing the number of workers, pausing
 * the queue, stopping, or taking tokens of an outer make. The next manager continues the runtime
 * (tests/sweeps/reign.h), and dies as well: a request is carried out completely or not at all. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "manager/birth.h"
#include "manager/mode.h"
#include "manager/staff.h"
#include "manager/staff_requests.h"
#include "tests/sweeps/reign.h"

static const char *judge(void *image)
{
	(void)image;
	return reign_judge(REIGN_UNUSED);
}

/* ---- requests: the requester gets no answer, and may ask again ---- */

static void setup_any(void *image)
{
	(void)image;
	reign_boot();
	reign_begin(0);
}

static void more_workers(void *image)
{
	(void)image;
	SWEEP_REQUIRE(staff_set(reign_play(), "2") == 0 && staff_workers(&reign.dying) == 2);
	birth_spawn_due(&reign.dying);
}

static void fewer_workers(void *image)
{
	(void)image;
	SWEEP_REQUIRE(staff_set(reign_play(), "0") == 0 && staff_workers(&reign.dying) == 0);
}

static void drain_worker(void *image)
{
	(void)image;
	SWEEP_REQUIRE(staff_drain(reign_play(), "0") == 0 && tables_drained(&world.tables, 0));
}

static void setup_drained(void *image)
{
	(void)image;
	reign_boot();
	sh_store(&world.tables.control->drained[0], 1);
	world_declare_dead(WORLD_WORKER);
	world_settle();
	reign_begin(0);
}

static void resume_worker(void *image)
{
	(void)image;
	SWEEP_REQUIRE(staff_resume(reign_play(), "0") == 0 && !tables_drained(&world.tables, 0));
	birth_spawn_due(&reign.dying);
}

static void rest(void *image)
{
	(void)image;
	mode_admit(reign_play(), ADMISSION_PAUSED);
	SWEEP_REQUIRE(sh_load(&world.tables.control->admission) == ADMISSION_PAUSED);
}

static const char *judge_rest(void *image)
{
	uint32_t now = sh_load(&world.tables.control->admission);
	if (now & ~(uint32_t)ADMISSION_PAUSED)
		return "the queue is neither as it was nor as it was asked to be";
	sh_store(&world.tables.control->admission, 0); /* the requester's tasks are to run */
	return judge(image);
}

static void setup_rest(void *image)
{
	(void)image;
	reign_boot();
	sh_store(&world.tables.control->admission, ADMISSION_PAUSED);
	reign_begin(0);
}

/* A guard continues what was begun; a boot by hand does not. */
static void setup_guarded(void *image)
{
	setup_rest(image);
	reign.options.again = true;
}

static void stop(void *image)
{
	(void)image;
	mode_stop(reign_play());
	SWEEP_REQUIRE(sh_load(&world.tables.control->admission) == 0);
	SWEEP_REQUIRE(sh_load(&world.tables.control->mode) == MODE_STOPPING);
}

static const char *judge_guarded(void *image)
{
	bool stopping = sh_load(&world.tables.control->mode) == MODE_STOPPING;
	return stopping != reign.next.stopping ? "the next manager does not know that it stops"
					       : judge_rest(image);
}

static void setup_stopping(void *image)
{
	(void)image;
	reign_boot();
	reign.options.again = true;
	reign.dying.stopping = true;
	sh_store(&world.tables.control->mode, MODE_STOPPING);
	reign_begin(0);
}

static void take_back(void *image)
{
	(void)image;
	SWEEP_REQUIRE(mode_take_back(reign_play()) == 0 && !reign.dying.stopping);
	SWEEP_REQUIRE(sh_load(&world.tables.control->mode) == MODE_UP);
}

/* ---- an outer make ---- */

static void setup_token(void *image)
{
	int ends[2];
	(void)image;
	reign_boot();
	SWEEP_REQUIRE(pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0);
	reign.dying.outer = (struct outer){ .joined = true,
		.read = ends[0],
		.write = ends[1],
		.cap = 2,
		.look_ns = DEADLINE_NEVER };
	world.tables.control->kind[0].count = 2;
	world.tables.control->outer = 1;
	sh_store(&world.tables.control->tasks_wait, 1);
	sh_poke(&reign_slot(WORLD_WORKER)->running, 1);
	reign_begin(0);
}

static void take_token(void *image)
{
	(void)image;
	SWEEP_REQUIRE(write(reign.dying.outer.write, "+", 1) == 1);
	outer_step(reign_play());
	SWEEP_REQUIRE(reign.dying.outer.tokens == 1 && staff_workers(&reign.dying) == 2);
	birth_spawn_due(&reign.dying);
}

static void setup_make(void *image)
{
	(void)image;
	reign_boot();
	world.tables.control->kind[0].count = 2;
	sh_store(&world.tables.control->staff, 2);
	reign_begin(0);
}

static void join_make(void *image)
{
	char text[64];
	int ends[2];
	(void)image;
	SWEEP_REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
	snprintf(text, sizeof text, "-j --jobserver-auth=%d,%d", ends[0], ends[1]);
	setenv("MAKEFLAGS", text, 1);
	outer_join(reign_play());
	SWEEP_REQUIRE(reign.dying.outer.joined && staff_workers(&reign.dying) == 1);
	SWEEP_REQUIRE(sh_load(&world.tables.control->outer));
}

/* The dead manager's tokens are lost: the runtime goes on with as many as permitted. */
static const char *judge_make(void *image)
{
	if (sh_load(&world.tables.control->outer) || sh_load(&world.tables.control->staff) != 2)
		return "workers wait for tokens of a make that is over";
	return judge(image);
}

static const struct sweep_op ops[] = {
	REIGN("more workers", setup_any, more_workers, judge),
	REIGN("fewer workers", setup_any, fewer_workers, judge),
	REIGN("draining a worker", setup_any, drain_worker, judge),
	REIGN("resuming it", setup_drained, resume_worker, judge),
	REIGN("pausing the queue", setup_any, rest, judge_rest),
	REIGN("stopping, after a pause", setup_rest, stop, judge_rest),
	REIGN("stopping, under a guard", setup_guarded, stop, judge_guarded),
	REIGN("taking a stop back, under a guard", setup_stopping, take_back, judge_guarded),
	REIGN("a token for a worker", setup_token, take_token, judge_make),
	REIGN("joining a make", setup_make, join_make, judge_make),
};

int main(void)
{
	return sweep_run(ops, COUNT_OF(ops)) ? 1 : 0;
}
