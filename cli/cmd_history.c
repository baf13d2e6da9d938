/* cmd_history.c - `plmctl history`: lists the journal of a runtime, also of a dead runtime. */
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/check.h"
#include "base/why.h"
#include "cli/arguments.h"
#include "cli/fleet_door.h"
#include "cli/history.h"
#include "cli/look.h"
#include "cli/short_reference.h"

enum { LIMIT_DEFAULT = 1000, TIME_TEXT_BYTES = 32, HEAD_TEXT_BYTES = 1024, MS_PER_S = 1000 };

#define STATES "queued|running|done|failed|dead|cancelled"

struct asked {
	struct history_filter filter;
	const char *directory; /* NULL: the directory of the runtime */
	enum history_key key;  /* HISTORY_KEYS: rows */
	int64_t limit;         /* negative: not given */
};

/* ---- words ---- */

/* A day, a day and a time, or how long ago: milliseconds of the wall clock. */
static int history_moment_word(const struct option_given *given, int64_t *ret)
{
	const char *word = given->text;
	static const char *const forms[] = { "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M",
		"%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d" };
	size_t n = strlen(word);
	for (size_t i = 0; i < COUNT_OF(forms); i++) {
		struct tm tm = { .tm_isdst = -1 };
		const char *end = strptime(word, forms[i], &tm);
		if (end && *end == 0)
			return *ret = (int64_t)mktime(&tm) * MS_PER_S, 0;
	}
	if (n > 1 && isdigit((unsigned char)word[0]) && strchr("smhd", word[n - 1])) {
		char *end;
		unsigned long long ago = strtoull(word, &end, 10);
		unsigned unit = word[n - 1] == 's' ? 1
		    : word[n - 1] == 'm'           ? 60
		    : word[n - 1] == 'h'           ? 3600
						   : 86400;
		if (end == word + n - 1 && ago < (unsigned long long)INT_MAX)
			return *ret = ((int64_t)time(NULL) - (int64_t)ago * unit) * MS_PER_S, 0;
	}
	return why(-EINVAL,
	    "%s is a day (2026-03-01), a time (2026-03-01T12:30) or so long ago (90s, 15m, 6h, "
	    "7d), not \"%s\"",
	    given->what, word);
}

static int history_take_since(void *target, const struct option_given *given)
{
	return history_moment_word(given, &((struct asked *)target)->filter.since_ms);
}

static int history_take_until(void *target, const struct option_given *given)
{
	return history_moment_word(given, &((struct asked *)target)->filter.until_ms);
}

static int history_take_exit_code(void *target, const struct option_given *given)
{
	struct history_filter *filter = &((struct asked *)target)->filter;
	uint64_t code = 0;
	int r = option_number(given->what, given->text, 0, UINT8_MAX, &code);
	filter->has_exit_code = true;
	filter->exit_code = (int)code;
	return r;
}

static int history_take_state(void *target, const struct option_given *given)
{
	((struct asked *)target)->filter.state = given->text;
	return option_choice(given->what, given->text, STATES) >= 0
	    ? 0
	    : why(-EINVAL,
		  "--state is queued, running, done, failed, dead or cancelled (the directory is "
		  "--state-dir): %s",
		  given->text);
}

static const struct option_row option_rows[] = {
	{ "state-dir", NULL, "PLM_STATE", OPTION_DIRECTORY, .word = "DIR",
	    .standard = "that of the runtime",
	    .help = "the journal's directory; with a directory the runtime need not be up",
	    OPTION_FIELD(struct asked, directory) },
	{ "since", NULL, NULL, OPTION_TEXT, .word = "TIME",
	    .help = "only tasks submitted since TIME: 2026-03-01, 2026-03-01T12:30, or so long "
		    "ago: 90s, 15m, 6h, 7d",
	    .take = history_take_since },
	{ "until", NULL, NULL, OPTION_TEXT, .word = "TIME",
	    .help = "only tasks submitted before TIME", .take = history_take_until },
	{ "include", NULL, NULL, OPTION_TEXT, .word = "TEXT",
	    .help = "only tasks with TEXT in their command, in capitals or not",
	    OPTION_FIELD(struct asked, filter.include) },
	{ "label", NULL, NULL, OPTION_TEXT, .word = "LABEL",
	    .help = "only tasks submitted with --label LABEL",
	    OPTION_FIELD(struct asked, filter.label) },
	{ "exit-code", NULL, NULL, OPTION_NUMBER, .word = "N",
	    .help = "only tasks whose command ended with N", .take = history_take_exit_code },
	{ "state", NULL, NULL, OPTION_CHOICE, .word = "STATE", .choices = STATES,
	    .help = "queued, running, done, failed, dead or cancelled",
	    .take = history_take_state },
	{ "totals", NULL, NULL, OPTION_CHOICE, .word = "KEY", .choices = "user|label|day",
	    .help = "a row for each user, label or day: how many tasks, how long",
	    OPTION_FIELD(struct asked, key) },
	{ "limit", NULL, NULL, OPTION_NUMBER, .word = "N", .standard = "1000",
	    .help = "only the latest N tasks; 0: all", OPTION_FIELD(struct asked, limit),
	    .most = LONG_MAX },
	{ 0 },
};

