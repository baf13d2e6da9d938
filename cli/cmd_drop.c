#include <stdlib.h>

#include "cli/fleet_door.h"
#include "cli/short_reference.h"

static int drop_run(struct context *context, int argc, char **argv)
{
	operands(context, argc, argv, 1, argc);
	size_t n;
	plm_ref *refs = reference_words(argc, argv, &n);
	int settled = runtime(context);
	if (settled == EXIT_FINE)
		settled = references_settle(context, refs, n, argv + optind);
	int worst = settled;
	if (settled == EXIT_FINE && context->fleet)
		worst = fleet_act(context,
		    &(struct selection){ .n = n, .ref = refs, .named = true }, FLEET_FORGET);
	for (size_t i = 0; settled == EXIT_FINE && !context->fleet && i < n; i++) {
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
	.fleet = true,
	.visits = true,
};
