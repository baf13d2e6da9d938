/* library_rule.c - cancelling a task, another place for it, and the numbers of the queue. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/why.h"
#include "fleet/explain.h"
#include "fleet/library/library.h"

struct ruled {
	uint64_t id;
	enum engine_place place;
	int priority;
	int8_t done;
	struct engine_row row;
	struct engine_status status;
	struct fleet_explained explained;
};

static int rule_cancel(struct engine *e, void *argument)
{
	struct ruled *r = argument;
	return engine_cancel(e, &r->id, 1, &r->done);
}

static int rule_move(struct engine *e, void *argument)
{
	struct ruled *r = argument;
	int error = engine_move(e, &r->id, 1, r->place, r->priority, &r->done);
	if (error == 0 && r->done == 0 && r->place == PLACE_BACK)
		error = engine_requeue(e, &r->id, 1, &r->done);
	return error;
}

static int rule_row(struct engine *e, void *argument)
{
	struct ruled *r = argument;
	return engine_row(e, r->id, &r->row);
}

static int rule_explain(struct engine *e, void *argument)
{
	struct ruled *r = argument;
	return fleet_explain_task(e, r->id, &r->explained);
}

static int rule_status(struct engine *e, void *argument)
{
	return engine_status(e, &((struct ruled *)argument)->status);
}

static int rule_ask(struct plm_fleet *f, plm_ref ref, library_verb *verb, struct ruled *ruled)
{
	int r = library_mine(f);
	if (r == 0)
		r = library_task(f, ref, &ruled->id);
	return r < 0 ? r : library_ask(f, verb, ruled, 0);
}

/* A change of one task; too_late: why it could not be made any more. */
static int rule_change(
    struct plm_fleet *f, plm_ref ref, library_verb *verb, struct ruled *ruled, const char *too_late)
{
	int r = rule_ask(f, ref, verb, ruled);
	if (r < 0)
		return r;
	if (ruled->done < 0)
		return why(-ESTALE, "the fleet has no such task any more");
	return ruled->done ? 0 : why(-EALREADY, "%s", too_late);
}

int plm_fleet_cancel(plm_fleet *f, plm_ref ref)
{
	struct ruled ruled = { .id = 0 };
	return rule_change(f, ref, rule_cancel, &ruled, "the task has ended");
}

int plm_fleet_move(plm_fleet *f, plm_ref ref, enum plm_place place, int priority)
{
	static const enum engine_place places[] = { [PLM_TO_FRONT] = PLACE_FRONT,
		[PLM_TO_PRIORITY] = PLACE_PRIORITY,
		[PLM_ASIDE] = PLACE_PARKED,
		[PLM_BACK] = PLACE_BACK };
	struct ruled ruled = { .priority = priority };
	if (place < PLM_TO_FRONT || place > PLM_BACK)
		return why(-EINVAL, "%d is no place for a task", (int)place);
	if (place == PLM_TO_PRIORITY && (priority < PRIORITY_MIN || priority > PRIORITY_MAX))
		return why(
		    -EINVAL, "priority %d: from %d to %d", priority, PRIORITY_MIN, PRIORITY_MAX);
	ruled.place = places[place];
	return rule_change(f, ref, rule_move, &ruled, "a host has the task, or it has ended");
}

int plm_fleet_running(plm_fleet *f, plm_ref ref)
{
	struct ruled ruled = { .id = 0 };
	int r = rule_ask(f, ref, rule_row, &ruled);
	return r < 0 ? r : ruled.row.state == ENGINE_RUNNING;
}

int plm_fleet_explain(plm_fleet *f, plm_ref ref, char *text, size_t size)
{
	struct ruled ruled = { .id = 0 };
	int r = text ? rule_ask(f, ref, rule_explain, &ruled) : why(-EINVAL, "no place for words");
	if (r == 0)
		snprintf(text, size, "%s", ruled.explained.text);
	return r;
}

int plm_fleet_status_get_sized(plm_fleet *f, plm_fleet_status *ret, size_t size)
{
	struct ruled ruled = { .id = 0 };
	int r = library_mine(f);
	if (r == 0 && !ret)
		r = why(-EINVAL, "no place for the numbers of the fleet");
	if (r == 0)
		r = library_ask(f, rule_status, &ruled, 0);
	if (r < 0)
		return r;
	const struct engine_status *s = &ruled.status;
	const plm_fleet_status now = { .hosts = s->hosts,
		.waiting = s->waiting,
		.ready = s->ready,
		.pause = s->pause,
		.running = s->running,
		.done = s->done,
		.failed = s->failed,
		.cancelled = s->cancelled,
		.parked = s->parked };
	memcpy(ret, &now, size < sizeof now ? size : sizeof now);
	return 0;
}
