#include <limits.h>
#include <string.h>

#include "cli/arguments.h"
#include "cli/rows.h"
#include "client/handle.h"

enum { OWN_STATE = OPTION_OWN, OWN_LIMIT };

static const struct option options[] = {
	{ "state", required_argument, NULL, OWN_STATE },
	{ "limit", required_argument, NULL, OWN_LIMIT },
	COMMON_OPTIONS, { 0 },
};

static int state_word(const struct context *context, const char *word)
{
	for (int state = RECORD_WAITING; state <= RECORD_CANCELLED; state++)
		if (strcmp(word, record_state_name((enum record_state)state)) == 0)
			return state;
	usage_error(context,
	    "--state is waiting, ready, running, done, failed, dead or cancelled: %s", word);
}

static int run_tasks(struct context *context, int argc, char **argv)
{
	struct task_filter filter = { .state = -1, .most = UINT64_MAX };
	int option;
	while ((option = next_option(context, argc, argv, "", options)) != -1) {
		if (option == OWN_STATE && strcmp(optarg, "dead") == 0) {
			filter.state = RECORD_FAILED;
			filter.dead = true;
		} else if (option == OWN_STATE) {
			filter.state = state_word(context, optarg);
			filter.dead = false;
		} else {
			filter.most = (uint64_t)number_word(context, "--limit", optarg, 0,
			    LONG_MAX);
		}
	}
	expect_operands(context, argc, 0, 0);
	int code = runtime(context);
	if (code == EXIT_FINE)
		rows_tasks(plm_tables(context->rt), &context->out, &filter);
	return code;
}

const struct command cmd_tasks = {
	.name = "tasks",
	.usage = "[OPTION]...",
	.help = "the tasks whose futures somebody holds or needs, one row each",
	.details =
	    "  --state STATE      only waiting, ready, running, done, failed, dead or cancelled "
	    "ones;\n"
	    "                     dead are those that failed in their last try of several (plmctl "
	    "retry)\n"
	    "  --limit N          at most N rows\n",
	.run = run_tasks,
};
