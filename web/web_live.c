#include "web/web_live.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "web/web_routes.h"

enum {
	BLOCK_BYTES = 16 << 10,
	COUNT_SHARE = 50, /* a fiftieth of the time */
	COUNT_FIRST_MS = 20,
	SAVED_MOST_MS = 20,
	FRAMES_A_POINT = 2,
};

struct live_page {
	struct web *web;
	struct MHD_Connection *connection;
	struct live_frame *frame; /* being sent, or NULL */
	size_t at;
	uint64_t seen; /* number of the last frame taken */
	bool stream, waits, ended;
	struct live_page *next;
};

/* ---- frames ---- */

static struct live_frame *live_frame_of(struct json *json)
{
	struct live_frame *frame = json->failed ? NULL : malloc(sizeof *frame + json->length);
	if (frame) {
		frame->uses = 1;
		frame->length = json->length;
		memcpy(frame->data, json->data, json->length);
	}
	jsontext_free(json);
	return frame;
}

static void live_release(struct live_frame **frame)
{
	if (*frame && --(*frame)->uses == 0)
		free(*frame);
	*frame = NULL;
}

static void live_put_runtime(const struct web *web, struct json *json)
{
	const plm_runtime_row *row = &web->look.runtime;
	jsontext_text(json, "name", row->name);
	jsontext_number(json, "uptime_ms", row->uptime_ms);
	jsontext_number(json, "cores", row->cores);
	jsontext_number(json, "workers_wanted", row->workers_wanted);
	jsontext_number(json, "processes_max", row->processes_max);
	jsontext_number(json, "records_max", row->records_max);
	jsontext_number(json, "records_used", sample_records_used(row));
	jsontext_number(json, "queued", row->queued);
	jsontext_number(json, "store_bytes", row->store_bytes);
	jsontext_number(json, "store_used", row->store_used);
	jsontext_number(json, "store_reserved", row->store_reserved);
	jsontext_number(json, "memory_total", row->memory_total);
	jsontext_number(json, "memory_free", row->memory_free);
	jsontext_bool(json, "memory_short", row->memory_short);
	jsontext_bool(json, "paused", row->paused);
	jsontext_bool(json, "closed", row->closed);
	jsontext_bool(json, "room_wanted", row->room_wanted);
	jsontext_number(json, "restarts", row->restarts);
	jsontext_bool(json, "journal", row->journal[0] != 0);
}

static void live_put_sample(const struct web *web, struct json *json)
{
	const struct sample *sample = &web->sample;
	jsontext_number(json, "clients", sample->looks.clients);
	jsontext_number(json, "cpus", sample->looks.cpus);
	jsontext_number(json, "busy_now", sample->looks.busy_now);
	jsontext_number(json, "drained", sample->looks.drained);
	if (sample->looks.measured) {
		jsontext_real(json, "rate", sample->looks.rate);
		jsontext_real(json, "busy", sample->looks.busy);
	}
}

/* The whole of a frame; `point`: the latest point of the plots belongs to it. */
static void live_put_frame(const struct web *web, struct json *json, bool point)
{
	const struct sample *sample = &web->sample;
	char text[64];
	snprintf(text, sizeof text, "id: %" PRIx64 ".%" PRIu64 "\ndata: ", web->look.boot,
	    web->live.sequence);
	jsontext_words(json, text);
	jsontext_open(json, NULL, '{');
	jsontext_text(json, "state", look_state(&web->look));
	jsontext_text_if_any(json, "trouble", web->look.trouble);
	snprintf(text, sizeof text, "%" PRIx64, web->look.boot);
	jsontext_text(json, "boot", text);
	jsontext_bool(json, "read_only", web->read_only);
	if (!web->look.error) {
		live_put_runtime(web, json);
		live_put_sample(web, json);
		sample_put_workers(sample, web->look.in, json);
		count_put(&web->count, json);
		if (point && sample->points)
			sample_put_point(sample_latest(sample), "point", json);
	}
	jsontext_close(json, '}');
	jsontext_words(json, "\n\n");
}

static void live_put_stream(struct web *web, struct json *json)
{
	jsontext_words(json, "event: stream\ndata: ");
	stream_put(web, json);
	jsontext_words(json, "\n\n");
}

static void live_make_frames(struct web *web, bool point)
{
	struct live *live = &web->live;
	struct json json = { .data = NULL };
	live_release(&live->latest[0]);
	live_release(&live->latest[1]);
	live->sequence++;
	live_put_frame(web, &json, point);
	if (live->streams) {
		struct json both = { .data = NULL };
		jsontext_raw(&both, json.data, json.length);
		live_put_stream(web, &both);
		live->latest[1] = live_frame_of(&both);
	}
	live->latest[0] = live_frame_of(&json);
}

/* ---- ticks ---- */

void live_see_boot(struct web *web)
{
	count_forget(&web->count);
	stream_forget(&web->stream);
	web->live.frames = 0;
	if (web->look.in && looks_begin(&web->sample.looks, web->look.runtime.processes_max) == 0)
		looks_take(&web->sample.looks, web->look.in);
}

static void live_look(struct web *web)
{
	int r = look_again(&web->look);
	if (r == LOOK_NEW)
		live_see_boot(web);
	if (r < 0) {
		looks_end(&web->sample.looks);
		return;
	}
	looks_take(&web->sample.looks, web->look.in);
	look_judge(&web->look);
}

