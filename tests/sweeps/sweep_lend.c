/* sweep_lend.c - cpus lent to a command, killed at every step: the start of the command, lending
 * a cpu, asking for the cpu's return, counting the cpu as lent, the end of the command. The
 * survivors find a kept cpu for each cpu counted as lent, and in the end no cpu is lent. */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tables/lent.h"
#include "tests/support/meanwhile.h"
#include "tests/support/world.h"
#include "command/jobserver.h"

/* The second worker, whose cpu is lent; only the worker's promise to stand still is played. */
enum { SEAT = WORLD_JOINING, QUEUED = 4 };

static struct jobserver server;

static struct process *borrower(void)
{
	return &world.tables.process[WORLD_WORKER];
}

static struct process *seat(void)
{
	return &world.tables.process[SEAT];
}

/* ---- setups ---- */

static void setup_wanting(void *image)
{
	(void)image;
	world_boot();
	world.tables.control->jobserver = JOBSERVER_PIPE;
	uint64_t word;
	SWEEP_REQUIRE(process_claim(seat(), KIND_WORKER, 0, "seat"));
	seat()->worker = 1;
	word = sh_load(&seat()->state);
	SWEEP_REQUIRE(process_step(seat(), &word, PROCESS_LIVE));
	processes_changed(&world.tables);
	sh_store(&borrower()->lent, lent_with(lent_next(0), true, 0, 0));
	sh_store(&borrower()->running, 1); /* the borrower is at work */
	sh_add(&world.tables.control->lent_changes, 1);
}

static void setup_kept(void *image)
{
	setup_wanting(image);
	scheduler_step(&world.scheduler);
	SWEEP_REQUIRE(lent_to(sh_load(&seat()->booked)) == WORLD_WORKER);
	sh_store(&seat()->booked_seen, sh_load(&seat()->booked));
}

static void setup_lent(void *image)
{
	setup_kept(image);
	scheduler_step(&world.scheduler);
	SWEEP_REQUIRE(lent_limit(sh_load(&borrower()->lent)) == 1);
}

static void setup_out(void *image)
{
	setup_lent(image);
	sh_store(&borrower()->lent, lent_with(sh_load(&borrower()->lent), true, 1, 1));
}

static void setup_asked(void *image)
{
	setup_out(image);
	world_submit(&world.b, "probe.noop", NULL, 0, 1, 0, 0);
}

static void setup_seat_dead(void *image)
{
	setup_lent(image);
	world_declare_dead(SEAT);
}

/* A command begins: nothing is open yet. */
static void setup_begin(void *image)
{
	setup_wanting(image);
	sh_store(&borrower()->lent, 0);
	world_submit(&world.b, "probe.noop", NULL, 0, 1, 0, 0);
}

/* Under an outer jobserver: the manager starts workers for waiting tasks. */
static void setup_outer(void *image)
{
	setup_wanting(image);
	sh_store(&borrower()->lent, 0);
	sh_store(&world.tables.control->outer, 1);
	world_declare_dead(SEAT);
	world_settle();
	for (int i = 0; i < QUEUED; i++)
		world_submit(&world.b, "probe.noop", NULL, 0, 1, 0, 0);
}

/* ---- operations ---- */

static void schedule(void *image)
{
	(void)image;
	scheduler_step(&world.scheduler);
}

/* The borrower withdraws the wish just when the scheduler has decided to give the kept cpu. */
static void change_mind(void)
{
	sh_store(&borrower()->lent, lent_with(sh_load(&borrower()->lent), false, 0, 0));
}

static void lend_to_undecided(void *image)
{
	(void)image;
	uint64_t before = sh_load(&world.tables.control->lent_changes);
	meanwhile_once("lend: cas lent", change_mind);
	scheduler_step(&world.scheduler);
	if (lent_limit(sh_load(&borrower()->lent)))
		sweep_fail("it may have a slot that it does not want");
	if (sh_load(&world.tables.control->lent_changes) == before)
		sweep_fail("nobody looks again at a loan that was not made");
}

static void begin(void *image)
{
	static struct plm_call call;
	(void)image;
	world_play(&world.worker.rt);
	call = (struct plm_call){ .rt = &world.worker.rt, .record = record_at(&world.tables, 0) };
	jobserver_none(&server, &call);
	SWEEP_REQUIRE(jobserver_open(&server, JOBSERVER_PIPE));
	if (!lent_open(sh_load(&borrower()->lent)))
		sweep_fail("a command has begun, and nothing can be lent to it");
}

