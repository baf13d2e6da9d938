/* library.c - a handle of libplm-fleet: connecting, submitting, holding, leaving. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/why.h"
#include "fleet/library/library.h"
#include "fleet/task_words.h"

enum { ANSWER_MS = 10000, AGAIN_MS = 100 };

const char *plm_fleet_why(void)
{
	return why_text();
}

/* ---- connecting ---- */

static void library_close(struct plm_fleet *f)
{
	engine_close(&f->verbs);
	engine_close(&f->ears);
	if (f->bell >= 0)
		close(f->bell);
	if (f->wake >= 0)
		close(f->wake);
	pthread_mutex_destroy(&f->speaking);
	pthread_mutex_destroy(&f->hearing);
	pthread_cond_destroy(&f->ended);
	for (size_t i = 0; i < f->places; i++)
		free(f->held[i].value);
	free(f->held);
	free(f->forget);
	free(f);
}

static void library_init(struct plm_fleet *f)
{
	pthread_condattr_t monotonic;
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&f->ended, &monotonic);
	pthread_condattr_destroy(&monotonic);
	pthread_mutex_init(&f->speaking, NULL);
	pthread_mutex_init(&f->hearing, NULL);
	f->owner = getpid();
	f->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	f->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

static int library_open(struct plm_fleet *f, const struct fleet_url *url, int timeout_ms)
{
	int r = f->bell < 0 || f->wake < 0 ? why(-EMFILE, "no descriptor is left") : 0;
	if (r == 0)
		r = engine_open(&f->verbs, url, timeout_ms);
	if (r == 0)
		r = engine_open(&f->ears, url, timeout_ms);
	if (r == 0)
		r = engine_watch_open(f->ears);
	if (r == 0 && engine_epoch(f->verbs) != engine_epoch(f->ears))
		r = why(-EXDEV, "the queue was replaced by another one just now");
	f->epoch = r == 0 ? engine_epoch(f->verbs) : 0;
	if (r == 0)
		r = library_hear_begin(f);
	return r;
}

int plm_fleet_connect(plm_fleet **ret, const char *address, int timeout_ms)
{
	struct fleet_url url;
	const char *what = address ? "plm_fleet_connect" : "PLM_FLEET";
	if (!ret)
		return why(-EINVAL, "plm_fleet_connect: no place for the handle");
	if (!address)
		address = getenv("PLM_FLEET");
	if (!address || !address[0])
		return why(-EINVAL,
		    "plm_fleet_connect: no address of a fleet was given, and PLM_FLEET is not set");
	/* An argument of a function stands in no list of processes. */
	int r = fleet_url_parse(what, address, true, &url);
	if (r < 0)
		return r;
	struct plm_fleet *f = calloc(1, sizeof *f);
	if (!f)
		return why(-ENOMEM, "out of memory");
	library_init(f);
	r = library_open(f, &url, timeout_ms < 0 ? ANSWER_MS : timeout_ms ? timeout_ms : 1);
	explicit_bzero(url.password, sizeof url.password);
	if (r < 0)
		library_close(f);
	else
		*ret = f;
	return r;
}

int library_mine(const struct plm_fleet *f)
{
	if (!f)
		return why(-EINVAL, "no handle of a fleet");
	return f->owner == getpid()
	    ? 0
	    : why(-ECHILD, "this handle belongs to the parent: connect anew after fork()");
}

uint64_t plm_fleet_epoch(const plm_fleet *f)
{
	return f ? f->epoch : 0;
}

/* ---- verbs ---- */

/* The connection of the thread broke meanwhile, and most probably this one, too. */
static int library_speak(struct plm_fleet *f)
{
	pthread_mutex_lock(&f->hearing);
	unsigned breaks = f->breaks;
	int r = f->broken ? why(f->broken, "the queue was replaced by another one, or is lost") : 0;
	pthread_mutex_unlock(&f->hearing);
	if (r == 0 && f->mended != breaks)
		r = engine_reopen(f->verbs);
	if (r == 0 && engine_epoch(f->verbs) != f->epoch)
		r = why(-EXDEV, "the queue was replaced by another one, or is lost");
	if (r == 0)
		f->mended = breaks;
	return r;
}

int library_ask_once(struct plm_fleet *f, library_verb *verb, void *argument)
{
	pthread_mutex_lock(&f->speaking);
	int r = library_speak(f);
	if (r == 0) {
		r = verb(f->verbs, argument);
		f->mended -= r == -ENOTCONN;
	}
	pthread_mutex_unlock(&f->speaking);
	return r;
}

