/* test_spec.c - texts of workers and needs: accepted texts, errors for the rest, and printed
 * texts that read back the same. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/why.h"
#include "spec/spec.h"
#include "tests/support/run_suite.h"
#include "tests/support/suite_watcher.h"

enum { KINDS_TEXT_BYTES = WORKER_KINDS_MAX * SPEC_TEXT_BYTES, MUTATIONS = 20000 };

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct described { /* the result of spec_workers() */
	struct resource_names names;
	struct worker_kind kind[WORKER_KINDS_MAX];
	uint32_t kinds;
};

static int describe(const char *text, struct described *d)
{
	return spec_workers(text, &d->names, d->kind, &d->kinds);
}

static void print_kinds(const struct described *d, char ret[KINDS_TEXT_BYTES])
{
	size_t n = 0;
	ret[0] = 0;
	for (uint32_t i = 0; i < d->kinds; i++) {
		n += (size_t)snprintf(ret + n, KINDS_TEXT_BYTES - n, "%s", i ? "; " : "");
		n += spec_print_kind(&d->kind[i], &d->names, ret + n, KINDS_TEXT_BYTES - n);
		ck_assert_uint_lt(n, KINDS_TEXT_BYTES);
	}
}

static void print_needs(
    const struct terms *terms, const struct resource_names *names, char ret[KINDS_TEXT_BYTES])
{
	size_t n = 0;
	for (uint32_t i = 0; i < terms->alternatives; i++) {
		n += (size_t)snprintf(ret + n, KINDS_TEXT_BYTES - n, "%s", i ? " | " : "");
		n +=
		    spec_print_demand(&terms->alternative[i], names, ret + n, KINDS_TEXT_BYTES - n);
	}
}

struct row {
	const char *text, *expected;
};

/* ---- workers ---- */

START_TEST(workers_are_kinds_with_defaults)
{
	static const struct row rows[] = {
		{ "4", "gen=1,cpus=1 x4" },
		{ "512", "gen=1,cpus=1 x512" },
		{ "gen=4,cpus=2,gpu=1 x2; gen=1,cpus=5 x2",
		    "gen=4,cpus=2,gpus=1 x2; gen=1,cpus=5 x2" },
		{ "cpus=64", "gen=1,cpus=64 x1" },
		{ "cpu=2", "gen=1,cpus=2 x1" },
		{ "slots=2 x3", "gen=1,cpus=2 x3" }, /* the older spelling */
		{ "gen=4,slots=2; cpus=3", "gen=4,cpus=2 x1; gen=1,cpus=3 x1" },
		{ "gen=Gen3", "gen=3,cpus=1 x1" },
		{ "gen=gen2", "gen=2,cpus=1 x1" },
		{ " gen = 2 ,cpus\t= 3  x2 ", "gen=2,cpus=3 x2" },
		{ "gpus=0,gen=1", "gen=1,cpus=1 x1" },
		{ "gpus=8 x3", "gen=1,cpus=1,gpus=8 x3" },
		{ "mem=1024M", "gen=1,cpus=1,mem=1G x1" },
		{ "mem=1536m", "gen=1,cpus=1,mem=1536M x1" },
		{ "memory=7", "gen=1,cpus=1,mem=7 x1" },
		{ "mem=1024T", "gen=1,cpus=1,mem=1024T x1" },
		{ "licence=2,ssd=0.5", "gen=1,cpus=1,licence=2,ssd=0.5 x1" },
		{ "ssd=0.125 x2;licence=1000000000",
		    "gen=1,cpus=1,ssd=0.125 x2; gen=1,cpus=1,licence=1000000000 x1" },
		{ "x2=1 x2", "gen=1,cpus=1,x2=1 x2" },
		{ "gen=4 x0;2", "gen=4,cpus=1 x0; gen=1,cpus=1 x2" },
		{ "gen=1;gen=1", "gen=1,cpus=1 x1; gen=1,cpus=1 x1" },
		{ "# all\n\n gen=2 # old\r\n;;gen=1 x3#", "gen=2,cpus=1 x1; gen=1,cpus=1 x3" },
		{ "abcdefghijklmno=1", "gen=1,cpus=1,abcdefghijklmno=1 x1" },
		{ "a=1,b=1,c=1,d=1,e=1", "gen=1,cpus=1,a=1,b=1,c=1,d=1,e=1 x1" },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct described d = { 0 };
		char text[KINDS_TEXT_BYTES];
		ck_assert_msg(
		    describe(rows[i].text, &d) == 0, "\"%s\": %s", rows[i].text, why_text());
		print_kinds(&d, text);
		ck_assert_str_eq(text, rows[i].expected);
	}
}
END_TEST

