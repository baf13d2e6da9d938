#include "cli/map/map_order.h"

#include <errno.h>
#include <stdlib.h>

enum { PART_OF_ALL = 4, WINDOW_MAX = 16384 };

void order_open(struct order *o, bool kept, const plm_status *status, unsigned places)
{
	uint64_t window = status->records_max / (PART_OF_ALL * PLM_COMMAND_RESULTS);
	uint64_t there = status->store_reserved + status->shm_free;
	uint64_t store = there < status->store_bytes ? there : status->store_bytes;
	*o = (struct order){ .kept = kept, .bytes_max = store / PART_OF_ALL };
	o->last = &o->first;
	o->window = kept ? (size_t)(window < WINDOW_MAX ? window : WINDOW_MAX) : 1;
	o->held = calloc(o->window, sizeof *o->held);
	o->place = calloc(places + 1, sizeof *o->place);
	if (!o->held || !o->place)
		exit(failed(-ENOMEM, "map"));
	while (o->places < places) { /* the lowest is taken first */
		o->place[o->places] = places - o->places;
		o->places++;
	}
	o->wants_places = places > 0;
}

bool order_has_room(const struct order *o)
{
	if (o->wants_places && o->places == 0)
		return false;
	return !o->kept || o->begun == o->given ||
	    (o->begun - o->given < o->window && o->bytes < o->bytes_max);
}

void order_begin(struct order *o, struct job *job)
{
	o->begun++;
	if (o->wants_places)
		job->place = o->place[--o->places];
}

void order_end(struct order *o, struct job *job)
{
	if (o->wants_places)
		o->place[o->places++] = job->place;
	if (o->kept) {
		o->held[job->order % o->window] = job;
		o->bytes += job_held_bytes(job);
		return;
	}
	job->next = NULL;
	*o->last = job;
	o->last = &job->next;
}

struct job *order_next(struct order *o)
{
	struct job **at = o->kept ? &o->held[o->given % o->window] : &o->first;
	struct job *job = *at;
	if (!job)
		return NULL;
	o->given++;
	*at = o->kept ? NULL : job->next;
	if (o->kept)
		o->bytes -= job_held_bytes(job);
	else if (!o->first)
		o->last = &o->first;
	return job;
}

bool order_is_next(const struct order *o, const struct job *job)
{
	return job->order == o->given;
}

struct job *order_any(struct order *o)
{
	struct job *job = order_next(o);
	while (!job && o->kept && o->given < o->begun) {
		o->given++;
		job = order_next(o);
	}
	return job;
}

void order_close(struct order *o)
{
	free(o->held);
	free(o->place);
}
