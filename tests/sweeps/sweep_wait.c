/* sweep_wait.c - waits, killed at every step: for tasks, for objects of other clients, for a
 * hold on another client's future; in a client and in a task. Nothing of the waiter is left, and
 * the awaited event happens.
 *
 * While the victim sleeps the worker, the scheduler or B acts. */
#include <errno.h>
#include <sched.h>
#include <string.h>

#include "tables/spin.h"
#include "tests/support/meanwhile.h"
#include "tests/support/sleeper_case.h"

enum { TIMEOUT_MS = 20, LONG_MS = 4000, CORES = 64, LOOKS = 40 };

static plm_ref other;

static void recover_waiting(void *image)
{
	world_declare_dead(WORLD_WORKER);
	sleeper_recover(image);
}

/* All announcements of our wait are taken back. */
static void must_wait_no_more(const struct plm *rt)
{
	for (int i = 0; i < WAITERS; i++)
		SWEEP_REQUIRE(sh_load(&rt->me->waiter[i].awaiting) == AWAITING_NOTHING);
	SWEEP_REQUIRE(sh_load(&rt->me->waiting_ns) == 0);
}

/* The process that settled the task woke the sleeper, and cleared the bit; the safety tick would
 * not. */
static void must_have_been_woken(const struct plm *rt)
{
	SWEEP_REQUIRE(!event_sleeper(&rt->me->waiter[0].event));
	must_wait_no_more(rt);
}

/* ---- waiting for tasks ---- */

static void setup_two_tasks(void *image)
{
	sleeper_boot(image);
	task = world_submit(&world.a, "probe.echo", &PLM_BYTES(large, sizeof large), 1, 1, 0, 1);
	other = world_submit(&world.a, "probe.echo", &PLM_BYTES("o", 1), 1, 1, 0, 1);
	world_share(&world.b, task);
	world_share(&world.b, other);
	world_settle();
}

static void work(void)
{
	world_play(&world.worker.rt);
	world_work();
}

static void wait_for_all(void *image)
{
	uint8_t ready[2];
	(void)image;
	sleeper_plays(work);
	SWEEP_REQUIRE(plm_wait(&world.a, (plm_ref[]){ task, other }, 2, 2, LONG_MS, ready) == 0);
	SWEEP_REQUIRE(ready[0] && ready[1]);
	must_have_been_woken(&world.a);
}

static void wait_for_any(void *image)
{
	(void)image;
	sleeper_plays(work);
	SWEEP_REQUIRE(plm_wait(&world.a, (plm_ref[]){ task, other }, 2, 1, LONG_MS, NULL) == 0);
	must_have_been_woken(&world.a);
}

static void nothing(void)
{
}

static void get_in_vain(void *image)
{
	plm_view view;
	(void)image;
	sleeper_plays(nothing);
	SWEEP_REQUIRE(plm_get(&world.a, task, &view, TIMEOUT_MS) == -ETIMEDOUT);
	must_wait_no_more(&world.a);
}

static const char *both_are_done(void)
{
	return world_yields(task, large, sizeof large) && world_yields(other, "o", 1)
	    ? NULL
	    : "a task that somebody waited for has no value";
}

static const char *judge_both(void *image)
{
	(void)image;
	return world_judge(WORLD_A, both_are_done);
}

/* ---- B's object: A asks for a hold, and the scheduler grants the hold ---- */

static void setup_of_b(void *image)
{
	sleeper_setup_object(image);
	/* The answer to an earlier request of A for the same hold is not the awaited answer. */
	sh_store(&world.a.me->imported, hint_make(HINT_IMPORT, object.id));
}

static void get_from_b(void *image)
{
	plm_view view;
	(void)image;
	sleeper_plays(world_settle);
	SWEEP_REQUIRE(plm_get(&world.a, object, &view, LONG_MS) == 0);
	SWEEP_REQUIRE(view.len == sizeof large && memcmp(view.data, large, view.len) == 0);
	plm_release(&world.a, &view);
	must_have_been_woken(&world.a);
}

static void hold_twice(void *image)
{
	(void)image;
	sleeper_plays(world_settle);
	SWEEP_REQUIRE(plm_hold(&world.a, object) == 0);
	SWEEP_REQUIRE(plm_hold(&world.a, object) == 0);
	must_have_been_woken(&world.a);
	SWEEP_REQUIRE(hold_test(&world.tables, ref_index(object.id), WORLD_A));
}

static void keep_and_forget(void *image)
{
	(void)image;
	world_play(&world.a);
	SWEEP_REQUIRE(plm_keep(&world.a, object) == 0);
	SWEEP_REQUIRE(plm_forget(&world.a, object) == 0);
}

/* ---- B delivers while A waits ---- */

static void setup_unsealed(void *image)
{
	void *data;
	sleeper_boot(image);
	SWEEP_REQUIRE(plm_create(&world.b, sizeof large, &data, &object) == 0);
	memcpy(data, large, sizeof large);
	world_share(&world.a, object);
	world_settle();
}

