/* web_status.c - GET /api/status: the numbers of `plmctl status`. */
#include <inttypes.h>
#include <stdio.h>

#include "web/web_routes.h"

static void status_put_counts(const plm_status *status, struct json *json)
{
	jsontext_number(json, "waiting", status->waiting);
	jsontext_number(json, "ready", status->ready);
	jsontext_number(json, "running", status->running);
	jsontext_number(json, "done", status->done);
	jsontext_number(json, "finished", status->finished);
	jsontext_number(json, "failed", status->failed);
	jsontext_number(json, "cancelled", status->cancelled);
	jsontext_number(json, "records_max", status->records_max);
	jsontext_number(json, "records_used", status->records_used);
	jsontext_number(json, "store_bytes", status->store_bytes);
	jsontext_number(json, "store_used", status->store_used);
	jsontext_number(json, "store_reserved", status->store_reserved);
	jsontext_number(json, "store_arguments", status->store_arguments);
	jsontext_number(json, "shm_free", status->shm_free);
	jsontext_number(json, "memory_total", status->memory_total);
	jsontext_number(json, "memory_free", status->memory_free);
	jsontext_bool(json, "memory_short", status->memory_short != 0);
}

static void status_put_life(const plm_status *status, struct json *json)
{
	jsontext_number(json, "uptime_ms", status->uptime_ms);
	jsontext_signed(json, "manager_pid", status->manager_pid);
	jsontext_signed(json, "scheduler_pid", status->scheduler_pid);
	jsontext_number(json, "workers", status->workers);
	jsontext_number(json, "workers_busy", status->workers_busy);
	jsontext_number(json, "workers_drained", status->workers_drained);
	jsontext_number(json, "workers_spare", status->workers_spare);
	jsontext_number(json, "clients", status->clients);
	jsontext_number(json, "processes_max", status->processes_max);
	jsontext_number(json, "restarts", status->restarts);
	jsontext_number(json, "returned", status->returned);
	jsontext_number(json, "evicted", status->evicted);
	jsontext_number(json, "reassigned", status->reassigned);
	jsontext_bool(json, "paused", status->paused != 0);
	jsontext_bool(json, "closed", status->closed != 0);
	jsontext_bool(json, "stopping", status->stopping != 0);
}

static void status_put_journal(const plm_status *status, struct json *json)
{
	jsontext_text(json, "keep_finished", status->keep_finished);
	jsontext_number(json, "left", status->left);
	if (!status->journal[0])
		return;
	jsontext_text(json, "journal", status->journal);
	jsontext_text_if_any(json, "journal_trouble", status->journal_trouble);
	jsontext_text_if_any(json, "journal_damage", status->journal_damage);
	jsontext_number(json, "journal_accepted", status->journal_accepted);
	jsontext_number(json, "journal_ended", status->journal_ended);
}

struct MHD_Response *status_route(struct request *request)
{
	const struct look *look = &request->web->look;
	struct MHD_Response *response = NULL;
	struct json json = { .data = NULL };
	plm_status status;
	char boot[32];
	if (!request_look(request, &response))
		return response;
	int r = plm_inspect_status(look->in, &status, sizeof status);
	if (r < 0)
		return reply_failure(request, r);
	snprintf(boot, sizeof boot, "%" PRIx64, look->boot);
	jsontext_open(&json, NULL, '{');
	jsontext_text(&json, "name", look->runtime.name);
	jsontext_text(&json, "version", PLM_VERSION);
	jsontext_text(&json, "state", look_state(look));
	jsontext_text(&json, "boot", boot);
	status_put_life(&status, &json);
	status_put_counts(&status, &json);
	status_put_journal(&status, &json);
	jsontext_close(&json, '}');
	return reply_json(request, &json);
}
