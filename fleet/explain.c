#include "fleet/explain.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"

enum { WAITS_SHOWN = 8 };

/* ---- hosts that can run the task ---- */

struct explain_able {
	const char *needs; /* "": none */
	char *text;
	size_t used;
	unsigned up, able;
	char lacks[EXPLAIN_TEXT_BYTES]; /* hosts that cannot, each with its reason */
};

static bool explain_can(const char *lines, const char *needs)
{
	size_t n = strlen(needs);
	for (const char *at = lines; at; at = strchr(at, '\n'), at += at != NULL)
		if (strncmp(at, needs, n) == 0 && (at[n] == 0 || at[n] == '\n'))
			return true;
	return n == 0;
}

static void explain_lack(struct explain_able *a, const struct engine_host *host)
{
	size_t n = strlen(a->needs), used = strlen(a->lacks);
	for (const char *at = host->lacks; at; at = strchr(at, '\n'), at += at != NULL)
		if (strncmp(at, a->needs, n) == 0 && at[n] == '\t') {
			snprintf(a->lacks + used, sizeof a->lacks - used, "; %s: %.*s", host->name,
			    (int)strcspn(at + n + 1, "\n"), at + n + 1);
			return;
		}
}

static void explain_host(void *argument, const struct engine_host *host)
{
	struct explain_able *a = argument;
	if (strcmp(host->state, "up") != 0 || host->order[0])
		return;
	a->up++;
	if (!explain_can(host->can, a->needs)) {
		explain_lack(a, host);
		return;
	}
	if (a->used < EXPLAIN_TEXT_BYTES)
		a->used += (size_t)snprintf(a->text + a->used, EXPLAIN_TEXT_BYTES - a->used, "%s%s",
		    a->able ? ", " : "", host->name);
	a->able++;
}

static int explain_ready(
    struct engine *e, const struct engine_reason *r, struct fleet_explained *ret)
{
	char needs[ENGINE_NEEDS_MOST], names[EXPLAIN_TEXT_BYTES] = "";
	struct explain_able able = { .needs = needs, .text = names };
	unsigned long long before = r->before;
	snprintf(needs, sizeof needs, "%s", r->needs);
	int error = engine_hosts(e, explain_host, &able);
	if (error < 0)
		return error;
	ret->code = able.up == 0 ? "no-host" : able.able == 0 ? "needs" : "queued";
	if (able.up == 0)
		snprintf(
		    ret->text, EXPLAIN_TEXT_BYTES, "no host of the fleet is up (plmctl hosts)");
	else if (able.able == 0)
		snprintf(ret->text, EXPLAIN_TEXT_BYTES,
		    "no host that is up can ever meet its needs, %s: %u host%s can not%.600s",
		    needs, able.up, able.up == 1 ? "" : "s", able.lacks);
	else
		snprintf(ret->text, EXPLAIN_TEXT_BYTES,
		    "%llu task%s of equal needs come%s first; it can run on %.600s", before,
		    before == 1 ? "" : "s", before == 1 ? "s" : "", names);
	return 0;
}

/* ---- other states ---- */

static void explain_waiting(
    struct engine *e, const struct engine_reason *r, struct fleet_explained *ret)
{
	size_t n = (size_t)snprintf(ret->text, EXPLAIN_TEXT_BYTES, "it waits for");
	for (size_t i = 0; i < r->waits && i < WAITS_SHOWN && n < EXPLAIN_TEXT_BYTES; i++) {
		char text[PLM_REF_TEXT_BYTES];
		const char *state;
		plm_ref_print(engine_ref(e, engine_waits_for(e, i, &state)), text);
		n += (size_t)snprintf(
		    ret->text + n, EXPLAIN_TEXT_BYTES - n, "%s %s (%s)", i ? "," : "", text, state);
	}
	if (r->waits > WAITS_SHOWN && n < EXPLAIN_TEXT_BYTES)
		snprintf(
		    ret->text + n, EXPLAIN_TEXT_BYTES - n, " and %zu more", r->waits - WAITS_SHOWN);
	ret->code = "argument";
}

static void explain_other(const struct engine_reason *r, struct fleet_explained *ret)
{
	ret->code = engine_state_name(r->state);
	if (r->state == ENGINE_PAUSE)
		snprintf(ret->text, EXPLAIN_TEXT_BYTES,
		    "attempt %u failed (%.400s); the next begins in %llu ms", r->attempt,
		    r->message, (unsigned long long)r->pause_ms);
	else if (r->state == ENGINE_RUNNING)
		snprintf(ret->text, EXPLAIN_TEXT_BYTES, "attempt %u is on host %s for %llu ms",
		    r->attempt, r->host, (unsigned long long)r->began_ms);
	else if (r->message[0])
		snprintf(ret->text, EXPLAIN_TEXT_BYTES, "%.900s", r->message);
	else
		snprintf(ret->text, EXPLAIN_TEXT_BYTES, "attempts: %u", r->attempt);
}

int fleet_explain_task(struct engine *e, uint64_t id, struct fleet_explained *ret)
{
	struct engine_reason reason;
	int r = engine_explain(e, id, &reason);
	if (r < 0)
		return r;
	ret->state = reason.state;
	if (reason.state == ENGINE_READY)
		return explain_ready(e, &reason, ret);
	if (reason.state == ENGINE_WAITING)
		explain_waiting(e, &reason, ret);
	else
		explain_other(&reason, ret);
	return 0;
}
