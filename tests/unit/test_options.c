/* test_options.c - one table of options: every type of value, errors that name the option, the
 * environment, the help, and the listing for programs. */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "base/option_table.h"
#include "base/why.h"
#include "tests/support/run_suite.h"

enum { WORDS_MAX = 30, TEXT_BYTES = 4096 };

enum colour { RED, GREEN, BLUE };

struct target {
	bool flag, other;
	int32_t priority;
	uint32_t number;
	uint64_t size, age;
	uint32_t time;
	const char *text;
	enum colour colour;
	const char *form; /* of the option whose value may be left out */
	unsigned taken;
};

static int take_form(void *target, const struct option_given *given)
{
	struct target *t = target;
	t->taken++;
	t->form = given->text;
	if (!given->text && given->next && strcmp(given->next, "next") == 0) {
		t->form = given->next;
		optind++;
	}
	return given->text && strcmp(given->text, "bad") == 0
	    ? why(-EINVAL, "%s is bad", given->what)
	    : 0;
}

static int take_end(void *target, const struct option_given *given)
{
	(void)target;
	(void)given;
	return OPTIONS_END;
}

static const struct option_row rows[] = {
	{ "flag", "fF", NULL, OPTION_FLAG, .help = "a flag", OPTION_FIELD(struct target, flag) },
	{ "other-flag", NULL, NULL, OPTION_FLAG, .help = "another flag",
	    OPTION_FIELD(struct target, other) },
	{ "other_flag", NULL, NULL, OPTION_FLAG, OPTION_FIELD(struct target, other) },
	{ "number", "n", "TEST_NUMBER", OPTION_NUMBER, .word = "N", .standard = "7",
	    .help = "a number", OPTION_FIELD(struct target, number), 1, 100 },
	{ "priority", NULL, NULL, OPTION_NUMBER, .word = "N",
	    .help = "a number that may be less "
		    "than zero",
	    OPTION_FIELD(struct target, priority), -5, 5 },
	{ "size", NULL, "TEST_SIZE", OPTION_SIZE, .word = "SIZE", .help = "bytes",
	    OPTION_FIELD(struct target, size), 0, UINT64_C(1) << 40 },
	{ "time", NULL, NULL, OPTION_TIME, .word = "TIME", .help = "a time",
	    OPTION_FIELD(struct target, time), 1, 60000 },
	{ "age", NULL, NULL, OPTION_AGE, .word = "AGE", .help = "an age",
	    OPTION_FIELD(struct target, age), .most = UINT64_C(86400000) * 10 },
	{ "text", NULL, NULL, OPTION_FILE, .word = "FILE", .help = "a file",
	    OPTION_FIELD(struct target, text) },
	{ "colour", NULL, NULL, OPTION_CHOICE, .choices = "red|green|blue", .help = "a colour",
	    OPTION_FIELD(struct target, colour) },
	{ "form", NULL, NULL, OPTION_TEXT, .optional = true, .word = "FORM",
	    .help = "a text of many words that does not fit on one line of the help and goes on in "
		    "the second column",
	    .take = take_form },
	{ 0 },
};

static const struct option_row more_rows[] = {
	{ "end", NULL, NULL, OPTION_FLAG, .help = "ends", .take = take_end },
	{ 0 },
};

static struct target target;

/* Parses words separated by blanks. */
static int parse(const char *line, bool stop_at_operand)
{
	static char copy[TEXT_BYTES];
	static char *argv[WORDS_MAX + 2];
	static char program[] = "program";
	const struct option_use uses[] = { { rows, &target }, { more_rows, NULL } };
	int argc = 0;
	memset(argv, 0, sizeof argv);
	target = (struct target){ .number = 7 };
	snprintf(copy, sizeof copy, "%s", line);
	argv[argc++] = program;
	for (char *save, *word = strtok_r(copy, " ", &save); word;
	     word = strtok_r(NULL, " ", &save))
		argv[argc++] = word;
	optind = 0; /* getopt_long() begins anew */
	why_clear();
	return option_table_parse(uses, 2, argc, argv, stop_at_operand);
}