START_TEST(amounts_are_thousandths_and_bytes)
{
	struct described d = { 0 };
	ck_assert_int_eq(describe("gen=4,cpus=5,mem=2K,gpus=3,ssd=0.025 x7", &d), 0);
	ck_assert_uint_eq(d.kinds, 1);
	const struct worker_kind *kind = &d.kind[0];
	ck_assert_uint_eq(kind->count, 7);
	ck_assert_uint_eq(kind->generation, 4);
	ck_assert_uint_eq(kind->cpus, 5);
	ck_assert_uint_eq(kind->inject, 0);
	ck_assert_uint_eq(kind->amount[RESOURCE_CPUS], 5000);
	ck_assert_uint_eq(kind->amount[RESOURCE_MEMORY], 2048);
	ck_assert_uint_eq(kind->amount[RESOURCE_GPUS], 3000);
	ck_assert_uint_eq(kind->amount[RESOURCE_FIRST_NAMED], 25);
}
END_TEST

START_TEST(a_new_name_gets_the_next_number_and_keeps_it)
{
	struct described d = { 0 };
	ck_assert_int_eq(describe("b=1,a=2; c=3,a=4", &d), 0);
	ck_assert_int_eq(describe("a=7,d=1", &d), 0);
	static const char *const expected[RESOURCES_MAX] = { "cpus", "mem", "gpus", "b", "a", "c",
		"d", "" };
	for (size_t i = 0; i < RESOURCES_MAX; i++)
		ck_assert_str_eq(d.names.name[i], expected[i]);
	ck_assert_uint_eq(d.kind[0].amount[4], 7000);
	ck_assert_ptr_null(spec_resource_name(&d.names, 7));
	ck_assert_ptr_null(spec_resource_name(&d.names, RESOURCES_MAX));
}
END_TEST

static void assert_refused(const struct row *row, int code, const char *said)
{
	ck_assert_msg(code == -EINVAL, "\"%s\" gives %d", row->text, code);
	ck_assert_msg(strstr(said, row->expected) != NULL, "\"%s\": \"%s\", not \"%s\"", row->text,
	    said, row->expected);
}

