/* sweep_journal.c - tasks that a journal must write, killed at every step: the journal hears of
 * each step that was taken, and no record goes before the journal has written the end. The judge
 * plays the journal. */
#include <errno.h>

#include "tests/support/echo_case.h"
#include "tests/support/meanwhile.h"

enum { JOURNAL = WORLD_JOINING };

static plm_ref object;

static void boot(void *image)
{
	echo_boot(image);
	world.tables.control->journal.slot = JOURNAL;
}

static void submit_kept(
    struct plm *rt, const plm_arg *args, size_t n, unsigned results, plm_ref *ret)
{
	plm_task t = { .function = "probe.echo",
		.args = args,
		.nargs = n,
		.results = results,
		.crash_retries = 1,
		.flags = PLM_KEEP };
	SWEEP_REQUIRE(plm_submit(rt, &t, ret) == 0);
}

/* ---- a client submits ---- */

static void setup_object(void *image)
{
	boot(image);
	object = world_put(&world.a, large, sizeof large);
	task = world_submit(&world.a, "probe.echo", &PLM_BYTES("x", 1), 1, 1, 0, 0);
	world_settle();
}

static void submit_of_a(void *image)
{
	plm_ref refs[3];
	(void)image;
	world_play(&world.a);
	submit_kept(&world.a, (plm_arg[]){ PLM_FUTURE(object), PLM_FUTURE(task) }, 2, 3, refs);
}

/* ---- a client that waits until a task is on the disk ---- */

static bool asked;

static void setup_sync(void *image)
{
	boot(image);
	struct control *c = world.tables.control;
	c->cores = 0;
	c->journal.durability = DURABILITY_SYNC;
	sh_store(
	    &world.tables.recorded[0], ~(uint64_t)0); /* bits left by former lives of the records */
}

static void must_be_asked(struct journal_shm *j)
{
	SWEEP_REQUIRE(sh_load(&j->hurry) == 1);
	asked = true;
}

static void journal_writes(void)
{
	struct tables *t = &world.tables;
	must_be_asked(&t->control->journal);
	for (uint32_t i = 0; i < pool_fresh(&t->pool); i++)
		if (journal_wants(t, record_at(t, i)))
			journal_record(t, i);
	event_post(&t->control->journal.written);
}

static void journal_fails(void)
{
	struct journal_shm *j = &world.tables.control->journal;
	must_be_asked(j);
	sh_store(&j->trouble, ENOSPC);
	sh_add(&j->failures, 1);
	event_post(&j->written);
}

static void submit_durable(void *image)
{
	plm_ref ref;
	(void)image;
	world_play(&world.a);
	meanwhile("steps: futex wait", journal_writes);
	submit_kept(&world.a, &PLM_BYTES("x", 1), 1, 1, &ref);
	SWEEP_REQUIRE(asked && journal_recorded(&world.tables, ref_index(ref.id)));
}

static void submit_in_vain(void *image)
{
	plm_ref ref;
	(void)image;
	plm_task t = { .function = "probe.noop", .flags = PLM_KEEP };
	world_play(&world.a);
	meanwhile("steps: futex wait", journal_fails);
	SWEEP_REQUIRE(plm_submit(&world.a, &t, &ref) == -ENOSPC);
	SWEEP_REQUIRE(asked && world_state_of(ref) == RECORD_CANCELLED);
}

/* ---- a worker runs the task ---- */

static void setup_submitted(void *image)
{
	boot(image);
	submit_kept(&world.b, &PLM_BYTES(large, sizeof large), 1, 1, &task);
	world_settle();
	sh_store(&world.tables.news[0], 0); /* the journal has read the submitted task */
}

/* ---- the scheduler frees written tasks ---- */

static void let_go(uint64_t ref)
{
	uint64_t hint = hint_make(HINT_DROPPED, ref);
	tell_scheduler(&world.tables, JOURNAL, &hint, 1, true);
}

static void setup_written(void *image)
{
	setup_submitted(image);
	world_work();
	let_go(task.id);
	sh_or(&world.tables.news[0], (uint64_t)1 << ref_index(task.id));
}

static void schedule(void *image)
{
	(void)image;
	scheduler_step(&world.scheduler);
}

/* ---- judgement ---- */

static const char *judge_wanted(struct tables *t, uint32_t index)
{
	const struct record *r = record_at(t, index);
	if (!(sh_load(&t->news[index / 64]) >> index % 64 & 1))
		return "the journal was not told of a task that it is to write";
	if (r->args_bytes > RECORD_INLINE_ARGS && !sh_load(&r->args))
		return "the arguments of a task that is not written are gone";
	return NULL;
}

static const char *judge_each(bool written)
{
	struct tables *t = &world.tables;
	for (uint32_t i = 0; i < pool_fresh(&t->pool); i++) {
		uint64_t word = sh_load(&record_at(t, i)->state);
		if (!journal_wants(t, record_at(t, i)) || word_state(word) == RECORD_FREE)
			continue;
		const char *why = judge_wanted(t, i);
		if (why)
			return why;
		if (written)
			let_go(record_ref(i, word_generation(word)));
	}
	return NULL;
}

/* After all tasks have run the journal writes them, and lets go of them. */
static const char *journal_is_told(void)
{
	const char *why = judge_each(true);
	world_settle();
	return why;
}

/* Right after the recovery, not only when a later step tells it. */
static const char *judge(uint32_t victim, const char *(*outcome)(void))
{
	const char *why = judge_each(false);
	return why ? why : world_judge(victim, outcome);
}

static const char *told_and_done(void)
{
	if (!world_yields(task, large, sizeof large))
		return "the task did not yield its value";
	return journal_is_told();
}

static const char *judge_client(void *image)
{
	(void)image;
	return judge(WORLD_A, journal_is_told);
}

static const char *judge_worker(void *image)
{
	(void)image;
	return judge(WORLD_WORKER, told_and_done);
}

static const char *judge_scheduler(void *image)
{
	(void)image;
	return judge(SLOT_SCHEDULER, told_and_done);
}

static const struct sweep_op ops[] = {
	LONG(
	    "submit, kept, for a journal", setup_object, submit_of_a, recover_client, judge_client),
	LONG("submit, and wait for the disk", setup_sync, submit_durable, recover_client,
	    judge_client),
	LONG("submit, while the disk is full", setup_sync, submit_in_vain, recover_client,
	    judge_client),
	LONG("run of a task that is kept", setup_submitted, echo_run, recover_worker, judge_worker),
	LONG("freeing of what is written", setup_written, schedule, recover_scheduler,
	    judge_scheduler),
};

int main(void)
{
	return sweep_run(ops, COUNT_OF(ops)) ? 1 : 0;
}
