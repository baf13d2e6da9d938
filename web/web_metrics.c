/* web_metrics.c - GET /metrics for Prometheus and GET /healthz. A scrape costs a look at each
 * record of the table. */
#include "web/web_metrics.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "web/web_query.h"
#include "web/web_routes.h"

enum { PAGE_ROWS = 64, FUNCTIONS_MAX = 128, MS_PER_S = 1000 };

#define GAUGE(name, unit, help, number) \
	metric_single(metrics, "plm_" name, METRIC_GAUGE, unit, help, (double)(number))
#define COUNTER(name, help, number) \
	metric_single(metrics, "plm_" name, METRIC_COUNTER, "", help, (double)(number))

static void metrics_put(struct metric_text *metrics, const char *name, enum metric_type type,
    const char *label, const char *value, double number)
{
	const struct metric_label labels[] = { { label, value }, { NULL, NULL } };
	metric_sample(metrics, name, type, labels, number);
}

/* ---- tables ---- */

static void metrics_put_tasks(struct metric_text *metrics, const plm_status *status)
{
	static const char name[] = "plm_tasks";
	const struct {
		const char *state;
		uint64_t number;
	} rows[] = { { "waiting", status->waiting }, { "ready", status->ready },
		{ "running", status->running }, { "done", status->finished },
		{ "failed", status->failed }, { "cancelled", status->cancelled } };
	metric_family(metrics, name, METRIC_GAUGE, "", "Tasks in the table, by state.");
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		metrics_put(
		    metrics, name, METRIC_GAUGE, "state", rows[i].state, (double)rows[i].number);
	GAUGE("records", "", "Tasks and objects in the table.", status->records_used);
	GAUGE(
	    "records_limit", "", "Tasks and objects that the table can hold.", status->records_max);
	COUNTER("tasks_returned", "Attempts returned to the queue.", status->returned);
	COUNTER("tasks_evicted", "Attempts ended for want of memory.", status->evicted);
	COUNTER("tasks_reassigned", "Tasks of dead workers queued again.", status->reassigned);
	GAUGE("reassign_longest_seconds", "seconds",
	    "The longest time from the notice of a death until its tasks were queued again.",
	    (double)status->reassign_max_ns / (double)NS_PER_S);
}

static void metrics_put_memory(struct metric_text *metrics, const plm_status *status)
{
	GAUGE("store_size_bytes", "bytes", "The limit of the store.", status->store_bytes);
	GAUGE("store_used_bytes", "bytes", "Bytes of the store in use.", status->store_used);
	GAUGE("store_reserved_bytes", "bytes", "Bytes of shared memory that the store has taken.",
	    status->store_reserved);
	GAUGE("store_arguments_bytes", "bytes", "The part of the store in argument blocks.",
	    status->store_arguments);
	GAUGE("shm_free_bytes", "bytes", "Bytes that /dev/shm can still give.", status->shm_free);
	GAUGE("memory_size_bytes", "bytes", "Memory of the machine.", status->memory_total);
	GAUGE("memory_free_bytes", "bytes", "Free memory of the machine.", status->memory_free);
	GAUGE("memory_short", "", "1 if no task starts for want of memory.",
	    status->memory_short != 0);
}

static void metrics_put_life(struct metric_text *metrics, const plm_status *status)
{
	double now = (double)clock_of(CLOCK_REALTIME) / (double)NS_PER_S;
	GAUGE("start_time_seconds", "seconds", "When the runtime was booted, since 1970.",
	    now - (double)status->uptime_ms / MS_PER_S);
	GAUGE("clients", "", "Connected clients.", status->clients);
	GAUGE("process_slots", "", "Processes that the runtime can have.", status->processes_max);
	GAUGE("paused", "", "1 if no task is started.", status->paused != 0);
	GAUGE("closed", "", "1 if no task is accepted.", status->closed != 0);
	GAUGE("stopping", "", "1 if the runtime ends when the accepted tasks have run.",
	    status->stopping != 0);
	COUNTER(
	    "restarts", "Scheduler, workers and journals replaced since boot.", status->restarts);
	if (!status->journal[0])
		return;
	COUNTER("journal_tasks_accepted", "Tasks that the journal has written.",
	    status->journal_accepted);
	COUNTER("journal_tasks_ended", "Ends of tasks that the journal has written.",
	    status->journal_ended);
	GAUGE("journal_writable", "", "0 if the journal cannot be written.",
	    status->journal_trouble[0] == 0);
}

