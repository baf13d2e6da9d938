#include "cli/task_filter.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/why.h"
#include "client/handle.h"

enum { STATE_DEAD = RECORD_STATES, SELECTION_LEAST = 64 };

#define BIT(state) ((uint32_t)1 << (state))

static const struct {
	const char *word;
	uint32_t states;
} state_words[] = {
	{ "waiting", BIT(RECORD_WAITING) },
	{ "ready", BIT(RECORD_READY) },
	{ "running", BIT(RECORD_RUNNING) },
	{ "done", BIT(RECORD_DONE) },
	{ "failed", BIT(RECORD_FAILED) },
	{ "cancelled", BIT(RECORD_CANCELLED) },
	{ "dead", BIT(STATE_DEAD) },
	{ "todo", BIT(RECORD_WAITING) | BIT(RECORD_READY) },
	{ "in_progress", BIT(RECORD_RUNNING) },
	{ "in-progress", BIT(RECORD_RUNNING) },
	{ "finished", BIT(RECORD_DONE) },
};

/* ---- options ---- */

/* 0 or -EINVAL. */
static int filter_add_state(const char *word, size_t length, uint32_t *states)
{
	for (size_t i = 0; i < COUNT_OF(state_words); i++)
		if (strlen(state_words[i].word) == length &&
		    memcmp(state_words[i].word, word, length) == 0) {
			*states |= state_words[i].states;
			return 0;
		}
	return why(-EINVAL,
	    "--state is waiting, ready, running, done, failed, dead, cancelled, todo, in_progress "
	    "or finished: %.*s",
	    (int)length, word);
}

/* Words separated by commas. 0 or -EINVAL. */
static int filter_add_states(const char *words, uint32_t *states)
{
	for (;;) {
		size_t length = strcspn(words, ",");
		int r = filter_add_state(words, length, states);
		if (r < 0 || !words[length])
			return r;
		words += length + 1;
	}
}

static int filter_take_states(void *target, const struct option_given *given)
{
	struct task_filter *filter = target;
	filter->given = true;
	return filter_add_states(given->text, &filter->states);
}

/* --todo is short for --state todo. */
static int filter_take_state_flag(void *target, const struct option_given *given)
{
	struct task_filter *filter = target;
	filter->given = true;
	return filter_add_states(given->what + strlen("--"), &filter->states);
}

static int filter_add_text(
    struct task_filter *filter, struct filter_texts *texts, const struct option_given *given)
{
	filter->given = true;
	if (!given->text[0])
		return why(
		    -EINVAL, "%s wants a text: an empty one would find every task", given->what);
	if (texts->n == FILTER_TEXTS_MAX)
		return why(
		    -EINVAL, "%s may be given %d times at most", given->what, FILTER_TEXTS_MAX);
	texts->text[texts->n++] = given->text;
	return 0;
}

static int filter_take_include(void *target, const struct option_given *given)
{
	struct task_filter *filter = target;
	return filter_add_text(filter, &filter->include, given);
}

static int filter_take_exclude(void *target, const struct option_given *given)
{
	struct task_filter *filter = target;
	return filter_add_text(filter, &filter->exclude, given);
}

static int filter_take_label(void *target, const struct option_given *given)
{
	struct task_filter *filter = target;
	return filter_add_text(filter, &filter->label, given);
}

/* Digits from *at on; false: there are none, or too many. */
static bool filter_take_number(const char **at, uint64_t *ret)
{
	char *end;
	if (**at < '0' || **at > '9')
		return false;
	errno = 0;
	*ret = strtoull(*at, &end, 10);
	*at = end;
	return errno == 0 && *ret > 0;
}

/* "7", "1-100", "101-" */
static int filter_take_rows(void *target, const struct option_given *given)
{
	struct task_filter *filter = target;
	const char *at = given->text;
	filter->given = true;
	filter->to = 0;
	bool good = filter_take_number(&at, &filter->from);
	if (good && *at == 0)
		filter->to = filter->from;
	else if (good && *at == '-' && *++at)
		good = filter_take_number(&at, &filter->to) && filter->to >= filter->from;
	return good && !*at
	    ? 0
	    : why(-EINVAL, "%s wants rows counted from 1, such as 7, 1-100 or 101-, not %s",
		  given->what, given->text);
}

const struct option_row task_filter_rows[] = {
	{ "state", NULL, NULL, OPTION_TEXT, .word = "STATE,...",
	    .choices = "waiting|ready|running|done|failed|cancelled|dead|todo|in_progress|finished",
	    .help = "waiting, ready, running, done, failed, cancelled; dead: failed after all "
		    "retries; todo: waiting and ready; in_progress: running; finished: done",
	    .take = filter_take_states },
	{ "todo", NULL, NULL, OPTION_FLAG, .help = "short for --state todo",
	    .take = filter_take_state_flag },
	{ "in-progress", NULL, NULL, OPTION_FLAG, .help = "short for --state in_progress",
	    .take = filter_take_state_flag },
	{ "in_progress", NULL, NULL, OPTION_FLAG, .take = filter_take_state_flag },
	{ "finished", NULL, NULL, OPTION_FLAG, .help = "short for --state finished",
	    .take = filter_take_state_flag },
	{ "failed", NULL, NULL, OPTION_FLAG, .help = "short for --state failed",
	    .take = filter_take_state_flag },
	{ "include", NULL, NULL, OPTION_TEXT, .word = "TEXT",
	    .help = "only tasks with TEXT in their command (or function name); if repeated, each "
		    "TEXT must be there",
	    .take = filter_take_include },
	{ "exclude", NULL, NULL, OPTION_TEXT, .word = "TEXT",
	    .help = "only tasks without TEXT there; may be repeated", .take = filter_take_exclude },
	{ "label", NULL, NULL, OPTION_TEXT, .word = "TEXT",
	    .help = "only tasks submitted with --label TEXT; if repeated, with any of them",
	    .take = filter_take_label },
	{ "rows", NULL, NULL, OPTION_TEXT, .word = "FROM-TO",
	    .help =
		"of the tasks that are found only these rows of `tasks`, counted from 1: 1-100, "
		"7, 101-",
	    .take = filter_take_rows },
	{ 0 },
};

