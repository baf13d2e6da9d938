/* test_moves.c - queued tasks that come after others in whatever way these end, that a person moves
 * to the front, to another priority, aside and back; the hook that runs after a command. */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "tests/support/map_case.h"
#include "tests/support/run_suite.h"

enum { TEST_TIMEOUT_S = 60 };

/* $W keeps the only worker until `rm gate`; what starts later writes its name into `order`. */
#define GATE                                                                     \
	"touch gate; : > order; "                                                \
	"W=$(plmctl submit --detach 'while [ -e gate ]; do sleep 0.01; done'); " \
	"until plmctl tasks --in-progress --quiet | grep -q $W; do :; done; "
#define QUEUE(name, options) \
	name "=$(plmctl submit --detach " options " 'echo " name " >> order'); "
#define RUN "rm gate; plmctl wait --no-fail --all-kept >w; tr '\\n' ' ' < order; "
#define END "plmctl forget --all 2>w"

static void setup(void)
{
	map_setup();
	map_boot("1", "32M");
}

START_TEST(a_task_after_any_end_runs_whatever_the_end)
{
	check_shell(0, "done failed cancelled ", "",
	    "for c in true false 'sleep 60'; do A=$(plmctl submit --detach \"$c\"); "
	    "B=$(plmctl submit --detach --after-any $A 'printf \"$PLM_AFTER_STATE \" >> states'); "
	    "[ \"$c\" = 'sleep 60' ] && plmctl cancel $A; plmctl wait $B >w; done; "
	    "cat states; " END);
	check_shell(0, "7\n130\n", "",
	    "A=$(plmctl submit --detach 'exit 7'); "
	    "plmctl submit --after-any $A 'echo $PLM_AFTER_CODE; [ $PLM_AFTER = '$A' ]'; "
	    "B=$(plmctl submit --detach sleep 60); plmctl cancel --wait $B; "
	    "plmctl submit --after-failed $B 'echo $PLM_AFTER_CODE'; " END);
}
END_TEST

START_TEST(a_task_for_a_failure_is_cancelled_after_a_success)
{
	check_shell(130, "", "cancelled",
	    "A=$(plmctl submit --detach true); plmctl submit --after-failed $A echo never");
	check_shell(0, "it failed\n", "",
	    "A=$(plmctl submit --detach false); "
	    "plmctl submit --after-failed $A echo it failed; " END);
	/* Both kinds together: the second condition decides. */
	check_shell(0, "cancelled\n", "",
	    "A=$(plmctl submit --detach true); B=$(plmctl submit --detach false); "
	    "C=$(plmctl submit --detach --after-any $B --after-failed $A true); "
	    "plmctl wait --no-fail $C | grep -o cancelled; " END);
}
END_TEST

START_TEST(explain_tells_what_such_a_task_waits_for)
{
	check_shell(0, "the end of\na failure of\n", "",
	    GATE "B=$(plmctl submit --detach --after-any $W true); "
		 "C=$(plmctl submit --detach --after-failed $W true); "
		 "plmctl explain $B | grep -o 'the end of'; "
		 "plmctl explain $C | grep -o 'a failure of'; rm gate; "
		 "plmctl wait --no-fail $B $C >w; " END);
}
END_TEST

START_TEST(lines_of_a_file_name_such_orders)
{
	check_shell(0, "after\n", "",
	    "echo '{\"name\": \"a\", \"shell\": \"false\"}\n"
	    "{\"shell\": \"echo after > out\", \"after_any\": \"a\"}\n"
	    "{\"shell\": \"echo > never\", \"after\": \"a\"}\n"
	    "{\"shell\": \"true\", \"after_failed\": [\"a\"]}' > lines; "
	    "plmctl load --wait lines >w 2>&1; [ $? = 2 ] && cat out && [ ! -e never ]; " END);
}
END_TEST

START_TEST(the_front_comes_before_what_was_queued_earlier)
{
	check_shell(0, "c a b ", "",
	    GATE QUEUE("a", "") QUEUE("b", "")
		QUEUE("c", "") "plmctl move --to front $c; " RUN END);
	/* Not before a higher priority. */
	check_shell(0, "a c b ", "",
	    GATE QUEUE("a", "--priority 1") QUEUE("b", "")
		QUEUE("c", "") "plmctl move --to front $c; " RUN END);
}
END_TEST

/* A task with needs for which the worker is booked already stays first; of the rest the last one
 * moved is the first. Whether the worker is booked while it runs a task depends on how many tasks
 * it may have at hand, and that on the speed of the machine: so look, after some patience. */
