/* web_query.h - words of a query: numbers, states, orders. Any text gives a value or an error.
 * Blocks, allocates: never. */
#ifndef PLM_WEB_QUERY_H
#define PLM_WEB_QUERY_H

#include <stdbool.h>
#include <stdint.h>

/* A whole number up to `most`, with nothing before or behind. */
bool query_number(const char *text, uint64_t most, uint64_t *ret);

/* "running,failed" as 1 << PLM_STATE_... each; "dead" is PLM_ONLY_DEAD. */
bool query_states(const char *text, uint32_t *ret);

/* The place of a word in a list "a|b|c"; -1: none. */
int query_choice(const char *text, const char *choices);

/* An Accept header prefers OpenMetrics: names application/openmetrics-text with a quality that is
 * not 0, and not below that of text/plain. */
bool query_accepts_openmetrics(const char *accept);

#endif
