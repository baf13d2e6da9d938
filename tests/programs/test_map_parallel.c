/* test_map_parallel.c - plmctl map beside GNU parallel: the same arguments must give the same
 * output, order, exit code and job log. docs/shell.md lists the intended differences, which have
 * no row here. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/map_case.h"
#include "tests/support/run_suite.h"

enum { TEST_TIMEOUT_S = 120 };

/* $T is the tool; output and exit code of both tools must agree. */
static const char *const invocations[] = {
	/* replacement strings */
	"$T -k echo {} {.} {/} {//} {/.} {#} ::: a/b/c.tar.gz x.y/z .rc /f f. a.b/ ./q 'a b.o' /",
	"$T -k echo {1}-{2} {2}{1} ::: A B ::: 1 2 3",
	"$T -k echo {2/.} {1.} {1//} ::: a/A.x B :::+ 1/x.o 2/y.o 3",
	"$T -k echo ::: one two",
	"$T -k echo {#} ::: a b",
	"$T -j1 echo {%} ::: a b",
	"$T -k 'echo {}; echo \"  x\"' ::: 1 'b  c' \"it's\" '$HOME' '*' ';' '' '`x`'",
	"$T --dry-run -k echo {} ::: 'a b' \"it's\" '' 'x;y' a-b_c.d+e/f "
	"'$v' '*' '#' '~' '{x}' '='",
	"$T --dry-run -k 'echo {} | cat' ::: a ::: 'b c'",
	"$T -k -n2 echo ::: 1 2 3 4 5",
	"$T -k -n2 echo x{}y ::: 1 2 3 4",
	/* sources */
	"$T -k --link echo ::: A B ::: 1 2 3",
	"$T -k echo ::: A B C :::+ 1 2",
	"$T -k echo :::: letters numbers",
	"$T -k echo :::: letters ::::+ numbers ::: x y",
	"$T -k -a numbers echo",
	"$T -k -a letters -a numbers echo",
	"$T -k -a letters --arg-file numbers echo {2}-{1} ::: x y",
	"$T -k -a numbers echo :::: letters",
	"$T -k --link -a letters -a numbers echo",
	"$T -k -a - -a letters echo < numbers",
	"$T -k echo < letters",
	"$T -k echo :::: - ::: a b < numbers",
	"$T -k -0 echo < zeroes",
	"$T -k < commands",
	"$T -k ::: 'echo a b' 'exit 3'",
	"printf 'a\\n\\nb' | $T -k 'echo [{}]'",
	"$T echo < /dev/null",
	/* order of outputs, and lines of one job together */
	"$T -k -j3 'sleep 0.{}; echo {}; echo end' ::: 3 2 1",
	"$T -j2 'sleep {}; echo {}; echo end' ::: 0.6 0.1",
	"$T -k --tag 'echo {}; printf b' ::: 1 2",
	"$T -k --tag echo {2} ::: 1 2 ::: x y",
	"$T -k 'echo out {}; echo err {} >&2' ::: 1 2 2>&1",
	"$T -k 'head -c 300000 /dev/zero | tr \"\\0\" {}' ::: a b | cksum",
	/* jobs at once: each job waits until all jobs that may run do run */
	"N=$(nproc); rm -rf b; mkdir b; $T -j+1 'touch b/{}; "
	"until [ $(ls b | wc -l) -gt '$N' ]; do sleep 0.01; done' ::: $(seq $((N + 1)))",
	"N=$(nproc); rm -rf b; mkdir b; $T -j100% 'touch b/{}; "
	"until [ $(ls b | wc -l) -ge '$N' ]; do sleep 0.01; done' ::: $(seq $N)",
	"rm -rf b; mkdir b; $T -j0 'touch b/{}; until [ $(ls b | wc -l) -ge 20 ]; do sleep 0.01; "
	"done' ::: $(seq 20)",
	"$T -j-$(($(nproc) - 1)) echo {%} ::: 1 2 3",
	"$T -j1% echo {%} ::: 1 2 3",
	/* exit codes */
	"$T 'exit {}' ::: 0 1 2 0",
	"$T 'kill -9 $$ # {}' ::: 1 2 3",
	"$T 'exit 1 #' ::: $(seq 105) 2>/dev/null",
	"$T no-such-program ::: 1 2>/dev/null",
	"$T -j1 --halt now,fail=1 'echo {}; exit {}' ::: 0 3 4 2>/dev/null",
	"$T -j1 --halt soon,fail=1 'echo {}; exit {}' ::: 0 3 4 2>/dev/null",
	"$T -j1 --halt soon,fail=2 'echo {}; exit {}' ::: 0 3 4 5 2>/dev/null",
	"$T -j1 --halt now,success=1 'echo {}; exit {}' ::: 3 0 4 2>/dev/null",
	"$T -j1 --halt soon,done=2 'echo {}; exit {}' ::: 0 3 4 5 2>/dev/null",
	"$T -j1 --halt soon,fail=50% 'echo {}; exit {}' ::: 0 3 4 5 0 0 2>/dev/null",
	"$T -j1 --halt now,done=50% 'echo {}; exit {}' ::: 0 3 4 5 0 0 2>/dev/null",
	"$T -j1 --halt soon,success=50% 'echo {}; exit {}' ::: 0 3 4 5 0 0 2>/dev/null",
	"$T -j2 --halt now,fail=1 '[ {} = 1 ] && exec sleep 20; exit 7' ::: 1 2 2>/dev/null",
	"$T -j1 --halt now,fail=1 'kill -9 $$ # {}' ::: 1 2 2>/dev/null",
	"$T --halt never 'exit {}' ::: 1 0",
	/* files */
	"$T --results r echo {1} {2} ::: a/b 'c d' ::: 1; find r -type f | sort; cat r/1/*/2/1/*",
	"$T -j1 --joblog log 'echo {}; exit {}' ::: 0 1 2; $LOG",
	"$T -j1 --joblog log 'kill -9 $$ # {}' ::: 1; $LOG",
	"$T -j1 --joblog log echo ::: 'a b' \"c'd\" > out; $LOG; cat out",
	"$T -j1 --joblog log --halt soon,fail=1 'exit {}' ::: 0 3 1 2>/dev/null; $LOG",
	"$T -j1 --joblog log 'exit {}' ::: 0 1; "
	"$T -j1 --resume --joblog log 'echo {}' ::: 0 1 2; $LOG",
	"$T -j1 --joblog log 'exit {}' ::: 0 1; "
	"$T -j1 --resume-failed --joblog log 'echo {}' ::: 0 1 2; $LOG",
};

