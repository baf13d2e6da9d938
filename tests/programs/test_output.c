/* test_output.c - output of any length of commands: byte for byte through `plmctl map` and
 * `submit`, without a cap and without growing memory; into a store without room; and the files
 * where output waits to be shown. PLM_OUTPUT_MB is the size of a long output. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "client/plm.h"
#include "tables/command_block.h"
#include "tests/support/fixture.h"
#include "tests/support/json.h"
#include "tests/support/map_case.h"
#include "tests/support/run_suite.h"

enum {
	TEST_TIMEOUT_S = 120,
	LONG_MB = 96,
	MEMORY_KB_MAX = 64 << 10, /* of the largest process */
	RESERVED_MAX = 16 << 20,  /* of the store, which reserves so much at boot */
	PATH_BYTES = 256,
	WAIT_MS = 60000,
};

/* `sh gen N` writes N bytes, of which no two megabytes are alike. */
static void setup(void)
{
	map_setup();
	file_write("gen", "seq 1000000000 | head -c $1\n");
}

/* Both lines write the same to stdout. */
static void check_same(const char *line, const char *plain, unsigned long n)
{
	struct output_of o =
	    shell("N=%lu; mkfifo sum; cksum < sum > is & { %s\n} > sum; c=$?; "
		  "wait; { %s\n} | cksum > should; cmp is should || exit 99; rm sum; exit $c",
		n, line, plain);
	ck_assert_msg(o.code == 0, "%s: exit code %d; %.400s%.400s", line, o.code, o.out, o.err);
	output_free(&o);
}

static unsigned long long_bytes(void)
{
	return (unsigned long)number_from("PLM_OUTPUT_MB", LONG_MB) << 20;
}

/* ---- byte for byte ---- */

START_TEST(long_output_of_map_comes_whole)
{
	unsigned long all = long_bytes(), part = all / 4;
	check_same(
	    "plmctl map -k 'sh gen {}' ::: $N 10 $N", "sh gen $N; sh gen 10; sh gen $N", all / 2);
	check_same("plmctl map -k 'sh gen {} >&2' ::: $N 10 $N 2>&1 >/dev/null",
	    "sh gen $N; sh gen 10; sh gen $N", part);
	check_same("plmctl map -k --line 'sh gen {}' ::: $N 10 $N",
	    "sh gen $N; sh gen 10; sh gen $N", part);
	check_same(
	    "plmctl map --tag 'sh gen {}' ::: $N | cut -f 2- | head -c $N", "sh gen $N", part);
	check_same("plmctl map --joblog log --results r 'sh gen {}; sh gen 7 >&2' ::: $N; "
		   "cat r/1/$N/stdout; cut -f 6 log | tail -n 1; cat r/1/$N/stderr",
	    "sh gen $N; echo $N; sh gen 7", part);
	struct rusage usage;
	getrusage(RUSAGE_CHILDREN, &usage);
	ck_assert_int_lt(usage.ru_maxrss, MEMORY_KB_MAX);
}
END_TEST

START_TEST(long_output_of_submit_comes_whole)
{
	map_boot("1", "64M");
	unsigned long all = long_bytes();
	check_same("plmctl submit -- sh gen $N", "sh gen $N", all);
	check_same("plmctl submit --shell \"sh gen $N >&2\" 2>&1 >/dev/null", "sh gen $N", all / 4);
	check_same("plmctl submit --output-cap 1T -- sh gen $N", "sh gen $N", all / 4);
	check_same("plmctl map 'sh gen {}' ::: $N", "sh gen $N", all / 4);
	struct rusage usage;
	getrusage(RUSAGE_CHILDREN, &usage);
	ck_assert_int_lt(usage.ru_maxrss,
	    MEMORY_KB_MAX + (all >> 12)); /* with --output-cap the output is mapped into memory */
	char *status = ctl_expect(&host, 0, "status", "--json");
	char *reserved = json_field(status, "store_reserved");
	ck_assert_int_le(atol(reserved), RESERVED_MAX);
	free(reserved);
	free(status);
	map_stop();
}
END_TEST

