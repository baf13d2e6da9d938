#include "web/web_stream.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/why.h"
#include "web/web.h"

enum {
	PAGE_ROWS = 128,
	EVENTS_A_TICK = 16384,
	EVENTS_LEAST = 64, /* of a process in a tick */
	EVENTS_MOST = 2048,
	ASK_MS = 2000,
	PAST_S = 20
};

/* ---- the wish for events ---- */

static void stream_ask(struct web *web, int kind)
{
	struct stream *stream = &web->stream;
	stream->job = (struct hand_job){ .kind = kind };
	stream->asked_ns = clock_ns();
	stream->asked = hand_give(&web->hand, &stream->job) == 0;
}

void stream_keep(struct web *web)
{
	struct stream *stream = &web->stream;
	if (stream->asked)
		return;
	bool wanted = web->live.streams > 0;
	if (wanted && web->look.in && clock_ns() - stream->asked_ns > ASK_MS * NS_PER_MS)
		stream_ask(web, HAND_WATCH);
	else if (!wanted && stream->watched) {
		stream_forget(stream);
		stream_ask(web, HAND_UNWATCH);
	}
}

void stream_job_done(struct stream *stream)
{
	stream->asked = false;
	stream->watched = stream->job.kind == HAND_WATCH && stream->job.result == 0;
	snprintf(stream->trouble, sizeof stream->trouble, "%.250s", stream->job.text);
}

/* ---- the reader ---- */

void stream_forget(struct stream *stream)
{
	plm_events_close(&stream->events);
	plm_inspect_close(&stream->in);
	free(stream->task);
	free(stream->known);
	stream->task = NULL;
	stream->known = NULL;
	stream->asked_ns = 0;
}

static int stream_begin(struct stream *stream, const char *name)
{
	uint64_t now = clock_ns(), past = PAST_S * NS_PER_S;
	stream_forget(stream);
	stream->since_ns = now > past ? now - past : 0;
	stream->task = calloc(STREAM_TASKS_MAX, sizeof *stream->task);
	stream->known = calloc(STREAM_KNOWN, sizeof *stream->known);
	if (!stream->task || !stream->known)
		return why(-ENOMEM, "no memory for the task stream");
	int r = plm_inspect_open(&stream->in, name);
	return r < 0 ? r : plm_events_open(&stream->events, stream->in, stream->since_ns);
}

static bool stream_open(struct web *web)
{
	struct stream *stream = &web->stream;
	if (stream->events || stream_begin(stream, web->name) == 0)
		return true;
	snprintf(stream->trouble, sizeof stream->trouble, "%.250s", plm_why());
	stream_forget(stream);
	return false;
}

static uint16_t stream_name_of(struct stream *stream, const char *name)
{
	for (unsigned i = 0; i < stream->names; i++)
		if (strcmp(stream->name[i], name) == 0)
			return (uint16_t)i;
	bool full = stream->names >= STREAM_NAMES - 1;
	unsigned at = full ? STREAM_NAMES - 1 : stream->names;
	snprintf(stream->name[at], STREAM_NAME_BYTES, "%s", full ? "(others)" : name);
	stream->names = at + 1;
	return (uint16_t)at;
}

static struct stream_known *stream_known_of(struct stream *stream, plm_ref ref)
{
	uint64_t hash = ref.id * UINT64_C(0x9e3779b97f4a7c15);
	return &stream->known[hash >> 52];
}
_Static_assert(STREAM_KNOWN == 1 << 12, "the hash has 12 bits");

/* Pieces of eight bytes, in order. */
static void stream_take_name(struct stream *stream, const plm_event *event)
{
	struct stream_known *known = stream_known_of(stream, event->ref);
	if (known->ref.id != event->ref.id) {
		known->ref = event->ref;
		known->name[0] = 0;
	}
	size_t length = strlen(known->name);
	if (length + 8 >= sizeof known->name)
		return;
	memcpy(known->name + length, &event->argument, 8);
	known->name[length + 8] = 0;
}