static const struct row wrong_workers[] = {
	{ "", "workers: the end at character 1: at least one worker is needed" },
	{ " ;\n# none\n", "at least one worker is needed" },
	{ "0", "at least one worker is needed" },
	{ "gen=1 x0; gen=2 x0", "at least one worker is needed" },
	{ "gen=0", "\"gen=0\" at character 1: expected a whole number from 1 to 4" },
	{ "gen=1; gen=5", "\"gen=5\" at character 8" },
	{ "gen=Gen", "whole number from 1 to 4" },
	{ "gen=1.5", "whole number from 1 to 4" },
	{ "cpus=0", "\"cpus=0\" at character 1: expected a whole number from 1 to 64" },
	{ "cpus=65", "from 1 to 64" },
	{ "cpus=-1", "from 1 to 64" },
	{ "cpus=+1", "from 1 to 64" },
	{ "cpus=0x4", "from 1 to 64" },
	{ "cpus=1e1", "from 1 to 64" },
	{ "cpus=99999999999999999999", "from 1 to 64" },
	{ "cpus=18446744073709551617", "from 1 to 64" },
	{ "gpus=0.5", "whole number from 0 to 1000000000" },
	{ "gpus=1x2", "\"gpus=1x2\"" },
	{ "mem=0", "expected a size such as 512M or 4G, at most 1024T" },
	{ "mem=1X", "expected a size" },
	{ "mem=1GB", "expected a size" },
	{ "mem=G", "expected a size" },
	{ "mem=1.5G", "expected a size" },
	{ "mem=1025T", "at most 1024T" },
	{ "mem=18014398509481985K", "at most 1024T" },
	{ "mem=99999999999999999999", "at most 1024T" },
	{ "ssd=0.0005", "up to 3 decimals" },
	{ "ssd=.5", "up to 3 decimals" },
	{ "ssd=1.", "up to 3 decimals" },
	{ "ssd=1..2", "up to 3 decimals" },
	{ "ssd=1000000000.001", "from 0 to 1000000000" },
	{ "ssd=18446744073709552", "from 0 to 1000000000" },
	{ "slots=65", "\"slots=65\" at character 1: expected a whole number from 1 to 64" },
	{ "inject=fail", "faults have a text of their own" },
	{ "gen=1,gen=2", "\"gen=2\" at character 7: gen is given already" },
	{ "cpus=1,cpus=1", "cpus is given already" },
	{ "cpus=1,slots=1", "slots is given already" },
	{ "slots=1,cpu=1", "cpu is given already" },
	{ "gpu=1,gpus=1", "\"gpus=1\" at character 7: gpus is given already" },
	{ "mem=1,memory=1", "memory is given already" },
	{ "ssd=1,ssd=1", "ssd is given already" },
	{ "gen", "\"gen\" at character 1: expected gen=VALUE" },
	{ "gen=", "the end at character 5: expected a value" },
	{ "gen=,cpus=1", "\",\" at character 5: expected a value" },
	{ "=1", "\"=\" at character 1: expected KEY=VALUE" },
	{ "gen=1,", "the end at character 7: expected KEY=VALUE" },
	{ "gen=1,,cpus=1", "\",\" at character 7: expected KEY=VALUE" },
	{ "gen=1,\ncpus=1", "the end at character 7: expected KEY=VALUE" },
	{ "a-b=1", "\"a-b\" at character 1: a key is a letter" },
	{ "gen=1,2a=1", "\"2a\" at character 7: a key is a letter" },
	{ "\xc3\xa9=1", "\"??\" at character 1: a key is a letter" },
	{ "2a=1", "\"2a\" at character 1: expected a whole number from 0 to 1000" },
	{ "gen=1 x", "\"x\" at character 7: expected a comma, xN" },
	{ "gen=1 xx", "\"xx\" at character 7: expected a whole number from 0 to 1000" },
	{ "gen=1 x-1", "\"x-1\" at character 7" },
	{ "gen=1 x1001", "\"x1001\" at character 7: expected a whole number from 0 to 1000" },
	{ "gen=1 x4294967297", "from 0 to 1000" },
	{ "gen=1 x2 x2", "\"x2\" at character 10: expected" },
	{ "gen=1 2", "\"2\" at character 7: expected a comma, xN" },
	{ "4 4", "\"4\" at character 3: expected a comma, xN" },
	{ "gen=1=2", "\"=\" at character 6: expected a comma, xN" },
	{ "gen=1 | gen=2", "\"|\" at character 7: expected a comma, xN" },
	{ "1001", "from 0 to 1000" },
	{ "cpus=64 x15; 41",
	    "\"41\" at character 14: the workers up to here have 1001 cpus, at most 1000" },
	{ "cpus=64 x16", "the workers up to here have 1024 cpus, at most 1000" },
	{ "abcdefghijklmnop=1", "has at most 15 characters" },
	{ "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz=1",
	    "\"abcdefghijklmnopqrstuvwxyzabcdefgh...\" at character 1: the name" },
	{ "a=1,b=1,c=1,d=1,e=1,f=1", "\"f\" at character 21: at most 5 resources" },
	{ "1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1", "\"1\" at character 33: at most 16 kinds" },
};

START_TEST(what_is_wrong_with_workers_is_said_where_it_stands)
{
	for (size_t i = 0; i < COUNT(wrong_workers); i++) {
		struct described d = { 0 };
		assert_refused(&wrong_workers[i], describe(wrong_workers[i].text, &d), why_text());
	}
}
END_TEST

START_TEST(a_refused_text_changes_nothing)
{
	struct described d, before;
	memset(&d, 0, sizeof d);
	memset(&before, 0, sizeof before);
	ck_assert_int_eq(describe("ssd=4,gen=9", &d), -EINVAL);
	ck_assert_mem_eq(&d, &before, sizeof d);
	ck_assert_int_eq(describe("gen=3,licence=1", &d), 0);
	before = d;
	ck_assert_int_eq(describe("gen=2,ssd=4 x2; gen=9", &d), -EINVAL);
	ck_assert_mem_eq(&d, &before, sizeof d);
}
END_TEST

