#include "web/web_routes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"

static const struct route routes[] = {
	{ "/api/live", 0, live_route, 0 },
	{ "/api/status", 0, status_route, 0 },
	{ "/api/tasks", 0, tasks_route, 0 },
	{ "/api/task", 0, task_route, 0 },
	{ "/api/output", 0, output_route, 0 },
	{ "/api/events", 0, events_route, 0 },
	{ "/api/workers", 0, workers_route, 0 },
	{ "/api/processes", 0, processes_route, 0 },
	{ "/api/objects", 0, objects_route, 0 },
	{ "/api/functions", 0, functions_route, 0 },
	{ "/api/modules", 0, modules_route, 0 },
	{ "/api/policies", 0, policies_route, 0 },
	{ "/api/history", 0, history_route, 0 },
	{ "/api/cancel", ROUTE_ACTION, NULL, HAND_CANCEL },
	{ "/api/retry", ROUTE_ACTION, NULL, HAND_RETRY },
	{ "/api/requeue", ROUTE_ACTION, NULL, HAND_REQUEUE },
	{ "/api/pause", ROUTE_ACTION, NULL, HAND_PAUSE },
	{ "/api/drain", ROUTE_ACTION, NULL, HAND_DRAIN },
	{ "/api/resume", ROUTE_ACTION, NULL, HAND_RESUME },
	{ "/api/worker/drain", ROUTE_ACTION, NULL, HAND_DRAIN_WORKER },
	{ "/api/worker/resume", ROUTE_ACTION, NULL, HAND_RESUME_WORKER },
	{ "/metrics", ROUTE_PUBLIC, metrics_route, 0 },
	{ "/healthz", ROUTE_PUBLIC, healthz_route, 0 },
};

static const struct route fleet_routes[] = {
	{ "/api/fleet", 0, fleet_route, 0 },
	{ "/metrics", ROUTE_PUBLIC, fleet_metrics_route, 0 },
	{ "/healthz", ROUTE_PUBLIC, fleet_healthz_route, 0 },
};

const struct route *route_find(const struct web *web, const char *path)
{
	const struct route *table = web->fleet ? fleet_routes : routes;
	size_t n = web->fleet ? COUNT_OF(fleet_routes) : COUNT_OF(routes);
	for (size_t i = 0; i < n; i++)
		if (strcmp(path, table[i].path) == 0)
			return &table[i];
	return NULL;
}

static bool route_names_task(int kind)
{
	return kind == HAND_CANCEL || kind == HAND_RETRY || kind == HAND_REQUEUE;
}

static bool route_names_worker(int kind)
{
	return kind == HAND_DRAIN_WORKER || kind == HAND_RESUME_WORKER;
}

struct hand_job *route_job(
    const struct route *route, struct request *request, struct MHD_Response **ret)
{
	plm_ref ref = PLM_NONE;
	uint64_t worker = 0;
	if (route_names_task(route->action) && !request_ref(request, "ref", &ref)) {
		*ret = reply_error(request, MHD_HTTP_BAD_REQUEST,
		    "name a task: %s?ref=@RECORD.GENERATION.BOOT", route->path);
		return NULL;
	}
	if (route_names_worker(route->action) &&
	    (!request_word(request, "worker") ||
		!request_number(request, "worker", 0, PLM_NOBODY - 1, &worker))) {
		*ret = reply_error(request, MHD_HTTP_BAD_REQUEST,
		    "name a worker by its number: %s?worker=N", route->path);
		return NULL;
	}
	struct hand_job *job = calloc(1, sizeof *job);
	if (!job) {
		*ret = NULL;
		return NULL;
	}
	job->kind = route->action;
	job->ref = ref;
	job->worker = (uint32_t)worker;
	return job;
}

struct MHD_Response *route_answer_job(struct request *request, const struct hand_job *job)
{
	if (job->result < 0) {
		int error = job->result;
		return reply_error(request,
		    error == -EALREADY ? MHD_HTTP_CONFLICT
			: error == -ESTALE || error == -EXDEV || error == -ENOENT
			? MHD_HTTP_NOT_FOUND
			: error == -EINVAL ? MHD_HTTP_BAD_REQUEST
					   : MHD_HTTP_SERVICE_UNAVAILABLE,
		    "%s", job->text);
	}
	struct json json = { .data = NULL };
	jsontext_open(&json, NULL, '{');
	jsontext_text(&json, "done", job->text);
	jsontext_close(&json, '}');
	return reply_json(request, &json);
}
