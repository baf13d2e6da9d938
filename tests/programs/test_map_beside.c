/* test_map_beside.c - the tables of options in docs/shell.md: each example runs with the program of
 * the table and with plmctl map, and must give the same output and exit code. In the table of tsp a
 * second line, of plmctl, stands beside the first. A row that says "same" must have an example. */
#include <check.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/map_case.h"
#include "tests/support/run_suite.h"

enum { TEST_TIMEOUT_S = 120, ROWS_MAX = 256, ROWS_LEAST = 85, TEXT_BYTES = 1024 };

struct example {
	const char *theirs, *ours; /* what stands for $T */
	char option[TEXT_BYTES], line[TEXT_BYTES];
	char beside[TEXT_BYTES]; /* our line, if it is another; it has a runtime of one worker */
};

static struct example examples[ROWS_MAX];
static int count;
static char page_path[PATH_MAX]; /* of docs/shell.md: a test has a directory of its own */

static const struct {
	const char *heading, *theirs, *ours;
} sections[] = {
	{ "### `parallel`", "parallel", "plmctl map" },
	{ "### `xargs`", "xargs", "plmctl map --xargs -k" },
	{ "### `tsp`", "tsp", NULL },
};

/* The text between the next two backticks with this word in it, without the escapes of a table.
 * Returns the rest of the cell; NULL: there is no such text. */
static const char *find_example(const char *cell, const char *word, char ret[TEXT_BYTES])
{
	for (const char *at = cell; (at = strchr(at, '`')) != NULL;) {
		const char *begin = at + 1, *end = strchr(begin, '`');
		if (!end)
			break;
		size_t n = 0;
		for (const char *c = begin; c < end && n + 1 < TEXT_BYTES; c++)
			if (c[0] != '\\' || c[1] != '|')
				ret[n++] = *c;
		ret[n] = 0;
		at = end + 1;
		if (strstr(ret, word))
			return at;
	}
	ret[0] = 0;
	return NULL;
}

static void take_row(const char *line, int section)
{
	struct example *e = &examples[count];
	const char *state = strstr(line, "` | ");
	bool row = line[0] == '|' && (state || strncmp(line, "| no option", 11) == 0);
	if (!row)
		return;
	state = strstr(line + 1, " | ") + 3;
	bool same = strncmp(state, "same", 4) == 0;
	bool known = same || strncmp(state, "other", 5) == 0 || strncmp(state, "no ", 3) == 0;
	if (!known || count == ROWS_MAX) {
		fprintf(stderr, "docs/shell.md: not same, other or no: %s", line);
		exit(1);
	}
	const char *rest = find_example(state, "$T", e->line);
	e->beside[0] = 0;
	if (rest && !sections[section].ours)
		rest = find_example(rest, "plmctl", e->beside);
	if (!rest) {
		if (same)
			fprintf(stderr, "docs/shell.md: no example: %s", line);
		if (same)
			exit(1);
		return;
	}
	snprintf(e->option, sizeof e->option, "%.60s", line);
	e->theirs = sections[section].theirs;
	e->ours = sections[section].ours;
	count++;
}

static void read_page(void)
{
	FILE *page = realpath("docs/shell.md", page_path) ? fopen(page_path, "r") : NULL;
	char *line = NULL;
	size_t room = 0;
	int section = -1;
	if (!page) {
		perror("docs/shell.md");
		exit(1);
	}
	while (getline(&line, &room, page) > 0) {
		if (line[0] == '#')
			section = -1;
		for (int i = 0; i < (int)(sizeof sections / sizeof sections[0]); i++)
			if (strncmp(line, sections[i].heading, strlen(sections[i].heading)) == 0)
				section = i;
		if (section >= 0)
			take_row(line, section);
	}
	free(line);
	fclose(page);
}

static bool is_installed(const char *program)
{
	struct output_of o = shell("command -v %s", program);
	bool found = o.code == 0;
	output_free(&o);
	return found;
}

static void prepare(void)
{
	map_setup_beside();
}

