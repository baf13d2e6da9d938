#include "cli/runs/replay.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/why.h"

/* In a survey the counters begin here, so that they can fall. */
#define FAR_ABOVE_ZERO (UINT64_C(1) << 60)

enum { TRACKS_MAX = 1 << 20 };

struct surveying {
	struct survey *survey;
	struct runs *runs;
	replay_event_f *event;
	void *context;
	bool anchored;
	int error;
};

static void replay_item(struct runs *runs, const struct recording_item *item)
{
	switch (item->kind) {
	case ITEM_EVENT: runs_event(runs, &item->event); break;
	case ITEM_SAMPLE: runs_sample(runs, &item->sample); break;
	case ITEM_PROCESS: runs_process(runs, &item->process); break;
	case ITEM_LOST: runs_lost(runs, item->time_ns, item->events); break;
	case ITEM_END: break;
	}
}

/* ---- survey ---- */

static void replay_track(void *context, const struct run_track *track)
{
	struct surveying *s = context;
	struct survey *survey = s->survey;
	if (track->track >= TRACKS_MAX)
		return;
	if (track->track >= survey->tracks) {
		uint32_t size = survey->tracks ? 2 * survey->tracks : 16;
		struct run_track *grown = realloc(survey->track, size * sizeof *grown);
		if (!grown) {
			s->error = why(-ENOMEM, "no memory for the tracks of a recording");
			return;
		}
		for (uint32_t i = survey->tracks; i < size; i++)
			grown[i] = (struct run_track){ i, PLM_NOBODY, PLM_NOBODY, 0 };
		survey->track = grown;
		survey->tracks = size;
	}
	survey->track[track->track] = *track;
}

static void replay_span(struct survey *survey, uint64_t from_ns, uint64_t to_ns)
{
	if (survey->first_ns == 0 || from_ns < survey->first_ns)
		survey->first_ns = from_ns;
	if (to_ns > survey->last_ns)
		survey->last_ns = to_ns;
}

static void replay_count_run(void *context, const struct run *run)
{
	struct surveying *s = context;
	s->survey->runs += run->started;
	replay_span(s->survey, run->start_ns, run->end_ns);
}

static uint64_t replay_before(uint64_t sampled, uint64_t counted)
{
	uint64_t before = sampled + FAR_ABOVE_ZERO;
	return before > counted ? before - counted : 0;
}

/* The counters of the beginning, from the first sample and the changes up to the sample. */
static void replay_anchor(struct surveying *s, const struct run_counters *sampled)
{
	struct run_counters counted, *initial = &s->survey->initial;
	runs_counters(s->runs, &counted);
	*initial = (struct run_counters){ .known = sampled->known };
	initial->waiting = replay_before(sampled->waiting, counted.waiting);
	initial->queued = replay_before(sampled->queued, counted.queued);
	initial->running = replay_before(sampled->running, counted.running);
	initial->store_bytes = replay_before(sampled->store_bytes, counted.store_bytes);
	initial->memory_free = sampled->memory_free;
	s->anchored = true;
}

static void replay_look(struct surveying *s, const struct recording_item *item)
{
	struct survey *survey = s->survey;
	switch (item->kind) {
	case ITEM_EVENT:
		survey->events++;
		replay_span(survey, item->event.time_ns, item->event.time_ns);
		if (s->event)
			s->event(s->context, &item->event);
		break;
	case ITEM_SAMPLE:
		survey->samples++;
		replay_span(survey, item->sample.time_ns, item->sample.time_ns);
		if (!s->anchored && item->sample.counters.known & COUNTER_TASKS)
			replay_anchor(s, &item->sample.counters);
		break;
	case ITEM_LOST: survey->lost += item->events; break;
	case ITEM_END: replay_span(survey, item->time_ns, item->time_ns); break;
	case ITEM_PROCESS: break;
	}
}

int replay_survey(
    struct recording *recording, struct survey *ret, replay_event_f *event, void *context)
{
	static const struct runs_sink sink = { .track = replay_track, .run = replay_count_run };
	const struct runs_sample high = { .counters = { COUNTER_TASKS | COUNTER_STORE,
					      FAR_ABOVE_ZERO, FAR_ABOVE_ZERO, FAR_ABOVE_ZERO,
					      FAR_ABOVE_ZERO, 0 } };
	const struct runs_plan plan = { .records_max = recording_head(recording)->records_max };
	struct recording_item item;
	struct surveying s = { .survey = ret, .event = event, .context = context };
	*ret = (struct survey){ .events = 0 };
	int r = recording_rewind(recording);
	if (r == 0)
		r = runs_open(&s.runs, &plan, &sink, &s);
	if (r < 0)
		return r;
	runs_sample(s.runs, &high);
	while ((r = recording_next(recording, &item)) > 0 && s.error == 0) {
		replay_look(&s, &item);
		replay_item(s.runs, &item);
	}
	runs_finish(s.runs, ret->last_ns);
	ret->senseless = runs_senseless(s.runs);
	ret->damaged = recording_damaged(recording);
	ret->cut = recording_is_cut(recording);
	runs_close(&s.runs);
	return s.error ? s.error : r;
}

void survey_free(struct survey *survey)
{
	free(survey->track);
	survey->track = NULL;
}

/* ---- playing ---- */

int replay_run(struct recording *recording, const struct survey *survey, uint64_t grain_ns,
    const struct runs_sink *sink, void *context)
{
	const struct runs_plan plan = { .records_max = recording_head(recording)->records_max,
		.grain_ns = grain_ns,
		.sampled = survey->samples > 1 };
	const struct runs_sample initial = { survey->first_ns, survey->initial };
	struct recording_item item;
	struct runs *runs = NULL;
	int r = recording_rewind(recording);
	if (r == 0)
		r = runs_open(&runs, &plan, sink, context);
	if (r < 0)
		return r;
	if (survey->initial.known)
		runs_sample(runs, &initial);
	while ((r = recording_next(recording, &item)) > 0)
		replay_item(runs, &item);
	runs_finish(runs, survey->last_ns);
	runs_close(&runs);
	return r;
}