/* As command/jobserver.c opens the jobserver, except for the turn, which is open already. */
static void open_server(void)
{
	static struct plm_call call;
	call = (struct plm_call){ .rt = &world.worker.rt };
	jobserver_none(&server, &call);
	server.tokens = memfd_create("no pipe: nothing is ever there", MFD_CLOEXEC);
	SWEEP_REQUIRE(server.tokens >= 0);
}

static void hand_out(void *image)
{
	(void)image;
	world_play(&world.worker.rt);
	open_server();
	jobserver_step(&server);
}

static void close_turn(void *image)
{
	(void)image;
	world_play(&world.worker.rt);
	open_server();
	jobserver_close(&server);
}

/* ---- verdicts ---- */

static const char *is_covered(void)
{
	uint32_t kept = lent_to(sh_load(&seat()->booked)) == WORLD_WORKER;
	if (lent_claim(sh_load(&borrower()->lent)) > kept)
		return "a slot is counted as out, and none is kept for it";
	return NULL;
}

/* The command ends; then the slot is nobody's. */
static const char *none_is_lent_in_the_end(void)
{
	const char *why = is_covered();
	if (why)
		return why;
	if (lent_open(sh_load(&borrower()->lent)))
		close_turn(NULL);
	sh_store(&borrower()->running, 0);
	scheduler_step(&world.scheduler);
	if (sh_load(&seat()->booked))
		return "a slot is lent to nobody, for ever";
	return tables_check(&world.tables);
}

static const char *judge(void *image)
{
	(void)image;
	return none_is_lent_in_the_end();
}

static const char *judge_dead_borrower(void *image)
{
	(void)image;
	scheduler_step(&world.scheduler);
	return sh_load(&seat()->booked) ? "what the dead one had is lent still"
					: tables_check(&world.tables);
}

/* The next manager, too, hears every request for workers. */
static const char *judge_outer(void *image)
{
	(void)image;
	if (!sh_load(&world.tables.control->tasks_wait))
		return "tasks wait, and nobody says so";
	sh_store(&borrower()->running, 0);
	world_play(&world.worker.rt);
	world_work();
	if (sh_load(&world.tables.control->tasks_wait))
		return "no task waits, and somebody says so";
	return world_judge(SLOT_SCHEDULER, NULL);
}

static const char *judge_lent(void *image)
{
	if (lent_limit(sh_load(&borrower()->lent)) == 0)
		return "a slot is kept for a command, and not lent to it";
	return judge(image);
}

static const char *judge_out(void *image)
{
	if (sweep_finished() && lent_out(sh_load(&borrower()->lent)) == 0)
		return "a slot was given to the command, and is not counted as out";
	return judge_dead_borrower(image);
}

static const char *judge_closed(void *image)
{
	if (sweep_finished() && lent_open(sh_load(&borrower()->lent)))
		return "the command's turn is over, and still open";
	return judge_dead_borrower(image);
}

static const char *judge_seat_dead(void *image)
{
	(void)image;
	if (lent_limit(sh_load(&borrower()->lent)))
		return "a command may have the slot of a worker that is dead";
	return tables_check(&world.tables);
}

static const struct sweep_op ops[] = {
	LONG("the beginning of a command", setup_begin, begin, recover_worker, judge_dead_borrower),
	LONG("lending to one that changes its mind", setup_kept, lend_to_undecided,
	    recover_scheduler, judge),
	LONG("tasks wait, and more workers could come", setup_outer, schedule, recover_scheduler,
	    judge_outer),
	LONG("keeping a slot for a borrower", setup_wanting, schedule, recover_scheduler, judge),
	LONG("lending it", setup_kept, schedule, recover_scheduler, judge_lent),
	LONG("the death of a worker whose slot is lent", setup_seat_dead, schedule,
	    recover_scheduler, judge_seat_dead),
	LONG("asking it back", setup_asked, schedule, recover_scheduler, judge),
	LONG("counting it as out", setup_lent, hand_out, recover_worker, judge_out),
	LONG("the end of the command", setup_out, close_turn, recover_worker, judge_closed),
};

int main(void)
{
	return sweep_run(ops, COUNT_OF(ops)) ? 1 : 0;
}
