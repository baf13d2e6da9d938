/* test_cli.c - the command line of a user: results, exit codes and messages of the real
 * programs. */
#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/fixture.h"
#include "tests/support/json.h"
#include "tests/support/run_suite.h"
#include "tests/support/program_runtime.h"

enum {
	TEST_TIMEOUT_S = 60,
	BINARY_BYTES = 100000, /* all byte values, too many for a record */
	PATH_BYTES = 256,
};

/* plmctl fails with this exit code and these words on stderr, and prints nothing on stdout. */
#define expect_failure(code, words, ...) \
	check_failure((code), (words), (const char *const[]){ __VA_ARGS__, NULL })
static void check_failure(int code, const char *words, const char *const *arguments)
{
	struct output_of o = program_run(&host, "plmctl", arguments, NULL, 0);
	ck_assert_msg(o.code == code, "plmctl %s: exit code %d, not %d: %s", arguments[0], o.code,
	    code, o.err);
	ck_assert_msg(strstr(o.err, words) != NULL, "plmctl %s says \"%s\", not \"%s\"",
	    arguments[0], o.err, words);
	ck_assert_uint_eq(o.out_bytes, 0);
	output_free(&o);
}

#define expect_text(expected, ...) \
	check_text((expected), (const char *const[]){ __VA_ARGS__, NULL })
static void check_text(const char *expected, const char *const *arguments)
{
	char *text = program_expect(&host, 0, arguments);
	ck_assert_str_eq(text, expected);
	free(text);
}

/* ---- without a runtime ---- */

static const struct runtime nobody = { .name = "no-such-runtime" };

START_TEST(unknown_runtime_is_69_and_is_named)
{
	struct output_of o = ctl(&nobody, "status");
	ck_assert_int_eq(o.code, 69);
	ck_assert_ptr_nonnull(strstr(o.err, "no-such-runtime"));
	ck_assert_uint_eq(o.out_bytes, 0);
	output_free(&o);
	o = dump(&nobody, "check");
	ck_assert_int_eq(o.code, 69);
	output_free(&o);
}
END_TEST

START_TEST(usage_errors_are_64_before_anything_is_done)
{
	static const char *const wrong[][4] = {
		{ "nonsense", NULL },
		{ "--nonsense", NULL },
		{ "call", NULL },
		{ "get", NULL },
		{ "call", "--priority", "high", "x" },
		{ "call", "--results", "0", "x" },
		{ "wait", NULL },
		{ "explain", NULL },
		{ "status", "--timeout", "soon", NULL },
		{ "status", "extra", NULL },
		{ "get", "--output", NULL },
		{ "module", "unload", NULL },
		{ "tasks", "--state", "odd", NULL },
		{ "stop", "--later", NULL },
	};
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		const char *const arguments[] = { wrong[i][0], wrong[i][1], wrong[i][2],
			wrong[i][3], NULL };
		struct output_of o = program_run(&nobody, "plmctl", arguments, NULL, 0);
		ck_assert_msg(o.code == 64, "plmctl %s %s: exit code %d", wrong[i][0],
		    wrong[i][1] ? wrong[i][1] : "", o.code);
		ck_assert_ptr_nonnull(strstr(o.err, "plmctl: "));
		ck_assert_uint_eq(o.out_bytes, 0);
		output_free(&o);
	}
	struct output_of o = program_run(&nobody, "plmctl", (const char *const[]){ NULL }, NULL, 0);
	ck_assert_int_eq(o.code, 64);
	output_free(&o);
}
END_TEST

START_TEST(every_command_explains_itself)
{
	static const char *const commands[] = { "call", "submit", "info", "logs", "put", "get",
		"wait", "cancel", "drop", "explain", "status", "tasks", "workers", "objects",
		"functions", "module", "topology", "stop" };
	for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
		struct output_of help = ctl(&nobody, "help", commands[i]);
		struct output_of option = ctl(&nobody, commands[i], "--help");
		ck_assert_int_eq(help.code, 0);
		ck_assert_int_eq(option.code, 0);
		ck_assert_str_eq(help.out, option.out);
		ck_assert_ptr_nonnull(strstr(help.out, commands[i]));
		output_free(&help);
		output_free(&option);
	}
}
END_TEST

