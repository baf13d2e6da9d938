/* test_map_pipe.c - plmctl map --pipe, --pipe-part and packing: beside GNU parallel where the
 * borders of blocks matter, and where things go wrong: inputs that are empty, binary, huge or
 * without a last newline, records longer than a block, commands that do not read, readers that
 * leave, expressions that never match, contradictions. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "tests/support/map_case.h"
#include "tests/support/run_suite.h"

enum { TEST_TIMEOUT_S = 120, MEMORY_KB_MAX = 64 << 10 };

/* $T is the tool. Borders of blocks are the same, whatever the input and whatever the way in. */
static const char *const invocations[] = {
	"$T --pipe -k 'echo --; cat' < /dev/null",
	"seq 1000 | $T --pipe -k --block 50 'echo --; cat'",
	"$T --pipe -k --block 50 'echo --; cat' < numbers",
	"$T --pipe -k --block 14 'echo --; cat' < numbers",
	"$T --pipe-part -k --block 50 -a numbers 'echo --; cat'",
	"$T --pipe-part -k --block 50 'echo --; cat' :::: numbers letters",
	"$T --pipe-part -k --block -3 -j2 -a numbers 'echo --; cat'",
	"$T --pipe-part -k -j2 -a numbers 'echo --; cat'",
	"$T --pipe-part -k --header 2 --block 900 -a numbers 'echo --; cat'",
	"$T --pipe -k --header : --block 900 'echo --; cat' < numbers",
	"seq 10 | $T --pipe -k --header '[0-9]*\\n' --block 9 'echo --; cat'",
	"printf 'a\\nb\\nlonglonglonglong\\nc' | $T --pipe --block 4 -k 'echo --;cat' 2>/dev/null",
	"$T --pipe --block 4 -k 'echo --;cat' < uneven 2>/dev/null",
	"$T --pipe-part -a uneven --block 4 -k 'echo --;cat' 2>/dev/null",
	"seq 100 | $T --pipe -k -N7 'echo {#}; cat'",
	"seq 100 | $T --pipe -k -N2 -L3 'echo --; cat'",
	"seq 100 | $T --pipe -k -L3 --block 20 'echo --; cat'",
	"seq 100 | $T --pipe -k --recend '' --block 30 'echo --; cat'",
	"seq 4 | $T --pipe -k --recend '' -N1 'echo; cat'",
	"$T --pipe -k --recstart '>' -N1 'echo --; cat' < records",
	"$T --pipe -k --recstart '>' --block 8 'echo --; cat' < records",
	"$T --pipe -k --recstart '>' --recend '\\n' --rrs --block 8 'echo --; cat' < records",
	"$T --pipe-part -k --recstart '>' --block 8 -a records 'echo --; cat'",
	"$T --pipe -k --regexp --recend '[0-9]+' -N1 'echo; cat' < mixed",
	"$T --pipe -k --regexp --recend '[a-z]' --block 5 'echo; cat' < mixed",
	"$T --pipe -k --regexp --recstart '[a-z]' --rrs --block 5 'echo; cat' < mixed",
	"printf 'a\\0b\\0c\\0d' | $T --pipe -k --recend '\\0' -N2 'echo; cat' | tr '\\0' 0",
	"$T --pipe -k --recend '' cat < binary | cmp - binary",
	"$T --pipe -k cat < binary | cmp - binary",
	"cat binary | $T --pipe -k --block 64k cat | cmp - binary",
	"$T --pipe-part -a binary --recend '' --block 40k -k cat | cmp - binary",
	"seq 200000 | $T --pipe --round-robin -j3 --block 10k cat | sort -n | cksum",
	"seq 20000 | $T --pipe --round-robin --header : -j1 --block 10k cat | cksum",
	"seq 3 | $T --pipe --round-robin -j4 wc",
	"seq 4 | $T --pipe -N2 -k --joblog log cat; cut -f 5- log",
	"seq 6 | $T --pipe -N2 -k --joblog log cat; seq 6 | $T --pipe -N2 -k --resume --joblog log "
	"cat",
	"seq 4 | $T --pipe --dry-run -N2 -k wc",
	"seq 300000 | $T --pipe -k head -n 1 | wc -l",
	/* packing */
	"seq 7 | $T -j3 -k -X -n4 echo",
	"seq 7 | $T -j3 -k -n4 echo",
	"$T -k -X echo {}-{} ::: a 'b c'",
	"$T -j1 -k -X 'echo {}; echo \"<{}>\"' ::: a 'b c'",
	"$T -j1 -k -X echo {1} {} ::: a b ::: c d",
	"$T -k -n2 echo ::: a b ::: c d",
	"printf 'a b \\nc\\nd\\ne f\\n' | $T -k -L2 echo",
	"seq 3 | $T -j2 -X -k -s 9 echo",
	"seq 3 | $T -j2 -X -k -s 8 echo",
	/* columns */
	"$T --colsep , -k echo {2}-{1} {3}. ::: a,b 'c, d ,e' f",
	"$T --colsep - -k echo {4} {3} {2} {1} ::: A-B C-D ::: e-f g-h",
	"$T --colsep '\\t' -k echo {2} {1} ::: 'a\tb' 'c\td'",
	"$T --colsep '[0-9]+' -k echo {2} {1} ::: a1b c22d",
	"$T --colsep never -k echo {1}. ::: a b",
	"printf 'x,y\\n1,2\\n3,4\\n' | $T --header : --colsep , -k echo {y} {x} {x/}",
	"$T -k --plus echo {..} {+/} {+.} {...} {/..} {/...} ::: a b.x d/e.f.g k.l.m.n /x",
	"$T -k --plus echo {:-x} {:1} {:1:2} {#a} {##a*} {%z} {%%[a-z]*} {/a/b} {//a/b} {^a} {^^a} "
	"::: aa/ba.tar.gz",
	"$T -k 'echo {= s/(.)(.)/$2$1/ =} {=2 s/x/y/ =}' ::: ab ::: xx",
	"$T -k {} ::: 'echo a  b' 'echo c | rev'",
	"$T -k '{} x' ::: echo 'echo y'",
};

