/* test_map_hard.c - inputs that are empty, huge, binary, without a last newline, or with records
 * longer than a block, for each kind of option beside GNU parallel and xargs; readers that leave,
 * commands that read nothing, texts of options with any byte. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/map_case.h"
#include "tests/support/run_suite.h"

enum { TEST_TIMEOUT_S = 120, LINE_BYTES = 512 };

struct hard {
	const char *line;  /* FILE stands for each of the files */
	const char *files; /* names with blanks between */
};

/* $T is parallel, or plmctl map. */
static const struct hard beside_parallel[] = {
	{ "$T -k echo '[{}]' < FILE", "nls crlf bytes blanks" },
	{ "$T -k -a FILE echo '[{}]'", "empty nonl" },
	{ "$T -k -0 echo '[{}]' < FILE", "zeroes zeroes-only" },
	{ "$T -k -N2 echo x{}y {1} < FILE", "nonl blanks" },
	{ "$T -k -L1 echo '[{}]' < FILE", "nls blanks goes-on" },
	{ "$T -k -L2 echo '[{}]' < FILE", "nonl goes-on" },
	{ "$T -j1 -k -L2 -X echo '[{}]' < FILE", "goes-on" },
	{ "$T -j1 -k -X echo < FILE", "blanks bytes" },
	{ "$T -k --colsep , echo '{1}-{2}-{3}' < FILE", "nonl columns" },
	{ "$T -k --colsep , --header : echo {x} {y} < FILE", "nonl names" },
	{ "$T -k --colsep never echo '{1}' < FILE", "columns" },
	{ "$T -k -r --trim lr -E c echo '[{}]' < FILE", "blanks" },
	{ "$T -k 'echo {= s/never/x/ =}' < FILE", "nonl" },
	{ "$T -k --plus echo '{%never}' '{#never}' '{/never/x}' < FILE", "nonl" },
	{ "$T -k --tag 'echo {}' < FILE", "bytes" },
	{ "$T -k --tagstring '' echo < FILE", "nonl" },
	{ "$T -j1 --joblog log echo < FILE; cut -f 1,7- log", "empty" },
	{ "$T -k --results r echo < FILE; find r -type f | sort", "bytes" },
	{ "$T -k 'cat; echo {}' < FILE", "nonl" },
	{ "$T --pipe -k --block 1k 'echo --; cksum' < FILE 2>/dev/null", "empty zeroes record" },
	{ "$T --pipe-part -a FILE -k --block 1k 'echo --; cksum' 2>/dev/null",
	    "empty zeroes record" },
	{ "$T --pipe -k --recend ';' --block 5 'echo --; cat' < FILE", "nonl parts" },
	{ "$T --pipe -k --recstart b --recend c --block 5 'echo --; cat' < FILE 2>/dev/null",
	    "parts" },
	{ "$T --pipe -k --regexp --recend never --block 5 'echo --; cksum' < FILE 2>/dev/null",
	    "nonl numbers" },
	{ "$T --pipe -k --regexp --recstart never -N1 'echo --; cksum' < FILE", "nonl" },
	{ "$T --pipe -k --regexp --recend k --block 1k cksum < FILE 2>/dev/null", "record" },
	{ "$T --pipe --round-robin -j1 cat < FILE", "empty nonl" },
	{ "$T --pipe --header : -k --block 100 'echo --; cksum' < FILE", "empty nonl" },
	{ "$T --pipe --tee -k wc {} ::: -l -c < FILE", "empty" },
	{ "$T --cat -k 'wc -c < {}' < FILE", "empty nonl" },
};

/* $T is xargs -d '\n' -r, or plmctl map --xargs -k. */
static const struct hard beside_xargs[] = {
	{ "$T printf '<%s>' < FILE", "empty nls nonl crlf bytes blanks" },
	{ "$T -n2 printf '<%s>' < FILE", "blanks bytes" },
	{ "$T -L1 printf '<%s>' < FILE", "blanks goes-on" },
	{ "$T -L2 printf '<%s>' < FILE", "goes-on" },
	{ "$T -I,, printf '<,,>' < FILE", "empty blanks bytes" },
	{ "$T -0 printf '<%s>' < FILE", "nonl zeroes zeroes-only" },
	{ "$T -s 100 echo < FILE", "numbers" },
	{ "$T -n1 sh -c 'printf %s \"$0\" | wc -c' < FILE", "record" },
};

