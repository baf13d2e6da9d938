#include "cli/top/top_header.h"

#include <stdlib.h>
#include <string.h>

#include "base/amount_text.h"
#include "base/check.h"

enum { LABEL_WIDTH = 8, LEVELS = 8, METERS_FROM_ROWS = 5 };

/* ---- the first line ---- */

static const char *header_state(const plm_runtime_row *r)
{
	return r->mode != PLM_MODE_UP ? plm_mode_name(r->mode)
	    : r->paused               ? "paused"
	    : r->closed               ? "closed to new tasks"
	    : r->memory_short         ? "memory-short"
				      : "up";
}

static void header_title(
    struct canvas *canvas, int row, const struct facts *facts, const char *name)
{
	const plm_runtime_row *r = &facts->model.runtime;
	int at = canvas_put(canvas, row, 0, PAINT_BOLD, "plm top");
	at = canvas_putf(canvas, row, at + 2, PAINT_PLAIN, "%s", facts->in ? r->name : name);
	if (!facts->in)
		return;
	char up[METER_TEXT_BYTES];
	const char *state = header_state(r);
	ms_print(r->uptime_ms, up, sizeof up);
	at = canvas_put(
	    canvas, row, at + 2, strcmp(state, "up") == 0 ? PAINT_GOOD : PAINT_WARN, state);
	canvas_putf(canvas, row, at + 1, PAINT_PLAIN, "for %s  %u client%s  %llu restarts", up,
	    facts->model.looks.clients, facts->model.looks.clients == 1 ? "" : "s",
	    (unsigned long long)r->restarts);
}

/* ---- meters ---- */

static enum paint header_level(double used, double all)
{
	double share = all > 0 ? used / all : 0;
	return share >= 0.95 ? PAINT_BAD : share >= 0.8 ? PAINT_WARN : PAINT_GOOD;
}

void header_meter(struct canvas *canvas, int row, int column, int width, const struct meter *m)
{
	int bar = width - LABEL_WIDTH - 2, text = (int)strlen(m->text);
	canvas_put_field(canvas, row, column, -LABEL_WIDTH, PAINT_PLAIN, m->label);
	if (bar < text + 1) {
		canvas_putf(canvas, row, column + LABEL_WIDTH, PAINT_PLAIN, "%.*s",
		    width > LABEL_WIDTH ? width - LABEL_WIDTH : 0, m->text);
		return;
	}
	double share = m->all > 0 ? m->used / m->all : 0;
	share = share > 1 ? 1 : share < 0 ? 0 : share;
	int filled = (int)(share * bar + 0.5), at = column + LABEL_WIDTH;
	filled += filled == 0 && m->used > 0;
	canvas_put(canvas, row, at++, PAINT_BOLD, "[");
	for (int i = 0; i < bar; i++)
		canvas_put(canvas, row, at + i, m->paint, i < filled ? "|" : " ");
	canvas_put(canvas, row, at + bar - text, PAINT_PLAIN, m->text);
	canvas_put(canvas, row, at + bar, PAINT_BOLD, "]");
}

void header_bytes(struct meter *m, const char *label, uint64_t used, uint64_t all)
{
	char used_text[METER_TEXT_BYTES / 2], all_text[METER_TEXT_BYTES / 2];
	size_print(used, used_text, sizeof used_text);
	size_print(all, all_text, sizeof all_text);
	*m = (struct meter){ .label = label,
		.used = (double)used,
		.all = (double)all,
		.paint = header_level((double)used, (double)all) };
	snprintf(m->text, sizeof m->text, "%.28s/%.28s", used_text, all_text);
}

static void header_number(
    struct meter *m, const char *label, uint64_t used, uint64_t all, const char *word)
{
	*m = (struct meter){ .label = label,
		.used = (double)used,
		.all = (double)all,
		.paint = header_level((double)used, (double)all) };
	snprintf(m->text, sizeof m->text, "%llu/%llu%s", (unsigned long long)used,
	    (unsigned long long)all, word);
}

/* Busy cpus are no cause for alarm, so the bar stays green. */
static void header_cpus(struct meter *m, const struct model *model)
{
	double busy = model->looks.measured ? model->looks.busy : model->looks.busy_now;
	*m = (struct meter){
		.label = "cpus", .used = busy, .all = model->looks.cpus, .paint = PAINT_GOOD
	};
	snprintf(m->text, sizeof m->text, "%.1f/%u busy", busy, model->looks.cpus);
}

