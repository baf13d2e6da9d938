#include <errno.h>
#include <stdlib.h>

#include "base/check.h"
#include "cli/task_action.h"

enum { OWN_ANY = OPTION_OF_FILTERED, OWN_ALL, OWN_ALL_KEPT, OWN_NO_FAIL };

static const struct option options[] = {
	{ "any", no_argument, NULL, OWN_ANY },
	{ "all", no_argument, NULL, OWN_ALL },
	{ "all-kept", no_argument, NULL, OWN_ALL_KEPT },
	{ "no-fail", no_argument, NULL, OWN_NO_FAIL },
	TASK_FILTER_OPTIONS,
	COMMON_OPTIONS,
	{ 0 },
};

static const struct column columns[] = { { "REF", "ref", -24 }, { "STATE", "state", -9 } };

struct wait {
	bool any, no_fail;
};

/* What a settled future became. */
static const char *wait_outcome(plm *rt, plm_ref ref)
{
	plm_view view;
	int r = plm_get(rt, ref, &view, 0);
	if (r == 0)
		plm_release(rt, &view);
	return r == 0              ? "done"
	    : r == -PLM_EFAILED    ? "failed"
	    : r == -PLM_ECANCELLED ? "cancelled"
				   : "?";
}

/* One row a settled future; returns how many did not succeed, as an exit code. */
static int wait_print_settled(
    struct context *context, const struct selection *s, const uint8_t *ready)
{
	struct output *out = &context->out;
	size_t bad = 0;
	list_begin(out, columns, COUNT_OF(columns));
	for (size_t i = 0; i < s->n; i++) {
		char text[PLM_REF_TEXT_BYTES];
		if (!ready[i])
			continue;
		const char *state = wait_outcome(context->rt, s->ref[i]);
		bool good = state[0] == 'd';
		bad += !good;
		plm_ref_print(s->ref[i], text);
		cell_text(out, text);
		cell_tinted(out, state, good ? TINT_GOOD : TINT_BAD);
		row_end(out);
	}
	return bad > EXIT_COUNT_MAX ? EXIT_COUNT_MAX + 1 : (int)bad;
}

static int wait_for(struct context *context, struct selection *s, const struct wait *wait)
{
	int code = hold_selection(context, s);
	if (code != EXIT_FINE)
		return code;
	uint8_t *ready = calloc(s->n ? s->n : 1, sizeof *ready);
	if (!ready)
		return failed(-ENOMEM, "wait");
	size_t want = wait->any && s->n ? 1 : s->n;
	int r = plm_wait_ended(context->rt, s->ref, s->n, want, context->timeout_ms, ready);
	code = r < 0 ? failed(r, "waiting") : EXIT_FINE; /* now: what comes has a why of its own */
	int bad = r >= 0 || r == -ETIMEDOUT ? wait_print_settled(context, s, ready) : 0;
	free(ready);
	return r < 0 || wait->no_fail ? code : bad;
}

static int wait_run(struct context *context, int argc, char **argv)
{
	struct task_filter filter = { .states = 0 };
	struct wait wait = { .any = false };
	struct selection selection;
	int option;
	while ((option = next_option(context, argc, argv, "", options)) != -1) {
		if (option == OWN_ANY || option == OWN_ALL)
			wait.any = option == OWN_ANY;
		else if (option == OWN_NO_FAIL)
			wait.no_fail = true;
		else if (option == OWN_ALL_KEPT)
			filter.kept = filter.given = true;
		else
			filter_option(context, option, &filter);
	}
	int code = select_tasks(context, argc, argv, &filter, &selection);
	if (code == EXIT_FINE)
		code = wait_for(context, &selection, &wait);
	selection_free(&selection);
	return code;
}

const struct command cmd_wait = {
	.name = "wait",
	.usage = "[OPTION]... @REF...  |  [OPTION]... FILTER...",
	.help = "wait until tasks have ended and say what became of them",
	.details =
	    "  --all              until all are settled (default)\n"
	    "  --any              until one is\n"
	    "  --no-fail          exit code 0 also if some did not succeed\n"
	    "  --all-kept         every task that is kept (submit --detach)\n" TASK_FILTER_HELP
	    "\nA task that was cancelled counts when nothing of it runs any more. Prints one row\n"
	    "a settled future: done, failed or cancelled. A filter finds the\n"
	    "tasks that are there when it is asked, and none that come later.\n"
	    "Exit code: how many of them did not succeed, up to 100; 101: more; 124: time ran "
	    "out.\n",
	.run = wait_run,
};
