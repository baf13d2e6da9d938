/* fleet_open.c - the choice of a fleet, and the connection to its engine. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/why.h"
#include "cli/fleet/fleet_cli.h"

enum { ANSWER_MS = 10000 };

void fleet_choose(struct context *context)
{
	const char *variable = getenv("PLM_FLEET");
	if (context->name && context->fleet && context->fleet[0])
		usage_error(context,
		    "--name is a runtime of this machine, and --fleet a queue of many: give one "
		    "of them");
	context->fleet_of_environment = !context->fleet && variable;
	if (!context->fleet && !context->name) /* --name: a left-over PLM_FLEET must not act */
		context->fleet = variable;
	if (context->fleet && !context->fleet[0])
		context->fleet = NULL;
}

/* What a fleet has in place of a command of one runtime. */
static const struct {
	const char *name, *instead;
} open_instead[] = {
	{ "pause", "`plmctl drain HOST` lets a host claim nothing more" },
	{ "stop", "`plmctl close HOST` ends the tasks of a host and stops its runtime" },
	{ "clients", "`plmctl hosts` lists the hosts" },
	{ "events", "`plmctl top` shows the fleet, and `plmctl history` its tasks" },
	{ "plot", "`plmctl top` shows the fleet, and `plmctl history` its tasks" },
};

void fleet_check(const struct context *context)
{
	const char *command = context->command->name;
	const char *instead = "on the machine of a host it shows that host";
	if (!context->fleet || context->command->fleet)
		return;
	for (size_t i = 0; i < COUNT_OF(open_instead); i++)
		if (strcmp(open_instead[i].name, command) == 0)
			instead = open_instead[i].instead;
	fprintf(stderr, "plmctl: %s is about one runtime, not a fleet: %s; %s\n", command, instead,
	    context->fleet_of_environment
		? "PLM_FLEET is set, and --name NAME or --fleet '' means a runtime of this machine"
		: "without --fleet it is about the runtime of this machine");
	exit(EXIT_USAGE);
}

int fleet_open(struct context *context)
{
	struct fleet_url url;
	if (context->engine)
		return EXIT_FINE;
	const char *what = context->fleet_of_environment ? "PLM_FLEET" : "--fleet";
	int limit_ms = context->timeout_ms > 0 && context->timeout_ms < ANSWER_MS
	    ? context->timeout_ms
	    : ANSWER_MS;
	int r = fleet_url_parse(what, context->fleet, context->fleet_of_environment, &url);
	if (r < 0)
		usage_error(context, "%s", why_text());
	r = engine_open(&context->engine, &url, limit_ms);
	return r < 0 ? failed(r, "fleet") : EXIT_FINE;
}

void fleet_close(struct context *context)
{
	engine_close(&context->engine);
}

int fleet_value_id(struct context *context, plm_ref ref, uint64_t *ret)
{
	char text[PLM_REF_TEXT_BYTES];
	int r = engine_id(context->engine, ref, ret);
	plm_ref_print(ref, text);
	return r < 0 ? failed(r, text) : EXIT_FINE;
}

int fleet_id(struct context *context, plm_ref ref, uint64_t *ret)
{
	int code = fleet_value_id(context, ref, ret);
	*ret = engine_task_id(*ret);
	return code;
}
