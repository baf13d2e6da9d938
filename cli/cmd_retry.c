#include <stdlib.h>

#include "base/limits.h"
#include "cli/arguments.h"
#include "cli/result.h"

/* The new one is kept as `call --detach` keeps; only then the dead one is let go. */
static int retry(struct context *context, plm_ref dead, const char *word)
{
	static plm_ref refs[RESULTS_MAX];
	int r = plm_retry(context->rt, dead, PLM_KEEP, refs);
	if (r == 0)
		r = plm_forget(context->rt, dead);
	if (r < 0)
		return failed(r, word);
	print_reference(context, refs[0]);
	return EXIT_FINE;
}

static int run_retry(struct context *context, int argc, char **argv)
{
	operands(context, argc, argv, 1, argc);
	size_t n;
	plm_ref *refs = reference_words(argc, argv, &n);
	int worst = runtime(context);
	for (size_t i = 0; i < n && context->rt; i++) {
		int code = retry(context, refs[i], argv[optind + (int)i]);
		worst = code == EXIT_FINE ? worst : code;
	}
	free(refs);
	return worst;
}

const struct command cmd_retry = {
	.name = "retry",
	.usage = "[OPTION]... @REF...",
	.help = "submit dead tasks anew",
	.details =
	    "Dead is a task that failed in its last try of several (plmctl tasks --state dead). It "
	    "is\n"
	    "submitted again with the same function, arguments, limits and retries, and no longer "
	    "kept;\n"
	    "the new reference is printed, kept until `plmctl drop`. What failed because the dead "
	    "one\n"
	    "did stays failed.\n",
	.run = run_retry,
};