START_TEST(a_malformed_reference_is_65)
{
	static const char *const wrong[] = { "@", "@x", "@1.2", "plain", "@1.0.5", "@1.2.3.4",
		"@-1.2.3", "@123456789" };
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		struct output_of o = ctl(&nobody, "get", wrong[i]);
		ck_assert_msg(o.code == 65, "%s: exit code %d", wrong[i], o.code);
		ck_assert_ptr_nonnull(strstr(o.err, wrong[i]));
		output_free(&o);
	}
}
END_TEST

/* ---- calling ---- */

START_TEST(call_prints_the_result_and_nothing_else)
{
	expect_text("hello world", "call", "probe.echo", "hello ", "world");
	expect_text("", "call", "probe.noop");
	expect_text("6", "call", "probe.sum", "1", "2", "3");
	expect_text("-4", "call", "probe.sum", "-7", "3");
	expect_text("@tag --flag", "call", "probe.echo", "@@tag ", "--flag");
	expect_text("3", "call", "probe.wordcount", "  one two\nthree ");
	expect_text("8", "call", "probe.tree", "3", "2");
}
END_TEST

START_TEST(futures_are_arguments)
{
	char *a = ctl_expect(&host, 0, "call", "--detach", "probe.sum", "1", "2");
	char *b = ctl_expect(&host, 0, "call", "--detach", "probe.sum", a, "10");
	expect_text("26", "call", "probe.sum", a, b, b, "-3");
	free(a);
	free(b);
}
END_TEST

START_TEST(unknown_function_is_127_and_is_named)
{
	expect_failure(127, "probe.nothing", "call", "probe.nothing");
	expect_failure(127, "nomodule.f", "call", "nomodule.f", "x");
}
END_TEST

START_TEST(a_failure_tells_function_message_and_code)
{
	expect_failure(1, "probe.fail: it broke (code 1)", "call", "probe.fail", "it broke");
	expect_failure(1, "(code 77)", "call", "probe.fail", "it broke", "77");
	expect_failure(1, "argument 2 is not a number: \"x\"", "call", "probe.sum", "1", "x");
}
END_TEST

START_TEST(a_failure_travels_to_dependants_with_its_root)
{
	char *root = ctl_expect(&host, 0, "call", "--detach", "probe.fail", "the root");
	char *middle = ctl_expect(&host, 0, "call", "--detach", "probe.sum", root, "1");
	expect_failure(1, root, "call", "probe.sum", middle);
	expect_failure(1, "failed in probe.fail: the root", "call", "probe.sum", middle);
	struct output_of o = ctl(&host, "get", "--json", middle);
	char *task = json_field(o.out, "task"), *message = json_field(o.out, "message");
	ck_assert_int_eq(o.code, 1);
	ck_assert_str_eq(task, root);
	ck_assert_str_eq(message, "the root");
	free(task);
	free(message);
	output_free(&o);
	free(root);
	free(middle);
}
END_TEST

START_TEST(a_signal_is_128_plus_its_number)
{
	expect_failure(128 + SIGKILL, "probe.crash", "call", "probe.crash", "KILL");
	expect_failure(128 + SIGSEGV, "signal 11", "call", "probe.crash", "SIGSEGV");
	expect_text("alive", "call", "probe.echo", "alive");
}
END_TEST

START_TEST(time_running_out_is_124_and_cancels)
{
	expect_failure(124, "after", "call", "--timeout", "0.05", "probe.sleep", "600000");
	ctl_until(&host, "\"workers_busy\": 0", "status", "--json");
	char *left = ctl_expect(&host, 0, "tasks", "--state", "running", "--quiet");
	ck_assert_str_eq(left, "");
	free(left);
}
END_TEST

