/* queues.h - tasks on their way to a worker, and records on their way out; includes the row below.
 */
#ifndef PLM_QUEUES_H
#define PLM_QUEUES_H

#include "scheduler/ground.h"
#include "tables/due.h"

/* ---- ready.c ---- */
int ready_open(struct scheduler *s);
void ready_close(struct scheduler *s);
/* A task became READY, or comes back from a worker: place_flush() queues it. */
void ready_add(struct scheduler *s, uint32_t index);
void ready_remove(struct scheduler *s, uint32_t index); /* a cancelled task, out of the heap */
/* The tasks in front of a process go back; the process may still claim them first. */
void ready_note_again(struct scheduler *s, uint32_t process);
/* True: a task in the ring can still start. The rest were cancelled, or claimed elsewhere. */
bool ready_has_queue(const struct scheduler *s, uint32_t process);

/* Tasks in front of a worker process. */
static inline uint32_t ready_outstanding(const struct scheduler *s, uint32_t process)
{
	struct ring ring = ring_down(s->t, process);
	return ring_used(&ring) + (sh_load(&s->t->process[process].handed) != 0);
}

/* Meanwhile a waiting worker may have run the task in place, a client may have cancelled or moved
 * it, or an attempt failed and the task pauses: then task_limits.c notes the task again. */
static inline bool ready_still(const struct tables *t, const struct heap_entry *task)
{
	if (task->id >= t->limits.records)
		return false;
	const struct record *r = record_at(t, task->id);
	uint64_t word = sh_load(&r->state);
	return word_state(word) == RECORD_READY && word_generation(word) == task->tag &&
	    sh_once(r->key) == task->key && !(word_flags(word) & FLAG_PARKED) &&
	    !due_is_resting(t, r, word);
}

/* ---- floor.c ---- */
void floor_raise(struct scheduler *s, const struct record *r, uint64_t key); /* a task is queued */
void floor_rebuild(struct scheduler *s); /* from the task heap */
/* Under the task heap's lock, for the next task. False: a task of higher priority stands behind
 * another in front of a worker. all_sent: every task taken off the heap stands in a ring. */
bool floor_lets_go(struct scheduler *s, const struct heap_entry *task, bool all_sent);
void floor_tell_kept(struct scheduler *s); /* to workers, after placing */
bool floor_may_sink(const struct scheduler *s);
/* A task above the floor stands behind another in front of this worker. */
bool floor_is_ignored(const struct scheduler *s, uint32_t process);

/* ---- shelf.c ---- */
void shelf_put(struct scheduler *s, uint32_t terms, struct heap_entry task);
bool shelf_peek(struct scheduler *s, uint32_t terms, struct heap_entry *ret);
void shelf_drop(struct scheduler *s, uint32_t terms); /* the entry that shelf_peek() showed */
bool shelf_empty(const struct scheduler *s);
void shelf_close(struct scheduler *s);

/* ---- ageing.c ---- */
void ageing_open(struct scheduler *s);
void ageing_look(struct scheduler *s); /* if the time has come */
/* A task with this key is queued, as the first or not. */
void ageing_queued(struct scheduler *s, uint64_t key, bool first);
/* Under the task heap's lock: takes a due task out of the middle, if its turn has come. */
bool ageing_pop(struct scheduler *s, struct heap_entry *ret);
bool ageing_peek_shelved(struct scheduler *s, struct heap_entry *ret); /* for tasks with needs */
void ageing_began(struct scheduler *s, const struct heap_entry *task); /* for tasks with needs */

/* ---- retain.c ---- */
int retain_open(struct scheduler *s);
void retain_close(struct scheduler *s);
/* A hold or use of a settled record has ended: if only the runtime still holds the record, notes
 * when it leaves. */
void retain_note(struct scheduler *s, uint32_t index, uint64_t word);
void retain_forget(struct scheduler *s, uint32_t index); /* the runtime's hold is gone */
uint64_t retain_next_ns(struct scheduler *s);
bool retain_peek(struct scheduler *s, enum retain_heap which, struct heap_entry *ret);
void retain_take_out(struct scheduler *s, enum retain_heap which, uint32_t index);
bool retain_may_leave(const struct scheduler *s, uint32_t index, uint64_t word);
/* The time of the first is over, or its heap has too many. */
bool retain_is_over(
    const struct scheduler *s, enum retain_heap which, const struct heap_entry *first);

/* ---- owed.c ---- */
int owed_open(struct scheduler *s);
void owed_close(struct scheduler *s);
/* The memory named by this record could not be freed; the scheduler tries again later. */
void owed_note(struct scheduler *s, uint32_t index);
void owed_note_pool(struct scheduler *s); /* FREE records could not be put into the pool */
bool owed_any(const struct scheduler *s); /* true: locks are tried, not waited for */
/* A record found by this process slot alone. */
bool owed_to_process(struct scheduler *s, uint32_t process);
/* Takes a record off the notes. False: not owed, or freed another way. */
bool owed_take(struct scheduler *s, uint32_t index);
bool owed_is_due(const struct scheduler *s); /* time to try again */
uint32_t owed_tried(struct scheduler *s);    /* not 0: all is free */

#endif