/* ---- files ---- */

static char path[96];

static void make_file(void)
{
	test_path("spec-XXXXXX", path, sizeof path);
	int fd = mkstemp(path);
	ck_assert_int_ge(fd, 0);
	close(fd);
}

static void remove_file(void)
{
	unlink(path);
}

static int describe_file(const void *content, size_t bytes, struct described *d)
{
	int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	ck_assert_int_eq(write(fd, content, bytes), (ssize_t)bytes);
	close(fd);
	return spec_workers_file(path, &d->names, d->kind, &d->kinds);
}

START_TEST(a_file_has_the_same_grammar)
{
	static const char content[] = "# two kinds\ngen=4,cpus=2,gpu=1 x2\n\n"
				      "  gen=1,cpus=5 x2 # the old ones\n";
	struct described d = { 0 };
	char text[KINDS_TEXT_BYTES];
	ck_assert_int_eq(describe_file(content, strlen(content), &d), 0);
	print_kinds(&d, text);
	ck_assert_str_eq(text, "gen=4,cpus=2,gpus=1 x2; gen=1,cpus=5 x2");
}
END_TEST

START_TEST(what_is_wrong_with_a_file_is_said_by_path_and_line)
{
	static const char content[] = "# one\ngen=1 x2\ngen=2; gen=7\n";
	char expected[160];
	struct described d = { 0 };
	snprintf(expected, sizeof expected, "%s:3: \"gen=7\": expected a whole number", path);
	assert_refused(&(struct row){ content, expected },
	    describe_file(content, strlen(content), &d), why_text());
	snprintf(expected, sizeof expected, "%s:2: the end: at least one worker is needed", path);
	assert_refused(&(struct row){ "\n", expected }, describe_file("\n", 1, &d), why_text());
}
END_TEST

START_TEST(a_file_is_text_of_a_bounded_size)
{
	static char content[SPEC_FILE_BYTES_MAX + 1] = "2 #";
	struct described d = { 0 };
	memset(content + 3, 'x', sizeof content - 3);
	ck_assert_int_eq(describe_file(content, sizeof content - 1, &d), 0);
	assert_refused(&(struct row){ "too large", "at most 65536 bytes" },
	    describe_file(content, sizeof content, &d), why_text());
	assert_refused(
	    &(struct row){ "a zero", "byte 2 is zero" }, describe_file("1\0;", 3, &d), why_text());
	ck_assert_int_eq(spec_workers_file("/no-such-file", &d.names, d.kind, &d.kinds), -ENOENT);
	ck_assert_ptr_nonnull(strstr(why_text(), "/no-such-file"));
	ck_assert_int_eq(spec_workers_file("/tmp", &d.names, d.kind, &d.kinds), -EISDIR);
}
END_TEST

/* ---- needs ---- */

static struct resource_names names_given(void)
{
	struct described d = { 0 };
	ck_assert_int_eq(describe("licence=1,ssd=1", &d), 0);
	return d.names;
}

START_TEST(needs_are_alternatives_with_a_cpu_at_least)
{
	static const struct row rows[] = {
		{ "cpus=2,mem=1G,gpus=0.5,licence=1", "cpus=2,mem=1G,gpus=0.5,licence=1" },
		{ "gpus=1 | cpus=8", "gpus=1 | cpus=8" },
		{ "cpu=1|gpu=1.000|memory=3|ssd=0.25", "cpus=1 | gpus=1 | mem=3 | ssd=0.25" },
		{ " gpus = 0.001 # little", "gpus=0.001" },
		{ "gpus=16", "gpus=16" },
		{ "ssd=1.5", "ssd=1.5" },
	};
	struct resource_names names = names_given();
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct terms terms = { .run_ms = 5 };
		char text[KINDS_TEXT_BYTES];
		ck_assert_msg(spec_needs(rows[i].text, &names, &terms) == 0, "\"%s\": %s",
		    rows[i].text, why_text());
		print_needs(&terms, &names, text);
		ck_assert_str_eq(text, rows[i].expected);
		ck_assert_uint_eq(terms.run_ms, 5);
		for (uint32_t n = 0; n < terms.alternatives; n++)
			ck_assert_uint_ge(terms.alternative[n].amount[RESOURCE_CPUS], AMOUNT_UNIT);
	}
}
END_TEST