START_TEST(several_results_come_in_order)
{
	struct output_of o =
	    ctl(&host, "call", "--detach", "--results", "3", "probe.echo", "first");
	ck_assert_int_eq(o.code, 0);
	unsigned lines = 0;
	for (const char *at = o.out; (at = strchr(at, '\n')) != NULL; at++)
		lines++;
	ck_assert_uint_eq(lines, 3);
	output_free(&o);
}
END_TEST

/* ---- references ---- */

START_TEST(detach_get_drop_then_stale)
{
	char *ref = ctl_expect(&host, 0, "call", "--detach", "probe.echo", "kept");
	expect_text("kept", "get", ref);
	expect_text("kept", "get", ref);
	expect_text("", "drop", ref);
	/* The scheduler frees the record when it has read the drop. The timeout of the test ends an
	 * endless loop. */
	struct output_of o = ctl(&host, "get", ref);
	while (o.code == 0) {
		output_free(&o);
		o = ctl(&host, "get", ref);
	}
	ck_assert_int_eq(o.code, 65);
	ck_assert_ptr_nonnull(strstr(o.err, ref));
	output_free(&o);
	free(ref);
}
END_TEST

START_TEST(a_reference_of_another_runtime_is_65)
{
	char *ref = ctl_expect(&host, 0, "call", "--detach", "probe.echo", "x"),
	     foreign[PATH_BYTES];
	snprintf(foreign, sizeof foreign, "%s", ref);
	char *digit = &foreign[strlen(foreign) - 1];
	*digit = *digit == '1' ? '2' : '1';
	expect_failure(65, "another runtime", "get", foreign);
	expect_failure(65, "another runtime", "wait", foreign);
	expect_failure(65, "another runtime", "cancel", foreign);
	expect_failure(65, "another runtime", "drop", foreign);
	expect_failure(65, "another runtime", "call", "probe.echo", foreign);
	free(ref);
}
END_TEST

START_TEST(an_unknown_reference_is_65)
{
	char *ref = ctl_expect(&host, 0, "call", "--detach", "probe.echo", "x"),
	     unknown[PATH_BYTES];
	snprintf(unknown, sizeof unknown, "@ffffff.1%s", strrchr(ref, '.'));
	expect_failure(65, "unknown reference", "get", unknown);
	snprintf(unknown, sizeof unknown, "@1.7fffffff%s", strrchr(ref, '.'));
	expect_failure(65, "unknown reference", "wait", unknown);
	free(ref);
}
END_TEST

START_TEST(cancel_ends_a_running_task)
{
	char *ref = ctl_expect(&host, 0, "call", "--detach", "probe.sleep", "600000");
	ctl_until(&host, ref, "tasks", "--state", "running", "--quiet");
	expect_text("", "cancel", ref);
	expect_failure(130, "cancelled", "get", ref);
	struct output_of o = ctl(&host, "wait", ref);
	ck_assert_int_eq(o.code, 1);
	ck_assert_ptr_nonnull(strstr(o.out, "cancelled"));
	output_free(&o);
	expect_text("", "cancel", ref);
	free(ref);
}
END_TEST

START_TEST(wait_counts_what_did_not_succeed)
{
	char *good = ctl_expect(&host, 0, "call", "--detach", "probe.noop");
	char *bad = ctl_expect(&host, 0, "call", "--detach", "probe.fail", "no");
	char *slow = ctl_expect(&host, 0, "call", "--detach", "probe.sleep", "600000");
	free(ctl_expect(&host, 0, "wait", good));
	free(ctl_expect(&host, 2, "wait", good, bad, bad));
	free(ctl_expect(&host, 0, "wait", "--any", slow, good));
	free(ctl_expect(&host, 124, "wait", "--timeout", "0.05", slow, good));
	expect_text("", "cancel", slow);
	free(good);
	free(bad);
	free(slow);
}
END_TEST