/* A number of the history, or a reference that plmctl printed once; with @ also a short one, and
 * "last", of a task that the runtime has now. */
static int history_take_operand(struct context *context, char *const *words, struct asked *a)
{
	const char *word = words[0];
	if (word[0] != '@' && strcmp(word, "last") != 0) {
		a->filter.id = number_word(context, "the number of a task", word, 1, LONG_MAX);
		return EXIT_FINE;
	}
	plm_ref ref = reference_name(word);
	int code = references_settle(context, &ref, 1, words);
	plm_ref_print(ref, a->filter.ref);
	return code;
}

/* ---- the directory ---- */

static int history_find_directory(struct context *context, struct asked *a)
{
	const char *usual = getenv("PLM_STATE");
	if (!a->directory && usual && usual[0]) {
		a->directory = usual;
		if (!context->rt && plm_connect(&context->rt, context->name) < 0)
			context->rt = NULL; /* the directory is enough */
	}
	if (a->directory && a->directory[0])
		return EXIT_FINE;
	static plm_runtime_row row; /* a->directory points into the row */
	int code = look_open(context);
	if (code != EXIT_FINE)
		return code;
	int r = plm_inspect_runtime(context->in, &row, sizeof row);
	if (r < 0)
		return failed(r, "history");
	a->directory = row.journal;
	if (row.journal[0])
		return EXIT_FINE;
	fprintf(stderr,
	    "plmctl: history: the runtime \"%s\" keeps no journal: boot it with plm "
	    "--state DIR, or name one with --state-dir DIR\n",
	    row.name);
	return EXIT_INPUT;
}

/* ---- printing: a row is a statement, and each cell a column of the view ---- */

static sqlite3_stmt *history_statement(const void *row)
{
	return *(sqlite3_stmt *const *)row;
}

static const char *history_text_at(const struct output *out, const void *row)
{
	const void *text = sqlite3_column_text(history_statement(row), (int)out->at);
	return text ? text : "";
}

static int64_t history_number_at(const struct output *out, const void *row)
{
	return sqlite3_column_int64(history_statement(row), (int)out->at);
}

static bool history_is_null(const struct output *out, const void *row)
{
	return sqlite3_column_type(history_statement(row), (int)out->at) == SQLITE_NULL;
}

static void history_text(struct output *out, const void *row)
{
	cell_text(out, history_text_at(out, row));
}

static void history_text_if_any(struct output *out, const void *row)
{
	cell_text_if_any(out, history_text_at(out, row));
}

static void history_number(struct output *out, const void *row)
{
	if (history_is_null(out, row))
		cell_none(out);
	else
		cell_signed(out, history_number_at(out, row));
}

static void history_ms(struct output *out, const void *row)
{
	if (history_is_null(out, row))
		cell_none(out);
	else
		cell_ms(out, (uint64_t)history_number_at(out, row));
}

static void history_size(struct output *out, const void *row)
{
	cell_size(out, (uint64_t)history_number_at(out, row));
}

static void history_moment(struct output *out, const void *row)
{
	cell_moment(out, history_number_at(out, row));
}

static void history_state(struct output *out, const void *row)
{
	const char *state = history_text_at(out, row);
	bool bad = strcmp(state, "failed") == 0 || strcmp(state, "dead") == 0;
	cell_tinted(out, state,
	    bad                              ? TINT_BAD
		: strcmp(state, "done") == 0 ? TINT_GOOD
					     : TINT_NONE);
}

