/* ready.c - READY tasks on their way: noted for the task heap, taken out of the heap, and noted
 * again although their hints stand in a worker's ring.
 *
 * Nothing is decided here, so every file of the scheduler may call these functions. A note is an
 * entry of a private list; place.c puts the list into the task heap later in the same round. The
 * old hints stay in the ring: the first worker to claim a task has it. */
#include <errno.h>
#include <sys/mman.h>

#include "base/why.h"
#include "scheduler/queues.h"

enum {
	QUEUE_LOOK = 64,
	NOTED_AGAIN_A_ROUND = 4,
};

static size_t ready_bytes(const struct scheduler *s)
{
	return (size_t)s->ready.room * sizeof s->ready.task[0];
}

int ready_open(struct scheduler *s)
{
	/* Between two flushes each record becomes READY once, and the hints of each ring
	 * are noted again a few times. Untouched pages cost nothing. */
	s->ready.room = s->t->limits.records +
	    NOTED_AGAIN_A_ROUND * s->t->limits.processes * (DOWN_RING_ENTRIES + 1);
	void *list = mmap(NULL, ready_bytes(s), PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (list == MAP_FAILED)
		return why(-ENOMEM, "no memory for a scheduler of %u tasks", s->t->limits.records);
	s->ready.task = list;
	return 0;
}

void ready_close(struct scheduler *s)
{
	munmap(s->ready.task, ready_bytes(s));
}

void ready_add(struct scheduler *s, uint32_t index)
{
	if (s->ready.n == s->ready.room) {
		why(-ENOBUFS, "%u tasks became READY in one round", s->ready.n);
		scheduler_give_up();
	}
	s->ready.task[s->ready.n++] = index;
}

void ready_remove(struct scheduler *s, uint32_t index)
{
	scheduler_lock_heap(&s->t->task_heap);
	heap_remove(&s->t->task_heap, index);
	heap_unlock(&s->t->task_heap);
}

void ready_note_again(struct scheduler *s, uint32_t process)
{
	uint64_t hints[DOWN_RING_ENTRIES + 1];
	struct ring ring = ring_down(s->t, process);
	uint32_t n = ring_look(&ring, hints, DOWN_RING_ENTRIES);
	hints[n] = sh_load(&s->t->process[process].handed);
	n += hints[n] != 0;
	for (uint32_t i = 0; i < n; i++)
		if (hint_kind(hints[i]) == HINT_LOOK && (uint32_t)hints[i] < s->t->limits.records)
			ready_add(s, (uint32_t)hints[i]); /* unless claimed meanwhile */
}

bool ready_has_queue(const struct scheduler *s, uint32_t process)
{
	uint64_t hints[QUEUE_LOOK + 1], word;
	struct ring ring = ring_down(s->t, process);
	uint32_t n = ring_look(&ring, hints, QUEUE_LOOK);
	hints[n++] = sh_load(&s->t->process[process].handed);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t index = (uint32_t)hints[i];
		if (hint_kind(hints[i]) != HINT_LOOK || index >= s->t->limits.records)
			continue;
		word = sh_load(&record_at(s->t, index)->state);
		if (hint_fits(hints[i], word) && word_state(word) == RECORD_READY &&
		    !(word_flags(word) & FLAG_PARKED))
			return true;
	}
	return false;
}
