/* sweep_manager.c - the manager, killed at every step of declaring a death, starting members or
 * admitting a client. The next manager continues the runtime (tests/sweeps/reign.h), and is
 * killed at every step, too. */
#include <string.h>
#include <sys/socket.h>

#include "manager/birth.h"
#include "manager/death.h"
#include "manager/spare_processes.h"
#include "tables/lent.h"
#include "tests/sweeps/reign.h"
#include "tests/sweeps/standin.h"

enum { SPARES = 1 };

static int door[2]; /* the manager's end, the client's end */

static const char *judge(void *image)
{
	(void)image;
	return reign_judge(REIGN_UNUSED);
}

/* ---- deaths ---- */

static void give_a_possessions(void)
{
	void *data;
	plm_ref unsealed;
	world_share(&world.a, reign.of_b);
	SWEEP_REQUIRE(plm_create(&world.a, sizeof reign.value, &data, &unsealed) == 0);
	world_submit(&world.a, "probe.echo", &PLM_FUTURE(reign.of_b), 1, 1, 0, 0);
}

static void setup_dead_client(void *image)
{
	(void)image;
	reign_boot();
	give_a_possessions();
	reign_begin(WORLD_A);
}

static void tell_client(void *image)
{
	(void)image;
	admission_client_died(reign_play(), WORLD_A);
	SWEEP_REQUIRE(process_state(sh_load(&reign_slot(WORLD_A)->state)) == PROCESS_DEAD);
}

static const char *judge_client(void *image)
{
	(void)image;
	return reign_judge(WORLD_A);
}

/* The client's word belongs to another life, and says that the client is dead already. */
static void setup_damaged_client(void *image)
{
	(void)image;
	reign_boot();
	give_a_possessions();
	standin_take(reign_slot(WORLD_A), false);
	standin_watch(&reign.dying, WORLD_A);
	sh_store(&reign_slot(WORLD_A)->state,
	    process_word(reign.dying.slot[WORLD_A].generation + 7, KIND_CLIENT, PROCESS_DEAD));
	reign_begin(0);
}

static void tell_damaged(void *image)
{
	tell_client(image);
	SWEEP_REQUIRE(process_generation(sh_load(&reign_slot(WORLD_A)->state)) ==
	    process_generation(sh_load(&reign_slot(WORLD_B)->state)));
}

static void setup_dead_worker(void *image)
{
	(void)image;
	reign_boot();
	world_claim_only(reign.run_by_worker);
	sh_poke(&reign_slot(WORLD_WORKER)->running, reign.run_by_worker.id);
	reign_begin(WORLD_WORKER);
}

static void tell_worker(void *image)
{
	(void)image;
	death_of_member(reign_play(), WORLD_WORKER);
	birth_spawn_due(&reign.dying);
	SWEEP_REQUIRE(sh_load(&world.tables.control->restarts) == 1);
}

static const char *judge_worker(void *image)
{
	(void)image;
	return reign_judge(WORLD_WORKER);
}

static void setup_dead_scheduler(void *image)
{
	(void)image;
	reign_boot();
	reign_begin(SLOT_SCHEDULER);
}

static void tell_scheduler_died(void *image)
{
	(void)image;
	death_of_member(reign_play(), SLOT_SCHEDULER);
	birth_spawn_due(&reign.dying);
}

static void keep_a_journal(void)
{
	world.tables.control->journal.slot = REIGN_FREE;
	strcpy(reign.dying.state, "of a journal that does nothing");
}

static void setup_dead_journal(void *image)
{
	(void)image;
	reign_boot();
	keep_a_journal();
	SWEEP_REQUIRE(process_claim(reign_slot(REIGN_FREE), KIND_JOURNAL, 0, "journal"));
	reign_step(REIGN_FREE, PROCESS_LIVE);
	reign_begin(REIGN_FREE);
}

static void tell_journal(void *image)
{
	(void)image;
	death_of_member(reign_play(), REIGN_FREE);
	birth_spawn_due(&reign.dying);
}

static const char *judge_journal(void *image)
{
	(void)image;
	return reign_judge(REIGN_FREE);
}

/* ---- births ---- */

