#include <stdlib.h>

#include "base/check.h"
#include "cli/arguments.h"
#include "cli/look.h"

enum { REASONS_MAX = 8, REFS_MAX = 8 };

struct explained {
	plm_explanation head;
	plm_reason reason[REASONS_MAX];
	int n; /* at least 1 */
};

static const struct column columns[] = {
	{ "REF", "ref", -1 },
	{ "TASK", "task", -1 },
	{ "FUNCTION", "function", -1 },
	{ "STATE", "state", -1 },
	{ "NUMBER", "number", 0 },
	{ "REASON", "reason", -1 },
	{ "TEXT", "text", -1 },
	{ "REFS", "refs", -1 },
};

static void explain_json_reason(
    struct output *out, const char *word, const struct explained *e, int number)
{
	const plm_reason *reason = &e->reason[number];
	char task[PLM_REF_TEXT_BYTES], text[REFS_MAX][PLM_REF_TEXT_BYTES];
	const char *refs[REFS_MAX];
	unsigned n = reason->refs < REFS_MAX ? reason->refs : REFS_MAX;
	for (unsigned i = 0; i < n; i++) {
		plm_ref_print(reason->ref[i], text[i]);
		refs[i] = text[i];
	}
	plm_ref_print(e->head.task, task);
	list_begin(out, columns, COUNT_OF(columns));
	cell_text(out, word);
	cell_text(out, task);
	if (e->head.function[0])
		cell_text(out, e->head.function);
	else
		cell_none(out);
	cell_text(out, plm_state_name(e->head.state));
	cell_signed(out, number + 1);
	cell_text(out, reason->code);
	cell_text(out, reason->text);
	cell_list(out, refs, n);
	row_end(out);
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
		for (int i = 0; i < e.n; i++)
			explain_json_reason(&context->out, word, &e, i);
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
	int worst = look_open(context);
	for (size_t i = 0; i < n && context->in; i++) {
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
	.visits = true,
};