/* The first bytes of an output: the text up to a zero byte. */
static void history_head(struct output *out, const void *row)
{
	char text[HEAD_TEXT_BYTES];
	const void *bytes = sqlite3_column_blob(history_statement(row), (int)out->at);
	size_t n = (size_t)sqlite3_column_bytes(history_statement(row), (int)out->at);
	n = n < sizeof text ? n : sizeof text - 1;
	if (n)
		memcpy(text, bytes, n);
	text[n] = 0;
	cell_text_if_any(out, text);
}

/* Of runtimes and of fleets. */
#define COLUMNS_FIRST                                                  \
	{ "NUMBER", "id", 6, .cell = history_number },                 \
	    { "REF", "ref", -24, .cell = history_text },               \
	    { "STATE", "state", -9, .cell = history_state },           \
	    { "EXIT", "exit_code", 4, .cell = history_number },        \
	    { "SUBMITTED", "submitted", -19, .cell = history_moment }, \
	    { "RAN", "run_ms", 7, .cell = history_ms },                \
	{                                                              \
		"TRIES", "attempts", 5, .cell = history_number         \
	}
#define COLUMNS_TEXT                                              \
	{ "LABEL", "label", -8, .cell = history_text_if_any },    \
	    { "COMMAND", "command", -24, .cell = history_text },  \
	{                                                         \
		"WHY", "message", -1, .cell = history_text_if_any \
	}

static const struct column columns[] = {
	COLUMNS_FIRST,
	COLUMNS_TEXT,
	{ "FIRST REF", "first_ref", -1, .cell = history_text },
	{ "QUEUED AGAIN", "resumed", 0, .cell = history_number },
	{ "FUNCTION", "function", -1, .cell = history_text },
	{ "USER", "user", -1, .cell = history_text },
	{ "PRIORITY", "priority", 0, .cell = history_number },
	{ "BEGAN", "began", -1, .cell = history_moment },
	{ "ENDED", "ended", -1, .cell = history_moment },
	{ "WORKER", "worker", 0, .cell = history_number },
	{ "CODE", "code", 0, .cell = history_number },
	{ "SIGNAL", "signal", 0, .cell = history_number },
	{ "USER TIME", "user_ms", 0, .cell = history_ms },
	{ "SYSTEM TIME", "system_ms", 0, .cell = history_ms },
	{ "LARGEST PROCESS", "resident_bytes", 0, .cell = history_size },
	{ "STDOUT", "stdout_bytes", 0, .cell = history_size },
	{ "STDERR", "stderr_bytes", 0, .cell = history_size },
	{ "VALUE", "value_bytes", 0, .cell = history_size },
	{ "NOT DURABLE", "not_durable", -1, .cell = history_text_if_any },
	{ "STDOUT BEGINS", "stdout", -1, .cell = history_head },
	{ "STDERR BEGINS", "stderr", -1, .cell = history_head },
};
enum { COLUMNS_USUAL = 10 }; /* the columns of a list for people */

static const struct column fleet_columns[] = {
	COLUMNS_FIRST,
	{ "HOST", "host", -16, .cell = history_text_if_any },
	COLUMNS_TEXT,
	{ "NEEDS", "needs", -1, .cell = history_text_if_any },
	{ "PRIORITY", "priority", 0, .cell = history_number },
	{ "BEGAN", "began", -1, .cell = history_moment },
	{ "ENDED", "ended", -1, .cell = history_moment },
	{ "CODE", "code", 0, .cell = history_number },
	{ "SIGNAL", "signal", 0, .cell = history_number },
};
enum { FLEET_COLUMNS_USUAL = 11 };

static const struct column total_columns[] = {
	{ "KEY", "key", -16, .cell = history_text },
	{ "TASKS", "tasks", 7, .cell = history_number },
	{ "DONE", "done", 7, .cell = history_number },
	{ "FAILED", "failed", 7, .cell = history_number },
	{ "CANCELLED", "cancelled", 9, .cell = history_number },
	{ "UNFINISHED", "unfinished", 10, .cell = history_number },
	{ "RAN", "run_ms", 9, .cell = history_ms },
	{ "CPU", "cpu_ms", 9, .cell = history_ms },
};

