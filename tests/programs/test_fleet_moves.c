/* test_fleet_moves.c - another place in the queue of a fleet: at the front, parked, with another
 * priority. The first tests play users and hosts; the last has a host and plmctl. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/command_case.h"
#include "tests/support/fleet_case.h"
#include "tests/support/played/fleet_played.h"
#include "tests/support/run_suite.h"

enum { TIMEOUT_S = 120, MANY = 10 };

/* ---- played ---- */

static int8_t moved(size_t i, enum engine_place place, int priority)
{
	uint64_t id = (uint64_t)played.ids[i];
	int8_t outcome = 9;
	GOOD(engine_move(played.user, &id, 1, place, priority, &outcome));
	return outcome;
}

/* Claims one task; returns its number. */
static unsigned next_claim(const char *member)
{
	ck_assert_uint_eq(played_claim(member, 1), 1);
	for (unsigned i = 0; i < PLAYED_MOST; i++)
		if ((uint64_t)played.ids[i] == played.claims[0].id)
			return i;
	return PLAYED_MOST;
}

/* Task 1 waits for task 0. */
static void add_waiting(struct engine_after *after)
{
	int64_t id;
	*after = (struct engine_after){ .id = (uint64_t)played.ids[0] };
	const struct engine_task task = { .words = "w1",
		.words_bytes = 2,
		.needs = "",
		.label = "",
		.title = "",
		.after = after,
		.afters = 1 };
	GOOD(engine_add(played.user, &task, 1, false, "", &id));
	played.ids[1] = id;
}

START_TEST(the_task_moved_to_the_front_last_goes_first_of_its_priority)
{
	played_add(MANY, (struct engine_task){ .priority = 0 });
	ck_assert_int_eq(moved(4, PLACE_FRONT, 0), 1);
	ck_assert_int_eq(moved(7, PLACE_FRONT, 0), 1);
	ck_assert_int_eq(moved(9, PLACE_PRIORITY, 1), 1);
	static const unsigned order[MANY] = { 9, 7, 4, 0, 1, 2, 3, 5, 6, 8 };
	for (unsigned i = 0; i < MANY; i++)
		ck_assert_uint_eq(next_claim("anna"), order[i]);
	ck_assert_int_eq(moved(4, PLACE_FRONT, 0), 0); /* runs */
	ck_assert_uint_eq(played_commit("anna", played.claims, 1, ENDING_DONE), 1);
	ck_assert_int_eq(moved(8, PLACE_FRONT, 0), 0); /* has ended */
}
END_TEST

START_TEST(a_task_that_a_host_gives_back_stays_at_the_front)
{
	played_add(MANY, (struct engine_task){ .priority = 0 });
	ck_assert_int_eq(moved(5, PLACE_FRONT, 0), 1);
	ck_assert_uint_eq(next_claim("anna"), 5);
	ck_assert_uint_eq(played_commit("anna", played.claims, 1, ENDING_BACK), 1);
	ck_assert_uint_eq(next_claim("bert"), 5);
}
END_TEST

START_TEST(no_host_claims_a_parked_task_until_it_goes_back)
{
	played_add(3, (struct engine_task){ .priority = 0 });
	ck_assert_int_eq(moved(0, PLACE_BACK, 0), 0); /* was not parked */
	ck_assert_int_eq(moved(0, PLACE_PARKED, 0), 1);
	ck_assert_int_eq(moved(0, PLACE_PARKED, 0), 1);
	ck_assert_int_eq(moved(2, PLACE_PARKED, 0), 1);
	ck_assert_int_eq(moved(2, PLACE_PRIORITY, 5), 1); /* for later */
	ck_assert_uint_eq(next_claim("anna"), 1);
	ck_assert_uint_eq(played_claim("anna", 9), 0);
	ck_assert_uint_eq(played_counts().parked, 2);
	ck_assert_uint_eq(played_counts().ready, 0);
	ck_assert_uint_eq(engine_todo(&(struct engine_status){ .parked = 2, .ready = 1 }), 3);
	struct engine_row row;
	GOOD(engine_row(played.user, (uint64_t)played.ids[2], &row));
	ck_assert_int_eq(row.state, ENGINE_PARKED);
	struct engine_reason reason;
	GOOD(engine_explain(played.user, (uint64_t)played.ids[0], &reason));
	ck_assert_int_eq(reason.state, ENGINE_PARKED);
	ck_assert_int_eq(moved(0, PLACE_BACK, 0), 1);
	ck_assert_int_eq(moved(2, PLACE_BACK, 0), 1);
	ck_assert_uint_eq(played_counts().parked, 0);
	ck_assert_uint_eq(next_claim("anna"), 2);
	ck_assert_uint_eq(next_claim("anna"), 0);
}
END_TEST

START_TEST(a_parked_task_is_cancelled_and_retried_without_its_mark)
{
	played_add(1, (struct engine_task){ .priority = 0 });
	ck_assert_int_eq(moved(0, PLACE_PARKED, 0), 1);
	ck_assert_int_eq(played_one(engine_cancel, 0), 1);
	ck_assert_uint_eq(played_counts().parked, 0);
	struct engine_row row;
	GOOD(engine_row(played.user, (uint64_t)played.ids[0], &row));
	ck_assert_int_eq(row.state, ENGINE_CANCELLED);
	struct engine_reason reason;
	GOOD(engine_explain(played.user, (uint64_t)played.ids[0], &reason));
	ck_assert_int_eq(reason.state, ENGINE_CANCELLED);
	ck_assert_int_eq(played_one(engine_retry, 0), 1);
	ck_assert_uint_eq(next_claim("anna"), 0);
}
END_TEST