START_TEST(what_is_wrong_with_needs_is_said_where_it_stands)
{
	static const struct row rows[] = {
		{ "", "needs: the end at character 1: expected KEY=VALUE" },
		{ "cpus=0", "expected a whole number from 1 to" },
		{ "cpus=0.5", "expected a whole number from 1 to" },
		{ "cpus=1000000001", "to 1000000000" },
		{ "gpus=0", "from 0.001 to" },
		{ "gpus=1.5", "\"gpus=1.5\" at character 1: expected a share below 1 or a whole" },
		{ "gpus=0.0001", "up to 3 decimals" },
		{ "mem=0", "expected a size" },
		{ "licence=0", "from 0.001 to" },
		{ "tape=1",
		    "\"tape\" at character 1: no worker has such a resource; the resources are "
		    "cpus, mem, gpus, licence, ssd" },
		{ "gen=4", "no worker has such a resource" },
		{ "cpus=1,cpu=1", "cpu is given already" },
		{ "cpus=1 |", "the end at character 9: expected KEY=VALUE" },
		{ "| cpus=1", "\"|\" at character 1" },
		{ "cpus=1 || cpus=2", "\"|\" at character 9" },
		{ "cpus=1,", "expected KEY=VALUE" },
		{ "cpus=1;cpus=2", "\";\" at character 7: expected a comma, | or the end" },
		{ "cpus=1\n", "the end at character 7: expected a comma, | or the end" },
		{ "cpus=1 x2", "\"x2\" at character 8: expected a comma, | or the end" },
		{ "cpus=1|cpus=2|cpus=3|cpus=4|cpus=5", "\"cpus\" at character 29: at most 4" },
	};
	struct resource_names names = names_given();
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct terms terms, before;
		memset(&terms, 0x55, sizeof terms);
		before = terms;
		assert_refused(&rows[i], spec_needs(rows[i].text, &names, &terms), why_text());
		ck_assert_mem_eq(&terms, &before, sizeof terms);
	}
}
END_TEST

START_TEST(what_no_worker_can_ever_meet_is_refused_with_what_is_missing)
{
	static const char workers[] = "gen=4,cpus=2,gpus=1,licence=1; cpus=5,mem=4G; tape=0";
	static const struct row rows[] = {
		/* expected NULL: fits */
		{ "cpus=5", NULL },
		{ "cpus=2,gpus=1,licence=1,mem=8G", NULL },
		{ "gpus=0.5,licence=0.25", NULL },
		{ "gpus=2 | cpus=5", NULL },
		{ "cpus=5,mem=4G", NULL },
		{ "cpus=6", "cpus=6: no worker has more than 5" },
		{ "gpus=2", "gpus=2: no worker has more than 1" },
		{ "tape=0.5", "tape=0.5: no worker has any" },
		{ "mem=9G", "mem=9G: no worker has more than 8G" },
		{ "cpus=3,gpus=1", "cpus=3,gpus=1: no worker has all of these" },
		{ "cpus=5,mem=5G", "cpus=5,mem=5G: no worker has all of these" },
		{ "gpus=2 | cpus=6",
		    "gpus=2: no worker has more than 1; cpus=6: no worker has more" },
	};
	struct described d = { 0 };
	ck_assert_int_eq(describe(workers, &d), 0);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct terms terms = { 0 };
		ck_assert_int_eq(spec_needs(rows[i].text, &d.names, &terms), 0);
		int r = needs_fit(&terms, d.kind, d.kinds, 0, (uint64_t)8 << 30, &d.names);
		if (rows[i].expected)
			assert_refused(&rows[i], r, why_text());
		else
			ck_assert_msg(r == 0, "\"%s\": %s", rows[i].text, why_text());
	}
}
END_TEST

START_TEST(a_slot_of_any_worker_and_a_machine_without_bounds_fit)
{
	struct described d = { 0 };
	struct terms terms = { 0 };
	ck_assert_int_eq(describe("1", &d), 0);
	ck_assert_int_eq(needs_fit(&terms, d.kind, d.kinds, 0, 1, &d.names), 0);
	ck_assert_int_eq(spec_needs("mem=1024T", &d.names, &terms), 0);
	ck_assert_int_eq(needs_fit(&terms, d.kind, d.kinds, 0, 0, &d.names), 0);
}
END_TEST

/* ---- back to text ---- */

