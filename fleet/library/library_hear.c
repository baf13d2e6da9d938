/* library_hear.c - the thread of a handle: hears which tasks have ended, and wakes the waiting
 * calls.
 *
 * A message is a hint, and a lost one costs the time until the next look. After the connection
 * broke, all open tasks are looked at again. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/why.h"
#include "fleet/library/library.h"
#include "fleet/soon.h"

enum { LOOK_AGAIN_MS = 2000, PAUSE_LEAST_MS = 50, PAUSE_MOST_MS = 2000 };

/* ---- forgetting ---- */

/* True: the handle is to be closed. */
static bool hear_woken(struct plm_fleet *f)
{
	eventfd_t unused;
	eventfd_read(f->wake, &unused);
	pthread_mutex_lock(&f->hearing);
	bool stopping = f->stopping;
	pthread_mutex_unlock(&f->hearing);
	return stopping;
}

/* The engine keeps the values that waiting tasks need, until the tasks have ended. */
static int hear_forget(struct plm_fleet *f)
{
	uint64_t ids[LIBRARY_PAGE];
	int8_t forgotten[LIBRARY_PAGE];
	for (;;) {
		pthread_mutex_lock(&f->hearing);
		size_t n = f->forgets < LIBRARY_PAGE ? f->forgets : LIBRARY_PAGE;
		f->forgets -= n;
		for (size_t i = 0; i < n; i++)
			ids[i] = f->forget[f->forgets + i];
		pthread_mutex_unlock(&f->hearing);
		int r = n ? engine_forget(f->ears, ids, n, forgotten) : 0;
		if (r < 0 || n == 0)
			return r;
	}
}

/* ---- ends ---- */

/* The states of tasks, a page at most. news: values of tasks that are done; NULL: none. */
static int hear_states(struct plm_fleet *f, const uint64_t *ids, const enum engine_state *state,
    size_t n, const struct engine_news *const *news)
{
	size_t ended = 0;
	pthread_mutex_lock(&f->hearing);
	for (size_t i = 0; i < n; i++) {
		if (!engine_settled(state[i]))
			continue;
		struct held *h = f->submitting ? library_enter(f, ids[i]) : library_find(f, ids[i]);
		ended += h != NULL;
		if (h)
			library_end(f, h, state[i]);
		h = news ? library_find(f, ids[i]) : NULL; /* library_end() may remove it */
		if (h)
			library_keep(f, h, news[i]->value, news[i]->value_bytes);
	}
	if (ended)
		pthread_cond_broadcast(&f->ended);
	pthread_mutex_unlock(&f->hearing);
	if (ended)
		eventfd_write(f->bell, 1);
	return 0;
}

static int hear_ends(struct plm_fleet *f, const uint64_t *ids, size_t n)
{
	enum engine_state state[LIBRARY_PAGE];
	int r = engine_watch(f->ears, ids, n, state);
	return r < 0 ? r : hear_states(f, ids, state, n, NULL);
}

static int hear_look(struct plm_fleet *f, bool everything)
{
	uint64_t ids[LIBRARY_PAGE];
	size_t from = everything ? 0 : f->looked, n;
	int r = 0;
	do {
		pthread_mutex_lock(&f->hearing);
		n = library_open_ids(f, &from, ids, LIBRARY_PAGE);
		f->looked = from < f->places ? from : 0;
		pthread_mutex_unlock(&f->hearing);
		if (n)
			r = hear_ends(f, ids, n);
	} while (r == 0 && everything && n == LIBRARY_PAGE);
	return r;
}

