#include "fleet/sample.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"

enum { HOSTS_LEAST = 16 };

#define COPY_TEXT(field) snprintf(to->field, sizeof to->field, "%s", host->field)

static void sample_add(void *argument, const struct engine_host *host)
{
	struct fleet_sample *s = argument;
	struct fleet_host_sample *to;
	if (s->hosts == s->room) {
		s->room = s->room ? s->room * 2 : HOSTS_LEAST;
		s->host = realloc(s->host, s->room * sizeof *s->host);
		CHECK(s->host);
	}
	to = &s->host[s->hosts++];
	*to = (struct fleet_host_sample){ .seen_ms = host->seen_ms,
		.claimed = host->claimed,
		.cores = host->cores,
		.busy = host->busy,
		.memory_total = host->memory_total,
		.memory_used = host->memory_used,
		.finished = host->finished,
		.pid = host->pid };
	COPY_TEXT(member);
	COPY_TEXT(name);
	COPY_TEXT(state);
	COPY_TEXT(order);
	COPY_TEXT(runtime);
	COPY_TEXT(version);
}

static int sample_compare(const void *a, const void *b)
{
	const struct fleet_host_sample *x = a, *y = b;
	int names = strcmp(x->name, y->name);
	return names ? names : (x->seen_ms > y->seen_ms) - (x->seen_ms < y->seen_ms);
}

static int sample_compare_presence(const void *a, const void *b)
{
	const struct fleet_host_sample *x = a, *y = b;
	int here = (strcmp(y->state, "up") == 0) - (strcmp(x->state, "up") == 0);
	return here ? here : strcmp(x->name, y->name);
}

static void sample_unite(struct fleet_sample *s)
{
	size_t n = 0;
	if (s->hosts)
		qsort(s->host, s->hosts, sizeof *s->host, sample_compare);
	for (size_t i = 0; i < s->hosts; i++)
		if (n == 0 || strcmp(s->host[n - 1].name, s->host[i].name) != 0)
			s->host[n++] = s->host[i];
	s->hosts = n;
	if (n)
		qsort(s->host, n, sizeof *s->host, sample_compare_presence);
}

/* A host that was not in the sample before counts from its next sample on. */
static void sample_rate(struct fleet_sample *s, const struct fleet_sample *before)
{
	double seconds = (double)(s->at_ns - before->at_ns) / (double)NS_PER_S;
	for (size_t i = 0; i < s->hosts && before->at_ns && seconds > 0; i++)
		for (size_t j = 0; j < before->hosts; j++) {
			struct fleet_host_sample *host = &s->host[i];
			const struct fleet_host_sample *then = &before->host[j];
			if (strcmp(host->member, then->member) != 0 ||
			    host->finished < then->finished)
				continue;
			host->rate = (double)(host->finished - then->finished) / seconds;
			s->rate += host->rate;
		}
}

int fleet_sample_take(struct engine *e, struct fleet_sample *s)
{
	struct fleet_sample now = { .at_ns = 0 };
	int r = engine_status(e, &now.status);
	if (r == 0)
		r = engine_hosts(e, sample_add, &now);
	if (r < 0) {
		fleet_sample_free(&now);
		return r;
	}
	now.at_ns = clock_ns();
	sample_unite(&now);
	sample_rate(&now, s);
	fleet_sample_free(s);
	*s = now;
	return 0;
}

void fleet_sample_free(struct fleet_sample *s)
{
	free(s->host);
	*s = (struct fleet_sample){ .at_ns = 0 };
}
