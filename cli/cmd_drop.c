#include <stdlib.h>

#include "cli/short_reference.h"

static int drop_run(struct context *context, int argc, char **argv)
{
	operands(context, argc, argv, 1, argc);
	size_t n;
	plm_ref *refs = reference_words(argc, argv, &n);
	int worst = runtime(context);
	if (worst == EXIT_FINE)
		worst = references_settle(context, refs, n, argv + optind);
	for (size_t i = 0; i < n && context->rt && worst != EXIT_DATA; i++) {
		int r = plm_forget(context->rt, refs[i]);
		if (r < 0)
			worst = failed(r, argv[optind + (int)i]);
	}
	free(refs);
	return worst;
}

const struct command cmd_drop = {
	.name = "drop",
	.usage = "[OPTION]... @REF...",
	.help = "stop keeping what put or --detach kept, by reference",
	.notes = "The value is removed when no other program and no task needs it.\n",
	.run = drop_run,
	.visits = true,
};