/* ---- bytes ---- */

static void make_binary(unsigned char *data)
{
	for (size_t i = 0; i < BINARY_BYTES; i++)
		data[i] = (unsigned char)(i * 7 + i / 256);
}

START_TEST(binary_data_comes_back_as_it_went)
{
	static unsigned char data[BINARY_BYTES];
	char path[PATH_BYTES], copy[PATH_BYTES];
	make_binary(data);
	scratch_write(&host, "data", data, sizeof data, path, sizeof path);
	scratch_path(&host, "copy", copy, sizeof copy);
	char *from_file = ctl_expect(&host, 0, "put", path);
	struct output_of piped = ctl_with_input(&host, data, sizeof data, "put", "-");
	ck_assert_int_eq(piped.code, 0);
	piped.out[strcspn(piped.out, "\n")] = 0;
	struct output_of a = ctl(&host, "get", from_file), b = ctl(&host, "get", piped.out);
	struct output_of c = ctl(&host, "call", "probe.echo", from_file);
	ck_assert_uint_eq(a.out_bytes, sizeof data);
	ck_assert_mem_eq(a.out, data, sizeof data);
	ck_assert_uint_eq(b.out_bytes, sizeof data);
	ck_assert_mem_eq(b.out, data, sizeof data);
	ck_assert_uint_eq(c.out_bytes, sizeof data);
	ck_assert_mem_eq(c.out, data, sizeof data);
	expect_text("", "get", "--output", copy, from_file);
	struct stat st;
	ck_assert_int_eq(stat(copy, &st), 0);
	ck_assert_int_eq(st.st_size, (off_t)sizeof data);
	output_free(&a);
	output_free(&b);
	output_free(&c);
	output_free(&piped);
	free(from_file);
}
END_TEST

START_TEST(an_empty_file_and_a_small_one_are_objects_too)
{
	char path[PATH_BYTES];
	static const char *const content[] = { "", "x", "exactly twenty-four byte",
		"twenty-five bytes, inline" };
	for (size_t i = 0; i < sizeof content / sizeof content[0]; i++) {
		scratch_write(&host, "small", content[i], strlen(content[i]), path, sizeof path);
		char *ref = ctl_expect(&host, 0, "put", path);
		expect_text(content[i], "get", ref);
		free(ref);
	}
}
END_TEST

START_TEST(a_file_that_cannot_be_read_is_66)
{
	expect_failure(66, "no-such-file", "put", "/no-such-file");
	expect_failure(66, host.directory, "put", host.directory);
	expect_failure(66, "no-such-module", "module", "load", "/no-such-module.so");
}
END_TEST

START_TEST(an_object_larger_than_the_store_is_refused)
{
	char path[PATH_BYTES];
	scratch_write(&host, "big", "", 0, path, sizeof path);
	ck_assert_int_eq(truncate(path, (off_t)1 << 30), 0);
	struct output_of o = ctl(&host, "put", path);
	ck_assert_msg(o.code == 65 || o.code == 75, "exit code %d: %s", o.code, o.err);
	ck_assert_uint_eq(o.out_bytes, 0);
	output_free(&o);
}
END_TEST

/* ---- modules ---- */

/* The example module, where make has put it: beside the programs or in the release tree. */
static void find_module(char *ret, size_t size)
{
	const char *where = getenv("PLM_BIN");
	snprintf(ret, size, "%s/examples/vector.so", where && where[0] ? where : ".");
	if (access(ret, R_OK) != 0)
		snprintf(ret, size, "build/release/examples/vector.so");
}