/* A task told with a value is done; the engine tells the states of the others. */
static int hear_news(struct plm_fleet *f, const struct engine_news *news, size_t n)
{
	uint64_t done[LIBRARY_PAGE], ended[LIBRARY_PAGE];
	enum engine_state state[LIBRARY_PAGE];
	const struct engine_news *with[LIBRARY_PAGE];
	size_t all_done = 0, all_ended = 0;
	for (size_t i = 0; i < n; i++) {
		if (news[i].value) {
			state[all_done] = ENGINE_DONE;
			with[all_done] = &news[i];
			done[all_done++] = news[i].id;
		} else {
			ended[all_ended++] = news[i].id;
		}
	}
	int r = all_done ? hear_states(f, done, state, all_done, with) : 0;
	return r == 0 && all_ended ? hear_ends(f, ended, all_ended) : r;
}

static int hear_told(struct plm_fleet *f)
{
	struct engine_news news[LIBRARY_PAGE];
	int n;
	while ((n = engine_told(f->ears, 0, news, LIBRARY_PAGE)) > 0) {
		int r = hear_news(f, news, (size_t)n);
		if (r < 0)
			return r;
	}
	return n;
}

/* The queue was replaced: no task of the program will ever end. */
static void hear_break(struct plm_fleet *f)
{
	pthread_mutex_lock(&f->hearing);
	f->broken = -EXDEV;
	pthread_cond_broadcast(&f->ended);
	pthread_mutex_unlock(&f->hearing);
	eventfd_write(f->bell, 1);
}

/* 0: connected again; else the thread ends. */
static int hear_come_back(struct plm_fleet *f)
{
	int pause_ms = PAUSE_LEAST_MS, r;
	pthread_mutex_lock(&f->hearing);
	f->breaks++;
	pthread_mutex_unlock(&f->hearing);
	for (;;) {
		r = engine_reopen(f->ears);
		if (r == 0)
			r = hear_look(f, true);
		if (r == 0 || r == -EXDEV)
			return r;
		struct pollfd p = { .fd = f->wake, .events = POLLIN };
		if (poll(&p, 1, pause_ms) == 1 && hear_woken(f))
			return -ECANCELED;
		pause_ms = pause_ms * 2 < PAUSE_MOST_MS ? pause_ms * 2 : PAUSE_MOST_MS;
	}
}

enum { HEAR_EARS = 2 };

static bool hear_ready(void *ears)
{
	return poll(ears, HEAR_EARS, 0) != 0;
}

/* False: nothing came for a while, and a message may have been lost. */
static bool hear_wait(struct soon *waits, struct pollfd *ears)
{
	bool ready =
	    soon_look(waits, hear_ready, ears) || poll(ears, HEAR_EARS, LOOK_AGAIN_MS) != 0;
	soon_over(waits);
	return ready;
}

static void *hear_run(void *argument)
{
	struct plm_fleet *f = argument;
	struct soon waits = { 0 };
	int r = 0;
	for (;;) {
		struct pollfd p[HEAR_EARS] = { { .fd = f->wake, .events = POLLIN },
			{ .fd = engine_bell_fd(f->ears), .events = POLLIN } };
		if (r == 0)
			r = hear_forget(f);
		if (r == 0)
			r = hear_told(f); /* also what came together with an answer */
		if (r == 0 && !hear_wait(&waits, p))
			r = hear_look(f, false);
		if (p[0].revents && hear_woken(f)) {
			hear_forget(f);
			return NULL;
		}
		if (r < 0 && r != -EXDEV)
			r = hear_come_back(f);
		if (r == -EXDEV)
			hear_break(f);
		if (r < 0)
			return NULL;
	}
}

int library_hear_begin(struct plm_fleet *f)
{
	int r = pthread_create(&f->thread, NULL, hear_run, f);
	f->threaded = r == 0;
	return r ? why(-r, "no thread can be made, which would hear of the ends of tasks") : 0;
}

void library_hear_stop(struct plm_fleet *f)
{
	if (!f->threaded)
		return;
	pthread_mutex_lock(&f->hearing);
	f->stopping = true;
	pthread_mutex_unlock(&f->hearing);
	eventfd_write(f->wake, 1);
	pthread_join(f->thread, NULL);
	f->threaded = false;
}