START_TEST(long_output_is_whole_in_json)
{
	struct output_of plain = shell("sh gen 3000000"),
			 o = shell("plmctl map --json 'sh gen {}; "
				   "sh gen 300000 >&2' ::: 3000000");
	char *text = json_field(o.out, "stdout");
	ck_assert_str_eq(text, plain.out);
	free(text);
	text = json_field(o.out, "stderr");
	ck_assert_int_eq(strncmp(text, plain.out, 300000), 0);
	ck_assert_uint_eq(strlen(text), 300000);
	free(text);
	output_free(&o);
	map_boot("1", "64M");
	o = shell("plmctl submit --json --shell 'sh gen 3000000; sh gen 300000 >&2'");
	text = json_field(o.out, "value");
	ck_assert_str_eq(text, plain.out);
	ck_assert_uint_eq(strlen(o.err), 300000);
	free(text);
	output_free(&o);
	output_free(&plain);
	map_stop();
}
END_TEST

/* Many jobs use a few files in turn: no output contains bytes of an earlier job. */
START_TEST(outputs_long_and_short_take_turns_in_the_same_files)
{
	check_same("seq 60 | plmctl map -k 'sh gen $(({} % 3 * 290000 + {}))'",
	    "for i in $(seq 60); do sh gen $((i % 3 * 290000 + i)); done", 0);
	struct output_of o =
	    shell("seq 60 | plmctl map -k 'sh gen $(({} %% 3 * 290000 + {})); "
		  "exit $(({} %% 2))' > is; echo $?; "
		  "for i in $(seq 60); do sh gen $((i %% 3 * 290000 + i)); done | cmp - is");
	ck_assert_msg(strcmp(o.out, "30\n") == 0, "%s%s", o.out, o.err);
	output_free(&o);
}
END_TEST

/* ---- output of running commands ---- */

START_TEST(output_of_submit_is_shown_as_it_is_written)
{
	map_boot("1", "4M");
	pid_t pid = shell_start("plmctl submit --shell 'echo begun; echo too >&2; until [ -e go ]; "
				"do sleep 0.01; done; printf done' > out 2> err");
	wait_for_file("out", "begun\n");
	wait_for_file("err", "too\n");
	file_write("go", "");
	ck_assert_int_eq(shell_end(pid), 0);
	char *text = file_text("out");
	ck_assert_str_eq(text, "begun\ndone");
	free(text);
	check_shell(0, "o1\ne1\no2\ne2\no3\ne3\n", "",
	    "plmctl submit --shell 'for i in 1 2 3; do "
	    "echo o$i; echo e$i >&2; done' 2>&1");
	map_stop();
}
END_TEST

START_TEST(a_reader_that_leaves_ends_the_command_of_submit)
{
	map_boot("1", "4M");
	check_shell(0, "y\n", "", "plmctl submit -- yes | head -n 1");
	ctl_until(&host, "\"running\": 0", "status", "--json");
	struct output_of o = shell("plmctl submit -- sh gen 1000000 > /dev/full");
	ck_assert_int_eq(o.code, 125);
	ck_assert_ptr_nonnull(strstr(o.err, "writing the output: No space left on device"));
	output_free(&o);
	map_stop();
}
END_TEST

START_TEST(others_are_told_where_the_output_goes)
{
	map_boot("1", "4M");
	pid_t pid = shell_start("exec plmctl submit --label me --shell 'echo begun; until [ -e "
				"go ]; do sleep 0.01; done' > out");
	wait_for_file("out", "begun\n");
	struct output_of o = shell("R=$(plmctl tasks --label me --quiet); plmctl info $R; "
				   "plmctl logs $R");
	ck_assert_msg(strstr(o.out, "as it is written") &&
		strstr(o.err,
		    "its output goes to "
		    "process "),
	    "%s%s", o.out, o.err);
	output_free(&o);
	file_write("go", "");
	ck_assert_int_eq(shell_end(pid), 0);
	unlink("go");
	pid = shell_start("exec plmctl map --label me 'sh gen {}; touch ready; until [ -e go ]; do "
			  "sleep 0.01; done' ::: 1000000 > out");
	wait_for_file("ready", "");
	check_shell(0, NULL, "",
	    "plmctl logs $(plmctl tasks --label me --quiet) > log; "
	    "sh gen 1000000 | cmp - log");
	file_write("go", "");
	ck_assert_int_eq(shell_end(pid), 0);
	map_stop();
}
END_TEST

/* ---- attempts ---- */

#define ATTEMPT "sh gen 900000 | tr 0-9 $PLM_ATTEMPT | tr -d \"\\n\"; "