static int header_meters(struct canvas *canvas, int row, const struct facts *facts)
{
	const struct model *model = &facts->model;
	const plm_runtime_row *r = &model->runtime;
	struct meter m[6];
	uint64_t pooled = r->records_pooled < r->records_fresh ? r->records_pooled : 0;
	header_cpus(&m[0], model);
	header_bytes(&m[1], "store", r->store_used, r->store_bytes);
	header_number(&m[2], "slots", model->looks.processes, r->processes_max, "");
	if (r->memory_total > 0)
		header_bytes(&m[3], "memory", r->memory_total - r->memory_free, r->memory_total);
	else
		m[3] = (struct meter){ .label = "memory", .text = "not looked at yet" };
	header_number(&m[4], "queue", r->queued, r->records_max, " ready");
	header_number(&m[5], "records", r->records_fresh - pooled, r->records_max, "");
	int width = (canvas->columns - 2) / 2;
	for (int i = 0; i < (int)COUNT_OF(m); i++)
		header_meter(canvas, row + i / 2, i % 2 ? width + 2 : 0, width, &m[i]);
	return row + (int)COUNT_OF(m) / 2;
}

/* ---- rates and sums ---- */

static wchar_t header_spark(const struct canvas *canvas, double share)
{
	static const char plain[] = "_.:-=+*#";
	int level = (int)(share * LEVELS);
	level = level < 0 ? 0 : level >= LEVELS ? LEVELS - 1 : level;
	return canvas->utf8 ? (wchar_t)(0x2581 + level) : (wchar_t)plain[level];
}

void header_history(struct canvas *canvas, int row, double rate, const double *history, unsigned n)
{
	char now[METER_TEXT_BYTES], most_text[METER_TEXT_BYTES];
	double most = 0;
	for (unsigned i = 0; i < n; i++)
		most = history[i] > most ? history[i] : most;
	rate_print(rate, now, sizeof now);
	rate_print(most, most_text, sizeof most_text);
	int at =
	    canvas_putf(canvas, row, 0, PAINT_PLAIN, "tasks/s %-6s most %-6s", now, most_text) + 1;
	unsigned room = canvas->columns > at ? (unsigned)(canvas->columns - at) : 0;
	for (unsigned i = n > room ? n - room : 0; i < n; i++, at++) {
		canvas_put_char(canvas, row, at, PAINT_GOOD,
		    history[i] > 0 ? header_spark(canvas, history[i] / most) : L' ');
	}
}

static void header_rates(struct canvas *canvas, int row, const struct model *model)
{
	if (model->looks.measured)
		header_history(canvas, row, model->looks.rate, model->history, model->histories);
	else
		canvas_put(canvas, row, 0, PAINT_PLAIN, "tasks/s -");
}

static void header_sums(struct canvas *canvas, int row, const struct count *count)
{
	static const struct {
		int state;
		const char *word;
	} sums[] = {
		{ PLM_STATE_RUNNING, "running" },
		{ PLM_STATE_READY, "ready" },
		{ PLM_STATE_WAITING, "waiting" },
		{ PLM_STATE_DONE, "done" },
		{ PLM_STATE_FAILED, "failed" },
		{ PLM_STATE_CANCELLED, "cancelled" },
	};
	if (!count)
		return;
	int at = canvas_put(canvas, row, 0, PAINT_PLAIN, "tasks ");
	for (size_t i = 0; i < COUNT_OF(sums); i++) {
		uint64_t n = count->state[sums[i].state];
		bool bad = sums[i].state == PLM_STATE_FAILED && n > 0;
		at = canvas_putf(canvas, row, at + 2, bad ? PAINT_BAD : PAINT_PLAIN, "%llu %s",
		    (unsigned long long)n, sums[i].word);
	}
	if (count->ended_ns == 0)
		canvas_put(canvas, row, at, PAINT_DIM, "; counted so far");
}

int header_draw(struct canvas *canvas, int row, int rows, const struct facts *facts,
    const char *name, const char *trouble)
{
	int end = row + rows;
	if (row < end)
		header_title(canvas, row++, facts, name);
	if (trouble[0] && row < end)
		canvas_putf(canvas, row++, 0, PAINT_BAD, "! %s", trouble);
	if (!facts->in)
		return row;
	if (row + METERS_FROM_ROWS <= end)
		row = header_meters(canvas, row, facts);
	if (row < end)
		header_rates(canvas, row++, &facts->model);
	if (row < end)
		header_sums(canvas, row++, counting_shown(&facts->counting));
	return row;
}
