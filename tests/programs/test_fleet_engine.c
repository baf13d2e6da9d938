/* test_fleet_engine.c - the engine's own functions under every order of verbs that chance finds:
 * members claim, commit, lose answers, fall silent and come back, a user moves tasks.
 *
 * No runtime is needed: the test plays members and keeps the book. An attempt ends once; a task
 * belongs to one member at a time, and to another only after the end of the attempt or of the
 * lease; nobody claims a parked task; a task is taken away from a silent member no more often than
 * its crash retries allow; in the end all tasks are settled. FLEET_SEED=N repeats a run. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/why.h"
#include "fleet/engine.h"
#include "tests/support/fleet_case.h"
#include "tests/support/run_suite.h"

enum {
	TEST_TIMEOUT_S = 120,
	MEMBERS = 5,
	TASKS = 400,
	CLAIMS = 4,
	CRASH_RETRIES = 2,
	LEASE_MS = 1000,
	RUN_MS = 7000,
	ANSWER_MS = 10000,
	GONE = MEMBERS, /* an owner whose lease is over */
};

struct player { /* a member */
	struct engine *engine;
	char name[ENGINE_MEMBER_BYTES];
	bool joined, unsure; /* unsure: the answer to a claim was lost */
	uint64_t renewed_ns, silent_until_ns;
};

struct booked {                            /* what the book knows of a task */
	uint64_t id, attempt, block, from; /* block, from: of the claim */
	int owner;                         /* a player, or GONE; -1: none */
	uint64_t owned_ns;                 /* when the owner last renewed */
	unsigned done, lost;               /* lost: crash retries spent, or one more */
	bool parked;
};

static const struct engine_room busy; /* nothing is given unasked */
static struct engine *user;
static struct player player[MEMBERS];
static struct booked book[TASKS];
static unsigned takeovers, voids, lives, moves;
static uint64_t chance_state;

static unsigned draw(unsigned n)
{
	uint64_t z = chance_state += UINT64_C(0x9e3779b97f4a7c15); /* splitmix64 */
	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return (unsigned)((z ^ z >> 31) % n);
}

static void good(int r)
{
	ck_assert_msg(r >= 0, "%d: %s", r, why_text());
}

static struct engine *open_engine(void)
{
	struct fleet_url url;
	struct engine *e;
	char text[300];
	snprintf(text, sizeof text, "unix://%s/redis.sock?queue=engine&lease=%dms", fleet_directory,
	    LEASE_MS);
	good(fleet_url_parse("PLM_FLEET", text, true, &url));
	good(engine_open(&e, &url, ANSWER_MS));
	return e;
}

static void add_tasks(unsigned n)
{
	static struct engine_task task[TASKS];
	static int64_t ids[TASKS];
	for (unsigned i = 0; i < n; i++)
		task[i] = (struct engine_task){ .words = "words",
			.words_bytes = 5,
			.priority = (int)(i % 3),
			.needs = "",
			.crash_retries = CRASH_RETRIES,
			.label = "",
			.title = "" };
	good(engine_add(user, task, n, false, "", ids));
	for (unsigned i = 0; i < n; i++)
		book[i] = (struct booked){ .id = (uint64_t)ids[i], .owner = -1 };
}

static struct booked *booked_of(uint64_t id)
{
	for (unsigned i = 0; i < TASKS; i++)
		if (book[i].id == id)
			return &book[i];
	ck_abort_msg("the engine gave out task %llu", (unsigned long long)id);
	return NULL;
}

/* ---- members ---- */

static void join(struct player *p)
{
	static const struct engine_facts facts = { .name = "host", .runtime = "none", .can = "" };
	snprintf(p->name, sizeof p->name, "m%u", ++lives);
	p->renewed_ns = clock_ns();
	good(engine_join(p->engine, p->name, &facts));
	p->joined = true;
	p->unsure = false;
}

/* The engine has taken everything of the member, or will. */
static void leave_to_engine(struct player *p)
{
	p->joined = false;
	for (unsigned i = 0; i < TASKS; i++)
		if (book[i].owner == p - player)
			book[i].owner = GONE;
}

static void renew(struct player *p)
{
	static const struct engine_facts facts = { .name = "host", .runtime = "none", .can = "" };
	struct engine_orders orders;
	uint64_t now = clock_ns();
	int r = engine_renew(p->engine, p->name, &facts, &orders);
	if (r == -ESTALE) {
		leave_to_engine(p);
		return;
	}
	good(r);
	ck_assert_msg(now < p->renewed_ns + 2 * LEASE_MS * NS_PER_MS,
	    "a member came back long after its lease");
	p->renewed_ns = now;
	for (unsigned i = 0; i < TASKS; i++)
		if (book[i].owner == p - player)
			book[i].owned_ns = now;
}

