/* pressure.c - when memory runs out: first no task starts, then a running task goes back into the
 * queue.
 *
 * Memory is looked at once a second while tasks run and there is plenty; more often, the sooner a
 * fast-growing task could use up the rest; twenty times a second near the limit; never while no
 * task runs. Memory of other programs is none of our business: a task is ended only if tasks
 * together hold a good part of the used memory. Tasks are ended one after another, each when the
 * last is gone. A returned task keeps its use (record.demand), and waits until so much can be
 * given. A task with no other beside it, and with the larger part of the used memory, fails: it
 * would come to the same end again. */
#include <errno.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/meter.h"
#include "base/tree.h"
#include "scheduler/graph.h"

enum {
	LOOK_NEAR_MS = 50,
	LOOK_KEPT_MS = 250,
	LOOK_MS = 1000,
	EVICTED_COMMAND_GRACE_MS =
	    1000,               /* the worker kills the command and all its children at once */
	EVICTED_GRACE_MS = 150, /* a function must end by itself */
	OUR_SHARE = 4,          /* tasks hold a fourth of the used memory, or none is ended */
	VICTIM_SHARE = 16,      /* the victim holds a sixteenth of the tasks' memory at least */
	REOPEN_SHARE = 16,      /* so much more than accept_free must be free to start again */
	GROWTH_MB_A_MS = 2,     /* as fast as one core touches fresh pages */
	STALLED_SHARE = 5,      /* of the time a process waited for memory: start none */
};

struct victim {
	uint32_t process; /* 0: none */
	uint64_t bytes, score;
};

struct census { /* all processes that run a task */
	uint64_t ours;
	uint32_t running;
	bool ending; /* a task is being ended or was asked to stop: memory will be free soon */
};

static const struct memory_rules *pressure_rules(const struct scheduler *s)
{
	return &s->t->control->memory_rules;
}

/* Includes workers not yet met by a fresh scheduler. */
static bool pressure_runs_a_task(const struct scheduler *s, uint32_t p)
{
	const struct process *process = &s->t->process[p];
	return process_present(sh_load(&process->state)) && sh_peek(&process->running);
}

static void pressure_note_running(struct scheduler *s)
{
	uint32_t n = 0;
	for (uint32_t p = SLOT_FIRST_SHARED; p < tables_slots(s->t); p++)
		n += pressure_runs_a_task(s, p);
	s->pressure.running = n;
	sh_poke(&s->t->control->memory_running, n);
}

/* ---- which task to end ---- */

static struct record *pressure_task_of(const struct scheduler *s, uint32_t p, uint64_t *ret_word)
{
	struct record *r = record_lookup(s->t, sh_load(&s->t->process[p].running), ret_word);
	bool runs = r && word_state(*ret_word) == RECORD_RUNNING && word_owner(*ret_word) == p;
	return runs ? r : NULL;
}

static void pressure_take_census(struct scheduler *s, struct census *ret)
{
	uint64_t word;
	*ret = (struct census){ 0 };
	for (uint32_t p = SLOT_FIRST_SHARED; p < tables_slots(s->t); p++) {
		struct tree_use use = { 0 };
		s->pressure.used[p] = 0;
		if (!pressure_runs_a_task(s, p))
			continue;
		tree_add(s->t->process[p].pid, false, &use);
		s->pressure.used[p] = use.bytes;
		ret->ours += use.bytes;
		ret->running++;
		ret->ending |= pressure_task_of(s, p, &word) && word_flags(word) & FLAGS_STOPPING;
	}
}

static uint64_t pressure_declared(const struct scheduler *s, const struct record *r, uint32_t p)
{
	const struct terms *terms = due_terms(s->t, r);
	uint32_t way = sh_peek(&s->t->process[p].booked_way) - 1;
	return terms && way < terms->alternatives && way < ALTERNATIVES_MAX
	    ? terms->alternative[way].amount[RESOURCE_MEMORY]
	    : 0;
}

/* Among tasks with a part worth having: the newest, or the task furthest over the declared memory.
 */
static struct victim pressure_choose(const struct scheduler *s, const struct census *c)
{
	struct victim best = { 0 };
	uint64_t word;
	for (uint32_t p = SLOT_FIRST_SHARED; p < tables_slots(s->t); p++) {
		uint64_t used = s->pressure.used[p];
		const struct record *r = used ? pressure_task_of(s, p, &word) : NULL;
		if (!r || used < c->ours / VICTIM_SHARE)
			continue;
		uint64_t said = pressure_declared(s, r, p), over = used > said ? used - said : 0;
		uint64_t score = pressure_rules(s)->victim == VICTIM_OVER
		    ? over
		    : sh_peek(&s->t->process[p].running_since_ns);
		if (!best.process || score > best.score)
			best = (struct victim){ p, used, score };
	}
	return best;
}

