#include "tests/support/roles_log.h"

#include <check.h>
#include <pthread.h>
#include <time.h>

#include "base/clock.h"
#include "base/why.h"
#include "client/inspect.h"
#include "events/eventlog_segment.h"

enum { ROWS = 64, PAUSE_MS = 1 };

static struct { /* one runtime of a test process at a time */
	plm_inspect in;
	plm_events *events;
	struct log_judge *judge;
	const char *broken; /* the first broken rule */
	plm_event at;
	pthread_t thread;
	_Atomic bool stop;
} roles_log;

static int read_some(void)
{
	static plm_event rows[ROWS];
	int n = plm_events_read(roles_log.events, rows, sizeof rows[0], ROWS);
	for (int i = 0; i < n && !roles_log.broken; i++) {
		roles_log.broken = log_judge_see(roles_log.judge, &rows[i]);
		roles_log.at = rows[i];
	}
	return n;
}

static void *read_on(void *context)
{
	const struct timespec pause = clock_timespec(PAUSE_MS * NS_PER_MS);
	while (!atomic_load(&roles_log.stop))
		if (read_some() == 0)
			nanosleep(&pause, NULL);
	return context;
}

void roles_log_start(struct tables *t, const char *name)
{
	t->control->event_ring = EVENT_RING_DEFAULT;
	ck_assert_msg(eventlog_segment_create(t, name) == 0, "%s", why_text());
	tables_unlink(name);
	t->control->events_always = 1;
	sh_store(&t->control->events, 1);
	tables_share(t, &roles_log.in.tables);
	roles_log.in.moving = true;
	roles_log.broken = NULL;
	roles_log.judge = log_judge_new();
	ck_assert_ptr_nonnull(roles_log.judge);
	ck_assert_int_eq(plm_events_open(&roles_log.events, &roles_log.in, 0), 0);
	atomic_store(&roles_log.stop, false);
	ck_assert_int_eq(pthread_create(&roles_log.thread, NULL, read_on, NULL), 0);
}

void roles_log_stop(void)
{
	plm_events_state state;
	atomic_store(&roles_log.stop, true);
	pthread_join(roles_log.thread, NULL);
	roles_log.in.moving = false; /* no late writer is left */
	while (read_some() > 0)
		;
	ck_assert_int_eq(plm_events_state_get(roles_log.events, &state, sizeof state), 0);
	ck_assert_uint_eq(state.without_room, 0);
	if (state.lost == 0) { /* else starts may be missing: the machine was too busy to read */
		ck_assert_msg(!roles_log.broken, "%s: %s, task %u.%u, attempt %u, process slot %u",
		    roles_log.broken, plm_event_name(roles_log.at.kind),
		    (unsigned)roles_log.at.ref.id, (unsigned)(roles_log.at.ref.id >> 32),
		    roles_log.at.attempt, roles_log.at.process);
		ck_assert_msg(!log_judge_open(roles_log.judge), "an attempt has no end");
	}
	plm_events_close(&roles_log.events);
	log_judge_free(roles_log.judge);
}