/* Of a command the program, if the log or the table still knows the command. */
static uint16_t stream_task_name(struct stream *stream, const plm_event *event)
{
	static plm_task_row row;
	char name[COUNT_NAME_BYTES];
	const struct stream_known *known = stream_known_of(stream, event->ref);
	if (known->ref.id == event->ref.id && known->name[0])
		return stream_name_of(stream, known->name);
	if (strcmp(event->function_name, PLM_COMMAND_FUNCTION) != 0 ||
	    plm_inspect_task(stream->in, event->ref, PLM_LOOK_TEXTS, &row, sizeof row) < 0)
		return stream_name_of(stream, event->function_name);
	count_name(&row, name);
	return stream_name_of(stream, name);
}

static void stream_take_end(struct stream *stream, const plm_event *event)
{
	uint64_t ran = event->argument; /* 0: never started */
	if (event->worker == PLM_NOBODY || stream->tasks == STREAM_TASKS_MAX || ran == 0 ||
	    ran > event->time_ns)
		return;
	stream->task[stream->tasks++] = (struct stream_task){ .begin_ns = event->time_ns - ran,
		.end_ns = event->time_ns,
		.ref = event->ref,
		.worker = event->worker,
		.process = event->process, /* a dead worker's, too: the end stands in its ring */
		.name = stream_task_name(stream, event),
		.how = (uint8_t)event->kind };
}

static void stream_take(struct stream *stream, const plm_event *event)
{
	switch (event->kind) {
	case PLM_EVENT_STARTED: /* each attempt tells its name anew */
		if (stream_known_of(stream, event->ref)->ref.id == event->ref.id)
			stream_known_of(stream, event->ref)->name[0] = 0;
		break;
	case PLM_EVENT_NAME: stream_take_name(stream, event); break;
	case PLM_EVENT_DONE:
	case PLM_EVENT_FAILED:
	case PLM_EVENT_CANCELLED: stream_take_end(stream, event); break;
	default: break;
	}
}

static int stream_compare(const void *a, const void *b)
{
	const struct stream_task *x = a, *y = b;
	return x->process != y->process ? (x->process < y->process ? -1 : 1)
	    : x->begin_ns < y->begin_ns ? -1
					: x->begin_ns > y->begin_ns;
}

/* All processes together have EVENTS_A_TICK. */
static uint64_t stream_share(const struct stream *stream)
{
	plm_events_state state = { .rings = 1 };
	plm_events_state_get(stream->events, &state, sizeof state);
	uint64_t share = EVENTS_A_TICK / (state.rings ? state.rings : 1);
	return share < EVENTS_LEAST ? EVENTS_LEAST : share > EVENTS_MOST ? EVENTS_MOST : share;
}

static void stream_read(struct stream *stream)
{
	static plm_event rows[PAGE_ROWS];
	int n;
	stream->tasks = 0;
	stream->names = 0;
	int64_t left = plm_events_skip(stream->events, stream_share(stream));
	stream->left_out = left > 0 ? (uint64_t)left : 0;
	while (stream->tasks < STREAM_TASKS_MAX &&
	    (n = plm_events_read(stream->events, rows, sizeof rows[0], PAGE_ROWS)) > 0)
		for (int i = 0; i < n; i++)
			stream_take(stream, &rows[i]);
	qsort(stream->task, stream->tasks, sizeof stream->task[0], stream_compare);
}

/* ---- what the page draws ---- */

/* The tasks of a process stand together: returns how many there are from `first` on. */
static size_t stream_group(const struct stream *stream, size_t first)
{
	size_t end = first;
	while (end < stream->tasks && stream->task[end].process == stream->task[first].process)
		end++;
	return end - first;
}

/* The name that more than half of the tasks have, if there is one; else some name among them. */
static uint16_t stream_main_name(const struct stream *stream, size_t first, size_t n)
{
	uint16_t name = 0;
	size_t lead = 0;
	for (size_t i = first; i < first + n; i++) {
		if (lead == 0)
			name = stream->task[i].name;
		lead += stream->task[i].name == name ? 1 : (size_t)-1;
	}
	return name;
}

