/* test_workloads.c - the workloads of examples/workloads yield what a sequential reference yields,
 * at small sizes, with each policy, and while workers are killed.
 *
 * Each program compares its own results and ends with exit code 1 after a difference; the last line
 * tells that the program came to its end. */
#include <check.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/run_suite.h"

enum { TEST_TIMEOUT_S = 300, PATH_BYTES = 4096 };

static char directory[PATH_BYTES]; /* of the workloads of this variant */

static void setup(void)
{
	char own[PATH_BYTES];
	ssize_t n = readlink("/proc/self/exe", own, sizeof own - 1);
	ck_assert_int_gt(n, 0);
	own[n] = 0;
	for (int up = 0; up < 3; up++)
		*strrchr(own, '/') = 0;
	ck_assert_int_lt(snprintf(directory, sizeof directory, "%s/workloads", own), PATH_BYTES);
}

/* What the shell says to this line; the exit code must be 0. The caller frees. */
__attribute__((format(printf, 1, 2))) static char *said(const char *format, ...)
{
	char line[2 * PATH_BYTES], *all = NULL;
	size_t bytes = 0;
	va_list args;
	va_start(args, format);
	ck_assert_int_lt(vsnprintf(line, sizeof line, format, args), (int)sizeof line);
	va_end(args);
	FILE *out = popen(line, "r"), *copy = open_memstream(&all, &bytes);
	ck_assert(out && copy);
	for (int c; (c = fgetc(out)) != EOF;)
		fputc(c, copy);
	fclose(copy);
	ck_assert_msg(pclose(out) == 0, "%s: %s", line, all);
	return all;
}

static void expect_check(const char *program, const char *last_line)
{
	char *text = said("%s/%s check 2>&1", directory, program);
	ck_assert_msg(strstr(text, last_line), "%s: %s", program, text);
	free(text);
}

START_TEST(matrices_are_those_of_blas_and_lapack)
{
	char path[2 * PATH_BYTES];
	snprintf(path, sizeof path, "%s/matrix", directory);
	if (access(path, X_OK) != 0) {
		printf("left out: the matrices: OpenBLAS is not installed (libopenblas-dev)\n");
		return;
	}
	expect_check("matrix", "matrix: all results are right");
}
END_TEST

START_TEST(words_are_those_of_a_sequential_loop)
{
	expect_check("words", "words: all results are right");
}
END_TEST

START_TEST(answers_are_those_of_a_sequential_loop)
{
	expect_check("rag", "rag: all results are right");
}
END_TEST

/* An independent reference: tr, sort and uniq. */
START_TEST(words_of_files_are_those_of_sort_and_uniq)
{
	char *place = said("mktemp -d"), *ours, *right;
	place[strcspn(place, "\n")] = 0;
	free(said("%s/words text %s 5 20000", directory, place));
	right = said("examples/workloads/words/words.sh sort %s/*.txt", place);
	ck_assert_uint_gt(strlen(right), 1000);
	ours = said("%s/words count %s/*.txt", directory, place);
	ck_assert_str_eq(ours, right);
	free(ours);
	ours = said("examples/workloads/words/words.sh plm %s/*.txt", place);
	ck_assert_str_eq(ours, right);
	free(ours);
	free(right);
	free(said("rm -r %s", place));
	free(place);
}
END_TEST

/* More lines than fit in any fixed range for a file; the second file has no last newline. */
START_TEST(lines_of_an_index_count_on_over_all_files)
{
	char *place = said("mktemp -d");
	place[strcspn(place, "\n")] = 0;
	free(said("cd %s && yes 'one two' | head -n 70000 >a && printf 'three\none' >b", place));
	char *lines = said("%s/words index %s/a %s/b", directory, place, place);
	ck_assert_msg(strstr(lines, "\nthree 70000:1\n") && strstr(lines, " 70001:1\nthree") &&
		strncmp(lines, "one 0:1 1:1 ", 12) == 0,
	    "%.100s", lines);
	free(lines);
	free(said("rm -r %s", place));
	free(place);
}
END_TEST

/* A question about a real page gets an answer, and the page is named. */
START_TEST(a_question_is_answered_from_a_page)
{
	char *text =
	    said("%s/rag ask 'static-fill policy worker' docs/scheduling.md docs/durable.md 2>&1",
		directory);
	ck_assert_msg(strstr(text, "from docs/scheduling.md"), "%s", text);
	free(text);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { matrices_are_those_of_blas_and_lapack,
		words_are_those_of_a_sequential_loop, answers_are_those_of_a_sequential_loop,
		words_of_files_are_those_of_sort_and_uniq,
		lines_of_an_index_count_on_over_all_files, a_question_is_answered_from_a_page };
	return run_tests(
	    "workloads", TEST_TIMEOUT_S, setup, NULL, tests, sizeof tests / sizeof tests[0]);
}