static void prepare(void)
{
	map_setup_beside();
	struct output_of o = shell(
	    "mkdir home; touch home/will-cite; seq 1000 > numbers; printf 'x\\ny\\n' > letters; "
	    "printf 'a\\nb\\nlonglonglonglong\\nc' > uneven; "
	    "printf 'x>a\\n1\\n>b\\n2\\n3\\n>c\\n' > records; printf a1b22c333d > mixed; "
	    "head -c 300000 \"$(command -v plmctl)\" > binary");
	output_free(&o);
}

START_TEST(both_cut_alike)
{
	const char *invocation = invocations[_i];
	struct output_of theirs = shell("rm -f log; T=parallel; %s", invocation);
	struct output_of ours = shell("rm -f log; T='plmctl map'; %s", invocation);
	ck_assert_msg(theirs.code == ours.code, "%s: exit code %d, not %d; %.300s", invocation,
	    ours.code, theirs.code, ours.err);
	ck_assert_msg(strcmp(theirs.out, ours.out) == 0, "%s: %.500s\nnot %.500s; %.300s",
	    invocation, ours.out, theirs.out, ours.err);
	output_free(&theirs);
	output_free(&ours);
}
END_TEST

/* ---- alone ---- */

START_TEST(a_command_may_leave_its_block_unread)
{
	check_shell(0, "", "", "seq 1000000 | plmctl map --pipe true");
	check_shell(0, "", "", "seq 1000000 > n; plmctl map --pipe-part -a n --block 1M true");
	check_shell(0, "", "", "seq 1000000 | plmctl map --pipe --round-robin -j2 true");
	check_shell(0, "1\n", "", "seq 1000000 | plmctl map --pipe -k -j1 head -n 1 | head -n 1");
	check_shell(2, "", "", "seq 10 | plmctl map --pipe --round-robin -N5 -j2 false");
}
END_TEST