/* Options that change each other. */
static const char *const pairs[] = {
	"printf ' a \\tb\\n 1 \\t 2\\n' | $T -k --header : echo '[{ a }][{b}][{1}]'",
	"$T -k --header : --trim lr echo '[{a}][{ a }][{1}]' ::: ' a ' ' 1 '",
	"printf 'x, a\\n1, 2\\n' | $T -k --colsep , --header : echo '{x}{a}{ a}{2}'",
	"$T -k -I ,, echo ,, {1} {-1} {.} {1.} ::: a.b",
	"$T -k -I {o} echo {1o} {o} {1} {o1} ::: a b",
	"$T -k --er {u} echo {u} {1u} {1.} {1} ::: a.b",
	"$T -k -I ,, --tagstring {1} echo ::: a",
	"$T -j1 -X -m echo x{}y ::: 1 2 3",
	"$T -j1 -m -N2 echo x{}y ::: 1 2 3",
	"$T -j1 --xargs -N2 echo x{}y ::: 1 2 3",
	"$T -j1 -N2 -n3 echo x{}y ::: 1 2 3",
	"$T -j1 -n3 -N2 echo x{}y ::: 1 2 3",
	"$T -j1 -m -L2 echo x{}y ::: 1 2 3",
	"$T -j1 --results r -N2 echo ::: a b ::: 1 2; find r | sort",
	"$T -j1 --results r -X echo ::: a b; find r | sort",
	"$T -k --results r/x/y echo ::: a; find r | sort",
	"$T -k --results r/x/y/ echo ::: a; find r | sort",
	"$T -k --results r --header : echo ::: n a ::: m b/c; find r | sort",
	"$T -k --tag --dry-run echo ::: a b",
	"$T -k --tagstring '{#}' -v echo ::: a b",
	"$T -k --tag --files echo ::: a b | sed 's,/.*,,'",
	"$T -k --joblog log 'exit {}' ::: 0 1; cp log r; $T -k --joblog log --resume --dry-run "
	"echo ::: 0 1 2; cmp r log",
	"$T -k --joblog log 'exit {}' ::: 0 1; cp log r; $T -k --joblog log --resume-failed "
	"--dry-run echo ::: 0 1 2; cmp r log",
	"$T -k --joblog log --resume --dry-run echo ::: a; [ -e log ] || echo none",
	"seq 10 | $T --pipe --round-robin --rrs -j1 cat",
	"seq 10 | $T --pipe --round-robin --rrs --header : --recend 0 -j1 cat",
	"$T -j1 --lb -v 'echo {}; sleep 0.3; echo b' ::: 1 2",
	"$T -j1 -u -v 'echo {}; sleep 0.3; echo b' ::: 1",
};

/* FILE replaced in the line. */
static void make_line(const char *line, const char *file, size_t length, char ret[LINE_BYTES])
{
	const char *place = strstr(line, "FILE");
	int n = snprintf(ret, LINE_BYTES, "%.*s%.*s%s", (int)(place - line), line, (int)length,
	    file, place + strlen("FILE"));
	if (n < 0 || n >= LINE_BYTES)
		abort();
}

/* Case number `which` of all lines with all their files. */
static bool take_case(const struct hard *table, size_t n, int which, char ret[LINE_BYTES])
{
	for (size_t i = 0; i < n; i++)
		for (const char *at = table[i].files; *at; at += strspn(at, " ")) {
			size_t length = strcspn(at, " ");
			if (which-- == 0) {
				make_line(table[i].line, at, length, ret);
				return true;
			}
			at += length;
		}
	return false;
}

static int count_cases(const struct hard *table, size_t n)
{
	char line[LINE_BYTES];
	int count = 0;
	while (take_case(table, n, count, line))
		count++;
	return count;
}

