/* json.h - is this JSON? For tests of what programs print; strict, and no more than that needs. */
#ifndef PLM_TEST_JSON_H
#define PLM_TEST_JSON_H

#include <stddef.h>

/* Each line must be one JSON value. NULL and how many there are, or what is wrong with the first
 * bad one. */
const char *json_lines_check(const char *text, size_t bytes, unsigned *ret_values);

/* The scalar under this key of a line's object, without quotes and escapes undone; the caller
 * frees. NULL if there is none. */
char *json_field(const char *line, const char *key);

#endif