START_TEST(a_loaded_module_can_be_called)
{
	static const double vector[] = { 1, 2, 3 }, product = 14;
	char module[PATH_BYTES], path[PATH_BYTES];
	find_module(module, sizeof module);
	expect_text("", "module", "load", module);
	ctl_until(&host, "vector.dot", "functions");
	scratch_write(&host, "vector", vector, sizeof vector, path, sizeof path);
	char *ref = ctl_expect(&host, 0, "put", path);
	struct output_of o = ctl(&host, "call", "vector.dot", ref, ref);
	ck_assert_uint_eq(o.out_bytes, sizeof product);
	ck_assert_mem_eq(o.out, &product, sizeof product);
	output_free(&o);
	expect_failure(1, "vector.scale takes", "call", "vector.scale", ref);
	expect_failure(66, "loaded already", "module", "load", module);
	free(ref);
}
END_TEST

START_TEST(what_is_no_module_is_66_and_says_why)
{
	char path[PATH_BYTES];
	scratch_write(&host, "text.so", "no ELF", 6, path, sizeof path);
	expect_failure(66, "text.so", "module", "load", path);
	expect_text("probe\ncommand", "module", "list", "--quiet");
}
END_TEST

/* ---- JSON and lists ---- */

START_TEST(json_is_json)
{
	static unsigned char data[256];
	char path[PATH_BYTES];
	for (size_t i = 0; i < sizeof data; i++)
		data[i] = (unsigned char)i;
	scratch_write(&host, "data", data, sizeof data, path, sizeof path);
	char *binary = ctl_expect(&host, 0, "put", path);
	char *text = ctl_expect(&host, 0, "call", "--detach", "probe.echo", "a \"b\"\\\n\té\x01");
	char *bad = ctl_expect(&host, 0, "call", "--detach", "probe.fail", "\"quoted\"");
	const char *const commands[][4] = {
		{ "status" },
		{ "tasks" },
		{ "workers", "--all" },
		{ "objects" },
		{ "functions" },
		{ "module", "list" },
		{ "get", binary },
		{ "get", text },
		{ "get", bad },
		{ "wait", binary, text, bad },
		{ "call", "probe.echo", "x" },
		{ "put", path },
	};
	for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
		const char *const arguments[] = { "--json", commands[i][0], commands[i][1],
			commands[i][2], commands[i][3], NULL };
		struct output_of o = program_run(&host, "plmctl", arguments, NULL, 0);
		unsigned values = 0;
		const char *why = json_lines_check(o.out, o.out_bytes, &values);
		ck_assert_msg(why == NULL, "plmctl --json %s: %s", commands[i][0], why);
		ck_assert_msg(
		    values > 0, "plmctl --json %s prints nothing; %s", commands[i][0], o.err);
		output_free(&o);
	}
	struct output_of o = ctl(&host, "--json", "get", text);
	char *value = json_field(o.out, "value");
	ck_assert_str_eq(value, "a \"b\"\\\n\té\x01");
	free(value);
	output_free(&o);
	free(binary);
	free(text);
	free(bad);
}
END_TEST

START_TEST(lists_show_what_is_there)
{
	char *slow =
	    ctl_expect(&host, 0, "call", "--detach", "--priority", "7", "probe.sleep", "600000");
	char *behind = ctl_expect(&host, 0, "call", "--detach", "probe.sum", slow);
	ctl_until(&host, slow, "tasks", "--quiet", "--state", "running");
	ctl_until(&host, behind, "tasks", "--quiet", "--state", "waiting");
	ctl_until(&host, "probe.sleep", "workers");
	char *workers = ctl_expect(&host, 0, "workers", "--quiet");
	ck_assert_ptr_nonnull(strchr(workers, '\n'));
	char *functions = ctl_expect(&host, 0, "functions", "--quiet");
	ck_assert_ptr_nonnull(strstr(functions, "probe.noop\n"));
	char *modules = ctl_expect(&host, 0, "module", "list", "--quiet");
	ck_assert_str_eq(modules, "probe\ncommand");
	expect_text("", "cancel", slow);
	free(workers);
	free(functions);
	free(modules);
	free(slow);
	free(behind);
}
END_TEST

