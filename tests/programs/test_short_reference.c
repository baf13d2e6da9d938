/* test_short_reference.c - names of tasks that a person types: the first part of a reference, and
 * "last"; logs and info by a filter; output in
 * named files. */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "tests/support/map_case.h"
#include "tests/support/run_suite.h"

enum { TEST_TIMEOUT_S = 60 };

/* $A and $B are two settled tasks, $a and $b the first parts of their references. */
#define TWO                                                                                  \
	"A=$(plmctl submit --detach --label one echo first); plmctl wait $A >w; "            \
	"B=$(plmctl submit --detach --label two 'echo second; exit 3'); plmctl wait $B >w; " \
	"a=${A#@}; a=${a%%.*}; b=${B#@}; b=${b%%.*}; "

static void setup(void)
{
	map_setup();
	map_boot("2", "32M");
}

START_TEST(the_first_part_of_a_reference_names_the_task)
{
	check_shell(0, "first\nfirst\nsecond\nfirst\n", "",
	    TWO "plmctl logs $a; plmctl logs @$a; plmctl logs $b; plmctl get $a; "
		"plmctl drop $a $b");
	check_shell(0, "done\nfailed\n", "",
	    TWO "plmctl wait --no-fail $a $b | grep -o 'done\\|failed'; plmctl drop $a $b");
	check_shell(0, "value", "",
	    "X=$(printf value | plmctl put -); x=${X#@}; x=${x%%.*}; "
	    "plmctl get $x; plmctl drop $x");
}
END_TEST

START_TEST(last_is_the_task_submitted_last)
{
	check_shell(0, "second\nfirst\n", "",
	    TWO "plmctl logs last; plmctl drop last; plmctl logs last; plmctl drop @last");
	check_shell(0, "exit code 3\n", "",
	    TWO "plmctl explain last | grep -o 'exit code 3'; plmctl drop $a $b");
	check_shell(0, "", "",
	    "plmctl submit --detach sleep 60 >w; plmctl cancel last; plmctl wait --no-fail last "
	    ">w; plmctl drop last");
}
END_TEST

START_TEST(options_and_arguments_take_short_names)
{
	check_shell(0, "first\nfirst\n2\nnext\nafter\n", "",
	    TWO "plmctl submit --stdin @$a cat; plmctl submit --in F=@$a 'cat $F'; "
		"plmctl put w >w2; X=$(printf 'one two' | plmctl put -); x=${X#@}; "
		"plmctl call probe.wordcount @${x%%.*}; echo; "
		"plmctl submit --after $a --after-any last echo next; "
		"plmctl submit --after-failed $b echo after; plmctl drop $a $b $X $(cat w2)");
	check_shell(65, "", "there is no task fff", "plmctl submit --after fff true");
	check_shell(65, "", "there is no task fff", "plmctl call probe.echo @fff");
	check_shell(0, "1\n", "", TWO "plmctl map --after $a echo ::: 1; plmctl drop $a $b");
}
END_TEST

START_TEST(lists_name_tasks_as_a_person_types_them)
{
	check_shell(0, "one\ntwo\n", "",
	    TWO "plmctl tasks --columns id,label | sed 1d | while read -r id label; do "
		"plmctl info $id | sed -n 's/^LABEL *//p'; done; plmctl drop $a $b");
	/* In the order of submission, though records are used again. */
	check_shell(0, "b c d \n", "",
	    "A=$(plmctl submit --detach --label a true); "
	    "plmctl submit --detach --label b true >w; plmctl submit --detach --label c true >w; "
	    "plmctl wait --all-kept >w; plmctl drop $A; "
	    "until ! plmctl tasks --quiet | grep -q $A; do :; done; "
	    "plmctl submit --detach --label d true >w; "
	    "echo $(plmctl tasks --columns label | sed 1d) ' ' | tr -s ' '; plmctl wait --all-kept "
	    ">w; plmctl forget --all 2>w");
	/* The time of submission is that of the wall clock, to a second. */
	check_shell(0, "", "",
	    "from=$(date +%Y-%m-%dT%H:%M:%S); A=$(plmctl submit --detach true); "
	    "to=$(date +%Y-%m-%dT%H:%M:%S); plmctl wait $A >w; "
	    "at=$(plmctl info $A | sed -n 's/^SUBMITTED *//p'); plmctl drop $A; "
	    "[ ! \"$at\" \\< \"$from\" ] && [ ! \"$at\" \\> \"$to\" ]");
	check_shell(0, "sh -c touch on; sleep 60", NULL,
	    "A=$(plmctl submit --detach 'touch on; sleep 60'); until [ -e on ]; do :; done; "
	    "plmctl workers | grep -o 'sh -c touch on; sleep 60' | tr -d '\\n'; "
	    "plmctl cancel --wait $A; plmctl drop $A");
}
END_TEST