START_TEST(a_task_parked_while_it_waits_stays_parked_when_its_wait_ends)
{
	struct engine_after after;
	played_add(1, (struct engine_task){ .priority = 0 });
	add_waiting(&after);
	ck_assert_int_eq(moved(1, PLACE_PARKED, 0), 1);
	ck_assert_uint_eq(played_counts().waiting, 1);
	ck_assert_uint_eq(next_claim("anna"), 0);
	ck_assert_uint_eq(played_commit("anna", played.claims, 1, ENDING_DONE), 1);
	ck_assert_uint_eq(played_counts().waiting, 0);
	ck_assert_uint_eq(played_counts().parked, 1);
	ck_assert_uint_eq(played_claim("anna", 9), 0);
	ck_assert_int_eq(moved(1, PLACE_BACK, 0), 1);
	ck_assert_uint_eq(played_claim("anna", 9), 1);
}
END_TEST

START_TEST(a_task_moved_while_it_waits_begins_at_its_new_place)
{
	struct engine_after after;
	played_add(1, (struct engine_task){ .priority = 0 });
	add_waiting(&after);
	int64_t waits = played.ids[1];
	ck_assert_int_eq(moved(1, PLACE_FRONT, 0), 1);
	ck_assert_uint_eq(next_claim("anna"), 0);
	struct engine_claim first = played.claims[0];
	played_add(MANY, (struct engine_task){ .priority = 0 });
	ck_assert_uint_eq(played_commit("anna", &first, 1, ENDING_DONE), 1);
	struct engine_claim claim;
	const struct engine_class any = { "", 1 };
	int64_t ms;
	ck_assert_int_eq(
	    engine_claim(played.host, "anna", &played.room, 1, &any, 1, &claim, &ms), 1);
	ck_assert_uint_eq(claim.id, (uint64_t)waits);
}
END_TEST

/* ---- plmctl and a host ---- */

static void writes(const char *word, char **ret_ref)
{
	char line[400];
	snprintf(line, sizeof line, "echo %s >> %s", word, fleet_ledger());
	*ret_ref = fleet_expect(0, "submit", "--detach", "--label", word, "--shell", line);
}

START_TEST(plmctl_move_gives_tasks_of_a_fleet_another_place)
{
	char *ref[4], text[64] = "";
	fleet_host_up(0, "1");
	char *blocks = fleet_expect(0, "submit", "--detach", "sleep", "1000");
	ctl_until(&fleet_host[0], blocks, "tasks", "--quiet", "--state", "running");
	static const char *const words[] = { "one", "two", "three", "four" };
	for (int i = 0; i < 4; i++)
		writes(words[i], &ref[i]);
	fleet_run(0, "drain", fleet_host_name(0)); /* what it has claimed ahead comes back */
	fleet_run(0, "move", "--to", "front", ref[2]);
	fleet_run(0, "move", "--to", "parked", "--label", "one");
	fleet_run(0, "move", "--priority", "3", ref[3]);
	fleet_run(65, "move", "--to", "front", blocks);
	char *parked = fleet_expect(0, "tasks", "--unsorted", "--quiet", "--state", "parked");
	ck_assert_str_eq(parked, ref[0]);
	char *why = fleet_expect(0, "explain", ref[0]);
	ck_assert_msg(strstr(why, "is parked") != NULL, "%s", why);
	fleet_run(0, "resume", fleet_host_name(0));
	fleet_run(0, "cancel", blocks);
	fleet_ledger_until(3);
	fleet_run(0, "move", "--to", "todo", ref[0]);
	fleet_run(0, "wait", ref[0], ref[1], ref[2], ref[3]);
	FILE *file = fopen(fleet_ledger(), "r");
	ck_assert_ptr_nonnull(file);
	ck_assert_uint_gt(fread(text, 1, sizeof text - 1, file), 0);
	fclose(file);
	ck_assert_str_eq(text, "four\nthree\ntwo\none\n");
	for (int i = 0; i < 4; i++)
		free(ref[i]);
	free(parked);
	free(why);
	free(blocks);
}
END_TEST

int main(void)
{
	const TTest *const played_tests[] = {
		the_task_moved_to_the_front_last_goes_first_of_its_priority,
		a_task_that_a_host_gives_back_stays_at_the_front,
		no_host_claims_a_parked_task_until_it_goes_back,
		a_parked_task_is_cancelled_and_retried_without_its_mark,
		a_task_parked_while_it_waits_stays_parked_when_its_wait_ends,
		a_task_moved_while_it_waits_begins_at_its_new_place,
	};
	const TTest *const tests[] = { plmctl_move_gives_tasks_of_a_fleet_another_place };
	if (!fleet_redis_there())
		return 0;
	int failed = run_tests("fleet moves, played", TIMEOUT_S, played_begin, played_end,
	    played_tests, sizeof played_tests / sizeof played_tests[0]);
	return failed |
	    run_tests("fleet moves", TIMEOUT_S, fleet_begin, fleet_end, tests,
		sizeof tests / sizeof tests[0]);
}
