/* map_progress.h - one line on a terminal, drawn anew: how far `plmctl map` is (--bar).
 * Nothing is drawn where stderr is no terminal. Colour as everywhere: not with NO_COLOR, and not
 * on a terminal that calls itself dumb. */
#ifndef PLM_CLI_MAP_PROGRESS_H
#define PLM_CLI_MAP_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/map/map_halt.h"

enum { PROGRESS_MS = 200 }; /* between two drawings */

struct progress { /* zeroes: not wanted */
	bool wanted, colour, shown;
	uint64_t begun_ns, drawn_ns;
};

void progress_begin(struct progress *p);
/* Draws it if it made way, or if it is time. */
void progress_draw(struct progress *p, const struct tally *tally, unsigned running);
/* Makes way for other output. */
void progress_hide(struct progress *p);
/* The last one stays. */
void progress_end(struct progress *p, const struct tally *tally);

#endif
