/* eventlog.h - an event in the log: what may happen, how an event lies in a ring, and how a process
 * writes one.
 *
 * Where: the event segment (eventlog_segment.h), one ring for each process slot. An event is four
 * words. The first word, the stamp, says whether the other three are whole: {lap:16, kind:8,
 * attempt:8, worker:16, function:16}. The lap counts how often the ring was filled before, so that
 * a reader tells a new event from the event that the writer overwrites.
 *
 * Writing: take a position from the ring's tail, make the stamp invalid (kind 0), write the three
 * words, release the stamp. A batch takes its positions in one step. The oldest events are
 * overwritten; nobody waits for a reader. Reading: eventlog_read.h.
 *
 * Who may call: each role with its own handle; threads of a process share the ring. The scheduler
 * also writes into the ring of a process that the manager has declared dead (unended.h).
 *
 * Death: a writer that dies between position and stamp leaves an event that never becomes valid;
 * readers skip it. Nothing is decided by the log, and nothing in the log is repaired.
 *
 * Blocks: never, except in the first event of a process, which reserves memory for the ring.
 * Cost: off, a load and a branch; on, six stores, and in a process with threads an atomic addition.
 */
#ifndef PLM_EVENTLOG_H
#define PLM_EVENTLOG_H

#include <sys/single_threaded.h>

#include "tables/tables.h"

/* The numbers of enum plm_event_kind in client/plm_inspect.h, which explains each. */
enum event_kind {
	EVENT_NONE,
	EVENT_SUBMITTED,
	EVENT_DEPENDS,
	EVENT_READY,
	EVENT_PLACED,
	EVENT_STARTED,
	EVENT_DONE,
	EVENT_FAILED,
	EVENT_CANCELLED,
	EVENT_RETURNED,
	EVENT_FREED,
	EVENT_SEALED,
	EVENT_READ,
	EVENT_NAME,
	EVENT_BORN,
	EVENT_IDLE,
	EVENT_BUSY,
	EVENT_BLOCKED,
	EVENT_UNBLOCKED,
	EVENT_DEAD,
	EVENT_MEMORY_SHORT,
	EVENT_MEMORY_ENOUGH,
	EVENT_LOCK_RECOVERED,
	EVENT_JOURNAL,
	EVENT_KINDS
};

/* Why an attempt went back into the queue: the argument of EVENT_RETURNED. */
enum event_return {
	EVENT_RETURN_FAILED = 1, /* the function failed, and a retry is left */
	EVENT_RETURN_LATE,       /* over a time limit, and a retry is left */
	EVENT_RETURN_MEMORY,     /* memory ran out */
	EVENT_RETURN_ASKED,      /* a client asked for the return */
	EVENT_RETURN_DEAD,       /* the worker died */
};

#define EVENT_NOBODY 0xffffu /* no worker, no function */

/* Two events in one entry of a ring, for the path of small tasks: two bits above the kind. */
enum event_shape {
	EVENT_SINGLE = 0,
	EVENT_PAIR = 0x40, /* the same event of one or two tasks, the second reference 0 of one;
			      SUBMITTED: the priority is in `worker` */
	EVENT_TURN = 0x80, /* the end of one task, and at the same time the start of the next, both
			      in the first attempt, of one function and one cpu. SUBMITTED: the
			      task was at the same time PLACED on the worker in `argument`; the
			      priority is in `worker` */
};

struct eventlog_entry { /* in a ring */
	shared64 stamp;
	shared64 time_ns;
	shared64 subject;  /* a reference; of a process: the process slot */
	shared64 argument; /* of a pair or turn: the second reference */
};

struct logged_event { /* about to be written, or copied from a ring */
	enum event_kind kind;
	uint32_t attempt, worker, function;
	enum event_shape shape;
	uint64_t time_ns, subject, argument;
	uint64_t second; /* unless EVENT_SINGLE: the second reference */
};

_Static_assert(sizeof(struct eventlog_entry) == 32, "two events in a cache line");

#define EVENT_LAP_SHIFT 48
#define EVENT_LAP_MASK (UINT64_C(0xffff) << EVENT_LAP_SHIFT)

static inline uint64_t eventlog_lap(uint64_t position, uint32_t shift)
{
	return position >> shift << EVENT_LAP_SHIFT;
}

#define EVENT_KIND_SHIFT 40

/* The place of a kind or shape in a stamp. */
static inline uint64_t eventlog_kind(unsigned kind_or_shape)
{
	return (uint64_t)kind_or_shape << EVENT_KIND_SHIFT;
}

static inline uint32_t eventlog_function(uint64_t stamp)
{
	return stamp & 0xffff;
}

/* A stamp without its lap. */
static inline uint64_t eventlog_stamp(
    unsigned kind_and_shape, uint32_t attempt, uint32_t worker, uint32_t function)
{
	return eventlog_kind(kind_and_shape) | (uint64_t)(attempt & 0xff) << 32 |
	    (uint64_t)(worker & 0xffff) << 16 | (function & 0xffff);
}

/* ---- writing ---- */

enum eventlog_writer_state { EVENT_WRITER_NEW, EVENT_WRITER_OPENING, EVENT_WRITER_OPEN };

/* Somebody wants events. The first look on every path: everything below is out of the way. */
static inline bool eventlog_on(const struct tables *t)
{
	return __builtin_expect(sh_glance(&t->control->events) & 1, 0);
}

/* ---- eventlog_write.c ---- */

/* Once for each handle, before its first event: recoveries of locks become events. */
void eventlog_attach(struct tables *t);
/* Makes the ring of our process slot ready. False: no event can be written. */
bool eventlog_open(struct tables *t);