/* Each run has a directory of its own, with the same files. */
static struct output_of run_with(const char *tool, const char *line)
{
	file_write("line", line);
	return shell("rm -rf run; mkdir -p run/home; touch run/home/will-cite; cd run; "
		     "export TS_SOCKET=$PWD/socket TMPDIR=$PWD/home; "
		     "printf 'a\\nb\\nc\\n' > letters; T='%s' bash ../line < /dev/null; code=$?; "
		     "[ ! -S socket ] || tsp -K; exit $code",
	    tool);
}

static struct output_of run_ours(const struct example *e)
{
	if (!e->beside[0])
		return run_with(e->ours, e->line);
	map_boot("1", "32M");
	struct output_of o = run_with("plmctl", e->beside);
	map_stop();
	return o;
}

START_TEST(an_example_gives_the_same)
{
	const struct example *e = &examples[_i];
	if (!is_installed(e->theirs)) {
		printf("skipped: %s is not installed: %s\n", e->theirs, e->line);
		return;
	}
	struct output_of theirs = run_with(e->theirs, e->line), ours = run_ours(e);
	ck_assert_msg(theirs.code == ours.code, "%s: %s: exit code %d, not %d; %.300s", e->option,
	    e->line, ours.code, theirs.code, ours.err);
	ck_assert_msg(
	    theirs.out_bytes == ours.out_bytes && memcmp(theirs.out, ours.out, ours.out_bytes) == 0,
	    "%s: %s: %.500s\nnot %.500s; %.300s", e->option, e->line, ours.out, theirs.out,
	    ours.err);
	output_free(&theirs);
	output_free(&ours);
}
END_TEST

/* Prints what the page of program $P names and its table does not. An option of the page begins a
 * paragraph; of the table, a row. parallel's examples are no options. */
static const char unlisted[] =
    "man -P cat $P | col -b | sed '/^EXAMPLE/q' | sed -n 's/^       \\(-.*\\)/\\1/p; "
    "s/^       \\(TS_[A-Z]*\\).*/\\1/p' | sed 's/   *.*//' | "
    "grep -oE '(^|[ ,/|[])(--[a-z][a-z0-9-]*|-[A-Za-z0-9]|TS_[A-Z]*)' | sed 's/^[ ,/|[]//' | "
    "sort -u > named; "
    "sed -n \"/^### .$P.$/,/^##* [^\\`]*$/p\" \"$PAGE\" | sed -n 's/ | .*//; s/^| //p' | "
    "grep -o '`[^`]*`' | tr -d '`' | sort -u > listed; "
    "[ $(wc -l < named) -ge $LEAST ] && comm -23 named listed";

START_TEST(each_option_of_a_page_stands_in_its_table)
{
	static const char *const pages[][2] = { { "parallel", "200" }, { "xargs", "30" },
		{ "tsp", "30" } };
	for (size_t i = 0; i < sizeof pages / sizeof pages[0]; i++) {
		struct output_of o = shell("man -w %s && command -v col", pages[i][0]);
		bool found = o.code == 0;
		output_free(&o);
		if (!found) {
			printf("left out: no manual page of %s, or no col\n", pages[i][0]);
			continue;
		}
		o = shell("export LC_ALL=C MANWIDTH=100 P=%s LEAST=%s PAGE='%s'; %s", pages[i][0],
		    pages[i][1], page_path, unlisted);
		ck_assert_msg(o.code == 0 && o.out[0] == 0, "%s: not in docs/shell.md: %s %s",
		    pages[i][0], o.out, o.err);
		output_free(&o);
	}
}
END_TEST

START_TEST(the_tables_are_read)
{
	ck_assert_int_ge(count, ROWS_LEAST);
}
END_TEST

int main(void)
{
	read_page();
	Suite *suite = suite_create("options beside other programs");
	TCase *tcase = tcase_create("tables");
	tcase_set_timeout(tcase, TEST_TIMEOUT_S);
	tcase_add_checked_fixture(tcase, prepare, map_teardown);
	tcase_add_loop_test(tcase, an_example_gives_the_same, 0, count);
	tcase_add_test(tcase, the_tables_are_read);
	tcase_add_test(tcase, each_option_of_a_page_stands_in_its_table);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
