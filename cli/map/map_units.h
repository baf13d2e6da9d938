/* map_units.h - numbers as GNU parallel writes them: K M G T P for powers of 1024, k m g t p for
 * powers of 1000. */
#ifndef PLM_CLI_MAP_UNITS_H
#define PLM_CLI_MAP_UNITS_H

#include <stdint.h>

/* 0, or -EINVAL with a why that begins with `what`. */
int units_number(const char *what, const char *text, uint64_t least, uint64_t most, uint64_t *ret);

#endif