int library_ask(struct plm_fleet *f, library_verb *verb, void *argument, uint64_t deadline_ns)
{
	int r = library_ask_once(f, verb, argument);
	if (r == -ENOTCONN)
		r = library_ask_once(f, verb, argument);
	while (r == -ENOTCONN && clock_ns() < deadline_ns) {
		poll(NULL, 0, AGAIN_MS);
		r = library_ask_once(f, verb, argument);
	}
	return r;
}

/* ---- submitting ---- */

struct library_add {
	const plm_task *tasks;
	size_t n;
	const char *token;
	int64_t *ids;
};

static int library_add_all(struct engine *e, void *argument)
{
	const struct library_add *a = argument;
	struct task_words *words = calloc(a->n, sizeof *words);
	struct engine_task *rows = calloc(a->n, sizeof *rows);
	int r = words && rows ? 0 : why(-ENOMEM, "out of memory");
	for (size_t i = 0; i < a->n && r == 0; i++) {
		r = a->tasks[i].function && !(a->tasks[i].flags & (PLM_TIED | PLM_PAIRED))
		    ? task_words_prepare(&words[i], e, &a->tasks[i], &rows[i])
		    : why(-EINVAL,
			  "a task of a fleet has a function, and is not PLM_TIED or PLM_PAIRED");
		rows[i].title = a->tasks[i].function;
	}
	if (r == 0)
		r = engine_add(e, rows, a->n, false, a->token, a->ids);
	for (size_t i = 0; i < a->n && words; i++)
		task_words_free(&words[i]);
	free(words);
	free(rows);
	return r;
}

static unsigned library_results(const plm_task *task)
{
	return task->results ? task->results : 1;
}

/* How many references n tasks have. */
static size_t library_references(const plm_task *tasks, size_t n)
{
	size_t all = 0;
	for (size_t i = 0; i < n; i++)
		all += library_results(&tasks[i]);
	return all;
}

/* The end of a task may have been heard before its number was known here. */
static void library_note(struct plm_fleet *f, const struct library_add *a, int r, plm_ref *ret)
{
	pthread_mutex_lock(&f->hearing);
	f->submitting--;
	for (size_t i = 0; i < a->n && r == 0; i++) {
		struct held *h = library_enter(f, (uint64_t)a->ids[i]);
		h->holds = library_results(&a->tasks[i]);
		h->submitted = true;
		h->forgettable = !(a->tasks[i].flags & PLM_KEEP);
		f->pending += h->state == HELD_OPEN;
		for (unsigned part = 0; part < library_results(&a->tasks[i]); part++)
			*ret++ =
			    engine_ref_of(f->epoch, engine_value_id((uint64_t)a->ids[i], part));
	}
	pthread_mutex_unlock(&f->hearing);
}

int plm_fleet_submit_many(plm_fleet *f, const plm_task *tasks, size_t n, plm_ref *ret)
{
	int64_t ids[ENGINE_ADD_MOST];
	int r = library_mine(f);
	if (r == 0 && n && (!tasks || !ret))
		r = why(-EINVAL, "no tasks, or no place for their references");
	size_t all = r == 0 ? library_references(tasks, n) : 0;
	for (size_t i = 0; i < all; i++)
		ret[i] = PLM_NONE;
	for (size_t from = 0; from < n && r == 0; from += ENGINE_ADD_MOST) {
		size_t left = n - from;
		struct library_add a = { tasks + from,
			left < ENGINE_ADD_MOST ? left : ENGINE_ADD_MOST, engine_token(f->ears),
			ids };
		pthread_mutex_lock(&f->hearing);
		f->submitting++;
		pthread_mutex_unlock(&f->hearing);
		r = library_ask_once(f, library_add_all, &a);
		library_note(f, &a, r, ret);
		ret += library_references(a.tasks, a.n);
	}
	if (r == -ENOENT)
		r = why(-ESTALE, "%s", plm_fleet_why());
	return r;
}

int plm_fleet_submit(plm_fleet *f, const plm_task *task, plm_ref *ret)
{
	return plm_fleet_submit_many(f, task, 1, ret);
}

struct library_put {
	const void *data;
	size_t bytes;
	uint64_t id;
};

static int library_put_value(struct engine *e, void *argument)
{
	struct library_put *p = argument;
	return engine_put(e, "put", p->data, p->bytes, &p->id);
}