static void pressure_end(struct scheduler *s, const struct victim *v, bool for_good)
{
	uint64_t word;
	struct record *r = pressure_task_of(s, v->process, &word);
	struct process *p = &s->t->process[v->process];
	if (!r)
		return;
	sh_store(&p->memory_seen, v->bytes);
	if (record_evict(r, &word, for_good) < 0)
		return; /* just ended, or stopped first by a client */
	sh_add(&s->t->control->evicted, 1);
	log_warn_about(
	    ABOUT(ABOUT_WORKER(p->worker), ABOUT_PROCESS_SLOT(v->process), ABOUT_PID(p->pid)),
	    "memory: %llu MiB of %llu are free, less than --return-free: the task of worker %u "
	    "(process slot %u, pid %d), which uses %llu MiB, %s",
	    (unsigned long long)(s->pressure.available >> 20),
	    (unsigned long long)(s->pressure.total >> 20), p->worker, v->process, p->pid,
	    (unsigned long long)(v->bytes >> 20),
	    for_good ? "is ended: it does not fit" : "goes back into the queue");
	uint32_t grace_ms = sh_load(&p->alert) ? EVICTED_COMMAND_GRACE_MS : EVICTED_GRACE_MS;
	limits_stop(s, record_index(s->t, r), &grace_ms);
}

static void pressure_end_one(struct scheduler *s)
{
	struct census c;
	uint64_t used = s->pressure.total - s->pressure.available;
	pressure_take_census(s, &c);
	sh_poke(&s->t->control->memory_ours, c.ours);
	if (c.ending || c.ours < used / OUR_SHARE)
		return;
	struct victim v = pressure_choose(s, &c);
	if (v.process)
		pressure_end(s, &v, c.running == 1 && c.ours > used / 2);
}

/* ---- the look ---- */

static bool pressure_below(uint64_t available, uint64_t falls, uint64_t threshold)
{
	return threshold && (available < 2 * threshold || available < threshold + falls);
}

/* The fall of free memory in a second, at the present rate. */
static uint64_t pressure_fall(
    const struct pressure *before, const struct reading *now, uint64_t now_ns)
{
	uint64_t took_ms = (now_ns - before->seen_ns) / NS_PER_MS;
	if (!before->seen_ns || took_ms == 0 || now->available >= before->available)
		return 0;
	return (before->available - now->available) / took_ms * LOOK_MS;
}

static bool pressure_is_stalled(
    const struct pressure *before, const struct reading *now, uint64_t now_ns)
{
	uint64_t took_us = (now_ns - before->seen_ns) / 1000;
	return before->seen_ns && now->stalled_us > before->stalled_us &&
	    now->stalled_us - before->stalled_us > took_us / STALLED_SHARE;
}

static enum memory_state pressure_judge(
    const struct scheduler *s, const struct reading *now, uint64_t now_ns)
{
	uint64_t accept = pressure_rules(s)->accept_free,
		 falls = pressure_fall(&s->pressure, now, now_ns);
	bool was_short = sh_load(&s->t->control->memory_state) == MEMORY_SHORT;
	bool near = pressure_below(now->available, falls, accept);
	if (now->available < accept + (was_short ? accept / REOPEN_SHARE : 0) ||
	    (near && pressure_is_stalled(&s->pressure, now, now_ns)))
		return MEMORY_SHORT;
	return near ? MEMORY_NEAR : MEMORY_FINE;
}

static void pressure_log(struct scheduler *s, enum event_kind kind)
{
	eventlog_put(s->t,
	    (struct logged_event){ .kind = kind,
		.worker = EVENT_NOBODY,
		.function = EVENT_NOBODY,
		.time_ns = s->pressure.seen_ns,
		.argument = s->pressure.available });
}

static void pressure_publish(struct scheduler *s, enum memory_state state)
{
	struct control *c = s->t->control;
	enum memory_state was = sh_load(&c->memory_state);
	sh_poke(&c->memory_total, s->pressure.total);
	sh_poke(&c->memory_free, s->pressure.available);
	sh_store(&c->memory_state, state);
	if (state != was && (state == MEMORY_SHORT || was == MEMORY_SHORT))
		log_info("memory: %llu MiB of %llu are free: tasks %s",
		    (unsigned long long)(s->pressure.available >> 20),
		    (unsigned long long)(s->pressure.total >> 20),
		    state == MEMORY_SHORT ? "do not start" : "start again");
	if (state == MEMORY_SHORT && was != MEMORY_SHORT)
		sh_poke(&c->memory_ours, 0); /* no census since */
	if ((state == MEMORY_SHORT) != (was == MEMORY_SHORT) && eventlog_on(s->t))
		pressure_log(s, state == MEMORY_SHORT ? EVENT_MEMORY_SHORT : EVENT_MEMORY_ENOUGH);
}

