#include "web/web_fleet.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/why.h"

enum { QUIET_LOOK_MS = 10000, ASKED_LATELY_S = 60, ANSWER_MS = 2000 };

static int fleet_connect(struct web_fleet *fleet)
{
	int r;
	if (!fleet->engine)
		return engine_open(&fleet->engine, &fleet->url, ANSWER_MS);
	r = engine_reopen(fleet->engine);
	return r == -EXDEV ? engine_reopen(fleet->engine) : r; /* the queue of now is shown */
}

static void fleet_note(struct fleet_view *view)
{
	const struct engine_status *s = &view->sample.status;
	if (view->points == FLEET_POINTS)
		memmove(view->point, view->point + 1, --view->points * sizeof view->point[0]);
	view->taken_ms = clock_of(CLOCK_REALTIME) / NS_PER_MS;
	view->point[view->points++] = (struct fleet_point){ .at_ms = view->taken_ms,
		.rate = view->sample.rate,
		.todo = engine_todo(s),
		.running = s->running };
}

static void fleet_take(struct web_fleet *fleet)
{
	struct fleet_view *view = fleet->next;
	int r = fleet->engine ? fleet_sample_take(fleet->engine, &view->sample) : -ENOTCONN;
	if (r < 0) {
		r = fleet_connect(fleet);
		if (r == 0)
			r = fleet_sample_take(fleet->engine, &view->sample);
	}
	view->trouble[0] = 0;
	if (r < 0)
		snprintf(view->trouble, sizeof view->trouble, "%.255s", why_text());
	else
		view->lease_ms = engine_lease_ms(fleet->engine);
	if (r == 0)
		fleet_note(view);
}

static void fleet_view_free(struct fleet_view *view)
{
	if (view)
		fleet_sample_free(&view->sample);
	free(view);
}

static void fleet_publish(struct web_fleet *fleet)
{
	struct fleet_view *copy = malloc(sizeof *copy);
	size_t hosts = fleet->next->sample.hosts;
	CHECK(copy);
	*copy = *fleet->next;
	copy->sample.room = hosts;
	copy->sample.host = malloc((hosts + 1) * sizeof *copy->sample.host);
	CHECK(copy->sample.host);
	if (hosts)
		memcpy(
		    copy->sample.host, fleet->next->sample.host, hosts * sizeof *copy->sample.host);
	fleet_view_free(__atomic_exchange_n(&fleet->fresh, copy, __ATOMIC_ACQ_REL));
}

static void *fleet_run(void *argument)
{
	struct web_fleet *fleet = argument;
	struct pollfd stop = { .fd = fleet->stop, .events = POLLIN };
	for (;;) {
		uint64_t asked_ns = __atomic_load_n(&fleet->asked_ns, __ATOMIC_RELAXED);
		bool lately = clock_ns() - asked_ns < ASKED_LATELY_S * NS_PER_S;
		if (poll(&stop, 1, lately ? FLEET_LOOK_MS : QUIET_LOOK_MS) == 1)
			return NULL;
		fleet_take(fleet);
		fleet_publish(fleet);
	}
}

static void fleet_free(struct web_fleet *fleet)
{
	engine_close(&fleet->engine);
	fleet_view_free(fleet->next);
	fleet_view_free(fleet->fresh);
	fleet_view_free(fleet->shown);
	if (fleet->stop >= 0)
		close(fleet->stop);
	free(fleet);
}

int web_fleet_begin(struct web_fleet **ret, const char *address, bool environment)
{
	struct web_fleet *fleet = calloc(1, sizeof *fleet);
	CHECK(fleet);
	fleet->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	fleet->next = calloc(1, sizeof *fleet->next);
	CHECK(fleet->next);
	int r = fleet->stop < 0 ? why(-errno, "no descriptor: %s", strerror(errno)) : 0;
	if (r == 0)
		r = fleet_url_parse(
		    environment ? "PLM_FLEET" : "--fleet", address, environment, &fleet->url);
	if (r == 0) {
		fleet->asked_ns = clock_ns();
		fleet_take(fleet); /* an engine that is away is shown on the page */
		fleet_publish(fleet);
		r = -pthread_create(&fleet->thread, NULL, fleet_run, fleet);
	}
	if (r < 0)
		fleet_free(fleet);
	else
		*ret = fleet;
	return r;
}

void web_fleet_end(struct web_fleet **fleetp)
{
	struct web_fleet *fleet = *fleetp;
	*fleetp = NULL;
	if (!fleet)
		return;
	eventfd_write(fleet->stop, 1);
	pthread_join(fleet->thread, NULL);
	fleet_free(fleet);
}

const struct fleet_view *web_fleet_look(struct web_fleet *fleet)
{
	struct fleet_view *fresh = __atomic_exchange_n(&fleet->fresh, NULL, __ATOMIC_ACQ_REL);
	__atomic_store_n(&fleet->asked_ns, clock_ns(), __ATOMIC_RELAXED);
	if (fresh) {
		fleet_view_free(fleet->shown);
		fleet->shown = fresh;
	}
	return fleet->shown;
}
