/* web_fleet_routes.c - GET /api/fleet, and /metrics and /healthz of a fleet. */
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "web/web_fleet.h"
#include "web/web_metrics.h"
#include "web/web_query.h"
#include "web/web_routes.h"

enum { MS_PER_S = 1000 };

/* ---- the page ---- */

static void fleet_put_host(struct json *json, const struct fleet_host_sample *host)
{
	jsontext_open(json, NULL, '{');
	jsontext_text(json, "host", host->name);
	jsontext_text(json, "state", host->state);
	jsontext_text_if_any(json, "order", host->order);
	jsontext_text(json, "runtime", host->runtime);
	jsontext_text(json, "version", host->version);
	jsontext_signed(json, "pid", host->pid);
	jsontext_number(json, "seen_ms", host->seen_ms);
	jsontext_number(json, "cores", host->cores);
	jsontext_number(json, "busy", host->busy);
	jsontext_number(json, "memory_total", host->memory_total);
	jsontext_number(json, "memory_used", host->memory_used);
	jsontext_number(json, "running", host->claimed);
	jsontext_number(json, "finished", host->finished);
	jsontext_real(json, "rate", host->rate);
	jsontext_close(json, '}');
}

static void fleet_put_points(struct json *json, const struct fleet_view *view)
{
	jsontext_open(json, "points", '[');
	for (size_t i = 0; i < view->points; i++) {
		const struct fleet_point *p = &view->point[i];
		jsontext_open(json, NULL, '[');
		jsontext_real(json, NULL, (double)p->at_ms / MS_PER_S);
		jsontext_real(json, NULL, p->rate);
		jsontext_number(json, NULL, p->todo);
		jsontext_number(json, NULL, p->running);
		jsontext_close(json, ']');
	}
	jsontext_close(json, ']');
}

struct MHD_Response *fleet_route(struct request *request)
{
	struct web_fleet *fleet = request->web->fleet;
	const struct fleet_view *view = web_fleet_look(fleet);
	const struct engine_status *s = &view->sample.status;
	struct json json = { .data = NULL };
	jsontext_open(&json, NULL, '{');
	jsontext_text(&json, "fleet", fleet->url.shown);
	jsontext_text(&json, "version", PLM_VERSION);
	jsontext_text_if_any(&json, "trouble", view->trouble);
	jsontext_number(&json, "taken_ms", view->taken_ms);
	jsontext_number(&json, "lease_ms", view->lease_ms);
	jsontext_real(&json, "rate", view->sample.rate);
	jsontext_number(&json, "waiting", s->waiting);
	jsontext_number(&json, "ready", s->ready);
	jsontext_number(&json, "pause", s->pause);
	jsontext_number(&json, "parked", s->parked);
	jsontext_number(&json, "running", s->running);
	jsontext_number(&json, "done", s->done);
	jsontext_number(&json, "failed", s->failed);
	jsontext_number(&json, "cancelled", s->cancelled);
	jsontext_open(&json, "hosts", '[');
	for (size_t i = 0; i < view->sample.hosts; i++)
		fleet_put_host(&json, &view->sample.host[i]);
	jsontext_close(&json, ']');
	if (request_word(request, "points"))
		fleet_put_points(&json, view);
	jsontext_close(&json, '}');
	return reply_json(request, &json);
}

/* ---- metrics ---- */

#define GAUGE(name, unit, help, number) \
	metric_single(metrics, "plm_fleet_" name, METRIC_GAUGE, unit, help, (double)(number))

static void fleet_metric_tasks(struct metric_text *metrics, const struct engine_status *s)
{
	static const char name[] = "plm_fleet_tasks";
	const struct {
		const char *state;
		uint64_t number;
	} rows[] = { { "waiting", s->waiting }, { "ready", s->ready }, { "pause", s->pause },
		{ "parked", s->parked }, { "running", s->running }, { "done", s->done },
		{ "failed", s->failed }, { "cancelled", s->cancelled } };
	metric_family(metrics, name, METRIC_GAUGE, "", "Tasks of the queue, by state.");
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		const struct metric_label labels[] = { { "state", rows[i].state }, { NULL, NULL } };
		metric_sample(metrics, name, METRIC_GAUGE, labels, (double)rows[i].number);
	}
}

/* Fields of a host. Prometheus wants all samples of a family in sequence, so hosts are the inner
 * loop. */
enum { HOST_SEEN, HOST_CORES, HOST_BUSY, HOST_MEMORY, HOST_USED, HOST_CLAIMED, HOST_FINISHED };