static void b_seals(void)
{
	world_play(&world.b);
	if (world_state_of(object) == RECORD_RESERVED)
		SWEEP_REQUIRE(plm_seal(&world.b, object) == 0);
}

static void get_what_is_sealed(void *image)
{
	plm_view view;
	(void)image;
	sleeper_plays(b_seals);
	SWEEP_REQUIRE(plm_get(&world.a, object, &view, LONG_MS) == 0);
	plm_release(&world.a, &view);
	must_have_been_woken(&world.a);
}

static const char *b_seals_if_it_has_not(void)
{
	b_seals();
	return sleeper_object_is_whole();
}

static const char *judge_sealed(void *image)
{
	(void)image;
	return world_judge(WORLD_A, b_seals_if_it_has_not);
}

/* ---- a waiting task, whose worker dies ---- */

static void setup_waiting_task(void *image)
{
	setup_unsealed(image);
	task = world_submit(&world.b, "probe.noop", NULL, 0, 1, 0, 1);
	world_settle();
	world_claim_only(task);
	sh_or(&world.tables.control->relief[0], (uint64_t)1 << WORLD_WORKER);
}

/* First the hold that the task asks for, then the awaited object. */
static void scheduler_then_b(void)
{
	bool held = hold_test(&world.tables, ref_index(object.id), WORLD_WORKER);
	SWEEP_REQUIRE(sh_load(&world.worker.rt.me->waiting_ns) != 0); /* a spare may be wanted */
	world_settle();
	if (held)
		b_seals();
}

static void wait_in_task(void *image)
{
	plm_view view;
	struct plm *rt = &world.worker.rt;
	(void)image;
	world_play(rt);
	meanwhile("steps: futex wait", scheduler_then_b);
	SWEEP_REQUIRE(plm_get(rt, object, &view, LONG_MS) == 0);
	plm_release(rt, &view);
	must_have_been_woken(rt);
	SWEEP_REQUIRE(!sh_load(&rt->me->blocked));
}

static const char *run_again_and_sealed(void)
{
	if (!world_yields(task, "", 0))
		return "the task that waited was not run again";
	return b_seals_if_it_has_not();
}

static const char *judge_waiting_task(void *image)
{
	(void)image;
	return world_judge(WORLD_WORKER, run_again_and_sealed);
}

/* ---- the spin before the sleep, of a worker that makes way for a client on the same core ---- */

static int first_cpu(void)
{
	cpu_set_t allowed;
	int cpu = 0;
	SWEEP_REQUIRE(sched_getaffinity(0, sizeof allowed, &allowed) == 0);
	while (!CPU_ISSET(cpu, &allowed))
		cpu++;
	return cpu;
}

static void setup_spinning(void *image)
{
	setup_two_tasks(image);
	world.tables.control->cores = CORES;
	process_set_awake(&world.tables, WORLD_A, true);
	sh_store(&world.tables.process[WORLD_A].cpu, (uint32_t)first_cpu());
}

/* Not before the first look at the core. */
static bool ready_in_the_end(void *context)
{
	int *looks = context;
	return ++*looks > LOOKS;
}

static void spin(void *image)
{
	cpu_set_t one;
	int looks = 0;
	(void)image;
	CPU_ZERO(&one);
	CPU_SET(first_cpu(), &one);
	SWEEP_REQUIRE(sched_setaffinity(0, sizeof one, &one) == 0);
	spin_until(
	    &world.worker.rt.tables, ready_in_the_end, &looks); /* on a busy machine in vain */
	SWEEP_REQUIRE(sh_load(&world.worker.rt.me->cpu) == (uint32_t)first_cpu());
	SWEEP_REQUIRE(sh_load(&world.tables.control->moving_ns) != 0);
}

static void recover_spinning(void *image)
{
	(void)image;
	world_recover(WORLD_WORKER);
}

static const char *judge_spinning(void *image)
{
	(void)image;
	return world_judge(WORLD_WORKER, both_are_done);
}

static const struct sweep_op ops[] = {
	LONG("wait for all", setup_two_tasks, wait_for_all, recover_waiting, judge_both),
	LONG("wait for any", setup_two_tasks, wait_for_any, recover_waiting, judge_both),
	LONG("get, until time is out", setup_two_tasks, get_in_vain, sleeper_recover, judge_both),
	LONG("get of what another made", setup_of_b, get_from_b, sleeper_recover,
	    sleeper_judge_object),
	LONG("get of what another brings", setup_unsealed, get_what_is_sealed, sleeper_recover,
	    judge_sealed),
	LONG("hold on what another made", setup_of_b, hold_twice, sleeper_recover,
	    sleeper_judge_object),
	LONG("keep and forget", setup_of_b, keep_and_forget, sleeper_recover, sleeper_judge_object),
	LONG("a spin, beside a client", setup_spinning, spin, recover_spinning, judge_spinning),
	LONG("a task that waits", setup_waiting_task, wait_in_task, recover_waiting,
	    judge_waiting_task),
};

int main(void)
{
	return sweep_run(ops, COUNT_OF(ops)) ? 1 : 0;
}