/* ---- the command ---- */

/* `history` has to know all that `wait` knows, so a living journal writes its backlog first. */
static void history_catch_up(struct context *context)
{
	enum { CATCH_UP_MS = 2000 };
	if (context->rt && plm_flush(context->rt, CATCH_UP_MS) < 0)
		fprintf(
		    stderr, "plmctl: history: %s: the last moments may be missing\n", plm_why());
}

static void history_begin(struct context *context, const struct asked *a, bool one)
{
	struct output *out = &context->out;
	bool all = one || out->json;
	out->upright = one && a->key == HISTORY_KEYS;
	if (a->key != HISTORY_KEYS)
		table_begin(out, total_columns, COUNT_OF(total_columns));
	else if (context->fleet)
		table_begin(
		    out, fleet_columns, all ? COUNT_OF(fleet_columns) : FLEET_COLUMNS_USUAL);
	else
		table_begin(out, columns, all ? COUNT_OF(columns) : COLUMNS_USUAL);
}

static int history_of_fleet(struct context *context, struct asked *a, bool one)
{
	struct history *h = NULL;
	uint64_t rows = 0;
	if (a->directory)
		usage_error(context, "--state-dir is of a runtime: a fleet has its queue");
	if (a->key == HISTORY_BY_USER)
		usage_error(context, "--totals user is of a runtime: a fleet does not note users");
	int code = fleet_history(context, &h);
	history_begin(context, a, one);
	if (code == EXIT_FINE) {
		int r = history_print(h, &a->filter, a->key, &context->out, &rows);
		code = r < 0 ? failed(r, "history") : EXIT_FINE;
	}
	history_close(&h);
	if (!one || rows || code != EXIT_FINE)
		return code;
	fprintf(stderr, "plmctl: history: the fleet has no such task any more\n");
	return EXIT_DATA;
}

static int history_print_all(struct context *context, struct asked *a, bool one)
{
	struct history *h = NULL;
	uint64_t rows = 0;
	int r = history_open(a->directory, &h);
	history_begin(context, a, one);
	if (r == 0)
		r = history_print(h, &a->filter, a->key, &context->out, &rows);
	if (h)
		history_close(&h);
	if (r < 0) {
		failed(r, "history");
		return r == -ENOENT ? EXIT_INPUT : r == -EPROTO ? EXIT_VERSION : EXIT_OURS;
	}
	if (!one || rows)
		return EXIT_FINE;
	fprintf(stderr,
	    "plmctl: history: the journal in %s has no such task: it was never "
	    "durable, or is older than what is kept\n",
	    a->directory);
	return EXIT_DATA;
}

static int history_run(struct context *context, int argc, char **argv)
{
	struct asked a = { .key = HISTORY_KEYS, .limit = -1 };
	take_options(context, argc, argv, (void *[]){ &a });
	expect_operands(context, argc, 0, 1);
	bool one = optind < argc;
	int code = one ? history_take_operand(context, argv + optind, &a) : EXIT_FINE;
	if (code != EXIT_FINE)
		return code;
	if (a.limit < 0)
		a.limit = a.key != HISTORY_KEYS ? 0 : LIMIT_DEFAULT;
	a.filter.most = (uint64_t)a.limit;
	if (context->fleet)
		return history_of_fleet(context, &a, one);
	code = history_find_directory(context, &a);
	if (code != EXIT_FINE)
		return code;
	history_catch_up(context);
	return history_print_all(context, &a, one);
}

const struct command cmd_history = {
	.name = "history",
	.usage = "[OPTION]... [NUMBER|@REF]",
	.help = "list durable tasks, of earlier boots too (plm --state)",
	.about =
	    "Lists the tasks of the journal: each task by its number, which outlives a reboot,\n"
	    "and its present future. A NUMBER or a reference, also of an earlier boot: that task\n"
	    "in full. A number is one of the history; @N, or \"last\", names a task that the\n"
	    "runtime has now.\n",
	.options = { option_rows },
	.notes =
	    "The columns are those of the view \"history\" in DIR/journal.db, which any program\n"
	    "with SQLite can read. On a fleet the tasks are those of its queue.\n"
	    "Exit code: 65 no such task, 66 no journal, 76 an earlier plm wrote the journal.\n",
	.run = history_run,
	.fleet = true,
	.visits = true,
};