START_TEST(what_a_person_watches_fits_a_terminal)
{
	check_shell(0, "0 todo, 0 in progress, 0 finished, 0 failed\nfits\n", NULL,
	    "timeout -s INT 2 plmctl status --watch 60 > page; head -n 1 page; "
	    "[ $(wc -l < page) -le 23 ] && [ $(wc -L < page) -le 80 ] && grep -q WORKER page && "
	    "echo fits");
}
END_TEST

START_TEST(logs_and_info_take_filters)
{
	check_shell(0, "first\nsecond\nsecond\n", "",
	    TWO "plmctl logs --label one; plmctl logs --failed; plmctl logs --state done,failed; "
		"plmctl drop $a $b");
	check_shell(0, "1\n2\n", "",
	    TWO "plmctl info --label one | grep -c LABEL; "
		"plmctl info --state done,failed | grep -c LABEL; plmctl drop $a $b");
	check_shell(65, "", "no task passes the filter", "plmctl logs --label nobody");
}
END_TEST

START_TEST(events_and_the_history_take_short_names)
{
	check_shell(0, "done\nfailed\ndone\nfailed\n", "",
	    "plm --daemon --name $PLM_NAME-e --workers 1 --events on --state state >w; "
	    "export PLM_NAME=$PLM_NAME-e; " TWO
	    "e() { plmctl events --kind done,failed $1 | sed 1d | awk '{ print $2 }'; }; e $a; e "
	    "last; "
	    "h() { plmctl history --json $1 | sed 's/.*\"state\": \"\\([a-z]*\\).*/\\1/'; }; "
	    "h @$a; h last; plmctl stop");
	/* The column ID of events names the task. */
	check_shell(0, "same\n", "",
	    "plm --daemon --name $PLM_NAME-e --workers 1 --events on >w; "
	    "export PLM_NAME=$PLM_NAME-e; " TWO
	    "[ $(plmctl events --kind failed | sed 1d | awk '{ print $4 }') = $b ] && echo same; "
	    "plmctl stop");
	check_shell(65, "", "there is no task fff", "plmctl events fff");
	check_shell(65, "", "there is no task @fff", "plmctl history @fff");
}
END_TEST

/* A line of the file itself is later than `last`. */
START_TEST(lines_of_a_file_take_short_names)
{
	check_shell(0, "first|after|2|later|", "",
	    TWO "X=$(printf 'one two' | plmctl put -); x=${X#@}; x=${x%%.*}; "
		"echo '{\"shell\": \"cat $F > 1\", \"in\": {\"F\": \"@'$a'\"}}\n"
		"{\"shell\": \"echo after > 2\", \"after_failed\": \"@last\"}\n"
		"func:0:0:1:probe.wordcount @'$x'\n"
		"{\"shell\": \"echo later > 3\", \"after_any\": [\"@'$b'\", \"@last\"]}' > lines; "
		"plmctl load --quiet --wait lines > refs 2>w; plmctl get $(sed -n 3p refs) > 4; "
		"cat 1 2 4 3 | tr '\n' '|' | sed 's/2later/2|later/'; "
		"plmctl drop $a $b $X $(cat refs)");
	check_shell(65, "", "stdin:1: there is no task @fff",
	    "echo '{\"shell\": \"true\", \"after\": \"@fff\"}' | plmctl load -");
}
END_TEST

