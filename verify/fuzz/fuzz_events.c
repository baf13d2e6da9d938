/* fuzz_events.c - readers of a damaged event log: plm_events_open() and the calls behind, plmdump
 * events, and the scheduler's look for ends that a dead worker owes. The control segment is sound.
 *
 * An input is a list of patches, PATCH_BYTES each: a place among the words of the log, modulo their
 * number, and the word. The first words are the header, the limits and the table of rings. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/why.h"
#include "dump/dump.h"
#include "events/eventlog_segment.h"
#include "events/unended.h"
#include "verify/fuzz/fuzz.h"
#include "verify/fuzz/segment_image.h"

enum { EVENTS_PATCH_BYTES = 12, EVENTS_RINGS = 4, EVENTS_ROWS = 64, EVENTS_PATH_BYTES = 32 };

static struct {
	struct tables t;     /* of the sound control segment */
	unsigned char *base; /* the sound log */
	size_t bytes;        /* of the part that inputs may damage */
	uint64_t *word;      /* the mapped, damaged log */
} log_image;

static void fuzz_events_write(uint32_t process)
{
	struct tables writer;
	tables_share(&log_image.t, &writer);
	writer.self = process;
	FUZZ_REQUIRE(eventlog_ready(&writer));
	for (uint32_t i = 0; i < EVENT_RING_MIN + EVENT_RING_MIN / 2; i++) {
		unsigned kind = 1 + i % (EVENT_KINDS - 1);
		unsigned shape = kind == EVENT_DONE && i % 3 ? EVENT_TURN
		    : kind == EVENT_SUBMITTED && i % 2       ? EVENT_TURN
		    : kind == EVENT_SUBMITTED                ? EVENT_PAIR
							     : EVENT_SINGLE;
		eventlog_fill(&writer.event_writer, eventlog_take(&writer.event_writer, 1),
		    eventlog_stamp(kind | shape, 1, process, i % 8), i + 1, record_ref(i % 64, 1),
		    i);
	}
}

static void fuzz_events_make(void)
{
	const struct image *image = image_get();
	struct tables *t = &log_image.t;
	struct eventlog_plan plan;
	image_damage(NULL, 0, false);
	FUZZ_REQUIRE(tables_attach(dup(image->control_fd), dup(image->store_fd), t) == 0);
	t->control->event_ring = EVENT_RING_MIN;
	sh_store(&t->control->events, 1);
	tables_unlink("fuzz-events");
	FUZZ_REQUIRE(eventlog_segment_create(t, "fuzz-events") == 0);
	tables_unlink("fuzz-events");
	for (uint32_t i = 0; i < EVENTS_RINGS; i++)
		fuzz_events_write(i);
	eventlog_segment_plan(t, &t->event_segment, &plan);
	log_image.bytes = plan.ring + EVENTS_RINGS * plan.ring_bytes;
	log_image.base = malloc(log_image.bytes);
	FUZZ_REQUIRE(log_image.base);
	memcpy(log_image.base, t->event_segment.header, log_image.bytes);
	log_image.word = (void *)t->event_segment.header;
}

/* Rings without memory may be read, too: the file of a copy has all its bytes. */
static void fuzz_events_damage(const uint8_t *data, size_t length)
{
	memcpy(log_image.word, log_image.base, log_image.bytes);
	for (; length >= EVENTS_PATCH_BYTES;
	     data += EVENTS_PATCH_BYTES, length -= EVENTS_PATCH_BYTES) {
		uint32_t at;
		uint64_t word;
		memcpy(&at, data, sizeof at);
		memcpy(&word, data + sizeof at, sizeof word);
		log_image.word[at % (log_image.bytes / sizeof word)] = word;
	}
}

static void fuzz_events_check(const plm_event *row)
{
	FUZZ_REQUIRE(row->kind > PLM_EVENT_NONE && row->kind < PLM_EVENTS);
	FUZZ_REQUIRE(memchr(row->function_name, 0, sizeof row->function_name));
	FUZZ_REQUIRE(row->process < log_image.t.limits.processes || row->marks & PLM_MARK_DAMAGED);
}

static void fuzz_events_read(plm_inspect *in, uint64_t since_ns)
{
	static plm_event rows[EVENTS_ROWS];
	plm_events *events = NULL;
	plm_events_state state;
	uint64_t most = 2 * (uint64_t)log_image.t.limits.processes * EVENT_RING_MIN, seen = 0;
	if (plm_events_open(&events, in, since_ns) < 0)
		return;
	int n = plm_events_read(events, rows, sizeof rows[0], EVENTS_ROWS / 2);
	FUZZ_REQUIRE(n >= 0 && plm_events_skip(events, EVENT_RING_MIN / 4) >= 0);
	while ((n = plm_events_read(events, rows, sizeof rows[0], EVENTS_ROWS)) > 0) {
		for (int i = 0; i < n; i++)
			fuzz_events_check(&rows[i]);
		seen += (uint64_t)n;
		FUZZ_REQUIRE(seen <= most);
	}
	FUZZ_REQUIRE(n == 0 && plm_events_state_get(events, &state, sizeof state) == 0);
	FUZZ_REQUIRE(state.rings + state.without_room <= log_image.t.limits.processes);
	plm_events_close(&events);
}

static void fuzz_events_dump(plm_inspect *in)
{
	static FILE *nowhere;
	const struct event_filter filter = { .last_ms = 1 };
	struct output out;
	if (!nowhere)
		nowhere = fopen("/dev/null", "w");
	FUZZ_REQUIRE(nowhere);
	output_open(&out, nowhere, true, false);
	dump_events(in, &out, &filter, true);
}

static void fuzz_events_look(void)
{
	char control[IMAGE_PATH_BYTES], path[EVENTS_PATH_BYTES];
	plm_inspect *in;
	image_path(control);
	snprintf(path, sizeof path, "/proc/self/fd/%d", log_image.t.event_segment.fd);
	FUZZ_REQUIRE(plm_inspect_open_files(&in, control, NULL) == 0);
	if (plm_inspect_add_events(in, path) == 0) {
		fuzz_events_read(in, 0);
		fuzz_events_read(in, EVENT_RING_MIN);
		fuzz_events_dump(in);
	}
	plm_inspect_close(&in);
}

static void fuzz_events_unended(void)
{
	struct tables scheduler;
	struct eventlog_start start[EVENT_STARTS_MAX];
	tables_share(&log_image.t, &scheduler);
	scheduler.self = SLOT_SCHEDULER;
	for (uint32_t i = 0; i < EVENTS_RINGS; i++)
		FUZZ_REQUIRE(
		    eventlog_unended(&scheduler, i, start, EVENT_STARTS_MAX) <= EVENT_STARTS_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	if (!log_image.word)
		fuzz_events_make();
	fuzz_events_damage(data, length);
	fuzz_events_look();
	fuzz_events_unended();
	return 0;
}