START_TEST(the_last_attempt_alone_is_shown_where_there_may_be_several)
{
	check_same("plmctl map --retries 1 '" ATTEMPT "test $PLM_ATTEMPT = 2 # {}' ::: x",
	    "sh gen 900000 | tr 0-9 2 | tr -d '\\n'", 0);
	check_same("plmctl map --crash-retries 1 '" ATTEMPT "[ $PLM_ATTEMPT = 2 ] || kill -9 "
		   "$PPID; sh gen 5 # {}' ::: x",
	    "sh gen 900000 | tr 0-9 2 | tr -d '\\n'; sh gen 5", 0);
	check_same("plmctl map --line --crash-retries 1 'sh gen 900000; "
		   "[ $PLM_ATTEMPT = 2 ] || kill -9 $PPID # {}' ::: x | tail -c 900000",
	    "sh gen 900000", 0);
	map_boot("1", "4M");
	check_shell(0, "2\n", "",
	    "plmctl submit --retries 1 --shell 'echo $PLM_ATTEMPT; test "
	    "$PLM_ATTEMPT = 2'");
	check_shell(0, "2\n", "",
	    "plmctl submit --crash-retries 1 --shell 'echo $PLM_ATTEMPT; "
	    "test $PLM_ATTEMPT = 2 || kill -9 $PPID'");
	/* plmctl cannot foresee a return to the queue, so output already shown stays shown. */
	check_shell(0, "1\n2\n", "the output of attempts 1 to 1, which were thrown away, was shown",
	    "plmctl submit --shell 'echo $PLM_ATTEMPT; test $PLM_ATTEMPT = 2 || "
	    "plmctl requeue $PLM_TASK; test $PLM_ATTEMPT = 2 || sleep 1000'");
	map_stop();
}
END_TEST

/* ---- the directory of long output ---- */

START_TEST(nothing_is_left_in_the_directory_whoever_dies)
{
	mkdir("tmp", 0700);
	pid_t pid = shell_start("exec plmctl map --tmpdir tmp 'sh gen {}; touch ready; sleep 1000' "
				"::: 2000000");
	wait_for_file("ready", "");
	check_shell(0, "", "", "ls -A tmp");
	kill(pid, SIGKILL);
	ck_assert_int_eq(shell_end(pid), 128 + SIGKILL);
	check_shell(0, "", "", "ls -A tmp");
}
END_TEST

START_TEST(a_directory_that_cannot_be_used_is_named_with_the_remedy)
{
	check_shell(66, "",
	    "no file for long output in nowhere: No such file or directory; name "
	    "another directory by --tmpdir DIR",
	    "plmctl map --tmpdir nowhere echo ::: 1");
	check_shell(66, "", "in nowhere", "TMPDIR=nowhere plmctl map echo ::: 1");
	check_shell(64, "", "--tmpdir is for output that is shown at the end (--json",
	    "plmctl submit --tmpdir . -- true");
	check_shell(64, "", "kept in the runtime", "plmctl submit --detach --tmpdir . --json true");
}
END_TEST

/* Whether the test may mount, as root or in a user namespace; prints a line if not. */
static bool may_mount(const char **ret)
{
	static const char *const ways[] = { "unshare -m", "unshare -rm" };
	for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
		struct output_of o = shell("mkdir -p m; %s mount -t tmpfs tmpfs m", ways[i]);
		*ret = ways[i];
		bool may = o.code == 0;
		output_free(&o);
		if (may)
			return true;
	}
	printf("skipped: no mount is permitted here, not even in a user namespace\n");
	return false;
}

START_TEST(a_full_directory_is_an_error_of_the_job_that_names_it)
{
	const char *unshare;
	if (!may_mount(&unshare))
		return;
	struct output_of o =
	    shell("mkdir t; %s sh -c \"mount -t tmpfs -o size=1m tmpfs t; "
		  "plmctl map -k --tmpdir $PWD/t 'sh gen {}' ::: 5 3000000 6\" > out; echo $?; "
		  "head -n 2 out; tail -n 3 out",
		unshare);
	ck_assert_msg(
	    strncmp(o.out, "1\n1\n2\n", 6) == 0 && strstr(o.out, "\n2\n3\n"), "%s%s", o.out, o.err);
	ck_assert_msg(strstr(o.err, "job 2: ") &&
		strstr(o.err,
		    "/t, the directory "
		    "for long output: No space left on device; free some there, or name another "
		    "one: "
		    "--tmpdir DIR"),
	    "%s", o.err);
	output_free(&o);
}
END_TEST