void filter_only(const struct context *context, struct task_filter *filter, const char *states)
{
	uint32_t allowed = 0;
	CHECK(filter_add_states(states, &allowed) == 0);
	uint32_t dead = allowed & BIT(RECORD_FAILED) ? BIT(STATE_DEAD) : 0;
	if (filter->states && !(filter->states & (allowed | dead)))
		usage_error(context, "%s works on tasks that are %s, and on no others",
		    context->command->name, states);
	filter->states = filter->states ? filter->states & (allowed | dead) : allowed;
}

/* ---- judging ---- */

static bool filter_wants_texts(const struct task_filter *filter)
{
	return filter->include.n || filter->exclude.n || filter->label.n;
}

/* A look at the word alone: most of a long list need no more. */
static bool filter_state_fits(const struct task_filter *filter, uint64_t word)
{
	enum record_state state = word_state(word);
	if (state == RECORD_FREE || state == RECORD_RESERVED || state == RECORD_PART ||
	    word_flags(word) & FLAG_OBJECT)
		return false;
	bool dead = state == RECORD_FAILED && filter->states & BIT(STATE_DEAD);
	return !filter->states || filter->states & BIT(state) || dead;
}

static bool filter_row_fits(const struct task_filter *filter, const struct task_row *row)
{
	bool dead = filter->states & BIT(STATE_DEAD) && row->view.dead;
	bool labelled = filter->label.n == 0;
	if (filter->states && !dead && !(filter->states & BIT(row->view.state)))
		return false;
	for (unsigned i = 0; i < filter->include.n; i++)
		if (!strstr(row->text, filter->include.text[i]))
			return false;
	for (unsigned i = 0; i < filter->exclude.n; i++)
		if (strstr(row->text, filter->exclude.text[i]))
			return false;
	for (unsigned i = 0; i < filter->label.n && !labelled; i++)
		labelled = strcmp(row->label, filter->label.text[i]) == 0;
	return labelled && (row->kept || !filter->kept);
}

bool filter_task(const struct tables *t, uint32_t index, const struct task_filter *filter,
    bool with_texts, struct task_row *ret)
{
	return index < t->limits.records &&
	    filter_state_fits(filter, sh_load(&t->record[index].state)) &&
	    task_row_read(t, index, with_texts || filter_wants_texts(filter), ret) &&
	    filter_row_fits(filter, ret);
}

bool filter_row(const struct task_filter *filter, uint64_t n)
{
	return n >= filter->from && (!filter->to || n <= filter->to);
}

bool filter_is_over(const struct task_filter *filter, uint64_t n)
{
	return filter->to && n >= filter->to;
}

/* ---- selections ---- */

static bool filter_add_ref(struct selection *selection, size_t *room, plm_ref ref)
{
	if (selection->n == *room) {
		size_t more = *room ? *room * 2 : SELECTION_LEAST;
		plm_ref *refs = realloc(selection->ref, more * sizeof *refs);
		if (!refs)
			return false;
		selection->ref = refs;
		*room = more;
	}
	selection->ref[selection->n++] = ref;
	return true;
}

static int filter_select_by_filter(
    struct context *context, const struct task_filter *filter, struct selection *ret)
{
	static struct task_row row;
	const struct tables *t = plm_tables(context->rt);
	uint32_t end = pool_fresh(&t->pool);
	uint64_t rows = 0;
	size_t room = 0;
	for (uint32_t i = 0; i < end && !filter_is_over(filter, rows); i++) {
		if (!filter_task(t, i, filter, false, &row) || !filter_row(filter, ++rows))
			continue;
		if (!filter_add_ref(ret, &room, ref_public(context->rt, row.view.ref)))
			return failed(-ENOMEM, "choosing tasks");
	}
	return EXIT_FINE;
}

int select_tasks(struct context *context, int argc, char **argv, const struct task_filter *filter,
    struct selection *ret)
{
	*ret = (struct selection){ .named = optind < argc };
	if (ret->named && filter->given)
		usage_error(
		    context, "%s takes references or a filter, not both", context->command->name);
	if (!ret->named && !filter->given)
		usage_error(context,
		    "%s: which tasks? Give references, or a filter such as "
		    "--failed",
		    context->command->name);
	if (ret->named)
		ret->ref = reference_words(argc, argv, &ret->n);
	int code = runtime(context);
	return code == EXIT_FINE && !ret->named ? filter_select_by_filter(context, filter, ret)
						: code;
}

void selection_free(struct selection *selection)
{
	free(selection->ref);
	*selection = (struct selection){ .n = 0 };
}
