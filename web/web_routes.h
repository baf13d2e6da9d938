/* web_routes.h - which function answers which path. */
#ifndef PLM_WEB_ROUTES_H
#define PLM_WEB_ROUTES_H

#include "web/web_request.h"

enum {
	ROUTE_PUBLIC = 1, /* no word of a task is in the answer: any user of the machine may ask */
	ROUTE_ACTION = 2  /* POST with the token */
};

struct route {
	const char *path;
	unsigned flags;
	route_f *answer; /* NULL: an action */
	int action;      /* enum hand_kind */
};

/* NULL: no such path, or a file of the page (web_assets.h). */
const struct route *route_find(const struct web *web, const char *path);

/* A job for the hand thread, from the query of an action. NULL: *ret is the answer. */
struct hand_job *route_job(
    const struct route *route, struct request *request, struct MHD_Response **ret);
struct MHD_Response *route_answer_job(struct request *request, const struct hand_job *job);

/* ---- the routes, each in the file of its subject ---- */

route_f live_route, status_route, tasks_route, task_route, output_route, events_route;
route_f workers_route, processes_route, objects_route, functions_route, modules_route;
route_f policies_route, history_route, metrics_route, healthz_route;

/* Of plmweb --fleet. */
route_f fleet_route, fleet_metrics_route, fleet_healthz_route;

#endif
