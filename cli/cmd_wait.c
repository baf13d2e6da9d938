#include <errno.h>
#include <stdlib.h>

#include "base/check.h"
#include "cli/arguments.h"
#include "cli/result.h"

enum { OWN_ANY = OPTION_OWN, OWN_ALL };

static const struct option options[] = {
	{ "any", no_argument, NULL, OWN_ANY },
	{ "all", no_argument, NULL, OWN_ALL },
	COMMON_OPTIONS, { 0 },
};

static const struct column columns[] = { { "REF", "ref", -24 }, { "STATE", "state", -9 } };

/* What a settled future became. */
static const char *outcome(plm *rt, plm_ref ref)
{
	plm_view view;
	int r = plm_get(rt, ref, &view, 0);
	if (r == 0)
		plm_release(rt, &view);
	return r == 0 ? "done" : r == -PLM_EFAILED ? "failed"
	    : r == -PLM_ECANCELLED ? "cancelled" : "?";
}

/* One row a settled future; returns how many did not succeed, as an exit code. */
static int print_settled(struct context *context, const plm_ref *refs, const uint8_t *ready,
    size_t n)
{
	struct output *out = &context->out;
	int bad = 0;
	list_begin(out, columns, COUNT_OF(columns));
	for (size_t i = 0; i < n; i++) {
		char text[PLM_REF_TEXT_BYTES];
		if (!ready[i])
			continue;
		const char *state = outcome(context->rt, refs[i]);
		bool good = state[0] == 'd';
		bad += !good;
		plm_ref_print(refs[i], text);
		cell_text(out, text);
		cell_tinted(out, state, good ? TINT_GOOD : TINT_BAD);
		row_end(out);
	}
	return bad > EXIT_COUNT_MAX ? EXIT_COUNT_MAX + 1 : bad;
}

static int hold_all(struct context *context, const plm_ref *refs, char **words, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int r = plm_hold(context->rt, refs[i]);
		if (r < 0)
			return failed(r, words[i]);
	}
	return EXIT_FINE;
}

static int wait_for(struct context *context, const plm_ref *refs, char **words, size_t n, bool any)
{
	uint8_t *ready = calloc(n, sizeof *ready);
	int code = ready ? runtime(context) : failed(-ENOMEM, "wait");
	if (code == EXIT_FINE)
		code = hold_all(context, refs, words, n);
	if (code == EXIT_FINE) {
		int r = plm_wait(context->rt, refs, n, any ? 1 : n, context->timeout_ms, ready);
		if (r >= 0 || r == -ETIMEDOUT)
			code = print_settled(context, refs, ready, n);
		if (r < 0)
			code = failed(r, "waiting");
	}
	free(ready);
	return code;
}

static int run_wait(struct context *context, int argc, char **argv)
{
	bool any = false;
	int option;
	while ((option = next_option(context, argc, argv, "", options)) != -1)
		any = option == OWN_ANY;
	expect_operands(context, argc, 1, argc);
	size_t n;
	plm_ref *refs = reference_words(argc, argv, &n);
	int code = wait_for(context, refs, argv + optind, n, any);
	free(refs);
	return code;
}

const struct command cmd_wait = {
	.name = "wait",
	.usage = "[OPTION]... @REF...",
	.help = "wait until futures are settled and say what became of them",
	.details =
	    "  --all              until all are settled (default)\n"
	    "  --any              until one is\n"
	    "\nPrints one row a settled future: done, failed or cancelled.\n"
	    "Exit code: how many of them did not succeed, up to 100; 101: more; 124: time ran "
	    "out.\n",
	.run = run_wait,
};
