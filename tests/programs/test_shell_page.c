/* test_shell_page.c - runs the examples of docs/shell.md and docs/durable.md as printed: each
 * block of sh in a shell of its own, all blocks of a page in one directory with one runtime. A
 * block must succeed and print the block of text below. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/fixture.h"
#include "tests/support/run_suite.h"
#include "tests/support/program_runtime.h"

enum { TEST_TIMEOUT_S = 60, PAGE_BYTES = 1 << 16, PATH_BYTES = 4096, EXAMPLES_LEAST = 13 };

/* The next block of this kind from *at on; moves *at behind the block. The caller frees. */
static char *next_block(const char **at, const char *fence)
{
	const char *begin = strstr(*at, fence);
	const char *end = begin ? strstr(begin + strlen(fence), "```\n") : NULL;
	if (!end)
		return NULL;
	begin += strlen(fence);
	*at = end + strlen("```\n");
	return strndup(begin, (size_t)(end - begin));
}

static char *read_page(const char *path)
{
	char *text = calloc(1, PAGE_BYTES);
	FILE *file = fopen(path, "r");
	ck_assert_ptr_nonnull(file);
	ck_assert_uint_lt(fread(text, 1, PAGE_BYTES, file), PAGE_BYTES);
	fclose(file);
	return text;
}

/* The shell finds plmctl by its name, as after an installation. */
static void set_path(void)
{
	const char *where = getenv("PLM_BIN"), *path = getenv("PATH");
	char directory[PATH_BYTES], all[3 * PATH_BYTES];
	ck_assert_ptr_nonnull(realpath(where && where[0] ? where : ".", directory));
	snprintf(all, sizeof all, "%s:%s", directory, path ? path : "/bin:/usr/bin");
	setenv("PATH", all, 1);
	setenv("PLM_NAME", host.name, 1);
}

static void run_block(const char *block, const char *expected)
{
	char script[PATH_BYTES], out[PAGE_BYTES] = "", line[2 * PATH_BYTES];
	scratch_write(&host, "script", block, strlen(block), script, sizeof script);
	snprintf(line, sizeof line, "cd %s && exec sh -e script 2>stderr", host.directory);
	FILE *shell = popen(line, "r");
	ck_assert_ptr_nonnull(shell);
	ck_assert_uint_lt(fread(out, 1, sizeof out - 1, shell), sizeof out - 1);
	int status = pclose(shell);
	ck_assert_msg(status == 0, "wait status %d of\n%s", status, block);
	ck_assert_msg(
	    strcmp(out, expected) == 0, "the page says\n%s, and it prints\n%s", expected, out);
}

static void run_page(const char *path, int least)
{
	char *page = read_page(path), *block;
	const char *at = page;
	int examples = 0;
	runtime_boot(&host, "--workers", "2", );
	set_path();
	for (; (block = next_block(&at, "```sh\n")) != NULL; examples++) {
		char *expected = next_block(&at, "```text\n");
		ck_assert_ptr_nonnull(expected);
		run_block(block, expected);
		free(expected);
		free(block);
	}
	ck_assert_int_ge(examples, least);
	runtime_stop(&host);
	runtime_end(&host);
	free(page);
}

START_TEST(the_examples_print_what_the_page_says)
{
	run_page("docs/shell.md", EXAMPLES_LEAST);
}
END_TEST

START_TEST(what_is_durable_is_there_as_the_page_says)
{
	run_page("docs/durable.md", 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("shell page");
	TCase *tcase = tcase_create("examples");
	tcase_set_timeout(tcase, TEST_TIMEOUT_S);
	tcase_add_test(tcase, the_examples_print_what_the_page_says);
	tcase_add_test(tcase, what_is_durable_is_there_as_the_page_says);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