START_TEST(of_tasks_with_needs_the_booked_one_stays_first)
{
	check_shell(0, "right\n", "",
	    "booked() { eval plmctl explain \\$$1 | grep -q 'reserved for it'; }; " GATE QUEUE(
		"a", "--needs mem=1") QUEUE("b", "--needs mem=1") QUEUE("c",
		"--needs mem=1") "for i in $(seq 50); do booked a && break; done; "
				 "plmctl move --to front $b; plmctl move --to front $c; "
				 "X=none; for t in a b c; do booked $t && X=$t; done; "
				 "rm gate; plmctl wait --no-fail --all-kept >w; "
				 "for t in $X c b a; do echo $t; done | grep -v none > all; "
				 "awk '!seen[$0]++' all > want; "
				 "cmp want order && echo right; " END);
}
END_TEST

/* The key of an object is nobody's turn: were it one, all later tasks would stand at the front. */
START_TEST(the_front_is_the_front_after_an_object_was_dropped)
{
	check_shell(0, "c a b ", NULL,
	    "X=$(echo x | plmctl put -); plmctl drop $X; " GATE QUEUE("a", "") QUEUE("b", "")
		QUEUE("c", "") "plmctl move --to front $c; " RUN END);
}
END_TEST

START_TEST(a_priority_is_changed_while_the_task_waits)
{
	check_shell(0, "c b a 5\n-1\n", "",
	    GATE QUEUE("a", "") QUEUE("b", "") QUEUE("c",
		"") "plmctl move --priority 5 $c; plmctl move --priority -1 $a; " RUN
		    "plmctl tasks --json | sed -n 's/.*\"priority\": \\([1-9-][0-9]*\\).*/\\1/p' | "
		    "sort -r; " END);
}
END_TEST

START_TEST(a_parked_task_waits_until_it_is_back)
{
	check_shell(0, "b parked\na b ", "",
	    GATE QUEUE("a", "") QUEUE(
		"b", "") "plmctl move --to parked $a; rm gate; plmctl wait $b >w; "
			 "tr '\\n' ' ' < order; "
			 "plmctl tasks --state parked --columns state | sed -n 2p; "
			 "plmctl explain $a | grep -q 'it was parked'; plmctl move --to todo $a; "
			 "plmctl wait $a >w; sort order | tr '\\n' ' '; " END);
	/* A waiting task stays parked when its arguments are there; a cancel ends it. */
	check_shell(0, "parked\ncancelled\n", "",
	    GATE
	    "B=$(plmctl submit --detach --after $W true); plmctl move --to parked $B; rm gate; "
	    "plmctl wait $W >w; plmctl tasks --columns state --todo | sed -n 2p; "
	    "plmctl cancel $B; plmctl wait --no-fail $B | grep -o cancelled; " END);
	check_shell(0, "3 tasks moved\n", NULL,
	    GATE QUEUE("a", "") QUEUE("b", "")
		QUEUE("c", "") "plmctl move --to parked --todo 2>&1 | grep -o '3 tasks moved'; "
			       "plmctl move --to todo --state parked 2>w; "
			       "rm gate; plmctl wait --all-kept >w; " END);
}
END_TEST

START_TEST(moves_that_make_no_sense_are_refused)
{
	check_shell(0, "", "the task is done already",
	    "A=$(plmctl submit --detach true); plmctl wait $A >w; plmctl move --to front $A; " END);
	check_shell(64, "", "a task has one place", "plmctl move --to front --priority 3 last");
	check_shell(64, "", "--to accepts todo, front and parked", "plmctl move --to back last");
	check_shell(64, "", "32767", "plmctl move --priority 40000 last");
	check_shell(64, "", "must be given", "plmctl move last");
	check_shell(
	    64, "", "names an object", "X=$(echo x | plmctl put -); plmctl move --to front $X");
}
END_TEST

START_TEST(a_hook_runs_after_any_end_of_its_command)
{
	check_shell(0, "out\ndone 0\nfailed 3\n", NULL,
	    "plmctl submit --on-finish 'echo $PLM_AFTER_STATE $PLM_AFTER_CODE >> ends' echo out; "
	    "plmctl submit --on-finish 'echo $PLM_AFTER_STATE $PLM_AFTER_CODE >> ends' 'exit 3'; "
	    "until [ $(wc -l < ends) = 2 ]; do sleep 0.01; done; cat ends");
	/* The submitter dies: the command is cancelled, and the hook still runs. */
	check_shell(0, "cancelled 130\n", NULL,
	    "plmctl submit --on-finish 'echo $PLM_AFTER_STATE $PLM_AFTER_CODE > end' "
	    "'touch on; sleep 60' & until [ -e on ]; do sleep 0.01; done; kill -9 $!; "
	    "until [ -s end ]; do sleep 0.01; done; cat end");
	check_shell(0, "on-finish\n", NULL,
	    "plmctl submit --detach --on-finish true true >w; plmctl wait --all-kept >w; "
	    "plmctl tasks --columns label | grep -o on-finish; " END);
}
END_TEST