static void accepted(const char *line)
{
	ck_assert_msg(parse(line, false) == 0, "\"%s\": %s", line, why_text());
}

static void refused(const char *line, const char *expected)
{
	int r = parse(line, false);
	ck_assert_msg(r == -EINVAL, "\"%s\": %d", line, r);
	ck_assert_msg(strstr(why_text(), expected), "\"%s\": %s", line, why_text());
}

START_TEST(each_type_writes_its_field)
{
	accepted("--flag --number 9 --priority -3 --size 2K --time 1.5s --age 2d --text /x");
	ck_assert(target.flag && !target.other);
	ck_assert_uint_eq(target.number, 9);
	ck_assert_int_eq(target.priority, -3);
	ck_assert_uint_eq(target.size, 2048);
	ck_assert_uint_eq(target.time, 1500);
	ck_assert_uint_eq(target.age, UINT64_C(2) * 86400000);
	accepted("--text /x --colour blue --size=0 --other_flag");
	ck_assert_str_eq(target.text, "/x");
	ck_assert_int_eq(target.colour, BLUE);
	ck_assert_uint_eq(target.size, 0);
	ck_assert(target.other);
	ck_assert_uint_eq(target.number, 7);
}
END_TEST

START_TEST(letters_and_abbreviations_are_options_too)
{
	accepted("-F -n5");
	ck_assert(target.flag);
	ck_assert_uint_eq(target.number, 5);
	accepted("-n 6 --pri 2 --col=green");
	ck_assert_uint_eq(target.number, 6);
	ck_assert_int_eq(target.priority, 2);
	ck_assert_int_eq(target.colour, GREEN);
}
END_TEST

START_TEST(a_value_that_may_be_left_out_may_be_the_next_word)
{
	accepted("--form operand");
	ck_assert(target.taken == 1 && !target.form);
	ck_assert_int_eq(optind, 2);
	accepted("--form=x");
	ck_assert_str_eq(target.form, "x");
	accepted("--form next");
	ck_assert_str_eq(target.form, "next");
	ck_assert_int_eq(optind, 3);
}
END_TEST

START_TEST(a_bad_value_is_quoted)
{
	refused("--number x", "--number wants a number, not \"x\"");
	refused("--number 0", "--number wants a number from 1 to 100, not 0");
	refused("--number 101", "from 1 to 100, not 101");
	refused("--number -1", "from 1 to 100, not -1");
	refused("--number 99999999999999999999", "from 1 to 100");
	refused("--number 9x", "wants a number, not \"9x\"");
	refused("--priority -6", "--priority wants a number from -5 to 5, not -6");
	refused("--priority 6", "from -5 to 5, not 6");
	refused("--size 2X", "--size: \"2X\" at character 1: expected a size such as 512M");
	refused("--size -1", "expected a size");
	refused("--size 2K,", "a size alone");
	refused("--time 5", "--time wants a time such as 500ms");
	refused("--time 2m", "--time wants a time");
	refused("--time 0", "--time wants a time of 1ms at least, not 0");
	refused("--age 11d", "--age wants a number from 0 to 10, not 11");
	refused("--age d", "--age wants a time");
	refused("--colour yellow", "--colour wants one of red|green|blue, not \"yellow\"");
	refused("--colour red|green", "wants one of");
	refused("--colour gre", "wants one of");
	refused("--form=bad", "--form is bad");
}
END_TEST

START_TEST(a_bad_option_is_named)
{
	refused("--nunber 1", "unknown option: --nunber");
	refused("-x", "unknown option: -x");
	refused("--flag=yes", "--flag takes no value: --flag=yes");
	refused("--number", "option --number needs a value");
	refused("--f", "--f may mean --flag, --form: write more of the name");
	accepted("--other-f");
}
END_TEST