/* As the last holder of this process slot may have left the fields. */
static void soil(struct process *p)
{
	shared64 *const words[] = { &p->died_ns, &p->waiting_ns, &p->refused, &p->handed,
		&p->booked, &p->booked_seen, &p->running, &p->done, &p->failed, &p->memory,
		&p->memory_peak, &p->inside_word };
	shared32 *const halves[] = { &p->unclean, &p->average_ns, &p->blocked, &p->node,
		&p->alert };
	for (size_t i = 0; i < COUNT_OF(words); i++)
		sh_poke(words[i], 3);
	for (size_t i = 0; i < COUNT_OF(halves); i++)
		sh_poke(halves[i], 3);
	for (int i = 0; i < WAITERS; i++)
		sh_poke(&p->waiter[i].awaiting, AWAITING_ANY);
	sh_poke(&p->lent, lent_next(lent_next(0))); /* the borrower's turn is over */
	sh_poke(&p->beat_ns, 0);
}

static void setup_missing(void *image)
{
	(void)image;
	reign_boot();
	keep_a_journal();
	world_declare_dead(WORLD_WORKER);
	world_settle();
	reign_step(SLOT_SCHEDULER, PROCESS_DEAD);
	reign_step(SLOT_SCHEDULER, PROCESS_FREE);
	sh_poke(&reign_slot(SLOT_SCHEDULER)->booked, 3);
	soil(reign_slot(process_nth_slot(&world.tables, KIND_WORKER, 0)));
	reign_begin(0);
}

static void start_missing(void *image)
{
	(void)image;
	birth_complete(reign_play());
	birth_spawn_due(&reign.dying);
}

static void setup_spare(void *image)
{
	(void)image;
	reign_boot();
	world.tables.control->spares = SPARES;
	sh_or(&world.tables.control->relief[0], (uint64_t)1 << WORLD_WORKER);
	reign_begin(0);
}

static void turn(void *image)
{
	(void)image;
	spare_processes_adjust(reign_play());
	birth_spawn_due(&reign.dying);
}

static void setup_needless_spare(void *image)
{
	(void)image;
	reign_boot();
	world.tables.control->spares = SPARES;
	SWEEP_REQUIRE(process_claim(reign_slot(REIGN_FREE), KIND_WORKER, 0, "spare"));
	reign_slot(REIGN_FREE)->spare = WORLD_WORKER;
	reign_step(REIGN_FREE, PROCESS_LIVE);
	processes_changed(&world.tables);
	reign_begin(0);
}

/* A spare that is no longer wanted is being started. */
static const char *judge_needless(void *image)
{
	uint64_t word = sh_load(&reign_slot(REIGN_FREE)->state);
	return process_state(word) == PROCESS_LIVE ? "a spare that is not wanted stays"
						   : judge(image);
}

/* ---- the door ---- */

static void setup_door(void *image)
{
	(void)image;
	reign_boot();
	if (door[0] == door[1])
		SWEEP_REQUIRE(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
				  door) == 0);
	reign_begin(0);
}

static void let_in(void *image)
{
	(void)image;
	static char room_for_it[sizeof(struct door_reply)];
	struct door_request hello = {
		.magic = DOOR_MAGIC, .version = DOOR_VERSION, .kind = DOOR_HELLO, .text = "newcomer"
	};
	for (int i = 0; i < 2; i++) /* of the previous victim */
		while (recv(door[i], room_for_it, sizeof room_for_it, 0) > 0)
			;
	SWEEP_REQUIRE(send(door[1], &hello, sizeof hello, 0) == sizeof hello);
	SWEEP_REQUIRE(strangers_add(reign_play(), door[0]) == 0);
	admission_hello(&reign.dying, door[0]);
	SWEEP_REQUIRE(recv(door[1], room_for_it, sizeof room_for_it, 0) > 0);
}

/* The client does not know of the admission, and asks again. */
static const char *judge_newcomer(void *image)
{
	(void)image;
	return process_present(sh_load(&reign_slot(REIGN_FREE)->state))
	    ? "a slot is kept for who does not know of it"
	    : reign_judge(REIGN_FREE);
}

static const struct sweep_op ops[] = {
	REIGN("telling a client's death", setup_dead_client, tell_client, judge_client),
	REIGN(
	    "telling the death of a damaged one", setup_damaged_client, tell_damaged, judge_client),
	REIGN("telling a worker's death, the next", setup_dead_worker, tell_worker, judge_worker),
	REIGN("telling a scheduler's death, the next", setup_dead_scheduler, tell_scheduler_died,
	    judge),
	REIGN("telling a journal's death", setup_dead_journal, tell_journal, judge_journal),
	REIGN("starting who is missing", setup_missing, start_missing, judge),
	REIGN("starting a spare", setup_spare, turn, judge),
	REIGN("sending a spare away", setup_needless_spare, turn, judge_needless),
	REIGN("letting a client in", setup_door, let_in, judge_newcomer),
};

int main(void)
{
	return sweep_run(ops, COUNT_OF(ops)) ? 1 : 0;
}
