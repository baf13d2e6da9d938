/* map_room.h - whether the machine has room for one more job of `plmctl map`: --load, --memfree.
 * /proc says so; a directory in PLM_PROC may say it in its place, for machines that are only
 * thought of.
 * Blocks: never. */
#ifndef PLM_CLI_MAP_ROOM_H
#define PLM_CLI_MAP_ROOM_H

#include <stdbool.h>
#include <stdint.h>

enum { ROOM_LOOK_MS = 100 }; /* nothing tells when there is some */

struct room { /* zeroes: no matter */
	bool by_load;
	unsigned load;   /* fewer than so many processes run */
	uint64_t memory; /* bytes available, at least */
};

bool room_is(const struct room *room);
/* So many processes as this percentage of the cpus we may use, one at least. */
unsigned room_load_of(unsigned percent);
unsigned room_cpus(void);

#endif
