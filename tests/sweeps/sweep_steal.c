/* sweep_steal.c - tasks that a worker gets through the hand or takes from another worker, killed
 * at every step: no task is lost, and no task that may run only once runs twice. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "base/clock.h"
#include "tests/support/world.h"

enum { THIEF = WORLD_JOINING, TASKS = 3 };

static struct worker thief;
static plm_ref task[TASKS];

/* A region of the image: how often each task began. */
static struct counts {
	shared32 begun[TASKS];
} * counts;

static bool stealing;

/* ---- setups ---- */

static uint32_t number_of(const struct record *r)
{
	uint32_t i = 0;
	while (i < TASKS && record_at(&world.tables, ref_index(task[i].id)) != r)
		i++;
	return i;
}

/* In the place of probe.echo. */
static int echo_and_count(plm_call *call)
{
	size_t n;
	const void *text = plm_arg_data(call, 0, &n);
	uint32_t number = number_of(call->record);
	SWEEP_REQUIRE(number < TASKS);
	if (stealing && !sh_load(&call->rt->me->handed))
		sweep_fail("who steals has an open hand: something could be put behind the task");
	atomic_fetch_add(&counts->begun[number], 1);
	memcpy(plm_result(call, n), text, n);
	return 0;
}

static void count_in(struct worker *w)
{
	const struct record *r = record_at(&world.tables, ref_index(task[0].id));
	w->functions.code[r->function] = echo_and_count;
}

static void boot(void *image)
{
	(void)image;
	counts =
	    mmap(NULL, sizeof *counts, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	SWEEP_REQUIRE(counts != MAP_FAILED);
	stealing = false;
	world_boot();
}

static void submit(uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		task[i] = world_submit(&world.b, "probe.echo", &PLM_BYTES("x", 1), 1, 1, 0, 0);
	count_in(&world.worker);
}

static void setup_handed(void *image)
{
	boot(image);
	submit(1);
	/* As tables/handover.c does, which looks for workers from the other end of the process
	 * table. */
	sh_store(&world.tables.process[WORLD_WORKER].handed, hint_make(HINT_LOOK, task[0].id));
}

/* A worker runs the first task, without end; the rest waits in the worker's ring. A second
 * worker comes. */
static void setup_queued(void *image)
{
	boot(image);
	sh_store(&world.tables.process[WORLD_WORKER].average_ns, 1); /* a deep queue is for such */
	tell_scheduler(&world.tables, WORLD_WORKER, NULL, 0, true);
	world_settle();
	submit(TASKS);
	world_settle();
	world_claim_only(task[0]);
	struct ring ring = ring_down(&world.tables, WORLD_WORKER);
	SWEEP_REQUIRE(ring_used(&ring) == TASKS);
	world_open_worker(&thief, THIEF, 1, 0);
	count_in(&thief);
}

/* As before, but the task to be stolen lies in the hand. */
static void setup_in_hand(void *image)
{
	setup_handed(image);
	world_open_worker(&thief, THIEF, 1, 0);
	count_in(&thief);
}

static size_t regions(struct sweep_region *ret)
{
	size_t n = world_regions(ret);
	ret[n] = (struct sweep_region){ counts, sizeof *counts };
	return n + 1;
}

/* ---- operations ---- */

static void take_from_hand(void *image)
{
	(void)image;
	world_play(&world.worker.rt);
	SWEEP_REQUIRE(worker_step(&world.worker) == 1);
	worker_report(&world.worker);
	if (sh_load(&world.tables.process[WORLD_WORKER].handed))
		sweep_fail("its hand stays full: nobody hands it anything again");
}

static void steal(void *image)
{
	(void)image;
	stealing = true;
	world_play(&thief.rt);
	thief.now_ns = clock_ns();
	SWEEP_REQUIRE(worker_steal(&thief));
	worker_report(&thief);
	if (sh_load(&world.tables.process[THIEF].handed))
		sweep_fail("its hand stays closed: nobody hands it anything again");
}

/* ---- verdicts ---- */

static void recover_thief(void *image)
{
	(void)image;
	world_recover(THIEF);
}

/* No task may run again: each is done, or ended with the worker that claimed the task. */
static const char *judge_one(uint32_t i)
{
	const struct record *r = record_at(&world.tables, ref_index(task[i].id));
	if (sh_load(&counts->begun[i]) > 1 || word_attempt(sh_load(&r->state)) > 1)
		return "a task was run twice";
	if (world_yields(task[i], "x", 1))
		return NULL;
	if (world_failed(task[i], EOWNERDEAD, NULL, task[i]) &&
	    word_attempt(sh_load(&r->state)) == 1)
		return NULL;
	return "a task is lost";
}

static const char *first_is_done(void)
{
	return judge_one(0);
}

static const char *others_are_done(void)
{
	uint32_t dead = 0;
	for (uint32_t i = 1; i < TASKS; i++) {
		const char *why = judge_one(i);
		if (why)
			return why;
		dead += world_state_of(task[i]) == RECORD_FAILED;
	}
	return dead > 1 ? "with one process two attempts died" : NULL;
}

static const char *judge_hand(void *image)
{
	(void)image;
	count_in(&world.worker);
	return world_judge(WORLD_WORKER, first_is_done);
}

static const char *judge_queued(void *image)
{
	(void)image;
	stealing = false;
	return world_judge(THIEF, others_are_done);
}

static const char *judge_in_hand(void *image)
{
	(void)image;
	stealing = false;
	return world_judge(THIEF, first_is_done);
}

#define COUNTED(what, prepare, act, mend, verdict)                                  \
	{                                                                           \
		.name = what, .regions = regions, .setup = prepare, .operate = act, \
		.recover = mend, .judge = verdict, .steps_only = true               \
	}

static const struct sweep_op ops[] = {
	COUNTED(
	    "a task in a worker's hand", setup_handed, take_from_hand, recover_worker, judge_hand),
	COUNTED("stealing from a ring", setup_queued, steal, recover_thief, judge_queued),
	COUNTED("stealing from a hand", setup_in_hand, steal, recover_thief, judge_in_hand),
};

int main(void)
{
	return sweep_run(ops, COUNT_OF(ops)) ? 1 : 0;
}
