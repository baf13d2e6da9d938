/* fleet_map.c - what `plmctl map` asks of a fleet: the ends of many tasks, as they are told. */
#include <errno.h>
#include <string.h>

#include "base/check.h"
#include "base/why.h"
#include "cli/fleet/fleet_cli.h"

/* ---- begin ---- */

static void fleet_map_count(void *argument, const struct engine_host *host)
{
	if (strcmp(host->state, "up") == 0 && !host->order[0])
		*(unsigned *)argument += (unsigned)host->cores;
}

int fleet_ends_open(struct context *context, unsigned *ret_workers)
{
	*ret_workers = 0;
	int code = fleet_open(context);
	int r = code == EXIT_FINE ? engine_watch_open(context->engine) : 0;
	if (r == 0 && code == EXIT_FINE)
		r = engine_hosts(context->engine, fleet_map_count, ret_workers);
	return r < 0 ? failed(r, "map") : code;
}

int fleet_ends_fd(const struct context *context)
{
	return engine_bell_fd(context->engine);
}

int fleet_ends_reopen(struct context *context)
{
	return engine_reopen(context->engine);
}

/* ---- ends ---- */

struct fleet_map_ends {
	struct context *context;
	bool times;
	fleet_end_f *end;
	void *argument;
};

static void fleet_map_take_result(const struct engine_result *result, struct fleet_outcome *ret)
{
	ret->state = result->state == ENGINE_DONE ? PLM_STATE_DONE
	    : result->state == ENGINE_FAILED      ? PLM_STATE_FAILED
						  : PLM_STATE_CANCELLED;
	ret->failure = (plm_failure){ .code = result->code, .signal = result->signal };
	snprintf(ret->failure.message, sizeof ret->failure.message, "%s", result->message);
	ret->attempt = result->attempt;
	ret->text[0] = result->value;
	ret->bytes[0] = result->value_bytes;
	ret->text[1] = result->error_output;
	ret->bytes[1] = result->error_bytes;
}

static int fleet_map_read_times(struct context *context, uint64_t id, struct fleet_outcome *ret)
{
	struct engine_row row;
	int r = engine_row(context->engine, id, &row);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	ret->began_ms = row.began_ms;
	ret->run_us = row.wall_us;
	return 0;
}

/* Reads what became of a task and tells the caller. Somebody may have forgotten the task: the end
 * is a failure then. A lost large value may be on its way to be made again: no end yet. */
static int fleet_map_read(struct fleet_map_ends *e, uint64_t id)
{
	struct fleet_outcome end = { .ref = engine_ref(e->context->engine, id),
		.text = { "", "" } };
	struct engine_result result = { .state = ENGINE_NONE };
	int r = e->times ? fleet_map_read_times(e->context, id, &end) : 0;
	if (r == 0)
		r = fleet_result(e->context, id, false, &result);
	if (r == -EAGAIN)
		return 0;
	if (r == -ENOTCONN || r == -EXDEV || (r == 0 && !engine_settled(result.state)))
		return r;
	if (r < 0)
		result = (struct engine_result){
			.state = ENGINE_FAILED, .code = EXIT_OURS, .message = plm_why()
		};
	fleet_map_take_result(&result, &end);
	r = e->end(e->argument, &end);
	fleet_result_free(&result);
	return r < 0 ? r : 1;
}

static int fleet_map_told(struct fleet_map_ends *e, const struct engine_news *news)
{
	if (!news->value || e->times)
		return fleet_map_read(e, news->id);
	const struct fleet_outcome end = { .ref = engine_ref(e->context->engine, news->id),
		.state = PLM_STATE_DONE,
		.attempt = 1,
		.text = { news->value, "" },
		.bytes = { news->value_bytes, 0 } };
	int r = e->end(e->argument, &end);
	return r < 0 ? r : 1;
}

int fleet_ends_hear(struct context *context, bool times, fleet_end_f *end, void *argument)
{
	static struct engine_news told[FLEET_PAGE];
	struct fleet_map_ends e = { context, times, end, argument };
	int n, found = 0;
	while ((n = engine_told(context->engine, 0, told, COUNT_OF(told))) > 0)
		for (int i = 0; i < n; i++) {
			int r = fleet_map_told(&e, &told[i]);
			if (r < 0)
				return r;
			found += r;
		}
	return n < 0 ? n : found;
}

/* The ids of a page of references. They are of this queue. */
static size_t fleet_map_page(
    struct context *context, const plm_ref *refs, size_t n, uint64_t ids[FLEET_PAGE])
{
	size_t page = n < FLEET_PAGE ? n : FLEET_PAGE;
	for (size_t i = 0; i < page; i++)
		CHECK(engine_id(context->engine, refs[i], &ids[i]) == 0);
	return page;
}

int fleet_ends_look(struct context *context, const plm_ref *refs, size_t n, bool times,
    fleet_end_f *end, void *argument)
{
	struct fleet_map_ends e = { context, times, end, argument };
	uint64_t ids[FLEET_PAGE];
	enum engine_state state[FLEET_PAGE];
	int found = 0, r = 0;
	for (size_t at = 0, page; at < n; at += page) {
		page = fleet_map_page(context, refs + at, n - at, ids);
		r = engine_watch(context->engine, ids, page, state);
		for (size_t i = 0; i < page && r >= 0; i++) {
			r = engine_settled(state[i]) ? fleet_map_read(&e, ids[i]) : 0;
			found += r > 0;
		}
		if (r < 0)
			return r;
	}
	return found;
}

int fleet_act_quietly(
    struct context *context, const plm_ref *refs, size_t n, enum fleet_action action)
{
	uint64_t ids[FLEET_PAGE];
	int8_t done[FLEET_PAGE];
	int r = 0;
	CHECK(action == FLEET_CANCEL || action == FLEET_FORGET);
	for (size_t at = 0, page; at < n && r == 0; at += page) {
		page = fleet_map_page(context, refs + at, n - at, ids);
		r = action == FLEET_CANCEL ? engine_cancel(context->engine, ids, page, done)
					   : engine_forget(context->engine, ids, page, done);
	}
	return r;
}