static double fleet_metric_of(const struct fleet_host_sample *host, int field)
{
	switch (field) {
	case HOST_SEEN: return (double)host->seen_ms / MS_PER_S;
	case HOST_CORES: return (double)host->cores;
	case HOST_BUSY: return (double)host->busy;
	case HOST_MEMORY: return (double)host->memory_total;
	case HOST_USED: return (double)host->memory_used;
	case HOST_CLAIMED: return (double)host->claimed;
	default: return (double)host->finished;
	}
}

static void fleet_metric_hosts(struct metric_text *metrics, const struct fleet_sample *sample)
{
	static const struct {
		const char *name, *unit, *help;
		enum metric_type type;
		int field;
	} rows[] = {
		{ "plm_fleet_host_seen_seconds", "seconds", "Time since the last sign of life.",
		    METRIC_GAUGE, HOST_SEEN },
		{ "plm_fleet_host_cores", "", "Workers of the host.", METRIC_GAUGE, HOST_CORES },
		{ "plm_fleet_host_busy", "", "Workers that run a task.", METRIC_GAUGE, HOST_BUSY },
		{ "plm_fleet_host_memory_size_bytes", "bytes", "Memory of the host.", METRIC_GAUGE,
		    HOST_MEMORY },
		{ "plm_fleet_host_memory_used_bytes", "bytes", "Memory of the host in use.",
		    METRIC_GAUGE, HOST_USED },
		{ "plm_fleet_host_claimed_tasks", "", "Tasks that the host has claimed.",
		    METRIC_GAUGE, HOST_CLAIMED },
		{ "plm_fleet_host_tasks_finished", "", "Attempts that ended since the host joined.",
		    METRIC_COUNTER, HOST_FINISHED },
	};
	metric_family(metrics, "plm_fleet_host_up", METRIC_GAUGE, "",
	    "1 if the host has a lease; 0 for a day after it left or was lost.");
	for (size_t i = 0; i < sample->hosts; i++) {
		const struct metric_label labels[] = { { "host", sample->host[i].name },
			{ NULL, NULL } };
		metric_sample(metrics, "plm_fleet_host_up", METRIC_GAUGE, labels,
		    strcmp(sample->host[i].state, "up") == 0);
	}
	for (size_t row = 0; row < COUNT_OF(rows); row++) {
		metric_family(
		    metrics, rows[row].name, rows[row].type, rows[row].unit, rows[row].help);
		for (size_t i = 0; i < sample->hosts; i++) {
			const struct fleet_host_sample *host = &sample->host[i];
			const struct metric_label labels[] = { { "host", host->name },
				{ NULL, NULL } };
			if (strcmp(host->state, "up") == 0)
				metric_sample(metrics, rows[row].name, rows[row].type, labels,
				    fleet_metric_of(host, rows[row].field));
		}
	}
}

struct MHD_Response *fleet_metrics_route(struct request *request)
{
	const struct fleet_view *view = web_fleet_look(request->web->fleet);
	const char *accept =
	    MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, "Accept");
	struct metric_text text = { .open = accept && query_accepts_openmetrics(accept) };
	struct metric_text *metrics = &text;
	const struct metric_label version[] = { { "version", PLM_VERSION }, { NULL, NULL } };
	metric_family(metrics, "plm_build", METRIC_INFO, "", "The version of plmweb.");
	metric_sample(metrics, "plm_build", METRIC_INFO, version, 1);
	GAUGE("up", "", "1 if the engine answers.", view->taken_ms && !view->trouble[0]);
	if (view->taken_ms && !view->trouble[0]) {
		GAUGE("hosts", "", "Hosts with a lease.", view->sample.status.hosts);
		GAUGE("lease_seconds", "seconds", "The lease of a host.",
		    (double)view->lease_ms / MS_PER_S);
		fleet_metric_tasks(metrics, &view->sample.status);
		fleet_metric_hosts(metrics, &view->sample);
	}
	metrics_put_ourselves(metrics, request->web);
	metric_end(metrics);
	return reply_text(request, &text.text, metrics_type(metrics));
}

struct MHD_Response *fleet_healthz_route(struct request *request)
{
	const struct fleet_view *view = web_fleet_look(request->web->fleet);
	struct json json = { .data = NULL };
	if (view->trouble[0])
		return reply_error(request, MHD_HTTP_SERVICE_UNAVAILABLE, "%s", view->trouble);
	if (view->sample.status.hosts == 0)
		return reply_error(request, MHD_HTTP_SERVICE_UNAVAILABLE,
		    "no host of the fleet is up (plmctl hosts)");
	jsontext_open(&json, NULL, '{');
	jsontext_text(&json, "state", "up");
	jsontext_close(&json, '}');
	return reply_json(request, &json);
}
