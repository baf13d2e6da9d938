/* meter.h - how much memory the machine, or our control group, has and could still give.
 *
 * Available is what the kernel calls available (including file pages that the kernel could drop),
 * and no more than our control group (version 1 or 2), or any group above, may still take. The
 * kernel's pressure stall information, where present, says how long processes waited for memory.
 * Where: any process.  Blocks, allocates: never.
 * In tests: PLM_MEMORY_METER names a file to read instead: lines "MemTotal: N kB",
 * "MemAvailable: N kB" and "Stalled: N us", the last a sum like the kernel's. */
#ifndef PLM_METER_H
#define PLM_METER_H

#include <stdint.h>

#define METER_VARIABLE "PLM_MEMORY_METER"

struct reading {
	uint64_t total, available; /* bytes */
	uint64_t stalled_us;       /* sum of waits for memory since boot; 0: unknown */
};

/* 0; -EIO: no source can be read, and *ret is untouched. */
int meter_read(struct reading *ret);

#endif
