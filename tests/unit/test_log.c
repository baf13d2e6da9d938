/* test_log.c - lines of the log: JSON whatever the text, text without commands for a terminal, and
 * priorities for the journal of systemd and nobody else. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "base/log.h"
#include "tests/support/json.h"
#include "tests/support/run_suite.h"
#include "tests/support/suite_watcher.h"

enum { TEST_TIMEOUT_S = 60, ROUNDS = 20000, WILD_BYTES = 700, PATH_BYTES = 128 };

static char printed[LOG_LINE_BYTES + 1];

static struct log_line line_with(const char *message)
{
	return (struct log_line){ .level = LEVEL_WARNING,
		.time = { .tv_sec = 1000000000, .tv_nsec = 123456789 },
		.runtime = "name",
		.role = "worker",
		.title = "worker 3, process slot 5",
		.pid = 4711,
		.message = message };
}

static const char *as_json(const struct log_line *line)
{
	unsigned values;
	size_t bytes = log_line_json(line, printed);
	ck_assert_uint_le(bytes, LOG_LINE_BYTES);
	printed[bytes] = 0;
	ck_assert_uint_eq(strlen(printed), bytes);
	ck_assert_ptr_eq(strchr(printed, '\n'), &printed[bytes - 1]);
	const char *wrong = json_lines_check(printed, bytes, &values);
	ck_assert_msg(!wrong && values == 1, "%s: %s", wrong, printed);
	return printed;
}

static const char *as_text(const struct log_line *line, bool priority)
{
	size_t bytes = log_line_text(line, priority, printed);
	ck_assert_uint_le(bytes, LOG_LINE_BYTES);
	printed[bytes] = 0;
	ck_assert_ptr_eq(strchr(printed, '\n'), &printed[bytes - 1]);
	return printed;
}

static void expect_field(const char *line, const char *key, const char *expected)
{
	char *value = json_field(line, key);
	ck_assert_msg(expected ? value && strcmp(value, expected) == 0 : !value, "%s is %s in %s",
	    key, value ? value : "missing", line);
	free(value);
}

START_TEST(a_line_of_json_has_the_writer_the_subject_and_the_message)
{
	struct log_line line = line_with("gone");
	line.self = ABOUT(ABOUT_WORKER(3), ABOUT_PROCESS_SLOT(5));
	line.about = ABOUT(ABOUT_SIGNAL(9), ABOUT_EXIT_CODE(-1), ABOUT_TASK("@1.2.3\"\n"));
	const char *json = as_json(&line);
	expect_field(json, "time", "2001-09-09T01:46:40.123456Z");
	expect_field(json, "level", "warning");
	expect_field(json, "runtime", "name");
	expect_field(json, "role", "worker");
	expect_field(json, "pid", "4711");
	expect_field(json, "worker", "3");
	expect_field(json, "process_slot", "5");
	expect_field(json, "signal", "9");
	expect_field(json, "exit_code", NULL);
	expect_field(json, "task", "@1.2.3\"\n");
	expect_field(json, "message", "gone");
}
END_TEST

START_TEST(text_in_utf8_passes_unchanged)
{
	static const char text[] = "a \"path\\name\"\n\ttab \x1b[31m \x7f caf\xc3\xa9 \xe2\x82"
				   "\xac \xf0\x9f\x98\x80";
	struct log_line line = line_with(text);
	expect_field(as_json(&line), "message", text);
}
END_TEST

START_TEST(any_bytes_give_a_line_of_json)
{
	uint64_t random = RANDOM_SEED;
	char message[WILD_BYTES + 1], path[WILD_BYTES + 1];
	for (int round = 0; round < ROUNDS; round++) {
		size_t n = random_next(&random) % WILD_BYTES;
		for (size_t i = 0; i < n; i++) {
			message[i] = (char)(random_next(&random) % 255 + 1);
			path[n - 1 - i] = message[i];
		}
		message[n] = path[n] = 0;
		struct log_line line = line_with(message);
		line.about = ABOUT(ABOUT_PATH(path), ABOUT_TASK(path));
		as_json(&line);
	}
}
END_TEST

/* Each byte of the message may be the one without room: a shift for each length of a character. */
START_TEST(long_texts_are_cut_between_characters)
{
	static const char *const characters[] = { "a", "\"", "\x01", "\xff", "\xc3\xa9",
		"\xe2\x82\xac", "\xf0\x9f\x98\x80" };
	char message[3 * LOG_LINE_BYTES];
	for (size_t c = 0; c < sizeof characters / sizeof characters[0]; c++)
		for (size_t shift = 0; shift < 8; shift++) {
			size_t n = strlen(characters[c]);
			memset(message, 'x', shift);
			for (size_t at = shift; at + n < sizeof message; at += n)
				memcpy(message + at, characters[c], n + 1);
			struct log_line line = line_with(message);
			line.about = ABOUT(ABOUT_PATH(message), ABOUT_TASK(message));
			ck_assert_uint_gt(strlen(as_json(&line)), LOG_LINE_BYTES - 8);
			ck_assert_uint_gt(strlen(as_text(&line, true)), LOG_LINE_BYTES - 8);
		}
}
END_TEST

