#include "client/inspect_occupancy.h"

#include <string.h>

#include "tables/lent.h"

/* ---- the copy ---- */

static void occupancy_read_seat(const struct tables *t, uint32_t process, struct seat *ret)
{
	const struct process *p = &t->process[process];
	struct ring down = ring_down(t, process);
	*ret = (struct seat){ .process = process,
		.worker = p->worker % WORKERS_MAX,
		.kind = p->worker_kind % WORKER_KINDS_MAX,
		.pid = p->pid,
		.running = sh_peek(&p->running),
		.booked = sh_load(&p->booked) };
	uint32_t borrower = lent_to(ret->booked);
	ret->busy = ret->running || sh_peek(&p->handed) || ring_used(&down);
	ret->keeps_still = ret->booked && sh_peek(&p->booked_way) == 0 && !ret->running &&
	    sh_peek(&p->booked_seen) == ret->booked;
	if (borrower) /* lent to the command of the borrower's task */
		ret->booked = borrower < t->limits.processes
		    ? sh_peek(&t->process[borrower].running)
		    : BOOKED_FOR_NOBODY;
}

/* The share of a task, a new share at first; NULL: the task needs nothing to be booked. */
static struct share *occupancy_share_of(const struct tables *t, struct occupancy *o, uint64_t ref)
{
	uint64_t word;
	for (uint32_t i = 0; i < o->shares; i++)
		if (o->share[i].ref == ref)
			return &o->share[i];
	const struct record *r = record_lookup(t, ref, &word);
	const struct terms *terms = r ? terms_at(t->terms, r->terms) : NULL;
	if (!terms || terms->alternatives == 0)
		return NULL;
	struct share *share = &o->share[o->shares++];
	*share = (struct share){ .ref = ref, .demand = terms->alternative[0] };
	return share;
}

/* The process that runs the task tells which alternative was met, and where. */
static void occupancy_read_main(
    const struct tables *t, const struct seat *seat, uint32_t way, struct share *share)
{
	uint64_t word;
	const struct record *r = record_lookup(t, share->ref, &word);
	const struct terms *terms = r ? terms_at(t->terms, r->terms) : NULL;
	if (terms && way <= ALTERNATIVES_MAX)
		share->demand = terms->alternative[way - 1];
	share->main = seat->process;
	share->worker = seat->worker;
	share->gpus = sh_peek(&t->process[seat->process].booked_gpus);
}

static void occupancy_read_booking(
    const struct tables *t, struct occupancy *o, const struct seat *seat)
{
	uint32_t way = sh_peek(&t->process[seat->process].booked_way);
	struct share *share = occupancy_share_of(t, o, seat->booked);
	if (share && way > 0) {
		occupancy_read_main(t, seat, way, share);
	} else if (share) {
		share->worker = share->seats || share->main ? share->worker : seat->worker;
		share->seats++;
		share->still += seat->keeps_still;
	}
}

void occupancy_read(const struct tables *t, struct occupancy *ret)
{
	ret->seats = ret->shares = 0;
	memcpy(ret->kind, t->control->kind, sizeof ret->kind);
	ret->memory = t->control->memory ? t->control->memory : UINT64_MAX;
	for (uint32_t p = SLOT_FIRST_SHARED; p < t->limits.processes; p++) {
		uint64_t word = sh_load(&t->process[p].state);
		if (process_kind(word) != KIND_WORKER || process_state(word) != PROCESS_LIVE)
			continue;
		struct seat *seat = &ret->seat[ret->seats++];
		occupancy_read_seat(t, p, seat);
		if (seat->booked == BOOKED_FOR_NOBODY) { /* a resting spare offers no cpu */
			ret->seats--;
			continue;
		}
		if (seat->booked)
			occupancy_read_booking(t, ret, seat);
	}
}

const struct share *occupancy_share(const struct occupancy *o, uint64_t ref)
{
	for (uint32_t i = 0; i < o->shares; i++)
		if (o->share[i].ref == ref)
			return &o->share[i];
	return NULL;
}

const struct seat *occupancy_seat(const struct occupancy *o, uint32_t process)
{
	for (uint32_t i = 0; i < o->seats; i++)
		if (o->seat[i].process == process)
			return &o->seat[i];
	return NULL;
}

/* ---- what is short ---- */

struct question { /* what a task would find at a worker */
	const struct occupancy *o;
	const struct demand *demand;
	uint64_t ref;
	uint32_t worker;
	const struct worker_kind *kind;
	uint32_t kind_number;
};

static void occupancy_add_user(struct shortage *s, uint64_t ref)
{
	for (uint32_t i = 0; i < s->users && i < USERS_MAX; i++)
		if (s->user[i] == ref)
			return;
	if (s->users < USERS_MAX)
		s->user[s->users] = ref;
	s->users++;
}

static bool occupancy_share_counts(
    const struct question *q, const struct share *share, uint32_t resource)
{
	return share->ref != q->ref && share->demand.amount[resource] &&
	    (resource == RESOURCE_MEMORY || share->worker == q->worker);
}

