#include <stdlib.h>

#include "base/check.h"
#include "cli/arguments.h"
#include "cli/fleet_door.h"
#include "cli/look.h"
#include "cli/short_reference.h"

enum { REASONS_MAX = 8, REFS_MAX = 8 };

struct explained {
	plm_explanation head;
	plm_reason reason[REASONS_MAX];
	int n; /* at least 1 */
};

struct reason_row {
	const char *word; /* the reference, as the user wrote it */
	plm_ref task;
	const char *function, *state;
	int number;
	const char *code, *text;
	const plm_reason *reason;
};

static void explain_refs(struct output *out, const void *row)
{
	const plm_reason *reason = ((const struct reason_row *)row)->reason;
	char text[REFS_MAX][PLM_REF_TEXT_BYTES];
	const char *refs[REFS_MAX];
	unsigned n = reason->refs < REFS_MAX ? reason->refs : REFS_MAX;
	for (unsigned i = 0; i < n; i++) {
		plm_ref_print(reason->ref[i], text[i]);
		refs[i] = text[i];
	}
	cell_list(out, refs, n);
}

static const struct column columns[] = {
	{ "REF", "ref", -1, PLAIN(struct reason_row, word) },
	{ "TASK", "task", -1, PLAIN(struct reason_row, task) },
	{ "FUNCTION", "function", -1, TEXT_IF_ANY(struct reason_row, function) },
	{ "STATE", "state", -1, PLAIN(struct reason_row, state) },
	{ "NUMBER", "number", 0, PLAIN(struct reason_row, number) },
	{ "REASON", "reason", -1, PLAIN(struct reason_row, code) },
	{ "TEXT", "text", -1, PLAIN(struct reason_row, text) },
	{ "REFS", "refs", -1, .cell = explain_refs },
};

static void explain_json_reasons(struct output *out, const char *word, const struct explained *e)
{
	table_begin(out, columns, COUNT_OF(columns));
	for (int i = 0; i < e->n; i++)
		table_row(out,
		    &(struct reason_row){ .word = word,
			.task = e->head.task,
			.function = e->head.function,
			.state = plm_state_name(e->head.state),
			.number = i + 1,
			.code = e->reason[i].code,
			.text = e->reason[i].text,
			.reason = &e->reason[i] });
}

static void explain_say_reasons(
    struct output *out, const char *word, const struct explained *e, bool part)
{
	char text[sizeof e->reason[0].text], task[PLM_REF_TEXT_BYTES];
	plm_ref_print(e->head.task, task);
	fputs(word, out->file);
	if (part)
		fprintf(out->file, ", a result of %s", task);
	if (e->head.function[0])
		fprintf(out->file, " (%s)", e->head.function);
	for (int i = 0; i < e->n; i++) {
		make_printable(e->reason[i].text, text, sizeof text);
		if (i == 0)
			fprintf(out->file, " is %s: %s\n", plm_state_name(e->head.state), text);
		else
			fprintf(out->file, "  and: %s\n", text);
	}
}

static int explain_one(struct context *context, plm_ref ref, const char *word)
{
	static struct explained e;
	int r = plm_inspect_explain(
	    context->in, ref, &e.head, sizeof e.head, e.reason, sizeof e.reason[0], REASONS_MAX);
	if (r < 0)
		return failed(r, word);
	e.n = r < REASONS_MAX ? r : REASONS_MAX;
	if (context->json)
		explain_json_reasons(&context->out, word, &e);
	else if (context->out.quiet)
		fprintf(context->out.file, "%s\n", e.reason[0].code);
	else
		explain_say_reasons(&context->out, word, &e, e.head.task.id != ref.id);
	return EXIT_FINE;
}

static int explain_run(struct context *context, int argc, char **argv)
{
	operands(context, argc, argv, 1, argc);
	size_t n;
	plm_ref *refs = reference_words(argc, argv, &n);
	if (context->fleet) {
		int code = references_settle(context, refs, n, argv + optind);
		if (code == EXIT_FINE)
			code = fleet_explain(context, refs, n);
		free(refs);
		return code;
	}
	int worst = look_open(context);
	if (worst == EXIT_FINE)
		worst = references_settle(context, refs, n, argv + optind);
	for (size_t i = 0; i < n && context->in && worst != EXIT_DATA; i++) {
		int code = explain_one(context, refs[i], argv[optind + (int)i]);
		worst = code == EXIT_FINE ? worst : code;
	}
	free(refs);
	return worst;
}

const struct command cmd_explain = {
	.name = "explain",
	.usage = "[OPTION]... @REF...",
	.help = "tell why a task is not done, or what became of it",
	.notes =
	    "Says what keeps a task from running now, and below that what would keep it back\n"
	    "next. With --quiet a code word for each task, with --json an object for each reason.\n"
	    "explain changes nothing. What it says may have changed when you read it.\n"
	    "Exit code: 0 also of a task that failed; 65: no such reference.\n",
	.run = explain_run,
	.fleet = true,
	.visits = true,
};
