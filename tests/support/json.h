/* json.h - a strict reader of JSON for tests of printed output, without the rarer features. */
#ifndef PLM_TEST_JSON_H
#define PLM_TEST_JSON_H

#include <stddef.h>

/* Each line must be one JSON value. Returns NULL and the number of values, or a sentence about the
 * first bad line. */
const char *json_lines_check(const char *text, size_t bytes, unsigned *ret_values);

/* The scalar under a key of the object in a line, without quotes and with escapes undone; the
 * caller frees. NULL if the key is missing. */
char *json_field(const char *line, const char *key);

#endif