START_TEST(a_retried_job_reads_its_block_again)
{
	static const char command[] = "[ $PLM_ATTEMPT = 2 ] && cat || { head -n 1 >&2; exit 1; }";
	struct output_of o = shell("seq 4 | plmctl map --pipe -N2 -k --retries 1 '%s'; seq 4 > n; "
				   "plmctl map --pipe-part -a n --block 4 -k --retries 1 '%s'",
	    command, command);
	ck_assert_str_eq(o.out, "1\n2\n3\n4\n1\n2\n3\n4\n");
	ck_assert_int_eq(o.code, 0);
	output_free(&o);
}
END_TEST

START_TEST(records_are_passed_on_as_they_come)
{
	check_shell(0, "first\nsecond\n", "",
	    "mkfifo in out; plmctl map --pipe -N1 cat < in > out & "
	    "exec 3>in 4<out; echo first >&3; read x <&4; echo $x; echo second >&3; exec 3>&-; "
	    "cat <&4; wait");
}
END_TEST

START_TEST(memory_does_not_grow_with_the_stream)
{
	struct rusage usage;
	struct output_of o = shell("export ASAN_OPTIONS=$ASAN_OPTIONS:quarantine_size_mb=1; "
				   "yes | head -c 200000000 | plmctl map --pipe -j2 wc -c | "
				   "awk '{ sum += $1 } END { print sum }'");
	ck_assert_str_eq(o.out, "200000000\n");
	output_free(&o);
	getrusage(RUSAGE_CHILDREN, &usage);
	ck_assert_int_lt(usage.ru_maxrss, MEMORY_KB_MAX);
}
END_TEST

START_TEST(a_file_that_shrinks_ends_the_input)
{
	check_shell(0, NULL, "",
	    "yes | head -c 8000000 > n; plmctl map --pipe-part -a n -j1 --block -1 'true > n; wc "
	    "-c' > count; [ $(cat count) -lt 8000000 ]");
}
END_TEST

START_TEST(options_of_submit_know_the_input)
{
	check_shell(0, "a: 1 in b\nb: 1 in a\n", "",
	    "mkdir a b; echo > a/x; echo > b/x; plmctl map -k --stdin {1}/x --dir {2} --env N={1} "
	    "--shell 'echo $N: $(wc -l) in ${PWD##*/}' ::: a b :::+ b a");
	check_shell(65, "", "another runtime", "plmctl map --in F=@{} cat ::: 1.1.1");
	check_shell(1, "", "cannot open the --stdin file", "plmctl map --stdin {} cat ::: nowhere");
}
END_TEST

START_TEST(values_of_futures_come_by_job)
{
	check_shell(0, "one\ntwo\none\ntwo\n", "",
	    "A=$(printf one | plmctl put -); B=$(printf two | plmctl put -); "
	    "plmctl map -k --in F={} --shell 'cat $F; echo' ::: $A $B; "
	    "plmctl map -k --stdin {} --shell 'cat; echo' ::: $A $B; plmctl drop $A $B");
	check_shell(64, "", "wants @REF", "plmctl map --in F={} cat ::: x");
}
END_TEST