START_TEST(operands_stand_behind_or_between)
{
	accepted("one --flag two");
	ck_assert(target.flag);
	ck_assert_int_eq(optind, 2);
	ck_assert_int_eq(parse("one --flag two", true), 0);
	ck_assert(!target.flag);
	ck_assert_int_eq(optind, 1);
	accepted("-- --flag");
	ck_assert(!target.flag);
	ck_assert_int_eq(parse("--end --nonsense", false), OPTIONS_END);
}
END_TEST

START_TEST(variables_are_read_by_the_same_rows)
{
	const struct option_use use = { rows, &target };
	target = (struct target){ .number = 7 };
	setenv("TEST_NUMBER", "12", 1);
	setenv("TEST_SIZE", "", 1);
	ck_assert_int_eq(option_table_environment(&use, 1), 0);
	ck_assert_uint_eq(target.number, 12);
	ck_assert_uint_eq(target.size, 0);
	setenv("TEST_SIZE", "much", 1);
	ck_assert_int_eq(option_table_environment(&use, 1), -EINVAL);
	ck_assert_msg(strncmp(why_text(), "TEST_SIZE: \"much\"", 17) == 0, "%s", why_text());
}
END_TEST

/* What a function prints. */
static const char *printed(bool help)
{
	static char text[TEXT_BYTES];
	FILE *file = fmemopen(text, sizeof text, "w");
	ck_assert_ptr_nonnull(file);
	if (help)
		option_table_help(file, rows);
	else
		option_table_list(file, "program", "command", rows);
	fclose(file);
	return text;
}

START_TEST(the_help_has_two_columns)
{
	const char *text = printed(true);
	static const char *const expected[] = {
		"  --flag, -f, -F     a flag\n",
		"  --number N, -n     a number (default: 7; TEST_NUMBER)\n",
		"  --size SIZE        bytes (TEST_SIZE)\n",
		"  --colour red|green|blue\n                     a colour\n",
		"  --form[=FORM]      a text of many words that does not fit on one line of the\n"
		"                     help and goes on in the second column\n",
	};
	for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++)
		ck_assert_msg(strstr(text, expected[i]), "missing: %sin\n%s", expected[i], text);
	ck_assert_ptr_null(strstr(text, "other_flag"));
	for (const char *line = text; *line; line = strchr(line, '\n') + 1)
		ck_assert_msg(strcspn(line, "\n") <= 80, "%.90s", line);
}
END_TEST

START_TEST(the_listing_is_for_programs)
{
	const char *text = printed(false);
	static const char *const expected[] = {
		"option\tprogram\tcommand\t--flag\t\ta flag\tnone\tfF\t\n",
		"\t--number\tN\ta number (default: 7; TEST_NUMBER)\tnone\tn\tTEST_NUMBER\n",
		"\t--text\tFILE\ta file\tfiles\t\t\n",
		"\t--colour\tred|green|blue\ta colour\twords red green blue\t\t\n",
		"\t--form\t[=FORM]\t",
	};
	for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++)
		ck_assert_msg(strstr(text, expected[i]), "missing: %s in\n%s", expected[i], text);
	ck_assert_ptr_null(strstr(text, "other_flag"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("options");
	TCase *tcase = tcase_create("options");
	tcase_add_test(tcase, each_type_writes_its_field);
	tcase_add_test(tcase, letters_and_abbreviations_are_options_too);
	tcase_add_test(tcase, a_value_that_may_be_left_out_may_be_the_next_word);
	tcase_add_test(tcase, a_bad_value_is_quoted);
	tcase_add_test(tcase, a_bad_option_is_named);
	tcase_add_test(tcase, operands_stand_behind_or_between);
	tcase_add_test(tcase, variables_are_read_by_the_same_rows);
	tcase_add_test(tcase, the_help_has_two_columns);
	tcase_add_test(tcase, the_listing_is_for_programs);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
