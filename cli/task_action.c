#include "cli/task_action.h"

#include <errno.h>

#include "base/check.h"
#include "cli/look.h"

struct acted { /* a row */
	plm_ref ref;
	const char *past;
};

static const struct column columns[] = {
	{ "REF", "ref", -27, PLAIN(struct acted, ref) },
	{ "DONE", "done", -9, PLAIN(struct acted, past) },
};

static bool task_action_still_fits(
    struct context *context, plm_ref ref, const struct task_filter *filter)
{
	static plm_task_row row;
	return look_open(context) == EXIT_FINE &&
	    filter_task(context->in, ref, filter, false, &row);
}

/* Counts in *done. */
static int task_action_act_on(struct context *context, plm_ref ref, bool named,
    const struct task_action *action, size_t *done)
{
	char text[PLM_REF_TEXT_BYTES];
	int r = action->act(context, ref, action->argument);
	if (r == 0) {
		++*done;
		if (context->out.json || context->out.quiet)
			table_row(&context->out, &(struct acted){ ref, action->past });
		return EXIT_FINE;
	}
	if (!named && (r == -EALREADY || r == -ESTALE))
		return EXIT_FINE;
	plm_ref_print(ref, text);
	int code = failed(r, text);
	return r == -EALREADY ? EXIT_FINE : code;
}

int act_on_tasks(struct context *context, const struct selection *selection,
    const struct task_filter *filter, const struct task_action *action)
{
	size_t done = 0;
	int worst = EXIT_FINE;
	if (context->out.json || context->out.quiet)
		table_begin(&context->out, columns, COUNT_OF(columns));
	for (size_t i = 0; i < selection->n; i++) {
		if (!selection->named &&
		    !task_action_still_fits(context, selection->ref[i], filter))
			continue;
		int code =
		    task_action_act_on(context, selection->ref[i], selection->named, action, &done);
		worst = code == EXIT_FINE ? worst : code;
		if (code == EXIT_NO_RUNTIME)
			break;
	}
	if (!selection->named && !context->out.json && !context->out.quiet)
		fprintf(stderr, "plmctl: %zu %s %s\n", done, done == 1 ? "task" : "tasks",
		    action->past);
	return worst;
}

int hold_selection(struct context *context, struct selection *s)
{
	size_t held = 0;
	for (size_t i = 0; i < s->n; i++) {
		char text[PLM_REF_TEXT_BYTES];
		int r = plm_hold(context->rt, s->ref[i]);
		plm_ref_print(s->ref[i], text);
		if (r < 0 && (s->named || r != -ESTALE))
			return failed(r, text);
		if (r == 0)
			s->ref[held++] = s->ref[i];
	}
	s->n = held;
	return EXIT_FINE;
}

int select_and_act(struct context *context, int argc, char **argv, const struct task_filter *filter,
    const struct task_action *action)
{
	struct selection selection;
	int code = select_tasks(context, argc, argv, filter, &selection);
	if (code == EXIT_FINE)
		code = act_on_tasks(context, &selection, filter, action);
	selection_free(&selection);
	return code;
}