/* Time until the first task could have to go back, if a task begins to grow now. */
static uint64_t pressure_time_left_ms(const struct scheduler *s)
{
	uint64_t available = s->pressure.available, floor = pressure_rules(s)->return_free;
	return available > floor ? ((available - floor) >> 20) / GROWTH_MB_A_MS : 0;
}

static uint64_t pressure_pause_ms(const struct scheduler *s)
{
	const struct pressure *p = &s->pressure;
	if (!p->running && p->waits)
		return LOOK_MS; /* other programs use the memory */
	if (!p->running)
		return p->keeps ? LOOK_KEPT_MS : LOOK_NEAR_MS;
	uint64_t left_ms = pressure_time_left_ms(s);
	if (sh_load(&s->t->control->memory_state) != MEMORY_FINE || left_ms < LOOK_NEAR_MS)
		return LOOK_NEAR_MS;
	return left_ms < LOOK_MS ? left_ms : LOOK_MS;
}

static void pressure_look_now(struct scheduler *s, uint64_t now_ns)
{
	struct reading now;
	if (meter_read(&now) < 0)
		return;
	enum memory_state state = pressure_judge(s, &now, now_ns);
	struct pressure *p = &s->pressure;
	p->seen_ns = now_ns;
	p->total = now.total;
	p->available = now.available;
	p->stalled_us = now.stalled_us;
	p->waits = state != MEMORY_FINE || (p->running && pressure_time_left_ms(s) < LOOK_MS);
	pressure_publish(s, state);
	if (p->running && now.available < pressure_rules(s)->return_free)
		pressure_end_one(s);
}

void pressure_look(struct scheduler *s)
{
	struct pressure *p = &s->pressure;
	if (pressure_rules(s)->accept_free == 0)
		return;
	uint64_t now_ns = clock_ns();
	if (now_ns < p->next_ns)
		return;
	pressure_note_running(s);
	/* A state other than fine may be a former scheduler's word, which nobody else takes back.
	 */
	if (p->running || p->waits || p->keeps ||
	    sh_load(&s->t->control->memory_state) != MEMORY_FINE)
		pressure_look_now(s, now_ns);
	p->next_ns = now_ns + pressure_pause_ms(s) * NS_PER_MS;
	p->keeps = false;
}

uint64_t pressure_next_ns(const struct scheduler *s)
{
	return s->pressure.waits ? s->pressure.next_ns : DEADLINE_NEVER;
}

/* ---- returned tasks ---- */

uint64_t pressure_keeps(struct scheduler *s, const struct record *r)
{
	struct pressure *p = &s->pressure;
	/* Nobody claims the task while the flag is set, so the owner's word about memory stands
	 * still. */
	if (!(word_flags(sh_load(&r->state)) & FLAG_MEMORY))
		return 0;
	if (!p->seen_ns) { /* the former scheduler had looked */
		pressure_note_running(s);
		pressure_look_now(s, clock_ns());
	}
	if (!memory_keeps(s->t, r))
		return 0;
	p->keeps = true;
	return clock_ns() + LOOK_KEPT_MS * NS_PER_MS;
}

/* A hint to start the task may be older than its end: look at the word. */
bool pressure_lets_go(struct scheduler *s, struct record *r)
{
	uint64_t word = sh_load(&r->state);
	if (!(word_flags(word) & FLAG_MEMORY))
		return true;
	return !pressure_keeps(s, r) && word_state(word) == RECORD_READY &&
	    record_step(r, &word, RECORD_READY, word_owner(word), word_attempt(word),
		word_flags(word) & ~(uint32_t)FLAG_MEMORY);
}

void pressure_fail(struct scheduler *s, uint32_t index, uint64_t word)
{
	char message[192];
	struct record *r = record_at(s->t, index);
	struct record_failure failure = { .code = ENOMEM,
		.root_function = r->function,
		.root = record_ref(index, word_generation(word)) };
	memory_describe(s->t, r, message, sizeof message);
	graph_fail(s, index, &failure, FLAG_RETRIABLE, message);
}
