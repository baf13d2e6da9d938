/* fleet_open.c - the choice of a fleet, and the connection to its engine. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/why.h"
#include "cli/fleet/fleet_cli.h"

enum { ANSWER_MS = 10000 };

void fleet_choose(struct context *context)
{
	const char *variable = getenv("PLM_FLEET");
	context->fleet_of_environment = !context->fleet && variable;
	if (!context->fleet)
		context->fleet = variable;
	if (context->fleet && !context->fleet[0])
		context->fleet = NULL;
}

void fleet_check(const struct context *context)
{
	if (!context->fleet || context->command->fleet)
		return;
	usage_error(context, "%s is not possible on a fleet (docs/fleet.md lists what is)%s",
	    context->command->name,
	    context->fleet_of_environment ? "; PLM_FLEET is set, and --fleet '' means the runtime "
					    "of this machine"
					  : "");
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