START_TEST(contradictions_are_refused)
{
	static const char *const lines[] = { "plmctl map --pipe", "plmctl map --pipe cat ::: a",
		"plmctl map --block 1k cat ::: a", "plmctl map --pipe --block 0 cat",
		"plmctl map --pipe --block -2 cat", "plmctl map --pipe-part cat",
		"plmctl map --pipe-part -a f -N2 cat", "plmctl map --pipe --stdin f cat",
		"plmctl map --pipe --round-robin --retries 1 cat",
		"plmctl map --pipe --round-robin --cat cat", "plmctl map --round-robin cat ::: a",
		"plmctl map --header 2 echo ::: a", "plmctl map --trim x echo ::: a",
		"plmctl map --colsep '(' echo ::: a", "plmctl map --colsep 'a*?' echo ::: a",
		"plmctl map --rpl x echo ::: a", "plmctl map 'echo {= $_++ =}' ::: a",
		"plmctl map --parens abc echo ::: a",
		"plmctl map --tagstring '{= foo =}' echo ::: a",
		"plmctl map --files --results r echo ::: a", "plmctl map --shell -q echo ::: a",
		"plmctl map --delimiter '' echo", "plmctl map --timeout x echo ::: a",
		"plmctl map -s 5 -X echo ::: a b", "plmctl map --pipe --regexp --recend '(' cat",
		"plmctl map --shuf --joblog l --resume echo ::: a" };
	file_write("f", "1\n2\n");
	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
		struct output_of o = shell("%s < f", lines[i]);
		ck_assert_msg(
		    o.code >= 64 && o.code <= 66, "%s: exit code %d: %s", lines[i], o.code, o.out);
		ck_assert_msg(strncmp(o.err, "plmctl: ", 8) == 0, "%s: %s", lines[i], o.err);
		output_free(&o);
	}
	check_shell(
	    64, "", "is none: use --pipe", "mkfifo p; plmctl map --pipe-part -a /dev/null cat");
}
END_TEST

START_TEST(a_directory_without_room_is_named)
{
	check_shell(66, "", "nowhere", "plmctl map --tmpdir nowhere --files echo ::: a");
}
END_TEST

START_TEST(one_rule_says_what_a_shell_reads)
{
	check_shell(0, "2\nA b\n<a b>\n>c\n", "",
	    "plmctl submit 'seq 2 | wc -l'; plmctl submit echo 'A b'; "
	    "bash -c 'f() { echo \"<$1>\"; }; export -f f; plmctl submit f \"a b\"; "
	    "plmctl submit \"f c | tr -d \\\\<\" | rev | rev | sed \"s/c>/>c/\"'");
	check_shell(0, "<a b>\n", "",
	    "bash -c 'f() { echo \"<$1>\"; }; export -f f; plmctl map f {} ::: \"a b\"'");
}
END_TEST

static void setup_host(void)
{
	map_setup();
	map_boot("2", "64M");
}

int main(void)
{
	Suite *suite = suite_create("map with pipes");
	TCase *beside = tcase_create("beside GNU parallel");
	TCase *alone = tcase_create("alone");
	TCase *hosted = tcase_create("in a runtime");
	tcase_set_timeout(beside, TEST_TIMEOUT_S);
	tcase_add_checked_fixture(beside, prepare, map_teardown);
	tcase_add_loop_test(
	    beside, both_cut_alike, 0, (int)(sizeof invocations / sizeof invocations[0]));
	suite_add_tcase(suite, beside);
	tcase_set_timeout(alone, TEST_TIMEOUT_S);
	tcase_add_checked_fixture(alone, map_setup, map_teardown);
	tcase_add_test(alone, a_command_may_leave_its_block_unread);
	tcase_add_test(alone, a_retried_job_reads_its_block_again);
	tcase_add_test(alone, records_are_passed_on_as_they_come);
	tcase_add_test(alone, memory_does_not_grow_with_the_stream);
	tcase_add_test(alone, a_file_that_shrinks_ends_the_input);
	tcase_add_test(alone, options_of_submit_know_the_input);
	tcase_add_test(alone, contradictions_are_refused);
	tcase_add_test(alone, a_directory_without_room_is_named);
	suite_add_tcase(suite, alone);
	tcase_set_timeout(hosted, TEST_TIMEOUT_S);
	tcase_add_checked_fixture(hosted, setup_host, map_stop_and_teardown);
	tcase_add_test(hosted, values_of_futures_come_by_job);
	tcase_add_test(hosted, one_rule_says_what_a_shell_reads);
	suite_add_tcase(suite, hosted);
	return run_suite(suite);
}
