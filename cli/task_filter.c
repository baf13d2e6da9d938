#include "cli/task_filter.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/why.h"
#include "cli/fleet_door.h"
#include "cli/look.h"
#include "cli/short_reference.h"

enum { SELECTION_LEAST = 64 };

#define BIT(state) ((uint32_t)1 << (state))

static const struct {
	const char *word;
	uint32_t states;
} state_words[] = {
	{ "waiting", BIT(PLM_STATE_WAITING) },
	{ "ready", BIT(PLM_STATE_READY) },
	{ "running", BIT(PLM_STATE_RUNNING) },
	{ "done", BIT(PLM_STATE_DONE) },
	{ "failed", BIT(PLM_STATE_FAILED) },
	{ "cancelled", BIT(PLM_STATE_CANCELLED) },
	{ "dead", PLM_ONLY_DEAD },
	{ "parked", PLM_ONLY_PARKED },
	{ "todo", BIT(PLM_STATE_WAITING) | BIT(PLM_STATE_READY) },
	{ "in_progress", BIT(PLM_STATE_RUNNING) },
	{ "in-progress", BIT(PLM_STATE_RUNNING) },
	{ "finished", BIT(PLM_STATE_DONE) },
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
	    "--state is waiting, ready, parked, running, done, failed, dead, cancelled, todo, "
	    "in_progress or finished: %.*s",
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
	    .choices = "waiting|ready|parked|running|done|failed|cancelled|dead|todo|in_progress|"
		       "finished",
	    .help = "waiting, ready, running, done, failed, cancelled; dead: failed after all "
		    "retries; parked: kept back by `move`; todo: waiting and ready; in_progress: "
		    "running; finished: done",
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
	uint32_t queued = BIT(PLM_STATE_WAITING) | BIT(PLM_STATE_READY);
	uint32_t kinds = (allowed & BIT(PLM_STATE_FAILED) ? PLM_ONLY_DEAD : 0) |
	    (allowed & queued ? PLM_ONLY_PARKED : 0);
	if (filter->states && !(filter->states & (allowed | kinds)))
		usage_error(context, "%s works on tasks that are %s, and on no others",
		    context->command->name, states);
	filter->states = filter->states ? filter->states & (allowed | kinds) : allowed;
}

/* ---- judging ---- */

static bool filter_wants_texts(const struct task_filter *filter)
{
	return filter->include.n || filter->exclude.n || filter->label.n;
}

static bool filter_texts_fit(const struct task_filter *filter, const plm_task_row *row)
{
	bool labelled = filter->label.n == 0;
	for (unsigned i = 0; i < filter->include.n; i++)
		if (!strstr(row->command, filter->include.text[i]))
			return false;
	for (unsigned i = 0; i < filter->exclude.n; i++)
		if (strstr(row->command, filter->exclude.text[i]))
			return false;
	for (unsigned i = 0; i < filter->label.n && !labelled; i++)
		labelled = strcmp(row->label, filter->label.text[i]) == 0;
	return labelled;
}

static bool filter_state_fits(const struct task_filter *filter, const plm_task_row *row)
{
	bool dead = filter->states & PLM_ONLY_DEAD && row->marks & PLM_MARK_DEAD;
	bool parked = filter->states & PLM_ONLY_PARKED && row->marks & PLM_MARK_PARKED;
	return !filter->states || dead || parked || filter->states & BIT(row->state);
}

bool filter_fits(const struct task_filter *filter, const plm_task_row *row)
{
	return filter_state_fits(filter, row) && filter_texts_fit(filter, row);
}

static unsigned filter_flags(const struct task_filter *filter, bool with_texts)
{
	return with_texts || filter_wants_texts(filter) ? PLM_LOOK_TEXTS : 0;
}

bool filter_task(plm_inspect *in, plm_ref ref, const struct task_filter *filter, bool with_texts,
    plm_task_row *ret)
{
	return plm_inspect_task(in, ref, filter_flags(filter, with_texts), ret, sizeof *ret) == 0 &&
	    ret->ref.id == ref.id && filter_state_fits(filter, ret) &&
	    filter_texts_fit(filter, ret) && (ret->marks & PLM_MARK_KEPT || !filter->kept);
}

void filter_begin(
    struct filter_page *page, plm_inspect *in, const struct task_filter *filter, bool with_texts)
{
	page->in = in;
	page->filter = filter;
	page->flags = filter_flags(filter, with_texts);
	page->states = (plm_task_filter){ .by = (filter->states ? PLM_BY_STATE : 0) |
		    (filter->kept ? PLM_BY_KEPT : 0),
		.states = filter->states };
	page->cursor = 0;
	page->at = page->n = 0;
}

const plm_task_row *filter_next(struct filter_page *page)
{
	for (;;) {
		if (page->at == page->n) {
			page->n = plm_inspect_tasks(page->in, &page->states, sizeof page->states,
			    page->flags, &page->cursor, page->row, sizeof page->row[0],
			    FILTER_PAGE_ROWS);
			page->at = 0;
		}
		if (page->n <= 0) {
			page->n = 0;
			return NULL;
		}
		const plm_task_row *row = &page->row[page->at++];
		if (filter_texts_fit(page->filter, row))
			return row;
	}
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
	static struct filter_page page;
	const plm_task_row *row;
	uint64_t rows = 0;
	size_t room = 0;
	int code = look_open(context);
	if (code != EXIT_FINE)
		return code;
	filter_begin(&page, context->in, filter, false);
	while (!filter_is_over(filter, rows) && (row = filter_next(&page)) != NULL) {
		if (!filter_row(filter, ++rows))
			continue;
		if (!filter_add_ref(ret, &room, row->ref))
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
	if (code == EXIT_FINE && ret->named)
		return references_settle(context, ret->ref, ret->n, argv + optind);
	if (code == EXIT_FINE && context->fleet)
		return fleet_select(context, filter, ret);
	return code == EXIT_FINE ? filter_select_by_filter(context, filter, ret) : code;
}

void selection_free(struct selection *selection)
{
	free(selection->ref);
	*selection = (struct selection){ .n = 0 };
}