static inline bool eventlog_ready(struct tables *t)
{
	uint32_t state = atomic_load_explicit(&t->event_writer.state, memory_order_acquire);
	return __builtin_expect(state == EVENT_WRITER_OPEN, 1) || eventlog_open(t);
}

/* Takes n positions of our own ring, few against its size (EVENT_RING_MIN); returns the first. A
 * process with a single thread is the only writer: it saves the locked addition, 5 ns each. */
static inline uint64_t eventlog_take(const struct eventlog_writer *w, uint32_t n)
{
	if (!__libc_single_threaded)
		return sh_add(w->tail, n, "tail");
	uint64_t first = sh_peek(w->tail);
	sh_poke(w->tail, first + n, "tail, of one thread");
	return first;
}

enum { EVENTLOG_AHEAD = 8 }; /* entries */

/* The words of an entry; the stamp is without its lap. */
static inline void eventlog_fill(const struct eventlog_writer *w, uint64_t position, uint64_t stamp,
    uint64_t time_ns, uint64_t subject, uint64_t argument)
{
	uint64_t lap = eventlog_lap(position, w->shift);
	struct eventlog_entry *entry = (struct eventlog_entry *)w->ring + (position & w->mask);
	__builtin_prefetch(
	    entry + EVENTLOG_AHEAD, 1); /* a store that misses would delay the task */
	sh_poke(&entry->stamp, lap, "stamp, invalid");
	/* Release stores, so that no word of the new event is seen under the old stamp. */
	sh_store(&entry->time_ns, time_ns);
	sh_store(&entry->subject, subject);
	sh_store(&entry->argument, argument);
	sh_store(&entry->stamp, lap | stamp, "stamp, valid");
}

static inline void eventlog_write(
    const struct eventlog_writer *w, uint64_t position, const struct logged_event *e)
{
	eventlog_fill(w, position, eventlog_stamp(e->kind, e->attempt, e->worker, e->function),
	    e->time_ns, e->subject, e->argument);
}

/* Writes one event. Call only if eventlog_on(). */
static inline void eventlog_put(struct tables *t, const struct logged_event event)
{
	if (eventlog_ready(t))
		eventlog_write(&t->event_writer, eventlog_take(&t->event_writer, 1), &event);
}

/* ---- a batch: events of one time, which take their positions in one step ---- */

enum { EVENTLOG_BATCH = 64 };

struct eventlog_batch {
	uint32_t n;
	uint64_t stamp[EVENTLOG_BATCH], subject[EVENTLOG_BATCH], argument[EVENTLOG_BATCH];
};

/* Adds an event by its stamp without a lap. False: the batch is full. */
static inline bool eventlog_batch_add(
    struct eventlog_batch *batch, uint64_t stamp, uint64_t subject, uint64_t argument)
{
	if (batch->n == EVENTLOG_BATCH)
		return false;
	batch->stamp[batch->n] = stamp;
	batch->subject[batch->n] = subject;
	batch->argument[batch->n++] = argument;
	return true;
}

/* The same for one of many events that differ in the reference alone, as EVENT_PAIR of two. */
static inline bool eventlog_batch_pair(
    struct eventlog_batch *batch, uint64_t stamp, uint64_t subject)
{
	const uint64_t pair = eventlog_kind(EVENT_PAIR);
	uint32_t last = batch->n - 1;
	if (batch->n && batch->stamp[last] == (stamp | pair) && !batch->argument[last]) {
		batch->argument[last] = subject;
		return true;
	}
	return eventlog_batch_add(batch, stamp | pair, subject, 0);
}

/* Writes the batch, and empties it. */
static inline void eventlog_batch_write(
    struct tables *t, struct eventlog_batch *batch, uint64_t now_ns)
{
	const struct eventlog_writer *w = &t->event_writer;
	if (batch->n && eventlog_ready(t)) {
		uint64_t at = eventlog_take(w, batch->n);
		for (uint32_t i = 0; i < batch->n; i++)
			eventlog_fill(w, at + i, batch->stamp[i], now_ns, batch->subject[i],
			    batch->argument[i]);
	}
	batch->n = 0;
}

/* ---- events of a task ---- */

static inline uint32_t eventlog_worker_of(const struct tables *t, uint32_t process)
{
	return process < t->limits.processes ? t->process[process].worker : EVENT_NOBODY;
}

static inline struct logged_event eventlog_of_task(
    enum event_kind kind, uint64_t now_ns, const struct record *r, uint64_t ref)
{
	return (struct logged_event){ .kind = kind,
		.worker = EVENT_NOBODY,
		.function = sh_once(r->function),
		.time_ns = now_ns,
		.subject = ref };
}

/* Of a record of any kind: an object and a further result carry no function of their own. */
static inline struct logged_event eventlog_of_record(
    enum event_kind kind, uint64_t now_ns, const struct record *r, uint64_t ref, uint64_t word)
{
	struct logged_event e = eventlog_of_task(kind, now_ns, r, ref);
	enum record_state state = word_state(word);
	if (state == RECORD_PART || state == RECORD_RESERVED || word_flags(word) & FLAG_OBJECT)
		e.function = EVENT_NOBODY;
	return e;
}

/* Of a process: `pid` is the argument. */
static inline struct logged_event eventlog_of_process(
    const struct tables *t, enum event_kind kind, uint64_t now_ns, uint32_t process)
{
	const struct process *p = &t->process[process];
	bool worker = process_kind(sh_load(&p->state)) == KIND_WORKER;
	return (struct logged_event){ .kind = kind,
		.worker = worker ? p->worker : EVENT_NOBODY,
		.function = EVENT_NOBODY,
		.time_ns = now_ns,
		.subject = process,
		.argument = (uint64_t)(uint32_t)p->pid };
}

#endif
