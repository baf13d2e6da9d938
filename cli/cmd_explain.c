#include <errno.h>
#include <stdlib.h>

#include "base/check.h"
#include "cli/arguments.h"
#include "cli/reasons.h"
#include "client/handle.h"

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
    struct context *context, const char *word, const struct explanation *e, uint32_t number)
{
	const struct tables *t = plm_tables(context->rt);
	const struct reason *reason = &e->reason[number];
	struct output *out = &context->out;
	char task[VIEW_TEXT_BYTES], text[REASON_REFS_MAX][VIEW_TEXT_BYTES];
	const char *refs[REASON_REFS_MAX];
	for (uint32_t i = 0; i < reason->refs; i++) {
		view_ref(t, reason->ref[i], text[i]);
		refs[i] = text[i];
	}
	view_ref(t, e->ref, task);
	list_begin(out, columns, COUNT_OF(columns));
	cell_text(out, word);
	cell_text(out, task);
	if (e->function[0])
		cell_text(out, e->function);
	else
		cell_none(out);
	cell_text(out, record_state_name(e->state));
	cell_number(out, number + 1);
	cell_text(out, reason->code);
	cell_text(out, reason->text);
	cell_list(out, refs, reason->refs);
	row_end(out);
}

static void explain_say_reasons(
    struct context *context, const char *word, const struct explanation *e, bool part)
{
	FILE *file = context->out.file;
	char text[REASON_TEXT_BYTES], task[VIEW_TEXT_BYTES];
	view_ref(plm_tables(context->rt), e->ref, task);
	fputs(word, file);
	if (part)
		fprintf(file, ", a result of %s", task);
	if (e->function[0])
		fprintf(file, " (%s)", e->function);
	for (uint32_t i = 0; i < e->reasons; i++) {
		make_printable(e->reason[i].text, text, sizeof text);
		if (i == 0)
			fprintf(file, " is %s: %s\n", record_state_name(e->state), text);
		else
			fprintf(file, "  and: %s\n", text);
	}
}

static int explain_one(struct context *context, plm_ref ref, const char *word)
{
	struct explanation e;
	uint64_t seen;
	int r = 0;
	if (!ref_resolve(context->rt, ref, &seen, &r))
		return failed(r, word);
	if (!explain(plm_tables(context->rt), ref.id, &e)) /* it went meanwhile */
		return failed(ref_resolve(context->rt, ref, &seen, &r) ? -ESTALE : r, word);
	if (context->json)
		for (uint32_t i = 0; i < e.reasons; i++)
			explain_json_reason(context, word, &e, i);
	else if (context->out.quiet)
		fprintf(context->out.file, "%s\n", e.reason[0].code);
	else
		explain_say_reasons(context, word, &e, e.ref != ref.id);
	return EXIT_FINE;
}

static int explain_run(struct context *context, int argc, char **argv)
{
	operands(context, argc, argv, 1, argc);
	size_t n;
	plm_ref *refs = reference_words(argc, argv, &n);
	int worst = runtime(context);
	for (size_t i = 0; i < n && context->rt; i++) {
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