START_TEST(what_does_not_fit_is_cut_and_counted)
{
	struct described d = { 0 };
	char text[8], nothing = 'x';
	ck_assert_int_eq(describe("gen=2,ssd=0.5 x3", &d), 0);
	ck_assert_uint_eq(spec_print_kind(&d.kind[0], &d.names, text, sizeof text),
	    strlen("gen=2,cpus=1,ssd=0.5 x3"));
	ck_assert_str_eq(text, "gen=2,c");
	ck_assert_uint_eq(
	    spec_print_kind(&d.kind[0], &d.names, &nothing, 0), strlen("gen=2,cpus=1,ssd=0.5 x3"));
	ck_assert_int_eq(nothing, 'x');
}
END_TEST

static uint64_t below(uint64_t *seed, uint64_t n)
{
	return random_next(seed) % n;
}

/* Small numbers, large ones, and some that end in zeros. */
static uint64_t any_amount(uint64_t *seed, uint64_t max)
{
	uint64_t n = random_next(seed) >> below(seed, 64);
	n = below(seed, 2) ? n : n / 1000 * 1000;
	return n > max ? max : n;
}

START_TEST(any_kind_that_is_printed_reads_as_itself)
{
	uint64_t seed = RANDOM_SEED;
	const uint64_t most = (uint64_t)AMOUNT_MAX * AMOUNT_UNIT;
	for (int i = 0; i < MUTATIONS; i++) {
		struct described d = { .names = names_given(), .kinds = 1 }, again;
		struct worker_kind *kind = &d.kind[0];
		kind->cpus = 1 + (uint32_t)below(&seed, CPUS_MAX);
		kind->count = 1 + (uint32_t)below(&seed, WORKERS_MAX / kind->cpus);
		kind->generation = 1 + (uint32_t)below(&seed, GENERATIONS);
		kind->amount[RESOURCE_CPUS] = (uint64_t)kind->cpus * AMOUNT_UNIT;
		kind->amount[RESOURCE_MEMORY] = any_amount(&seed, MEMORY_MAX);
		kind->amount[RESOURCE_GPUS] = any_amount(&seed, most) / 1000 * 1000;
		kind->amount[3] = any_amount(&seed, most);
		kind->amount[4] = any_amount(&seed, most);
		char text[KINDS_TEXT_BYTES];
		print_kinds(&d, text);
		ck_assert_uint_lt(strlen(text), SPEC_TEXT_BYTES);
		again = (struct described){ .names = d.names };
		ck_assert_msg(describe(text, &again) == 0, "\"%s\": %s", text, why_text());
		ck_assert_mem_eq(&again, &d, sizeof d);
	}
}
END_TEST

/* ---- damaged texts ---- */

/* A copy at the end of its memory, so that a sanitizer notices a read beyond the end. */
static char *mutated(const char *const *texts, size_t n, uint64_t *seed)
{
	static const char alphabet[] = "gensltpumxcid0123456789=,;|.:@%#-+ \t\n\r\x7f\xff";
	char text[256];
	int length = snprintf(text, sizeof text, "%s%s", texts[below(seed, n)],
	    below(seed, 4) ? "" : texts[below(seed, n)]);
	ck_assert_int_lt(length, (int)sizeof text);
	for (uint64_t changes = 1 + below(seed, 3); changes > 0 && text[0]; changes--) {
		size_t at = below(seed, strlen(text)), rest = strlen(text + at);
		char c = alphabet[below(seed, sizeof alphabet - 1)];
		if (below(seed, 3) == 0)
			memmove(text + at, text + at + 1, rest);
		else if (below(seed, 2) || strlen(text) + 1 == sizeof text)
			text[at] = c;
		else {
			memmove(text + at + 1, text + at, rest + 1);
			text[at] = c;
		}
	}
	char *copy = strdup(text);
	ck_assert_ptr_nonnull(copy);
	return copy;
}