static void prepare(void)
{
	map_setup_beside();
	struct output_of o = shell(
	    "mkdir home; : > home/will-cite; : > empty; printf '\\n' > nl; "
	    "printf '\\n\\n\\n' > nls; "
	    "printf 'a\\nb' > nonl; printf 'a\\r\\nb\\r\\n' > crlf; "
	    "printf 'a\\377b\\nc\\001\\002d\\n' > bytes; printf 'a\\0b\\nc\\0d\\n' > zeroes; "
	    "printf '\\0\\0' > zeroes-only; printf 'a\\n\\nb\\n  \\nc\\n' > blanks; "
	    "printf 'a \\nb\\t\\nc\\nd\\n' > goes-on; printf 'a,b,c\\nd\\ne,f\\n,\\n' > columns; "
	    "printf 'x,y\\n' > names; seq 1000 > numbers; printf 'aaaa;bbbb;cccc' > parts; "
	    "head -c 100000 /dev/zero | tr '\\0' y > record; printf '\\nk\\n' >> record; "
	    "printf '#!/bin/sh\\nexec xargs -d \"\\\\n\" -r \"$@\"\\n' > xargs-lines; "
	    "chmod +x xargs-lines");
	output_free(&o);
}

static void both_alike(const char *theirs_are, const char *ours_are, const char *line)
{
	struct output_of theirs = shell("rm -rf log r; T='%s'; %s", theirs_are, line);
	struct output_of ours = shell("rm -rf log r; T='%s'; %s", ours_are, line);
	ck_assert_msg(theirs.code == ours.code, "%s: exit code %d, not %d; %.300s", line, ours.code,
	    theirs.code, ours.err);
	ck_assert_msg(strcmp(theirs.out, ours.out) == 0, "%s: %.500s\nnot %.500s; %.300s", line,
	    ours.out, theirs.out, ours.err);
	output_free(&theirs);
	output_free(&ours);
}

#define ROWS(table) table, sizeof table / sizeof table[0]

START_TEST(hard_inputs_are_those_of_parallel)
{
	char line[LINE_BYTES];
	ck_assert(take_case(ROWS(beside_parallel), _i, line));
	both_alike("parallel", "plmctl map", line);
}
END_TEST

START_TEST(pairs_of_options_are_those_of_parallel)
{
	both_alike("parallel", "plmctl map", pairs[_i]);
}
END_TEST

START_TEST(hard_inputs_are_those_of_xargs)
{
	char line[LINE_BYTES];
	ck_assert(take_case(ROWS(beside_xargs), _i, line));
	both_alike("./xargs-lines", "plmctl map --xargs -k", line);
}
END_TEST

/* ---- alone ---- */

START_TEST(texts_of_options_may_have_any_byte)
{
	check_shell(
	    0, "q\1\2w\ta\n", "", "plmctl map --tagstring \"$(printf 'q\\001\\002w')\" echo ::: a");
	check_shell(
	    0, "q\1\2\377w a\n", "", "plmctl map echo \"$(printf 'q\\001\\002\\377w')\" ::: a");
	check_shell(0, "in d\1d\n", "",
	    "d=$(printf 'd\\001d'); mkdir $d; plmctl map --dir $d 'echo in $(basename $PWD) # {}' "
	    "::: a");
	check_shell(0, "0 \1\n", "",
	    "plmctl map --process-slot-var=S --env V=\"$(printf '\\001')\" 'echo $S $V # {}' "
	    "::: a");
}
END_TEST

START_TEST(an_empty_source_among_several_gives_no_job)
{
	check_shell(0, "", "", "plmctl map echo :::: empty ::: 1 2");
	check_shell(0, "", "", "plmctl map --link echo ::: 1 2 :::: empty");
}
END_TEST

START_TEST(a_record_that_fits_no_command_is_named)
{
	check_shell(1, "2\n", "Argument list too long",
	    "head -c 300000 /dev/zero | tr '\\0' y > huge; printf '\\nk\\n' >> huge; "
	    "plmctl map -k 'echo {} | wc -c' < huge");
	check_shell(65, "", "would be longer than 131072 bytes", "plmctl map -X echo < huge");
	check_shell(0, "100000\n", "",
	    "plmctl map -k -n1 'printf %s {} | wc -c' ::: $(head -n 1 "
	    "record)");
}
END_TEST

START_TEST(readers_that_leave_end_every_kind_of_map)
{
	static const char *const options[] = { "-k echo", "-j2 echo", "--lb echo", "-u echo",
		"--tag echo", "-X echo", "--json echo", "--pipe -k --block 10k cat",
		"--pipe --round-robin --block 10k cat", "-v echo", "--dry-run echo" };
	for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
		struct output_of o = shell(
		    "{ seq 1000000 | plmctl map %s 2>err; echo $? > code; } | head -n 1 | wc -l; "
		    "cat code",
		    options[i]);
		ck_assert_msg(strcmp(o.out, "1\n141\n") == 0, "%s: %s", options[i], o.out);
		output_free(&o);
		check_shell(0, "", "", "cat err");
	}
}
END_TEST

