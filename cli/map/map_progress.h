/* map_progress.h - a line on a terminal that shows how far `plmctl map` is (--bar). Nothing is
 * drawn unless stderr is a terminal. No colour with NO_COLOR or on a dumb terminal. The line fits
 * the terminal, whatever its width. */
#ifndef PLM_CLI_MAP_PROGRESS_H
#define PLM_CLI_MAP_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/map/map_halt.h"

enum { PROGRESS_MS = 200 }; /* between two drawings */

struct progress { /* zeroes: not wanted */
	bool wanted, colour, shown;
	unsigned width; /* columns of the line that is shown */
	uint64_t begun_ns, drawn_ns;
};

void progress_begin(struct progress *p);
/* Draws the line after progress_hide(), or when PROGRESS_MS have passed. */
void progress_draw(struct progress *p, const struct tally *tally, unsigned running);
/* Removes the line, before other output. */
void progress_hide(struct progress *p);
/* Draws the line for the last time; it stays. */
void progress_end(struct progress *p, const struct tally *tally);

#endif