/* Times differ from run to run, so the comparison replaces each time by a letter. */
static const char show_log[] =
    "sed -E 's/\t[0-9]{10}\\.[0-9]{3}\t *[0-9]+\\.[0-9]{3}\t/\tB\tT\t/' log";

static struct output_of run_with(const char *tool, const char *invocation)
{
	return shell("rm -rf r log out; LOG='sh ./show_log'; T='%s'; %s", tool, invocation);
}

static void prepare(void)
{
	map_setup_beside();
	file_write("show_log", show_log);
	struct output_of o = shell(
	    "mkdir home; touch home/will-cite; "
	    "printf 'a\\nb\\nc\\n' > letters; printf '1\\n2\\n' > numbers; printf 'x y\\0z\\0' > "
	    "zeroes; "
	    "printf 'echo x\\necho y | tr y z\\n' > commands");
	output_free(&o);
}

START_TEST(both_print_the_same_and_end_alike)
{
	const char *invocation = invocations[_i];
	struct output_of theirs = run_with("parallel", invocation);
	struct output_of ours = run_with("plmctl map", invocation);
	ck_assert_msg(theirs.code == ours.code, "%s: exit code %d, not %d; %.300s", invocation,
	    ours.code, theirs.code, ours.err);
	ck_assert_msg(strcmp(theirs.out, ours.out) == 0, "%s: %.500s\nnot %.500s; %.300s",
	    invocation, ours.out, theirs.out, ours.err);
	output_free(&theirs);
	output_free(&ours);
}
END_TEST

START_TEST(the_log_has_the_columns)
{
	struct output_of o =
	    run_with("plmctl map", "$T -j1 --joblog log 'echo {}; exit {}' ::: 4; $LOG");
	ck_assert_str_eq(o.out,
	    "4\nSeq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\t"
	    "Signal\tCommand\n1\t:\tB\tT\t0\t2\t4\t0\techo 4; exit 4\n");
	output_free(&o);
}
END_TEST

START_TEST(what_both_skip_is_the_same_in_each_others_logs)
{
	check_shell(1, "0\n1\n", NULL, "parallel -j1 --joblog log 'echo {}; exit {}' ::: 0 1");
	check_shell(
	    0, "1\n2\n", NULL, "plmctl map -j1 --resume-failed --joblog log echo ::: 0 1 2");
	check_shell(0, "3\n", NULL, "parallel -j1 --resume-failed --joblog log echo ::: 0 1 2 3");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("map beside GNU parallel");
	TCase *tcase = tcase_create("invocations");
	tcase_set_timeout(tcase, TEST_TIMEOUT_S);
	tcase_add_checked_fixture(tcase, prepare, map_teardown);
	tcase_add_loop_test(tcase, both_print_the_same_and_end_alike, 0,
	    (int)(sizeof invocations / sizeof invocations[0]));
	tcase_add_test(tcase, the_log_has_the_columns);
	tcase_add_test(tcase, what_both_skip_is_the_same_in_each_others_logs);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