/* A task that another member had: that lease is over, and a crash retry is spent. */
static void book_claim(struct player *p, const struct engine_claim *claim)
{
	uint64_t id = claim->id, attempt = claim->attempt;
	struct booked *b = booked_of(id);
	ck_assert_msg(attempt > b->attempt, "attempt %llu after %llu", (unsigned long long)attempt,
	    (unsigned long long)b->attempt);
	ck_assert_uint_eq(b->done, 0);
	ck_assert(!b->parked);
	if (b->owner >= 0) {
		ck_assert_msg(clock_ns() >= b->owned_ns + LEASE_MS * NS_PER_MS,
		    "task %llu was taken %llu ms into a lease", (unsigned long long)id,
		    (unsigned long long)((clock_ns() - b->owned_ns) / NS_PER_MS));
		takeovers++;
		ck_assert_uint_le(++b->lost, CRASH_RETRIES);
	}
	b->owner = (int)(p - player);
	b->owned_ns = p->renewed_ns;
	b->attempt = attempt;
	b->block = claim->block;
	b->from = claim->from;
}

static void claim(struct player *p, bool lose)
{
	static const struct engine_class any = { "", CLAIMS };
	struct engine_claim claims[CLAIMS];
	int64_t next_ms;
	int n = engine_claim(p->engine, p->name, &busy, CLAIMS, &any, 1, claims, &next_ms);
	if (n == -ESTALE) {
		leave_to_engine(p);
		return;
	}
	good(n);
	for (int i = 0; i < n; i++)
		book_claim(p, &claims[i]);
	p->unsure |= lose;
}

static void end_one(struct player *p, struct booked *b, enum engine_ending kind)
{
	struct engine_end end = { .id = b->id,
		.attempt = b->attempt,
		.block = b->block,
		.from = b->from,
		.kind = kind,
		.message = "",
		.value = "value",
		.value_bytes = kind == ENDING_DONE ? 5 : 0 };
	uint8_t taken = 0;
	bool idle;
	good(engine_commit(p->engine, p->name, &busy, &end, 1, &taken, &idle));
	if (!taken) { /* only because the lease was over */
		ck_assert(clock_ns() >= b->owned_ns + LEASE_MS * NS_PER_MS);
		voids++;
		return;
	}
	b->owner = -1;
	b->done += kind == ENDING_DONE;
	b->lost += kind == ENDING_CRASHED;
	ck_assert_uint_le(b->lost, CRASH_RETRIES + 1);
	/* The answer may be lost: the same words again change nothing. */
	good(engine_commit(p->engine, p->name, &busy, &end, 1, &taken, &idle));
	ck_assert_uint_eq(taken, 0);
}

/* A claim whose answer was lost goes back, as the bridge does it. */
static void come_back(struct player *p)
{
	uint64_t mine[CLAIMS * 64][2], pushed;
	int n = engine_mine(p->engine, p->name, mine, CLAIMS * 64, &pushed);
	if (n == -ESTALE) {
		leave_to_engine(p);
		return;
	}
	good(n);
	for (int i = 0; i < n && i < CLAIMS * 64; i++) {
		struct booked *b = booked_of(mine[i][0]);
		ck_assert_uint_eq(mine[i][1], b->attempt);
		ck_assert_int_eq(b->owner, (int)(p - player));
		b->block = b->from = 0; /* which an unknown claim does not tell */
		end_one(p, b, ENDING_BACK);
	}
	p->unsure = false;
}

static void end_some(struct player *p)
{
	unsigned from = draw(TASKS), what = draw(100);
	for (unsigned i = 0; i < TASKS; i++) {
		struct booked *b = &book[(from + i) % TASKS];
		if (b->owner == p - player && !b->done) {
			end_one(p, b,
			    what == 0                       ? ENDING_DONE
				: what == 1 && draw(4) == 0 ? ENDING_CRASHED
							    : ENDING_BACK);
			return;
		}
	}
}

/* Words of the member's former lives, and of tasks that others have: all void. */
static void speak_out_of_turn(struct player *p)
{
	struct booked *b = &book[draw(TASKS)];
	const struct engine_end end = { .id = b->id,
		.attempt = b->owner == p - player ? b->attempt + 1 + draw(2) : b->attempt,
		.block = b->block,
		.from = b->from,
		.kind = draw(2) ? ENDING_DONE : ENDING_CRASHED,
		.message = "" };
	uint8_t taken = 1;
	bool idle;
	if (!b->attempt)
		return;
	good(engine_commit(p->engine, p->name, &busy, &end, 1, &taken, &idle));
	ck_assert_msg(!taken, "a member ended an attempt that it does not have");
	voids++;
}

