/* cmd_history.c - `plmctl history`: lists the journal of a runtime, also of a dead runtime. */
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/check.h"
#include "base/why.h"
#include "cli/arguments.h"
#include "cli/look.h"
#include "journal/history.h"

enum { LIMIT_DEFAULT = 1000, TIME_TEXT_BYTES = 32, MS_PER_S = 1000, BYTES_PER_KB = 1024 };

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
	enum history_state state = history_state_of(given->text);
	((struct asked *)target)->filter.state = state;
	if (state != HISTORY_STATES && state != HISTORY_ANY)
		return 0;
	return why(-EINVAL,
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
	{ "state", NULL, NULL, OPTION_CHOICE, .word = "STATE",
	    .choices = "queued|running|done|failed|dead|cancelled",
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

/* A number of the history, or a reference that plmctl printed once. */
static void history_take_operand(const struct context *context, const char *word, struct asked *a)
{
	if (word[0] != '@') {
		a->filter.id = number_word(context, "the number of a task", word, 1, LONG_MAX);
		return;
	}
	plm_ref ref = reference_word(word);
	a->filter.ref = ref.id;
	a->filter.runtime = ref.runtime;
}

/* ---- the directory ---- */

static int history_find_directory(struct context *context, struct asked *a)
{
	const char *usual = getenv("PLM_STATE");
	if (!a->directory && usual && usual[0]) {
		a->directory = usual;
		if (plm_connect(&context->rt, context->name) < 0)
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

/* ---- printing ---- */

static const struct column rows[] = {
	{ "ID", "id", 0 },
	{ "REF", "ref", -1 },
	{ "STATE", "state", -1 },
	{ "EXIT", "exit_code", 0 },
	{ "SUBMITTED", "submitted", -1 },
	{ "RAN", "run_ms", 0 },
	{ "TRIES", "attempts", 0 },
	{ "LABEL", "label", -1 },
	{ "COMMAND", "command", -1 },
	{ "WHY", "message", -1 },
};

static const struct column details[] = {
	{ "ID", "id", 0 },
	{ "REF", "ref", -1 },
	{ "STATE", "state", -1 },
	{ "EXIT", "exit_code", 0 },
	{ "SUBMITTED", "submitted", -1 },
	{ "RAN", "run_ms", 0 },
	{ "TRIES", "attempts", 0 },
	{ "LABEL", "label", -1 },
	{ "COMMAND", "command", -1 },
	{ "WHY", "message", -1 },
	{ "FIRST REF", "first_ref", -1 },
	{ "QUEUED AGAIN", "resumed", 0 },
	{ "FUNCTION", "function", -1 },
	{ "USER", "user", -1 },
	{ "PRIORITY", "priority", 0 },
	{ "BEGAN", "began", -1 },
	{ "ENDED", "ended", -1 },
	{ "WORKER", "worker", 0 },
	{ "CODE", "code", 0 },
	{ "SIGNAL", "signal", 0 },
	{ "USER TIME", "user_ms", 0 },
	{ "SYSTEM TIME", "system_ms", 0 },
	{ "LARGEST PROCESS", "resident_bytes", 0 },
	{ "STDOUT", "stdout_bytes", 0 },
	{ "STDERR", "stderr_bytes", 0 },
	{ "VALUE", "value_bytes", 0 },
	{ "NOT DURABLE", "not_durable", -1 },
	{ "STDOUT BEGINS", "stdout", -1 },
	{ "STDERR BEGINS", "stderr", -1 },
};

static void history_cell_moment(struct output *out, int64_t ms)
{
	char text[TIME_TEXT_BYTES];
	time_t seconds = (time_t)(ms / MS_PER_S);
	struct tm tm;
	if (ms <= 0 || !localtime_r(&seconds, &tm)) {
		cell_none(out);
		return;
	}
	strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
	cell_text(out, text);
}

static void history_cell_if(struct output *out, const char *text)
{
	if (text[0])
		cell_text(out, text);
	else
		cell_none(out);
}

static void history_cell_known(struct output *out, int number)
{
	if (number >= 0)
		cell_signed(out, number);
	else
		cell_none(out);
}

static void history_cell_ref(struct output *out, uint64_t ref, uint64_t runtime)
{
	char text[PLM_REF_TEXT_BYTES];
	plm_ref_print((plm_ref){ .id = ref, .runtime = runtime }, text);
	cell_text(out, text);
}

static void history_cell_head(struct output *out, const void *bytes, size_t length)
{
	char text[SHRT_MAX / 32];
	size_t n = length < sizeof text ? length : sizeof text - 1;
	if (n)
		memcpy(text, bytes, n);
	text[n] = 0;
	history_cell_if(out, text);
}

static void history_cell_state(struct output *out, enum history_state state)
{
	cell_tinted(out, history_state_name(state),
	    state == HISTORY_DONE                                  ? TINT_GOOD
		: state == HISTORY_FAILED || state == HISTORY_DEAD ? TINT_BAD
								   : TINT_NONE);
}

static void history_print_columns(struct output *out, const struct history_row *row)
{
	cell_signed(out, row->id);
	history_cell_ref(out, row->ref, row->runtime);
	history_cell_state(out, row->state);
	history_cell_known(out, row->exit_code);
	history_cell_moment(out, row->submitted_ms);
	if (row->began_ms > 0 && row->ended_ms >= row->began_ms)
		cell_ms(out, (uint64_t)(row->ended_ms - row->began_ms));
	else
		cell_none(out);
	cell_signed(out, row->attempts);
	history_cell_if(out, row->label);
	cell_text(out, row->text);
	history_cell_if(out, row->message);
}

static void history_print_details(struct output *out, const struct history_row *row)
{
	history_cell_ref(out, row->first_ref, row->first_runtime);
	cell_number(out, row->boots);
	cell_text(out, row->function);
	cell_text(out, row->user);
	cell_signed(out, row->priority);
	history_cell_moment(out, row->began_ms);
	history_cell_moment(out, row->ended_ms);
	history_cell_known(out, row->worker);
	cell_signed(out, row->code);
	cell_signed(out, row->signal);
	cell_ms(out, (uint64_t)row->user_us / MS_PER_S);
	cell_ms(out, (uint64_t)row->system_us / MS_PER_S);
	cell_size(out, (uint64_t)row->resident_kb * BYTES_PER_KB);
	cell_size(out, (uint64_t)row->out_bytes);
	cell_size(out, (uint64_t)row->err_bytes);
	cell_size(out, (uint64_t)row->value_bytes);
	history_cell_if(out, row->undurable);
	history_cell_head(out, row->out, row->out_length);
	history_cell_head(out, row->err, row->err_length);
}

struct printing {
	struct output *out;
	bool details;
	uint64_t rows;
};

static void history_print_row(void *context, const struct history_row *row)
{
	struct printing *p = context;
	history_print_columns(p->out, row);
	if (p->details)
		history_print_details(p->out, row);
	row_end(p->out);
	p->rows++;
}

static const struct column total_columns[] = {
	{ "KEY", "key", -1 },
	{ "TASKS", "tasks", 0 },
	{ "DONE", "done", 0 },
	{ "FAILED", "failed", 0 },
	{ "CANCELLED", "cancelled", 0 },
	{ "UNFINISHED", "unfinished", 0 },
	{ "RAN", "run_ms", 0 },
	{ "CPU", "cpu_ms", 0 },
};

static void history_print_total(void *context, const struct history_total *t)
{
	struct printing *p = context;
	cell_text(p->out, t->key);
	cell_signed(p->out, t->tasks);
	cell_signed(p->out, t->done);
	cell_signed(p->out, t->failed);
	cell_signed(p->out, t->cancelled);
	cell_signed(p->out, t->unfinished);
	cell_ms(p->out, (uint64_t)t->run_ms);
	cell_ms(p->out, (uint64_t)t->cpu_ms);
	row_end(p->out);
	p->rows++;
}

/* ---- the command ---- */

/* `history` has to know all that `wait` knows, so a living journal writes its backlog first. */
static void history_catch_up(struct context *context)
{
	enum { CATCH_UP_MS = 2000 };
	if (context->rt && plm_flush(context->rt, CATCH_UP_MS) < 0)
		fprintf(
		    stderr, "plmctl: history: %s: the last moments may be missing\n", plm_why());
}

static int history_print_all(struct context *context, struct asked *a, bool one)
{
	struct history *h = NULL;
	struct printing printing = { .out = &context->out, .details = one || context->json };
	int r = history_open(a->directory, &h);
	if (r == 0 && a->key != HISTORY_KEYS) {
		list_begin(&context->out, total_columns, COUNT_OF(total_columns));
		r = history_totals(h, &a->filter, a->key, history_print_total, &printing);
	} else if (r == 0) {
		context->out.upright = one;
		list_begin(&context->out, printing.details ? details : rows,
		    printing.details ? COUNT_OF(details) : COUNT_OF(rows));
		r = history_each(h, &a->filter, history_print_row, &printing);
	}
	if (h)
		history_close(&h);
	if (r < 0) {
		failed(r, "history");
		return r == -ENOENT ? EXIT_INPUT : EXIT_OURS;
	}
	if (!one || printing.rows)
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
	if (one)
		history_take_operand(context, argv[optind], &a);
	if (a.limit < 0)
		a.limit = a.key != HISTORY_KEYS ? 0 : LIMIT_DEFAULT;
	a.filter.most = (uint64_t)a.limit;
	int code = history_find_directory(context, &a);
	if (code != EXIT_FINE)
		return code;
	history_catch_up(context);
	return history_print_all(context, &a, one);
}

const struct command cmd_history = {
	.name = "history",
	.usage = "[OPTION]... [ID|@REF]",
	.help = "list durable tasks, of earlier boots too (plm --state)",
	.about =
	    "Lists the tasks of the journal: each task by its number, which outlives a reboot,\n"
	    "and its present future. ID or a reference, also of an earlier boot: that task in\n"
	    "full.\n",
	.options = { option_rows },
	.notes = "Exit code: 65 no such task, 66 no journal.\n",
	.run = history_run,
	.visits = true,
};