static void live_count(struct web *web, uint64_t ns)
{
	struct live *live = &web->live;
	uint64_t began = clock_ns();
	live->account_ns += (int64_t)(ns / COUNT_SHARE);
	if (live->account_ns > SAVED_MOST_MS * (int64_t)NS_PER_MS)
		live->account_ns = SAVED_MOST_MS * (int64_t)NS_PER_MS;
	if (live->account_ns <= 0 || !web->look.in)
		return;
	count_step(&web->count, web->look.in, (uint64_t)live->account_ns);
	live->account_ns -= (int64_t)(clock_ns() - began);
}

static void live_frame_due(struct web *web)
{
	struct live *live = &web->live;
	uint64_t now = clock_ns();
	live_look(web);
	live_count(web, now - live->frame_ns);
	live->frame_ns = now;
	looks_measure(&web->sample.looks);
	bool point = web->look.in && live->frames++ % FRAMES_A_POINT == 1;
	if (point)
		sample_remember(&web->sample, &web->look);
	stream_keep(web);
	live_make_frames(web, point);
	look_let_go();
	for (struct live_page *page = live->pages; page; page = page->next)
		if (page->waits) {
			page->waits = false;
			MHD_resume_connection(page->connection);
		}
}

void live_tick(struct web *web)
{
	struct live *live = &web->live;
	if (web->look.in)
		looks_take(&web->sample.looks, web->look.in);
	if (++live->looks < LIVE_LOOKS_A_FRAME)
		return;
	live->looks = 0;
	live_frame_due(web);
}

bool live_wants_ticks(const struct web *web)
{
	return web->live.count > 0;
}

/* ---- pages ---- */

static struct live_frame *live_next_frame(const struct live_page *page)
{
	const struct live *live = &page->web->live;
	struct live_frame *frame = live->latest[page->stream];
	if (page->seen == live->sequence || !frame)
		return NULL;
	frame->uses++;
	return frame;
}

static ssize_t live_read(void *context, uint64_t position, char *buffer, size_t most)
{
	struct live_page *page = context;
	(void)position;
	if (page->ended)
		return MHD_CONTENT_READER_END_OF_STREAM;
	if (!page->frame) {
		page->frame = live_next_frame(page);
		page->seen = page->web->live.sequence;
		page->at = 0;
	}
	if (!page->frame) {
		page->waits = true;
		MHD_suspend_connection(page->connection);
		return 0;
	}
	size_t n = page->frame->length - page->at;
	n = n < most ? n : most;
	memcpy(buffer, page->frame->data + page->at, n);
	page->at += n;
	if (page->at == page->frame->length)
		live_release(&page->frame);
	return (ssize_t)n;
}

static void live_close(void *context)
{
	struct live_page *page = context;
	struct live *live = &page->web->live;
	struct live_page **at = &live->pages;
	while (*at != page)
		at = &(*at)->next;
	*at = page->next;
	live->count--;
	live->streams -= page->stream;
	live_release(&page->frame);
	if (live->count == 0) {
		live_release(&live->latest[0]);
		live_release(&live->latest[1]);
		looks_end(&page->web->sample.looks);
		stream_keep(page->web);
	}
	free(page);
}

/* The history, and a frame of now. */
static struct live_frame *live_first_frame(struct web *web)
{
	struct json json = { .data = NULL };
	jsontext_words(&json, "retry: 1000\nevent: history\ndata: ");
	sample_put_history(&web->sample, &json);
	jsontext_words(&json, "\n\n");
	live_put_frame(web, &json, false);
	return live_frame_of(&json);
}

static struct live_page *live_open(struct request *request)
{
	struct web *web = request->web;
	struct live *live = &web->live;
	struct live_page *page = calloc(1, sizeof *page);
	if (!page)
		return NULL;
	if (live->count == 0) {
		live->frame_ns = clock_ns();
		live->account_ns = COUNT_FIRST_MS * (int64_t)NS_PER_MS;
		live->looks = live->frames = 0;
		web->look.boot = 0; /* rates begin now, whatever was seen before */
		live_look(web);
		live_count(web, 0);
	}
	const char *stream = request_word(request, "stream");
	*page = (struct live_page){ .web = web,
		.connection = request->connection,
		.seen = live->sequence,
		.stream = stream && strcmp(stream, "1") == 0,
		.frame = live_first_frame(web),
		.next = live->pages };
	live->pages = page;
	live->count++;
	live->streams += page->stream;
	return page;
}

struct MHD_Response *live_route(struct request *request)
{
	if (request->web->live.count >= LIVE_PAGES_MAX)
		return reply_error(request, MHD_HTTP_SERVICE_UNAVAILABLE,
		    "%d pages are open, and no more are served", LIVE_PAGES_MAX);
	struct live_page *page = live_open(request);
	if (!page)
		return NULL;
	stream_keep(request->web);
	peers_keep_short(request->connection);
	struct MHD_Response *response = MHD_create_response_from_callback(
	    MHD_SIZE_UNKNOWN, BLOCK_BYTES, live_read, page, live_close);
	if (!response) {
		live_close(page);
		return NULL;
	}
	reply_headers(response, "text/event-stream; charset=utf-8", "no-store");
	MHD_add_response_header(response, "X-Accel-Buffering", "no");
	return response;
}

void live_end(struct web *web)
{
	for (struct live_page *page = web->live.pages; page; page = page->next) {
		page->ended = true;
		if (page->waits)
			MHD_resume_connection(page->connection);
		page->waits = false;
	}
}