/* A user gives a task another place. */
static void move_some(void)
{
	struct booked *b = &book[draw(TASKS)];
	enum engine_place place = draw(PLACE_BACK + 1);
	int8_t outcome;
	good(engine_move(user, &b->id, 1, place, (int)draw(3), &outcome));
	if (outcome == 1 && place >= PLACE_PARKED)
		b->parked = place == PLACE_PARKED;
	ck_assert(!b->done || outcome == 0);
	moves += outcome == 1;
}

static void step(struct player *p)
{
	if (clock_ns() < p->silent_until_ns)
		return;
	unsigned what = draw(100);
	if (draw(20) == 0)
		move_some();
	bool late = clock_ns() > p->renewed_ns + LEASE_MS * NS_PER_MS / 5;
	if (!p->joined)
		join(p);
	else if (late && what < 50) /* or it speaks first, though its lease may be over */
		renew(p);
	else if (p->unsure)
		come_back(p);
	else if (what < 30)
		claim(p, what < 5);
	else if (what < 60)
		end_some(p);
	else if (what < 70)
		speak_out_of_turn(p);
	else if (what >= 97) /* stopped, or cut off */
		p->silent_until_ns = clock_ns() + draw(2 * LEASE_MS) * NS_PER_MS;
}

/* ---- the run ---- */

static void settle_all(void)
{
	uint64_t deadline = deadline_after_ms(ANSWER_MS);
	struct engine_status s;
	for (unsigned i = 0; i < TASKS; i++) {
		int8_t outcome;
		good(engine_move(user, &book[i].id, 1, PLACE_BACK, 0, &outcome));
		ck_assert_int_eq(outcome == 1, book[i].parked);
		book[i].parked = false;
	}
	for (;;) {
		good(engine_status(user, &s));
		if (engine_todo(&s) + s.running == 0)
			break;
		ck_assert_msg(clock_ns() < deadline, "%llu ready and %llu running are left",
		    (unsigned long long)s.ready, (unsigned long long)s.running);
		struct player *p = &player[0];
		p->silent_until_ns = 0;
		if (!p->joined)
			join(p);
		renew(p);
		if (p->joined)
			claim(p, false);
		for (unsigned i = 0; i < TASKS && p->joined; i++)
			if (book[i].owner == 0 && !book[i].done)
				end_one(p, &book[i], ENDING_DONE);
	}
	unsigned done = 0;
	for (unsigned i = 0; i < TASKS; i++) {
		ck_assert_uint_le(book[i].done, 1);
		done += book[i].done;
	}
	ck_assert_uint_eq(s.done, done);
	ck_assert_uint_eq(s.done + s.failed, TASKS);
	printf("%u tasks: %u done, %u failed, %u lives of members, %u taken over, %u ends "
	       "refused, %u moves\n",
	    (unsigned)TASKS, done, (unsigned)s.failed, lives, takeovers, voids, moves);
}

START_TEST(any_order_of_verbs_and_deaths_keeps_the_book_right)
{
	const char *seed = getenv("FLEET_SEED");
	chance_state = seed ? strtoull(seed, NULL, 10) : 17;
	printf("FLEET_SEED=%llu\n", (unsigned long long)chance_state);
	user = open_engine();
	for (unsigned i = 0; i < MEMBERS; i++)
		player[i].engine = open_engine();
	add_tasks(TASKS);
	uint64_t end = deadline_after_ms(RUN_MS);
	while (clock_ns() < end)
		step(&player[draw(MEMBERS)]);
	settle_all();
	ck_assert_uint_gt(takeovers, 0);
	ck_assert_uint_gt(moves, 0);
	for (unsigned i = 0; i < MEMBERS; i++)
		engine_close(&player[i].engine);
	engine_close(&user);
}
END_TEST

/* A claim may wait in a stopped Redis until the lease of its host is over. */
START_TEST(a_claim_after_the_lease_takes_nothing)
{
	struct player *p = &player[0], *other = &player[1];
	user = open_engine();
	p->engine = open_engine();
	other->engine = open_engine();
	add_tasks(1);
	join(p);
	const struct timespec over = { .tv_sec = LEASE_MS / 1000, .tv_nsec = 50000000 };
	nanosleep(&over, NULL); /* the engine's clock decides, and nobody looks meanwhile */
	claim(p, false);
	ck_assert(!p->joined);
	join(other);
	claim(other, false);
	ck_assert_int_eq(book[0].owner, 1);
	engine_close(&p->engine);
	engine_close(&other->engine);
	engine_close(&user);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		any_order_of_verbs_and_deaths_keeps_the_book_right,
		a_claim_after_the_lease_takes_nothing,
	};
	if (!fleet_redis_there())
		return 0;
	return run_tests("fleet engine", TEST_TIMEOUT_S, fleet_begin, fleet_end, tests,
	    sizeof tests / sizeof tests[0]);
}
