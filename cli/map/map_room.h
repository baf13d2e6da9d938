/* map_room.h - whether the machine has room for one more job of `plmctl map`: --load, --memfree.
 * map reads /proc. Tests describe other machines by a directory in PLM_PROC.
 * Blocks: never. */
#ifndef PLM_CLI_MAP_ROOM_H
#define PLM_CLI_MAP_ROOM_H

#include <stdbool.h>
#include <stdint.h>

enum { ROOM_LOOK_MS = 100 }; /* between two looks: no event tells of room */

struct room { /* zeroes: no condition */
	bool by_load;
	unsigned load;   /* start below so many runnable processes */
	uint64_t memory; /* at least so many bytes are available */
};

bool room_is(const struct room *room);
/* The number of processes for a percentage of the cpus that plmctl may use, one at least. */
unsigned room_load_of(unsigned percent);
unsigned room_cpus(void);

#endif