int plm_fleet_put(plm_fleet *f, const void *data, size_t len, plm_ref *ret)
{
	struct library_put p = { data, len, 0 };
	int r = library_mine(f);
	if (r == 0 && (!ret || (len && !data)))
		r = why(-EINVAL, "no bytes, or no place for the reference");
	if (r == 0 && len > ENGINE_VALUE_MOST)
		r = why(-E2BIG, "a value of %zu bytes: into the queue of a fleet go %d MiB at most",
		    len, ENGINE_VALUE_MOST >> 20);
	if (r == 0)
		r = library_ask_once(f, library_put_value, &p);
	if (r < 0)
		return r;
	pthread_mutex_lock(&f->hearing);
	*library_enter(f, p.id) = (struct held){
		.id = p.id, .holds = 1, .state = ENGINE_DONE, .submitted = true, .forgettable = true
	};
	pthread_mutex_unlock(&f->hearing);
	*ret = engine_ref_of(f->epoch, p.id);
	return 0;
}

/* ---- holds ---- */

int library_value(const struct plm_fleet *f, plm_ref ref, uint64_t *ret)
{
	return engine_id_of(f->epoch, ref, ret)
	    ? 0
	    : why(-EXDEV, "the reference is of another fleet or runtime");
}

int library_task(const struct plm_fleet *f, plm_ref ref, uint64_t *ret)
{
	int r = library_value(f, ref, ret);
	*ret = engine_task_id(*ret);
	return r;
}

struct library_watch {
	uint64_t id;
	const char *token;
	enum engine_state state;
};

static int library_watch_one(struct engine *e, void *argument)
{
	struct library_watch *w = argument;
	return engine_watch_for(e, w->token, &w->id, 1, &w->state);
}

/* Takes a hold on a task that stands in the table. */
static bool library_hold_known(struct plm_fleet *f, uint64_t id)
{
	pthread_mutex_lock(&f->hearing);
	struct held *h = library_find(f, id);
	if (h)
		h->holds++;
	pthread_mutex_unlock(&f->hearing);
	return h != NULL;
}

int library_hold(struct plm_fleet *f, uint64_t id)
{
	struct library_watch w = { .id = id, .token = engine_token(f->ears) };
	if (library_hold_known(f, id))
		return 0;
	pthread_mutex_lock(&f->hearing);
	library_enter(f, id)->holds++; /* first, so that an end is heard */
	pthread_mutex_unlock(&f->hearing);
	int r = library_ask(f, library_watch_one, &w, 0);
	if (r == 0 && w.state == ENGINE_NONE)
		r = why(-ESTALE, "the fleet has no such task any more");
	pthread_mutex_lock(&f->hearing);
	struct held *h = library_find(f, id);
	if (h && r == 0 && engine_settled(w.state))
		library_end(f, h, w.state);
	pthread_mutex_unlock(&f->hearing);
	if (r < 0)
		library_drop(f, id);
	return r;
}

void library_drop(struct plm_fleet *f, uint64_t id)
{
	pthread_mutex_lock(&f->hearing);
	struct held *h = library_find(f, id);
	if (h && h->holds && --h->holds == 0) {
		if (h->submitted && h->forgettable && h->state != HELD_OPEN)
			library_forget(f, id);
		if (!h->submitted || h->state != HELD_OPEN)
			library_remove(f, h);
	}
	pthread_mutex_unlock(&f->hearing);
}

int plm_fleet_hold(plm_fleet *f, plm_ref ref)
{
	uint64_t id;
	int r = library_mine(f);
	if (r == 0)
		r = library_task(f, ref, &id);
	return r < 0 ? r : library_hold(f, id);
}

void plm_fleet_drop(plm_fleet *f, plm_ref ref)
{
	uint64_t id;
	if (ref.id && library_mine(f) == 0 && library_task(f, ref, &id) == 0)
		library_drop(f, id);
}

/* ---- leaving ---- */

static void library_drop_all(struct plm_fleet *f)
{
	pthread_mutex_lock(&f->hearing);
	for (size_t i = 0; i < f->places; i++)
		if (f->held[i].submitted && f->held[i].forgettable && f->held[i].state != HELD_OPEN)
			library_forget(f, f->held[i].id);
	pthread_mutex_unlock(&f->hearing);
}

/* In the child of a fork the connections are the parent's: closing the copies tells Redis nothing.
 */
void plm_fleet_disconnect(plm_fleet **fp)
{
	struct plm_fleet *f = fp ? *fp : NULL;
	if (!f)
		return;
	*fp = NULL;
	if (f->owner == getpid()) {
		library_drop_all(f);
		library_hear_stop(f);
	}
	library_close(f);
}