/* ---- workers ---- */

struct metrics_function {
	char name[64];
	unsigned running;
};

struct metrics_workers {
	plm_work_row *row;
	size_t count;
	struct metrics_function function[FUNCTIONS_MAX];
	unsigned functions;
};

static void metrics_see_function(struct metrics_workers *workers, const char *name)
{
	unsigned i = 0;
	while (i < workers->functions && strcmp(workers->function[i].name, name) != 0)
		i++;
	if (i == FUNCTIONS_MAX)
		return;
	snprintf(workers->function[i].name, sizeof workers->function[i].name, "%s", name);
	workers->function[i].running++;
	workers->functions += i == workers->functions;
}

/* A number that names no function is "#N": no label is made of such a number. */
static void metrics_see_running(struct metrics_workers *workers, plm_inspect *in)
{
	static plm_task_row task;
	for (size_t i = 0; i < workers->count; i++)
		if (workers->row[i].running.id &&
		    plm_inspect_task(in, workers->row[i].running, 0, &task, sizeof task) == 0 &&
		    task.function[0] != '#')
			metrics_see_function(workers, task.function);
}

static void metrics_put_states(struct metric_text *metrics, const struct metrics_workers *workers)
{
	static const char *const states[] = { "busy", "idle", "blocked", "leaving", "drained",
		"dead", "spare" };
	metric_family(metrics, "plm_workers", METRIC_GAUGE, "", "Worker processes, by state.");
	for (size_t s = 0; s < COUNT_OF(states); s++) {
		unsigned n = 0;
		for (size_t i = 0; i < workers->count; i++)
			n += strcmp(sample_condition(&workers->row[i]), states[s]) == 0;
		metrics_put(metrics, "plm_workers", METRIC_GAUGE, "state", states[s], n);
	}
}

/* A worker of several cpus has a process for each, a worker that leaves meets its successor, and a
 * spare has the number of the worker it stands in for: the process slot tells them apart. A new
 * process in the slot counts from 0, as Prometheus expects of a counter whose process is new. */
static void metrics_put_counter(struct metric_text *metrics, const struct metrics_workers *workers,
    const char *name, const char *help, bool failed)
{
	char number[16], process[16];
	const struct metric_label labels[] = { { "worker", number }, { "process", process },
		{ NULL, NULL } };
	metric_family(metrics, name, METRIC_COUNTER, "", help);
	for (size_t i = 0; i < workers->count; i++) {
		const plm_work_row *row = &workers->row[i];
		if (row->process == PLM_NOBODY || row->dead)
			continue;
		snprintf(number, sizeof number, "%u", row->worker);
		snprintf(process, sizeof process, "%u", row->process);
		metric_sample(metrics, name, METRIC_COUNTER, labels,
		    (double)(failed ? row->failed : row->done));
	}
}

static void metrics_put_workers(struct metric_text *metrics, const struct metrics_workers *workers)
{
	metrics_put_states(metrics, workers);
	metrics_put_counter(metrics, workers, "plm_worker_tasks_done",
	    "Tasks that the process in this process slot has run with success.", false);
	metrics_put_counter(metrics, workers, "plm_worker_tasks_failed",
	    "Tasks that failed on the process in this process slot.", true);
	metric_family(
	    metrics, "plm_function_running_tasks", METRIC_GAUGE, "", "Running tasks, by function.");
	for (unsigned i = 0; i < workers->functions; i++)
		metrics_put(metrics, "plm_function_running_tasks", METRIC_GAUGE, "function",
		    workers->function[i].name, workers->function[i].running);
}

