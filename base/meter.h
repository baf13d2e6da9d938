/* meter.h - how much memory the machine, or the control group we run in, has and could give.
 *
 * What could be given is what the kernel says is available (files it could forget included), and no
 * more than what our control group, of version 1 or 2, or one above it, may still take. How long
 * somebody had to wait for memory is told by the kernel's pressure stall information, if it has it.
 * Where: any process.  Blocks, allocates: never.
 * In tests: PLM_MEMORY_METER names a file that is read instead: lines "MemTotal: N kB",
 * "MemAvailable: N kB" and "Stalled: N us", the last one a sum like the kernel's. */
#ifndef PLM_METER_H
#define PLM_METER_H

#include <stdint.h>

#define METER_VARIABLE "PLM_MEMORY_METER"

struct reading {
	uint64_t total, available; /* bytes */
	uint64_t stalled_us; /* so long some process waited for memory, since boot; 0: unknown */
};

/* 0; -EIO: there is nothing to be read, *ret is untouched. */
int meter_read(struct reading *ret);

#endif