static void occupancy_sum_up(const struct question *q, uint32_t resource, struct shortage *ret)
{
	for (uint32_t i = 0; i < q->o->shares; i++) {
		const struct share *share = &q->o->share[i];
		if (!occupancy_share_counts(q, share, resource))
			continue;
		ret->used += share->demand.amount[resource];
		occupancy_add_user(ret, share->ref);
	}
}

static uint64_t occupancy_part_of_gpu(const struct demand *demand)
{
	uint64_t all = demand->amount[RESOURCE_GPUS];
	return all < AMOUNT_UNIT ? all : AMOUNT_UNIT;
}

/* Enough GPUs with so much of each left: two free halves are no whole GPU. */
static bool occupancy_gpus_suffice(const struct question *q, uint64_t gpus)
{
	uint64_t part = occupancy_part_of_gpu(q->demand), found = 0;
	uint64_t wanted = (q->demand->amount[RESOURCE_GPUS] + AMOUNT_UNIT - 1) / AMOUNT_UNIT;
	for (uint32_t gpu = 0; gpu < gpus && gpu < DEVICES_MAX; gpu++) {
		uint64_t used = 0;
		for (uint32_t i = 0; i < q->o->shares; i++) {
			const struct share *share = &q->o->share[i];
			if (occupancy_share_counts(q, share, RESOURCE_GPUS) &&
			    share->gpus >> gpu & 1)
				used += occupancy_part_of_gpu(&share->demand);
		}
		found += used + part <= AMOUNT_UNIT;
	}
	return found >= wanted;
}

/* The first scarce resource, as scheduler/booking.c judges. */
static bool occupancy_lacks_resource(const struct question *q, struct shortage *ret)
{
	for (uint32_t i = RESOURCE_MEMORY; i < RESOURCES_MAX; i++) {
		uint64_t wanted = q->demand->amount[i];
		if (wanted == 0)
			continue;
		*ret = (struct shortage){ .resource = i,
			.worker = q->worker,
			.workers = 1,
			.wanted = wanted,
			.there = i == RESOURCE_MEMORY ? q->o->memory : q->kind->amount[i] };
		occupancy_sum_up(q, i, ret);
		bool enough = i == RESOURCE_GPUS
		    ? occupancy_gpus_suffice(q, ret->there / AMOUNT_UNIT)
		    : ret->used <= ret->there && wanted <= ret->there - ret->used;
		if (!enough)
			return true;
	}
	return false;
}

/* A task needs one cpu of the worker, and further cpus of any worker of the same kind. */
static bool occupancy_lacks_cpus(const struct question *q, struct shortage *ret)
{
	uint64_t own = 0, free = 0, cpus = 0;
	bool seen[WORKERS_MAX] = { false };
	*ret = (struct shortage){ .resource = RESOURCE_CPUS,
		.worker = q->worker,
		.wanted = q->demand->amount[RESOURCE_CPUS] };
	for (uint32_t i = 0; i < q->o->seats; i++) {
		const struct seat *seat = &q->o->seat[i];
		if (seat->kind != q->kind_number)
			continue;
		cpus++;
		ret->workers += !seen[seat->worker];
		seen[seat->worker] = true;
		if (!seat_taken(seat, q->ref)) {
			free++;
			own += seat->worker == q->worker;
		} else if (seat->running || seat->booked) {
			occupancy_add_user(ret, seat->running ? seat->running : seat->booked);
		}
	}
	ret->there = cpus * AMOUNT_UNIT;
	ret->used = (cpus - free) * AMOUNT_UNIT;
	return own == 0 || free < ret->wanted / AMOUNT_UNIT;
}

/* Do the living workers offer enough? */
static bool occupancy_ever(const struct question *q)
{
	uint64_t cpus = 0;
	for (uint32_t i = 0; i < q->o->seats; i++)
		cpus += q->o->seat[i].kind == q->kind_number;
	if (q->demand->amount[RESOURCE_CPUS] / AMOUNT_UNIT > cpus ||
	    q->demand->amount[RESOURCE_MEMORY] > q->o->memory)
		return false;
	for (uint32_t i = RESOURCE_GPUS; i < RESOURCES_MAX; i++)
		if (q->demand->amount[i] > q->kind->amount[i])
			return false;
	return true;
}

static enum fit occupancy_fit_at(const struct question *q, struct shortage *ret)
{
	return !occupancy_ever(q)              ? FIT_NOBODY
	    : occupancy_lacks_resource(q, ret) ? FIT_RESOURCE
	    : occupancy_lacks_cpus(q, ret)     ? FIT_CPUS
					       : FIT_NOW;
}

enum fit occupancy_fit(
    const struct occupancy *o, const struct demand *demand, uint64_t ref, struct shortage *ret)
{
	bool seen[WORKERS_MAX] = { false };
	enum fit best = FIT_NOBODY;
	for (uint32_t i = 0; i < o->seats && best < FIT_NOW; i++) {
		const struct seat *seat = &o->seat[i];
		if (seen[seat->worker])
			continue;
		seen[seat->worker] = true;
		const struct question q = { o, demand, ref, seat->worker, &o->kind[seat->kind],
			seat->kind };
		struct shortage shortage;
		enum fit fit = occupancy_fit_at(&q, &shortage);
		if (fit > best) {
			best = fit;
			*ret = shortage;
		}
	}
	return best;
}