/* ---- the end of a runtime ---- */

START_TEST(stop_finishes_what_was_accepted_and_now_does_not)
{
	host_boot_two();
	free(ctl_expect(&host, 0, "call", "--detach", "probe.sleep", "200"));
	host_stop();
	host_boot_two();
	free(ctl_expect(&host, 0, "call", "--detach", "probe.sleep", "600000"));
	free(ctl_expect(&host, 0, "stop", "--now"));
	ck_assert(wait_for_death(host.pid));
	runtime_end(&host);
}
END_TEST

START_TEST(a_second_runtime_of_the_name_is_refused_from_any_directory)
{
	char elsewhere[128], made[160];
	scratch_path(&host, "elsewhere", elsewhere, sizeof elsewhere);
	snprintf(made, sizeof made, "%s/plm", elsewhere);
	ck_assert_int_eq(mkdir(elsewhere, 0700), 0);
	setenv("XDG_RUNTIME_DIR", elsewhere, 1);
	struct output_of o =
	    program_run(&host, "plm", (const char *const[]){ "--name", host.name, NULL }, NULL, 0);
	setenv("XDG_RUNTIME_DIR", host.directory, 1);
	ck_assert_int_eq(o.code, 75);
	ck_assert_msg(strstr(o.err, "is up already") && strstr(o.err, "stop it with"), "%s", o.err);
	output_free(&o);
	ck_assert_int_eq(rmdir(made), 0); /* the refused plm left no file */
	ck_assert_int_eq(rmdir(elsewhere), 0);
	free(ctl_expect(&host, 0, "call", "probe.echo", "still here"));
}
END_TEST

static TCase *add_case(Suite *suite, const char *name, void (*setup)(void), void (*teardown)(void))
{
	TCase *tests = tcase_create(name);
	tcase_set_timeout(tests, TEST_TIMEOUT_S);
	if (setup)
		tcase_add_checked_fixture(tests, setup, teardown);
	suite_add_tcase(suite, tests);
	return tests;
}

static void add_plmctl(Suite *suite)
{
	const TTest *const tests[] = {
		call_prints_the_result_and_nothing_else,
		futures_are_arguments,
		unknown_function_is_127_and_is_named,
		a_failure_tells_function_message_and_code,
		a_failure_travels_to_dependants_with_its_root,
		a_signal_is_128_plus_its_number,
		time_running_out_is_124_and_cancels,
		several_results_come_in_order,
		detach_get_drop_then_stale,
		a_reference_of_another_runtime_is_65,
		an_unknown_reference_is_65,
		cancel_ends_a_running_task,
		wait_counts_what_did_not_succeed,
		binary_data_comes_back_as_it_went,
		an_empty_file_and_a_small_one_are_objects_too,
		a_file_that_cannot_be_read_is_66,
		an_object_larger_than_the_store_is_refused,
		a_loaded_module_can_be_called,
		what_is_no_module_is_66_and_says_why,
		json_is_json,
		lists_show_what_is_there,
		a_second_runtime_of_the_name_is_refused_from_any_directory,
	};
	TCase *tcase = add_case(suite, "plmctl", host_boot_two, host_stop);
	for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
		tcase_add_test(tcase, tests[i]);
}

int main(void)
{
	Suite *suite = suite_create("cli");
	TCase *alone = add_case(suite, "no runtime", NULL, NULL);
	tcase_add_test(alone, unknown_runtime_is_69_and_is_named);
	tcase_add_test(alone, usage_errors_are_64_before_anything_is_done);
	tcase_add_test(alone, every_command_explains_itself);
	tcase_add_test(alone, a_malformed_reference_is_65);
	add_plmctl(suite);
	TCase *ending = add_case(suite, "the end", NULL, NULL);
	tcase_add_test(ending, stop_finishes_what_was_accepted_and_now_does_not);
	return run_suite(suite);
}
