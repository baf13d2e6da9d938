/* utf8.h - reads text of unknown origin as UTF-8.
 * Who: any thread.  Blocks, allocates: never.  Errors: a byte outside of UTF-8 has no code point.
 */
#ifndef PLM_UTF8_H
#define PLM_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The code point at text, with its length in *ret_bytes; -1: no UTF-8, and *ret_bytes is 1. */
int32_t utf8_next(const unsigned char *text, size_t length, unsigned *ret_bytes);

/* A character that a terminal may take as a command, that is not seen, or that turns the direction
 * of the text around, so that a line shows another text than it has; or no character at all. */
bool utf8_unprintable(int32_t point);

#endif
