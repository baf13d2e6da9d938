/* fleet_explain.c - why a task of a fleet has not ended, in one sentence. */
#include <string.h>

#include "base/check.h"
#include "cli/fleet/fleet_cli.h"

enum { TEXT_BYTES = 1024, WAITS_SHOWN = 8 };

struct fleet_explained { /* a row */
	plm_ref ref;
	const char *state;
	const char *code;
	char text[TEXT_BYTES];
};

static const struct column columns[] = {
	{ "REF", "ref", -1, PLAIN(struct fleet_explained, ref) },
	{ "STATE", "state", -1, PLAIN(struct fleet_explained, state) },
	{ "REASON", "reason", -1, PLAIN(struct fleet_explained, code) },
	{ "TEXT", "text", -1, PLAIN(struct fleet_explained, text) },
};

/* ---- hosts that can run the task ---- */

struct fleet_able {
	const char *needs; /* "": none */
	char *text;
	size_t used;
	unsigned up, able;
};

static bool fleet_explain_can(const char *lines, const char *needs)
{
	size_t n = strlen(needs);
	for (const char *at = lines; at; at = strchr(at, '\n'), at += at != NULL)
		if (strncmp(at, needs, n) == 0 && (at[n] == 0 || at[n] == '\n'))
			return true;
	return n == 0;
}

static void fleet_explain_host(void *context, const struct engine_host *host)
{
	struct fleet_able *a = context;
	if (strcmp(host->state, "up") != 0 || host->order[0])
		return;
	a->up++;
	if (!fleet_explain_can(host->can, a->needs))
		return;
	if (a->used < TEXT_BYTES)
		a->used += (size_t)snprintf(a->text + a->used, TEXT_BYTES - a->used, "%s%s",
		    a->able ? ", " : "", host->name);
	a->able++;
}

static int fleet_explain_ready(
    struct context *context, const struct engine_reason *r, struct fleet_explained *ret)
{
	char needs[ENGINE_NEEDS_MOST], names[TEXT_BYTES] = "";
	struct fleet_able able = { .needs = needs, .text = names };
	unsigned long long before = r->before;
	snprintf(needs, sizeof needs, "%s", r->needs);
	int error = engine_hosts(context->engine, fleet_explain_host, &able);
	if (error < 0)
		return error;
	ret->code = able.up == 0 ? "no-host" : able.able == 0 ? "needs" : "queued";
	if (able.up == 0)
		snprintf(ret->text, TEXT_BYTES, "no host of the fleet is up (plmctl hosts)");
	else if (able.able == 0)
		snprintf(ret->text, TEXT_BYTES,
		    "no host that is up can ever meet its needs, %s: %u host%s can not", needs,
		    able.up, able.up == 1 ? "" : "s");
	else
		snprintf(ret->text, TEXT_BYTES,
		    "%llu task%s of equal needs come%s first; it can run on %.600s", before,
		    before == 1 ? "" : "s", before == 1 ? "s" : "", names);
	return 0;
}

/* ---- other states ---- */

static void fleet_explain_waiting(
    struct context *context, const struct engine_reason *r, struct fleet_explained *ret)
{
	size_t n = (size_t)snprintf(ret->text, TEXT_BYTES, "it waits for");
	for (size_t i = 0; i < r->waits && i < WAITS_SHOWN && n < TEXT_BYTES; i++) {
		char text[PLM_REF_TEXT_BYTES];
		const char *state;
		plm_ref_print(
		    engine_ref(context->engine, engine_waits_for(context->engine, i, &state)),
		    text);
		n += (size_t)snprintf(
		    ret->text + n, TEXT_BYTES - n, "%s %s (%s)", i ? "," : "", text, state);
	}
	if (r->waits > WAITS_SHOWN && n < TEXT_BYTES)
		snprintf(ret->text + n, TEXT_BYTES - n, " and %zu more", r->waits - WAITS_SHOWN);
	ret->code = "argument";
}

static void fleet_explain_other(const struct engine_reason *r, struct fleet_explained *ret)
{
	ret->code = engine_state_name(r->state);
	if (r->state == ENGINE_PAUSE)
		snprintf(ret->text, TEXT_BYTES,
		    "attempt %u failed (%.400s); the next begins in %llu ms", r->attempt,
		    r->message, (unsigned long long)r->pause_ms);
	else if (r->state == ENGINE_RUNNING)
		snprintf(ret->text, TEXT_BYTES, "attempt %u is on host %s for %llu ms", r->attempt,
		    r->host, (unsigned long long)r->began_ms);
	else if (r->message[0])
		snprintf(ret->text, TEXT_BYTES, "%.900s", r->message);
	else
		snprintf(ret->text, TEXT_BYTES, "attempts: %u", r->attempt);
}

static int fleet_explain_one(struct context *context, plm_ref ref, const char *word)
{
	struct fleet_explained row = { .ref = ref };
	struct engine_reason reason;
	uint64_t id;
	int code = fleet_id(context, ref, &id);
	if (code != EXIT_FINE)
		return code;
	int r = engine_explain(context->engine, id, &reason);
	row.state = r == 0 ? engine_state_name(reason.state) : "";
	if (r == 0 && reason.state == ENGINE_READY)
		r = fleet_explain_ready(context, &reason, &row);
	else if (r == 0 && reason.state == ENGINE_WAITING)
		fleet_explain_waiting(context, &reason, &row);
	else if (r == 0)
		fleet_explain_other(&reason, &row);
	if (r < 0)
		return failed(r, word);
	if (context->json) {
		table_begin(&context->out, columns, COUNT_OF(columns));
		table_row(&context->out, &row);
	} else if (context->quiet) {
		fprintf(context->out.file, "%s\n", row.code);
	} else {
		fprintf(context->out.file, "%s is %s: %s\n", word, row.state, row.text);
	}
	return EXIT_FINE;
}

int fleet_explain(struct context *context, const plm_ref *refs, size_t n)
{
	int worst = fleet_open(context);
	for (size_t i = 0; i < n && context->engine; i++) {
		char text[PLM_REF_TEXT_BYTES];
		plm_ref_print(refs[i], text);
		int code = fleet_explain_one(context, refs[i], text);
		worst = code == EXIT_FINE ? worst : code;
	}
	return worst;
}