static void stream_put_task(const struct stream_task *task, uint64_t to_ns, struct json *json)
{
	jsontext_open(json, NULL, '[');
	jsontext_number(json, NULL, task->worker);
	jsontext_real(json, NULL, -((double)(to_ns - task->begin_ns) / (double)NS_PER_MS));
	jsontext_real(json, NULL, (double)(task->end_ns - task->begin_ns) / (double)NS_PER_MS);
	jsontext_number(json, NULL, task->name);
	jsontext_number(json, NULL,
	    task->how == PLM_EVENT_DONE         ? 0
		: task->how == PLM_EVENT_FAILED ? 1
						: 2);
	jsontext_ref(json, NULL, task->ref);
	jsontext_number(json, NULL, task->process);
	jsontext_close(json, ']');
}

static void stream_put_block(
    const struct sample *sample, const struct stream_task *task, uint16_t name, struct json *json)
{
	if (task->process >= sample->looks.slots)
		return;
	const struct looks_slot *slot = &sample->looks.slot[task->process];
	jsontext_open(json, NULL, '[');
	jsontext_number(json, NULL, task->worker);
	jsontext_real(json, NULL, slot->busy_share);
	jsontext_real(json, NULL, slot->rate);
	jsontext_number(json, NULL, name);
	jsontext_number(json, NULL, task->process);
	jsontext_close(json, ']');
}

static void stream_put_group(
    const struct web *web, size_t first, size_t n, uint64_t to_ns, bool block, struct json *json)
{
	const struct stream *stream = &web->stream;
	if (block)
		stream_put_block(
		    &web->sample, &stream->task[first], stream_main_name(stream, first, n), json);
	for (size_t i = first; !block && i < first + n; i++)
		stream_put_task(&stream->task[i], to_ns, json);
}

static void stream_put_rows(
    const struct web *web, const char *key, uint64_t to_ns, bool blocks, struct json *json)
{
	const struct stream *stream = &web->stream;
	size_t most =
	    STREAM_TASKS_MAX / 2 / (web->sample.looks.workers ? web->sample.looks.workers : 1);
	most = most < STREAM_TASKS_A_PROCESS ? most : STREAM_TASKS_A_PROCESS;
	jsontext_open(json, key, '[');
	for (size_t first = 0, n; first < stream->tasks; first += n) {
		n = stream_group(stream, first);
		bool dense = n > most || stream->left_out > 0;
		if (dense == blocks)
			stream_put_group(web, first, n, to_ns, blocks, json);
	}
	jsontext_close(json, ']');
}

static void stream_put_read(struct web *web, struct json *json)
{
	struct stream *stream = &web->stream;
	plm_events_state state;
	uint64_t from = stream->since_ns, to = clock_ns();
	stream_read(stream);
	stream->since_ns = to;
	jsontext_real(json, "from", (double)from / (double)NS_PER_MS);
	jsontext_real(json, "to", (double)to / (double)NS_PER_MS);
	jsontext_number(json, "left_out", stream->left_out);
	if (plm_events_state_get(stream->events, &state, sizeof state) == 0) {
		jsontext_bool(json, "on", state.on);
		jsontext_number(json, "lost", state.lost);
		jsontext_number(json, "without_room", state.without_room);
	}
	jsontext_open(json, "names", '[');
	for (unsigned i = 0; i < stream->names; i++)
		jsontext_text(json, NULL, stream->name[i]);
	jsontext_close(json, ']');
	stream_put_rows(web, "tasks", to, false, json);
	stream_put_rows(web, "blocks", to, true, json);
}

void stream_put(struct web *web, struct json *json)
{
	jsontext_open(json, NULL, '{');
	if (web->look.in && stream_open(web))
		stream_put_read(web, json);
	jsontext_text_if_any(json, "trouble", web->stream.trouble);
	jsontext_close(json, '}');
}
