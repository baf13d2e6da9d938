/* memory_limits.h - the fate of tasks when memory runs out: the rules chosen at boot, and the
 * message of a task ended for want of memory. The scheduler decides (scheduler/pressure.c).
 *
 * Where: plain values in the control segment, written at boot.  Who may call: any process.
 * Blocks: never.  Death: nothing to undo. */
#ifndef PLM_TABLES_MEMORY_H
#define PLM_TABLES_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum memory_state {
	MEMORY_FINE,
	MEMORY_NEAR,  /* the scheduler looks often */
	MEMORY_SHORT, /* less free than accept_free: no task starts */
};

enum memory_victim { VICTIM_NEWEST, VICTIM_OVER, MEMORY_VICTIMS };

struct memory_rules {
	uint64_t accept_free; /* bytes; 0: the scheduler does not look */
	uint64_t return_free; /* less free: the scheduler returns a task to the queue. 0: never */
	uint32_t victim;      /* enum memory_victim */
	uint32_t reserved;
};

struct tables;
struct record;

const char *memory_victim_name(uint32_t victim);

/* True of a READY task ended for want of memory (FLAG_MEMORY) while the scheduler's last look shows
 * less free memory than the task needs. */
bool memory_keeps(const struct tables *t, const struct record *r);

/* The message of a task that fails for want of memory. */
void memory_describe(const struct tables *t, const struct record *r, char *ret, size_t size);

#endif
