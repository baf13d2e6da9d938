#include <errno.h>

#include "base/check.h"
#include "cli/arguments.h"
#include "cli/look.h"

static void policy_state(struct output *out, const void *row)
{
	cell_text(out, ((const plm_policy_row *)row)->in_force ? "in force" : "");
}

static const struct column columns[] = {
	{ "POLICY", "policy", -14, PLAIN(plm_policy_row, policy) },
	{ "", "state", -8, .cell = policy_state },
	{ "GIVES A TASK TO", "help", -1, PLAIN(plm_policy_row, help) },
};

static void policy_list(struct output *out, plm_inspect *in)
{
	plm_policy_row row;
	uint64_t cursor = 0;
	table_begin(out, columns, COUNT_OF(columns));
	while (plm_inspect_policies(in, &cursor, &row, sizeof row, 1) > 0)
		table_row(out, &row);
}

static int policy_choose(struct context *context, const char *name)
{
	int r = plm_set_policy(context->rt, name);
	if (r == -ENOENT)
		usage_error(context, "%s", plm_why());
	return r < 0 ? failed(r, "policy") : EXIT_FINE;
}

static int policy_run(struct context *context, int argc, char **argv)
{
	operands(context, argc, argv, 0, 1);
	int code = look_open(context);
	if (code != EXIT_FINE)
		return code;
	if (optind < argc)
		return policy_choose(context, argv[optind]);
	policy_list(&context->out, context->in);
	return EXIT_FINE;
}

const struct command cmd_policy = {
	.name = "policy",
	.usage = "[NAME]",
	.help = "show or set the policy by which workers get tasks",
	.run = policy_run,
	.visits = true,
};
