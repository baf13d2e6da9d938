/* owed.c - memory not freed, because a living process stands still (SIGSTOP, a debugger) inside the
 * lock of an arena or of the pool.
 *
 * The scheduler waits for such a lock once, LOCK_WAIT_MS. Then it notes the record and goes on with
 * everything else. While anything is owed, the scheduler tries these locks and never waits: so one
 * stopped process costs ten seconds once, not ten for each record. The scheduler tries again at
 * growing distances of at most half a second until nothing is owed.
 * Not taken: giving up, as for the locks of the heaps, so that the next scheduler derives
 * everything anew. The next scheduler would meet the same lock, and a client stopped for long would
 * end the runtime.
 *
 * The notes are private. After a death the next scheduler finds the same in the words of the
 * records: a settled record needed by nobody, a RUNNING record owned by process slot 1, a PART
 * without a task, a record of a process with a DEAD slot (repair_bury() waits for the record). */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/why.h"
#include "scheduler/queues.h"

enum { PAUSE_MIN_MS = 20, PAUSE_MAX_MS = 500 };

static size_t owed_bytes(const struct scheduler *s)
{
	return (size_t)s->t->limits.records * sizeof s->owed.life[0];
}

/* Never 0, whatever the generation. */
static uint64_t owed_life_of(const struct scheduler *s, uint32_t index)
{
	return (uint64_t)1 << 32 | word_generation(sh_load(&record_at(s->t, index)->state));
}

int owed_open(struct scheduler *s)
{
	/* Untouched pages cost nothing, however large the table. */
	void *notes = mmap(NULL, owed_bytes(s), PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	s->owed = (struct owed){ .next_ns = DEADLINE_NEVER };
	if (notes == MAP_FAILED)
		return why(-ENOMEM, "no memory for a scheduler of %u tasks", s->t->limits.records);
	s->owed.life = notes;
	return 0;
}

void owed_close(struct scheduler *s)
{
	munmap(s->owed.life, owed_bytes(s));
}

bool owed_any(const struct scheduler *s)
{
	return s->owed.records > 0 || s->owed.pool;
}

/* The scheduler has just waited for a lock in vain. */
static void owed_begin(struct scheduler *s)
{
	log_warn("%s Memory behind this lock is freed when the lock is free again", why_text());
	s->owed.pause_ms = PAUSE_MIN_MS;
	s->owed.next_ns = deadline_after_ms(PAUSE_MIN_MS);
}

void owed_note(struct scheduler *s, uint32_t index)
{
	if (!owed_any(s))
		owed_begin(s);
	s->owed.records += s->owed.life[index] == 0;
	s->owed.life[index] = owed_life_of(s, index);
}

void owed_note_pool(struct scheduler *s)
{
	if (!s->owed.pool)
		owed_begin(s);
	s->owed.pool = true;
}

/* A RESERVED record is found by the process slot of its owner alone: the slot stays DEAD until the
 * record is free. */
bool owed_to_process(struct scheduler *s, uint32_t process)
{
	uint32_t fresh = s->owed.records ? pool_fresh(&s->t->pool) : 0;
	for (uint32_t i = 0; i < fresh; i++) {
		uint64_t word = sh_load(&record_at(s->t, i)->state);
		if (s->owed.life[i] == owed_life_of(s, i) && word_state(word) == RECORD_RESERVED &&
		    word_owner(word) == process)
			return s->owed.bury = true;
	}
	return false;
}

bool owed_take(struct scheduler *s, uint32_t index)
{
	uint64_t life = s->owed.life[index];
	if (life == 0)
		return false;
	s->owed.life[index] = 0;
	s->owed.records--;
	/* Otherwise the record was freed another way, and is in its next life. */
	return life == owed_life_of(s, index);
}

bool owed_is_due(const struct scheduler *s)
{
	return owed_any(s) && clock_ns() >= s->owed.next_ns;
}

uint32_t owed_tried(struct scheduler *s)
{
	struct owed *owed = &s->owed;
	if (!owed_any(s)) {
		log_info("memory that could not be freed is free now");
		owed->next_ns = DEADLINE_NEVER;
		return 1;
	}
	owed->pause_ms = owed->pause_ms * 2 < PAUSE_MAX_MS ? owed->pause_ms * 2 : PAUSE_MAX_MS;
	owed->next_ns = deadline_after_ms(owed->pause_ms);
	return 0;
}
