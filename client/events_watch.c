/* events_watch.c - switches the event log on while this process watches. */
#include <errno.h>

#include "base/why.h"
#include "client/handle.h"
#include "client/plm_inspect.h"
#include "events/eventlog_switch.h"

static int events_watch_check(plm *rt)
{
	int r = handle_check(rt);
	if (r == 0 && rt->tables.control->event_ring == 0)
		r = why(-ENOENT,
		    "the runtime \"%s\" has no event log: its log says why the boot made none",
		    rt->tables.control->name);
	return r;
}

int plm_events_watch(plm *rt)
{
	unsigned said = why_count();
	int r = events_watch_check(rt);
	if (r == 0)
		eventlog_watch(&rt->tables, rt->self);
	return handle_end(said, r);
}

int plm_events_unwatch(plm *rt)
{
	unsigned said = why_count();
	int r = events_watch_check(rt);
	if (r == 0)
		eventlog_unwatch(&rt->tables, rt->self);
	return handle_end(said, r);
}