/* Of --files, and of a submit that shows the output at the end. */
START_TEST(a_full_directory_is_named_by_every_option_that_writes_there)
{
	const char *unshare;
	if (!may_mount(&unshare))
		return;
	struct output_of o = shell(
	    "mkdir t; %s sh -c \"mount -t tmpfs -o size=1m tmpfs t; "
	    "plmctl map --private --tmpdir $PWD/t --files 'sh gen {}' ::: 3000000 > out; "
	    "echo \\$?; head -c 3000000 /dev/zero | TMPDIR=$PWD/t plmctl map --private --stdin "
	    "- 'wc -c; true {}' ::: 1; echo \\$?; find t -type f | wc -l\"",
	    unshare);
	ck_assert_msg(strncmp(o.out, "125\n66\n", 7) == 0 &&
		strstr(o.err, ".par: No space left on device") &&
		strstr(o.err, "/t: No space left on device: let TMPDIR name"),
	    "%s%s", o.out, o.err);
	output_free(&o);
}
END_TEST

/* ---- a store without room ---- */

START_TEST(no_job_is_lost_where_dev_shm_is_smaller_than_the_store)
{
	const char *unshare;
	if (!may_mount(&unshare))
		return;
	struct output_of o = shell(
	    "%s sh -c \"mount -t tmpfs -o size=64m tmpfs /dev/shm; "
	    "plmctl map -k -j2 'test {} = 1 && sleep 0.5; head -c 10000000 /dev/zero; "
	    "head -c 200000 /dev/zero >&2' ::: $(seq -s ' ' 30)\" 2> err | wc -c; wc -c < err",
	    unshare);
	ck_assert_msg(strcmp(o.out, "300000000\n6000000\n") == 0, "%s%s", o.out, o.err);
	output_free(&o);
	o = shell("%s sh -c \"mount -t tmpfs -o size=64m tmpfs /dev/shm; plm --daemon --name "
		  "out-$$ --workers 1; plmctl --name out-$$ status; plmctl --name out-$$ stop\"; "
		  "rm -r plm",
	    unshare);
	ck_assert_msg(o.code == 0 &&
		strstr(o.err,
		    "the store cannot reach its size: --store is "
		    "1024 MiB, /dev/shm has ") &&
		strstr(o.out, "free in /dev/shm"),
	    "%s%s", o.out, o.err);
	output_free(&o);
}
END_TEST

/* A kept future fills the store. */
START_TEST(short_output_of_map_comes_whole_through_a_full_store)
{
	map_boot("1", "1M");
	check_shell(0, NULL, "",
	    "A=$(plmctl submit --detach -- head -c 700000 /dev/zero); "
	    "plmctl wait $A; seq 20 | plmctl map -k 'sh gen 200000 # {}' > is; "
	    "for i in $(seq 20); do sh gen 200000; done | cmp - is");
	map_stop();
}
END_TEST

/* The command has ended; its result waits for room in the store. */
START_TEST(a_result_without_room_waits_for_it_and_explain_says_so)
{
	map_boot("1", "4M");
	char *kept = ctl_expect(&host, 0, "submit", "--detach", "sh", "gen", "3000000");
	free(ctl_expect(&host, 0, "wait", kept));
	char *late = ctl_expect(&host, 0, "submit", "--detach", "sh", "gen", "2000000");
	ctl_until(
	    &host, "it has a result of 1.9 MiB, for which the store has no room", "explain", late);
	free(ctl_expect(&host, 0, "drop", kept));
	free(ctl_expect(&host, 0, "wait", late));
	struct output_of o = shell("plmctl get %s > is; sh gen 2000000 | cmp - is", late);
	ck_assert_msg(o.code == 0, "%s%s", o.out, o.err);
	output_free(&o);
	free(late);
	free(kept);
	map_stop();
}
END_TEST

START_TEST(a_result_that_finds_no_room_is_cut_off_visibly_and_not_lost)
{
	map_boot("1", "4M");
	char *kept = ctl_expect(&host, 0, "submit", "--detach", "sh", "gen", "3000000");
	free(ctl_expect(&host, 0, "wait", kept));
	char *late = ctl_expect(&host, 0, "submit", "--detach", "sh", "gen", "2000000");
	free(ctl_expect(&host, 0, "wait", late));
	struct output_of o = shell("plmctl get %s > is; echo $?; sh gen 2000000 | head -c "
				   "$(wc -c < is) | cmp - is; plmctl info --json %s",
	    late, late);
	ck_assert_msg(
	    strncmp(o.out, "74\n", 3) == 0 && strstr(o.err, "were cut off"), "%s%s", o.out, o.err);
	ck_assert_msg(strstr(o.out, "\"exit_code\": 0"), "%s", o.out);
	output_free(&o);
	free(late);
	free(kept);
	map_stop();
}
END_TEST

/* ---- outlets ---- */