START_TEST(commands_need_not_read_their_stdin)
{
	check_shell(0, "a\n", "",
	    "seq 100000 | plmctl map --pipe --block 10k 'exec <&-; echo a' | sort -u");
	check_shell(0, "a\n", "",
	    "seq 100000 | plmctl map --pipe --round-robin -j2 --block 10k 'echo a' | sort -u");
	check_shell(0, "a\n", "",
	    "seq 100000 > many; plmctl map --pipe-part -a many --block 10k 'echo a' | sort -u");
	check_shell(0, "1\n2\n", "", "plmctl map -k --stdin many 'echo {}' ::: 1 2");
	check_shell(3, "", NULL, "seq 300000 | plmctl map --pipe -N100000 'exit 1' 2>/dev/null");
}
END_TEST

/* GNU parallel breaks off here. */
START_TEST(a_dry_run_of_round_robin_shows_each_job_once)
{
	check_shell(0, "cat\ncat\ncat\n", "",
	    "seq 100 | plmctl map --pipe --round-robin --block 10 -j3 --dry-run cat");
	check_shell(0, "cat\n", "", "seq 9 | plmctl map --pipe --round-robin -j3 --dry-run cat");
}
END_TEST

START_TEST(senseless_values_are_refused_with_a_sentence)
{
	static const char *const lines[] = { "plmctl map -I '' echo ::: a",
		"plmctl map --er '' echo ::: a", "plmctl map --seqreplace '' echo ::: a",
		"plmctl map --shell= echo ::: a", "plmctl map --colsep '(' echo ::: a",
		"plmctl map --rpl '{x} s/(/b/' echo {x} ::: a",
		"plmctl map --pipe --regexp --recstart '[' cat < nl",
		"plmctl map --block 0 --pipe cat < nl", "plmctl map --block '' --pipe cat < nl",
		"plmctl map -N x echo ::: a", "plmctl map -j '' echo ::: a",
		"plmctl map --process-slot-var '' echo ::: a", "plmctl map --halt '' echo ::: a",
		"plmctl map --trim q echo ::: a", "plmctl map --pipe --tee cat < nl",
		"plmctl map --pipe --shuf cat < nl", "plmctl map --pipe cat ::: a < nl",
		"plmctl map --on-finish true echo ::: a" };
	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
		check_shell(64, "", "plmctl: ", lines[i]);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("hard inputs of map");
	TCase *beside = tcase_create("beside"), *alone = tcase_create("alone");
	tcase_set_timeout(beside, TEST_TIMEOUT_S);
	tcase_set_timeout(alone, TEST_TIMEOUT_S);
	tcase_add_checked_fixture(beside, prepare, map_teardown);
	tcase_add_checked_fixture(alone, prepare, map_teardown);
	if (system("command -v parallel >/dev/null") == 0) {
		tcase_add_loop_test(beside, hard_inputs_are_those_of_parallel, 0,
		    count_cases(ROWS(beside_parallel)));
		tcase_add_loop_test(beside, pairs_of_options_are_those_of_parallel, 0,
		    (int)(sizeof pairs / sizeof pairs[0]));
	} else
		puts("left out: GNU parallel is not installed, so nothing was compared with it");
	tcase_add_loop_test(
	    beside, hard_inputs_are_those_of_xargs, 0, count_cases(ROWS(beside_xargs)));
	tcase_add_test(alone, texts_of_options_may_have_any_byte);
	tcase_add_test(alone, an_empty_source_among_several_gives_no_job);
	tcase_add_test(alone, a_record_that_fits_no_command_is_named);
	tcase_add_test(alone, readers_that_leave_end_every_kind_of_map);
	tcase_add_test(alone, commands_need_not_read_their_stdin);
	tcase_add_test(alone, a_dry_run_of_round_robin_shows_each_job_once);
	tcase_add_test(alone, senseless_values_are_refused_with_a_sentence);
	suite_add_tcase(suite, beside);
	suite_add_tcase(suite, alone);
	return run_suite(suite);
}
