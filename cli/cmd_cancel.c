#include <errno.h>
#include <stdlib.h>

#include "cli/arguments.h"

enum { OWN_GRACE = OPTION_OWN };

static const struct option options[] = {
	{ "grace", required_argument, NULL, OWN_GRACE },
	COMMON_OPTIONS, { 0 },
};

static int run_cancel(struct context *context, int argc, char **argv)
{
	int flags = 0;
	while (next_option(context, argc, argv, "", options) != -1)
		flags = PLM_GRACE(duration_word(context, "--grace", optarg));
	expect_operands(context, argc, 1, argc);
	size_t n;
	plm_ref *refs = reference_words(argc, argv, &n);
	int worst = runtime(context);
	for (size_t i = 0; i < n && context->rt; i++) {
		int r = plm_cancel(context->rt, refs[i], flags);
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
	    "  --grace TIME       how long a task that runs may go on, such as 100ms (default: as\n"
	    "                     `call --grace` said, else 1s)\n\n"
	    "A task that waits is cancelled at once; one that runs is asked to stop, interrupted\n"
	    "after half of the grace, and ended with its worker after it. Whoever waits for it\n"
	    "learns at once. A task that was settled before is no error.\n",
	.run = run_cancel,
};