static struct command_outlet outlet_of(int fd)
{
	struct stat st;
	fstat(fd, &st);
	return (struct command_outlet){ .pid = getpid(),
		.fd = { fd, fd },
		.device = { st.st_dev, st.st_dev },
		.inode = { st.st_ino, st.st_ino } };
}

START_TEST(only_the_file_that_was_named_is_opened)
{
	int file = open(".", O_TMPFILE | O_RDWR, 0600), named = open("gen", O_RDWR);
	int zero = open("/dev/zero", O_RDWR), ends[2];
	struct command_outlet outlet = outlet_of(file), other = outlet_of(named), read;
	ck_assert_int_eq(pipe(ends), 0);
	int fd = command_outlet_open(&outlet, 1, O_WRONLY);
	ck_assert_int_ge(fd, 0);
	close(fd);
	outlet.inode[1]++;
	ck_assert_int_eq(command_outlet_open(&outlet, 2, O_WRONLY), -1);
	ck_assert_int_eq(errno, ESTALE);
	ck_assert_int_eq(
	    command_outlet_open(&other, 1, O_WRONLY), -1); /* a file with a name is no outlet */
	other = outlet_of(zero);
	ck_assert_int_eq(command_outlet_open(&other, 1, O_WRONLY), -1);
	other = outlet_of(ends[1]);
	ck_assert_int_eq(command_outlet_open(&other, 1, O_WRONLY), -1);
	other.live = 1;
	ck_assert_int_ge(fd = command_outlet_open(&other, 1, O_WRONLY), 0);
	ck_assert_int_eq(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
	ck_assert(!command_outlet_read(&other, sizeof other - 1, &read));
	other.pid = 0;
	ck_assert(!command_outlet_read(&other, sizeof other, &read));
}
END_TEST

/* The worker keeps output up to the cap of a result. */
START_TEST(output_is_kept_where_its_outlet_is_out_of_reach)
{
	map_boot("1", "64M");
	static const char fields[] = { COMMAND_OUTLET, 0 };
	plm_ref refs[COMMAND_RESULTS];
	plm_view view;
	host_join();
	for (uint32_t live = 0; live < 2; live++) {
		struct command_outlet outlet = { .pid = getpid(), .live = live, .fd = { 99, 99 } };
		const plm_arg args[] = { PLM_BYTES(fields, sizeof fields), PLM_BYTES("", 0),
			PLM_BYTES("head", 4), PLM_BYTES("-c", 2), PLM_BYTES("20000000", 8),
			PLM_BYTES("/dev/zero", 9), PLM_BYTES(&outlet, sizeof outlet) };
		plm_task task = { .function = COMMAND_FUNCTION,
			.args = args,
			.nargs = 7,
			.results = COMMAND_RESULTS };
		ck_assert_int_eq(plm_submit(client, &task, refs), 0);
		ck_assert_int_eq(plm_get(client, refs[0], &view, WAIT_MS), 0);
		ck_assert_uint_eq(view.len, COMMAND_CAP_DEFAULT);
		plm_release(client, &view);
		plm_drop_many(client, refs, COMMAND_RESULTS);
	}
	plm_disconnect(&client);
	check_shell(1, "", "the last argument of the command names no place",
	    "printf 'f\\0' > fields; "
	    "plmctl call command.run $(plmctl put fields) '' echo nothing");
	map_stop();
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		long_output_of_map_comes_whole,
		long_output_of_submit_comes_whole,
		long_output_is_whole_in_json,
		outputs_long_and_short_take_turns_in_the_same_files,
		output_of_submit_is_shown_as_it_is_written,
		a_reader_that_leaves_ends_the_command_of_submit,
		others_are_told_where_the_output_goes,
		the_last_attempt_alone_is_shown_where_there_may_be_several,
		nothing_is_left_in_the_directory_whoever_dies,
		a_directory_that_cannot_be_used_is_named_with_the_remedy,
		a_full_directory_is_an_error_of_the_job_that_names_it,
		a_full_directory_is_named_by_every_option_that_writes_there,
		no_job_is_lost_where_dev_shm_is_smaller_than_the_store,
		short_output_of_map_comes_whole_through_a_full_store,
		a_result_without_room_waits_for_it_and_explain_says_so,
		a_result_that_finds_no_room_is_cut_off_visibly_and_not_lost,
		only_the_file_that_was_named_is_opened,
		output_is_kept_where_its_outlet_is_out_of_reach,
	};
	return run_tests("output of commands", TEST_TIMEOUT_S, setup, map_teardown, tests,
	    sizeof tests / sizeof tests[0]);
}