START_TEST(a_runtime_has_a_hook_for_each_command)
{
	check_shell(0, "failed 1\n", NULL,
	    "plm --daemon --name $PLM_NAME-h --workers 1 --on-finish 'echo $PLM_AFTER_STATE "
	    "$PLM_AFTER_CODE >> ends' >w; plmctl --name $PLM_NAME-h submit false || :; "
	    "plmctl --name $PLM_NAME-h submit --on-finish '' true; "
	    "plmctl --name $PLM_NAME-h stop; cat ends");
	check_shell(0, "done 0\n", NULL,
	    "plm --daemon --name $PLM_NAME-h --workers 1 --on-finish 'echo $PLM_AFTER_STATE "
	    "$PLM_AFTER_CODE > end' >w; echo true | plmctl --name $PLM_NAME-h load - 2>w; "
	    "plmctl --name $PLM_NAME-h stop; cat end");
	check_shell(64, "", "511 bytes at most",
	    "plm --name $PLM_NAME-h --on-finish $(head -c 600 /dev/zero | tr '\\0' x)");
}
END_TEST

START_TEST(replicas_have_a_hook_of_their_task)
{
	check_shell(0, "out\ndone 0\n", NULL,
	    "plm --daemon --name $PLM_NAME-h --workers 2 >w; plmctl --name $PLM_NAME-h submit "
	    "--replicas 2 --on-finish 'echo $PLM_AFTER_STATE $PLM_AFTER_CODE > end' echo out; "
	    "plmctl --name $PLM_NAME-h stop; cat end");
}
END_TEST

START_TEST(lines_of_a_file_have_hooks)
{
	check_shell(0, "done 0\nfailed 3\nfailed 4 other\n", "loaded 4, skipped 0",
	    "echo 'true\nexit 3\n"
	    "{\"shell\": \"exit 4\", \"on_finish\": \"echo $PLM_AFTER_STATE $PLM_AFTER_CODE other "
	    ">> ends\"}\n"
	    "{\"shell\": \"exit 5\", \"on_finish\": \"\"}' > lines; "
	    "plmctl load --wait --on-finish 'echo $PLM_AFTER_STATE $PLM_AFTER_CODE >> ends' lines "
	    ">w; [ $? = 3 ] && plmctl wait --label on-finish --no-fail >w; sort ends; " END);
	/* Many at once, through a small table; a hook counts as no task of the file. */
	check_shell(0, "600 600\n", "loaded 600, skipped 0",
	    "seq 600 | sed 's/.*/echo & >> did/' > lines; "
	    "plmctl load --wait --on-finish 'echo $PLM_AFTER_STATE >> many' lines; "
	    "plmctl wait --label on-finish >w; "
	    "echo $(wc -l < did) $(grep -c done many); " END);
	check_shell(65, "", "\"on_finish\" is for commands",
	    "echo '{\"func\": \"probe.noop\", \"on_finish\": \"true\"}' | plmctl load -");
	check_shell(64, "", "plmctl load --on-finish", "plmctl map --on-finish true echo ::: 1");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("moves");
	TCase *tcase = tcase_create("queue");
	tcase_set_timeout(tcase, TEST_TIMEOUT_S);
	tcase_add_checked_fixture(tcase, setup, map_stop_and_teardown);
	tcase_add_test(tcase, a_task_after_any_end_runs_whatever_the_end);
	tcase_add_test(tcase, a_task_for_a_failure_is_cancelled_after_a_success);
	tcase_add_test(tcase, explain_tells_what_such_a_task_waits_for);
	tcase_add_test(tcase, lines_of_a_file_name_such_orders);
	tcase_add_test(tcase, the_front_comes_before_what_was_queued_earlier);
	tcase_add_test(tcase, of_tasks_with_needs_the_booked_one_stays_first);
	tcase_add_test(tcase, the_front_is_the_front_after_an_object_was_dropped);
	tcase_add_test(tcase, a_priority_is_changed_while_the_task_waits);
	tcase_add_test(tcase, a_parked_task_waits_until_it_is_back);
	tcase_add_test(tcase, moves_that_make_no_sense_are_refused);
	tcase_add_test(tcase, a_hook_runs_after_any_end_of_its_command);
	tcase_add_test(tcase, a_runtime_has_a_hook_for_each_command);
	tcase_add_test(tcase, replicas_have_a_hook_of_their_task);
	tcase_add_test(tcase, lines_of_a_file_have_hooks);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
