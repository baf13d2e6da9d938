/* replay.h - a recording played into a builder of runs, as often as a program likes.
 *
 * A survey comes first: how long the recording is, what is missing, which tracks there are, and the
 * counters at the beginning. The log itself has no counters; so the survey plays the events up to
 * the first sample of the runtime, and takes their changes off the sample.
 * Who: one thread.  Blocks: in file input. */
#ifndef PLM_REPLAY_H
#define PLM_REPLAY_H

#include "cli/runs/recording.h"

struct survey {
	uint64_t first_ns, last_ns; /* of the events, and of the runs that began before */
	uint64_t events, lost, senseless, damaged, samples;
	uint64_t runs; /* attempts started, whether their end is known or not */
	bool cut;      /* the file has no end */
	struct run_counters initial;
	struct run_track *track; /* by number, with pids that were learned later */
	uint32_t tracks;
};

/* Called for each event of a recording, in order: NULL, or a further reader of the events. */
typedef void replay_event_f(void *context, const plm_event *event);

/* 0, or -errno with a why. survey_free() in any case. */
int replay_survey(
    struct recording *recording, struct survey *ret, replay_event_f *event, void *context);
void survey_free(struct survey *survey);

/* Plays the whole recording; counters at most once in grain_ns. */
int replay_run(struct recording *recording, const struct survey *survey, uint64_t grain_ns,
    const struct runs_sink *sink, void *context);

#endif
