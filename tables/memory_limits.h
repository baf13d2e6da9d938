/* memory_limits.h - what becomes of tasks when memory runs out: the rules a runtime is booted with,
 * and how a task says that it was ended for it. The scheduler decides (scheduler/pressure.c).
 *
 * Where: plain values in the control segment, written at boot; a text of the caller's.
 * Blocks: never. */
#ifndef PLM_TABLES_MEMORY_H
#define PLM_TABLES_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum memory_state {
	MEMORY_FINE,
	MEMORY_NEAR,  /* it is looked at often */
	MEMORY_SHORT, /* less is free than accept_free: no task starts */
};

enum memory_victim { VICTIM_NEWEST, VICTIM_OVER, MEMORY_VICTIMS };

struct memory_rules {
	uint64_t accept_free; /* bytes; 0: nobody looks */
	uint64_t return_free; /* less free: a task goes back into the queue. 0: none does */
	uint32_t victim;      /* enum memory_victim */
	uint32_t reserved;
};

struct tables;
struct record;

const char *memory_victim_name(uint32_t victim);

/* It was ended when memory ran out (FLAG_MEMORY of READY), and may not start before there is as
 * much. By what the scheduler saw last. */
bool memory_keeps(const struct tables *t, const struct record *r);

/* Why a task that was ended for good for want of memory fails. */
void memory_describe(const struct tables *t, const struct record *r, char *ret, size_t size);

#endif
