#include "base/check.h"
#include "cli/arguments.h"
#include "client/handle.h"
#include "policy/policy.h"

static const struct column columns[] = {
	{ "POLICY", "policy", -14 },
	{ "", "state", -8 },
	{ "GIVES A TASK TO", "help", -1 },
};

static void policy_list(struct output *out, const struct tables *t)
{
	const struct policy *policy;
	uint32_t in_force = sh_load(&t->control->policy);
	list_begin(out, columns, COUNT_OF(columns));
	for (uint32_t i = 0; (policy = policy_at(i)); i++) {
		cell_text(out, policy->name);
		cell_text(out, i == in_force ? "in force" : "");
		cell_text(out, policy->help);
		row_end(out);
	}
}

/* The scheduler sees it when it wakes for the next task. */
static bool policy_choose(struct tables *t, const char *name)
{
	for (uint32_t i = 0; policy_at(i); i++)
		if (policy_at(i) == policy_find(name)) {
			sh_store(&t->control->policy, i);
			return true;
		}
	return false;
}

static int policy_run(struct context *context, int argc, char **argv)
{
	operands(context, argc, argv, 0, 1);
	if (optind < argc && !policy_find(argv[optind]))
		usage_error(
		    context, "no such policy: %s (`plmctl policy` lists them)", argv[optind]);
	int code = runtime(context);
	if (code != EXIT_FINE)
		return code;
	if (optind == argc)
		policy_list(&context->out, plm_tables(context->rt));
	else
		policy_choose(plm_tables(context->rt), argv[optind]);
	return EXIT_FINE;
}

const struct command cmd_policy = {
	.name = "policy",
	.usage = "[NAME]",
	.help = "show or set the policy by which workers get tasks",
	.run = policy_run,
	.visits = true,
};