static int metrics_read_workers(const struct look *look, struct metrics_workers *workers)
{
	size_t room = (size_t)look->runtime.processes_max * 2 + PAGE_ROWS;
	uint64_t cursor = 0;
	int n;
	workers->row = calloc(room, sizeof *workers->row);
	if (!workers->row)
		return -ENOMEM;
	while (room - workers->count >= PAGE_ROWS &&
	    (n = plm_inspect_work(look->in, 1U << PLM_KIND_WORKER, &cursor,
		 workers->row + workers->count, sizeof *workers->row, PAGE_ROWS)) > 0)
		workers->count += (size_t)n;
	metrics_see_running(workers, look->in);
	return 0;
}

/* ---- plmweb itself ---- */

void metrics_put_ourselves(struct metric_text *metrics, const struct web *web)
{
	struct rusage usage;
	FILE *file = fopen("/proc/self/statm", "re");
	unsigned long pages = 0;
	if (file && fscanf(file, "%*u %lu", &pages) != 1)
		pages = 0;
	if (file)
		fclose(file);
	getrusage(RUSAGE_SELF, &usage);
	metric_single(metrics, "process_cpu_seconds", METRIC_COUNTER, "seconds",
	    "Time of the processor that plmweb took.",
	    (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
		(double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6);
	metric_single(metrics, "process_resident_memory_bytes", METRIC_GAUGE, "bytes",
	    "Resident memory of plmweb.", (double)pages * (double)sysconf(_SC_PAGESIZE));
	GAUGE("web_pages", "", "Pages with live data.", web->live.count);
	COUNTER("web_requests", "Requests to plmweb.", web->requests);
	COUNTER("web_requests_refused", "Requests that plmweb refused.", web->refused);
}

const char *metrics_type(const struct metric_text *metrics)
{
	return metrics->open ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
			     : "text/plain; version=0.0.4; charset=utf-8";
}

/* ---- routes ---- */

static int metrics_put_runtime(struct metric_text *metrics, const struct look *look)
{
	struct metrics_workers *workers = calloc(1, sizeof *workers);
	plm_status status;
	int r = workers ? plm_inspect_status(look->in, &status, sizeof status) : -ENOMEM;
	if (r == 0)
		r = metrics_read_workers(look, workers);
	GAUGE("up", "", "1 if the runtime can be read.", r == 0);
	if (r == 0) {
		metric_family(metrics, "plm_runtime", METRIC_INFO, "", "The runtime.");
		metrics_put(metrics, "plm_runtime", METRIC_INFO, "name", look->runtime.name, 1);
		metrics_put_life(metrics, &status);
		metrics_put_tasks(metrics, &status);
		metrics_put_memory(metrics, &status);
		metrics_put_workers(metrics, workers);
	}
	if (workers)
		free(workers->row);
	free(workers);
	return r;
}

struct MHD_Response *metrics_route(struct request *request)
{
	const char *accept =
	    MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, "Accept");
	struct metric_text text = { .open = accept && query_accepts_openmetrics(accept) };
	struct metric_text *metrics = &text;
	struct MHD_Response *response = NULL;
	metric_family(metrics, "plm_build", METRIC_INFO, "", "The version of plmweb.");
	metrics_put(metrics, "plm_build", METRIC_INFO, "version", PLM_VERSION, 1);
	if (request_look(request, &response)) {
		metrics_put_runtime(metrics, &request->web->look);
	} else {
		GAUGE("up", "", "1 if the runtime can be read.", 0);
		if (response)
			MHD_destroy_response(response);
		request->status = MHD_HTTP_OK;
	}
	metrics_put_ourselves(metrics, request->web);
	metric_end(metrics);
	return reply_text(request, &text.text, metrics_type(metrics));
}

/* 200 while manager and scheduler live and go on, 503 with the reason otherwise. */
struct MHD_Response *healthz_route(struct request *request)
{
	const struct look *look = &request->web->look;
	struct MHD_Response *response = NULL;
	struct json json = { .data = NULL };
	if (!request_look(request, &response)) {
		request->status = MHD_HTTP_SERVICE_UNAVAILABLE;
		return response;
	}
	struct look judged = *look;
	look_judge(&judged);
	if (judged.trouble[0])
		return reply_error(request, MHD_HTTP_SERVICE_UNAVAILABLE, "%s", judged.trouble);
	jsontext_open(&json, NULL, '{');
	jsontext_text(&json, "state", look_state(look));
	jsontext_close(&json, '}');
	return reply_json(request, &json);
}