START_TEST(text_brings_no_command_to_a_terminal)
{
	struct log_line line = line_with("a\x1b[2Jb\nc\x7f\xc2\x9b"
					 "d\xff caf\xc3\xa9");
	const char *text = as_text(&line, false);
	ck_assert_msg(strstr(text,
			  " plm[name] worker 3, process slot 5: warning: "
			  "a?[2Jb?c??d? caf\xc3\xa9\n"),
	    "%s", text);
}
END_TEST

START_TEST(priorities_stand_in_front)
{
	static const struct {
		enum log_level level;
		const char *start, *word;
	} expected[] = {
		{ LEVEL_ERROR, "<3>", "plm: gone" },
		{ LEVEL_WARNING, "<4>", ": warning: gone" },
		{ LEVEL_INFO, "<6>", "slot 5: gone" },
	};
	struct log_line line = line_with("gone");
	for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
		line.level = expected[i].level;
		ck_assert_int_eq(strncmp(as_text(&line, true), expected[i].start, 3), 0);
		ck_assert_ptr_nonnull(strstr(printed, expected[i].word));
		ck_assert_ptr_null(strchr(as_text(&line, false), '<'));
	}
}
END_TEST

/* ---- the whole log ---- */

/* What a process logs whose stderr is a file, and whose JOURNAL_STREAM names this inode. */
static const char *logged(uint64_t inode_off, const char *form, const char *quiet)
{
	char path[PATH_BYTES], stream[PATH_BYTES];
	struct stat st;
	test_path("log", path, sizeof path);
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	int before = dup(STDERR_FILENO);
	ck_assert(fd >= 0 && before >= 0 && fstat(fd, &st) == 0);
	snprintf(stream, sizeof stream, "%llu:%llu", (unsigned long long)st.st_dev,
	    (unsigned long long)(st.st_ino + inode_off));
	setenv("JOURNAL_STREAM", stream, 1);
	setenv(LOG_FORM, form, 1);
	setenv(LOG_QUIET, quiet, 1);
	dup2(fd, STDERR_FILENO);
	log_open("name", "manager");
	log_info("one");
	log_warn_about(ABOUT(ABOUT_PID(7)), "%s", "two");
	dup2(before, STDERR_FILENO);
	ssize_t n = pread(fd, printed, sizeof printed - 1, 0);
	printed[n > 0 ? n : 0] = 0;
	close(fd);
	close(before);
	unlink(path);
	return printed;
}

START_TEST(only_the_journal_gets_priorities)
{
	const char *text = logged(0, "text", "");
	ck_assert_msg(strncmp(text, "<6>", 3) == 0 && strstr(text, "one\n<4>"), "%s", text);
	text = logged(1, "text", "");
	ck_assert_msg(strstr(text, "one\n") && !strchr(text, '<'), "%s", text);
	unsigned values;
	text = logged(0, "json", "");
	ck_assert_ptr_null(json_lines_check(text, strlen(text), &values));
	ck_assert_uint_eq(values, 2);
	expect_field(strchr(text, '\n') + 1, "about_pid", "7");
}
END_TEST

static void log_a_bug(void *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	dup2(fd, STDERR_FILENO);
	setenv(LOG_FORM, "json", 1);
	log_open("name", "manager");
	CHECK(printed[0] == 1);
}

START_TEST(a_failed_check_is_a_line_of_the_log)
{
	char path[PATH_BYTES];
	int status;
	test_path("bug", path, sizeof path);
	pid_t pid = child_of(log_a_bug, path);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	FILE *file = fopen(path, "r");
	ck_assert_ptr_nonnull(file);
	ck_assert_ptr_nonnull(fgets(printed, sizeof printed, file));
	fclose(file);
	unlink(path);
	expect_field(printed, "level", "error");
	ck_assert_ptr_nonnull(strstr(printed, "this must hold: printed[0] == 1"));
}
END_TEST

START_TEST(quiet_leaves_warnings)
{
	const char *text = logged(1, "text", "1");
	ck_assert_msg(!strstr(text, "one") && strstr(text, "two"), "%s", text);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		a_line_of_json_has_the_writer_the_subject_and_the_message,
		text_in_utf8_passes_unchanged,
		any_bytes_give_a_line_of_json,
		long_texts_are_cut_between_characters,
		text_brings_no_command_to_a_terminal,
		priorities_stand_in_front,
		only_the_journal_gets_priorities,
		a_failed_check_is_a_line_of_the_log,
		quiet_leaves_warnings,
	};
	return run_tests("log", TEST_TIMEOUT_S, NULL, NULL, tests, sizeof tests / sizeof tests[0]);
}
