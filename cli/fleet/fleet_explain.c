/* fleet_explain.c - why a task of a fleet has not ended, as a row or a line. */
#include <string.h>

#include "base/check.h"
#include "cli/fleet/fleet_cli.h"
#include "fleet/explain.h"

struct fleet_explain_row {
	plm_ref ref;
	const char *state, *code, *text;
};

static const struct column columns[] = {
	{ "REF", "ref", -1, PLAIN(struct fleet_explain_row, ref) },
	{ "STATE", "state", -1, PLAIN(struct fleet_explain_row, state) },
	{ "REASON", "reason", -1, PLAIN(struct fleet_explain_row, code) },
	{ "TEXT", "text", -1, PLAIN(struct fleet_explain_row, text) },
};

static int fleet_explain_one(struct context *context, plm_ref ref, const char *word)
{
	struct fleet_explained explained;
	uint64_t id;
	int code = fleet_id(context, ref, &id);
	if (code != EXIT_FINE)
		return code;
	int r = fleet_explain_task(context->engine, id, &explained);
	if (r < 0)
		return failed(r, word);
	const struct fleet_explain_row row = { ref, engine_state_name(explained.state),
		explained.code, explained.text };
	if (context->json) {
		table_begin(&context->out, columns, COUNT_OF(columns));
		table_row(&context->out, &row);
	} else if (context->quiet) {
		fprintf(context->out.file, "%s\n", row.code);
	} else {
		fprintf(context->out.file, "%s is %s: %s\n", word, row.state, row.text);
	}
	return EXIT_FINE;
}

int fleet_explain(struct context *context, const plm_ref *refs, size_t n)
{
	int worst = fleet_open(context);
	for (size_t i = 0; i < n && context->engine; i++) {
		char text[PLM_REF_TEXT_BYTES];
		plm_ref_print(refs[i], text);
		int code = fleet_explain_one(context, refs[i], text);
		worst = code == EXIT_FINE ? worst : code;
	}
	return worst;
}