START_TEST(damaged_workers_are_refused_or_mean_what_is_printed)
{
	static const char *const texts[] = { "4", "gen=4,cpus=2,gpu=1 x2; gen=1,slots=5 x2",
		"gen=Gen3,mem=512M,licence=2,ssd=0.5 x3", "#c\ncpus=64 x8", "2;2;2;2;2;2;2;2" };
	uint64_t seed = RANDOM_SEED;
	int accepted = 0;
	for (int i = 0; i < MUTATIONS; i++) {
		char *damaged = mutated(texts, COUNT(texts), &seed), text[KINDS_TEXT_BYTES];
		struct described d = { 0 }, again;
		why_clear();
		int r = describe(damaged, &d);
		ck_assert_msg(r == 0 || (r == -EINVAL && !strncmp(why_text(), "workers: ", 9)),
		    "\"%s\": %d, %s", damaged, r, why_text());
		if (r == 0) {
			accepted++;
			print_kinds(&d, text);
			again = (struct described){ .names = d.names };
			ck_assert_msg(describe(text, &again) == 0, "\"%s\": %s", text, why_text());
			ck_assert_msg(memcmp(&again, &d, sizeof d) == 0, "\"%s\" became \"%s\"",
			    damaged, text);
		}
		free(damaged);
	}
	ck_assert_int_gt(accepted, MUTATIONS / 100);
	ck_assert_int_lt(accepted, MUTATIONS);
}
END_TEST

START_TEST(damaged_needs_are_refused_or_mean_what_is_printed)
{
	static const char *const texts[] = { "cpus=2,mem=1G,gpus=0.5,licence=1", "gpus=1 | cpus=8",
		"ssd=0.125|mem=64K|cpus=12", "cpu=1" };
	struct resource_names names = names_given();
	uint64_t seed = RANDOM_SEED;
	int accepted = 0;
	for (int i = 0; i < MUTATIONS; i++) {
		char *damaged = mutated(texts, COUNT(texts), &seed), text[KINDS_TEXT_BYTES];
		struct terms terms = { 0 }, again = { 0 };
		why_clear();
		int r = spec_needs(damaged, &names, &terms);
		ck_assert_msg(r == 0 || (r == -EINVAL && !strncmp(why_text(), "needs: ", 7)),
		    "\"%s\": %d, %s", damaged, r, why_text());
		if (r == 0) {
			accepted++;
			print_needs(&terms, &names, text);
			ck_assert_int_eq(spec_needs(text, &names, &again), 0);
			ck_assert_msg(memcmp(&again, &terms, sizeof terms) == 0,
			    "\"%s\" became \"%s\"", damaged, text);
		}
		free(damaged);
	}
	ck_assert_int_gt(accepted, MUTATIONS / 100);
	ck_assert_int_lt(accepted, MUTATIONS);
}
END_TEST

static void add_tests(Suite *suite, const char *name, const TTest *const *tests, size_t n)
{
	TCase *tcase = tcase_create(name);
	for (size_t i = 0; i < n; i++)
		tcase_add_test(tcase, tests[i]);
	tcase_set_timeout(tcase, 60);
	suite_add_tcase(suite, tcase);
}

int main(void)
{
	const TTest *const workers[] = {
		workers_are_kinds_with_defaults,
		amounts_are_thousandths_and_bytes,
		a_new_name_gets_the_next_number_and_keeps_it,
		what_is_wrong_with_workers_is_said_where_it_stands,
		a_refused_text_changes_nothing,
		damaged_workers_are_refused_or_mean_what_is_printed,
	};
	const TTest *const needs[] = {
		needs_are_alternatives_with_a_cpu_at_least,
		what_is_wrong_with_needs_is_said_where_it_stands,
		what_no_worker_can_ever_meet_is_refused_with_what_is_missing,
		a_slot_of_any_worker_and_a_machine_without_bounds_fit,
		damaged_needs_are_refused_or_mean_what_is_printed,
	};
	const TTest *const printing[] = {
		what_does_not_fit_is_cut_and_counted,
		any_kind_that_is_printed_reads_as_itself,
	};
	Suite *suite = suite_create("spec");
	add_tests(suite, "workers", workers, COUNT(workers));
	add_tests(suite, "needs", needs, COUNT(needs));
	add_tests(suite, "printing", printing, COUNT(printing));
	TCase *files = tcase_create("files");
	tcase_add_checked_fixture(files, make_file, remove_file);
	tcase_add_test(files, a_file_has_the_same_grammar);
	tcase_add_test(files, what_is_wrong_with_a_file_is_said_by_path_and_line);
	tcase_add_test(files, a_file_is_text_of_a_bounded_size);
	suite_add_tcase(suite, files);
	return run_suite(suite);
}
