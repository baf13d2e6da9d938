#include <errno.h>
#include <stdlib.h>

#include "cli/arguments.h"

static int run_cancel(struct context *context, int argc, char **argv)
{
	operands(context, argc, argv, 1, argc);
	size_t n;
	plm_ref *refs = reference_words(argc, argv, &n);
	int worst = runtime(context);
	for (size_t i = 0; i < n && context->rt; i++) {
		int r = plm_cancel(context->rt, refs[i], 0);
		if (r == -EALREADY)
			fprintf(stderr, "plmctl: %s: settled before\n", argv[optind + (int)i]);
		else if (r < 0)
			worst = failed(r, argv[optind + (int)i]);
	}
	free(refs);
	return worst;
}

const struct command cmd_cancel = {
	.name = "cancel",
	.usage = "[OPTION]... @REF...",
	.help = "cancel tasks",
	.details =
	    "A task that waits is cancelled at once; one that runs is asked to stop, and its "
	    "worker is\n"
	    "ended if it does not within a second. A task that was settled before is no error.\n",
	.run = run_cancel,
};