START_TEST(names_without_a_task_are_refused)
{
	check_shell(65, "", "there is no task last", "plmctl logs last");
	check_shell(65, "", "there is no task ff", "plmctl wait ff");
	check_shell(65, "", "there is no task ffffffff", "plmctl drop ffffffff");
	check_shell(65, "", "its first part is enough", "plmctl info nonsense");
	check_shell(65, "", "its first part is enough", "plmctl get 123456789");
	check_shell(64, "", "which tasks", "plmctl logs");
	check_shell(64, "", "not both", "plmctl logs --failed last");
}
END_TEST

START_TEST(a_command_writes_into_named_files)
{
	check_shell(
	    0, "a\nb\n", "", "plmctl submit --output o --error e 'echo a; echo b >&2'; cat o e");
	check_shell(0, "second\n", "",
	    "plmctl submit --retries 1 --output o 'echo 1; [ $PLM_ATTEMPT = 2 ] && echo second' "
	    ">w || :; tail -n 1 o");
	check_shell(0, "1000000\n", "",
	    "A=$(plmctl submit --detach --output o head -c 1000000 /dev/zero); plmctl wait $A >w; "
	    "plmctl get $A; plmctl drop $A; wc -c < o");
	check_shell(125, "", "no/such/file", "plmctl submit --output no/such/file true");
	check_shell(0, "1\n", NULL,
	    "A=$(plmctl submit --detach --output o echo x); plmctl wait $A >w; "
	    "plmctl logs $A 2>&1 | grep -c 'goes to a file'; plmctl drop $A");
	check_shell(64, "", "cannot be combined", "plmctl submit --output o --replicas 2 true");
	check_shell(1, "", "No space left", "plmctl submit --output /dev/full echo x");
}
END_TEST

START_TEST(logs_without_output_say_why)
{
	static const char not_started[] = "the command did not start; `plmctl explain @";
	check_shell(0, "", not_started,
	    "plmctl submit --detach no-such-program >w; plmctl wait --no-fail last >w; plmctl logs "
	    "last");
	check_shell(0, "", not_started,
	    "plmctl submit --detach --after last true >w; plmctl logs --follow last");
	check_shell(0, "", "", "plmctl submit --detach false >w; plmctl logs --follow last");
	check_shell(0, "1\n", "its output goes to a file of its submitter",
	    "A=$(plmctl submit --detach 'until [ -e go ]; do sleep 0.01; done'); "
	    "plmctl submit --detach --after $A --error e true >w; "
	    "plmctl info last | grep -c 'WRITES TO *a file of its submitter'; "
	    "plmctl logs --stderr last; plmctl logs last 2>w; [ ! -s w ] || echo both; touch go; "
	    "plmctl wait --all-kept --no-fail >w");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("short references");
	TCase *tcase = tcase_create("names");
	tcase_set_timeout(tcase, TEST_TIMEOUT_S);
	tcase_add_checked_fixture(tcase, setup, map_stop_and_teardown);
	tcase_add_test(tcase, the_first_part_of_a_reference_names_the_task);
	tcase_add_test(tcase, last_is_the_task_submitted_last);
	tcase_add_test(tcase, options_and_arguments_take_short_names);
	tcase_add_test(tcase, lists_name_tasks_as_a_person_types_them);
	tcase_add_test(tcase, what_a_person_watches_fits_a_terminal);
	tcase_add_test(tcase, logs_and_info_take_filters);
	tcase_add_test(tcase, a_command_writes_into_named_files);
	tcase_add_test(tcase, logs_without_output_say_why);
	tcase_add_test(tcase, events_and_the_history_take_short_names);
	tcase_add_test(tcase, lines_of_a_file_take_short_names);
	tcase_add_test(tcase, names_without_a_task_are_refused);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
