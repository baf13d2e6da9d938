#include <errno.h>
#include <time.h>

#include "base/clock.h"
#include "cli/fleet_door.h"

enum { RETURN_PATIENCE_MS = 10000, RETURN_PAUSE_MS = 50 };

/* --timeout limits the whole command, and connecting is a part of the command. */
static void connection_take_off(struct context *context, uint64_t began_ns)
{
	uint64_t ms = (clock_ns() - began_ns) / NS_PER_MS;
	if (context->timeout_ms > 0)
		context->timeout_ms -=
		    ms < (uint64_t)context->timeout_ms ? (int)ms : context->timeout_ms;
}

static unsigned connection_flags(const struct context *context)
{
	return context->command->visits && !context->stays ? PLM_VISIT : 0;
}

static int connection_open(struct context *context)
{
	return plm_connect_with(
	    &context->rt, context->name, connection_flags(context), context->timeout_ms);
}

static int connection_joined(struct context *context, int r)
{
	if (r >= 0) {
		plm_patience(context->rt, context->timeout_ms > 0 ? context->timeout_ms : 0);
		return EXIT_FINE;
	}
	context->rt = NULL;
	int code = failed(r, "connecting");
	return r == -ENOENT ? EXIT_NO_RUNTIME : code; /* here the runtime was not found */
}

int runtime(struct context *context)
{
	if (context->fleet)
		return fleet_open(context);
	if (context->rt)
		return EXIT_FINE;
	uint64_t began_ns = clock_ns();
	int r = connection_open(context);
	connection_take_off(context, began_ns);
	return connection_joined(context, r);
}

void runtime_leave(struct context *context)
{
	if (context->rt && connection_flags(context) == PLM_VISIT)
		plm_disconnect(&context->rt);
}

int runtime_return(struct context *context)
{
	static const struct timespec pause = { .tv_nsec = RETURN_PAUSE_MS * (long)NS_PER_MS };
	uint64_t deadline_ns = deadline_after_ms(RETURN_PATIENCE_MS);
	if (context->rt || context->fleet)
		return EXIT_FINE;
	int r;
	while ((r = connection_open(context)) == -EUSERS && clock_ns() < deadline_ns)
		nanosleep(&pause, NULL);
	return connection_joined(context, r);
}
