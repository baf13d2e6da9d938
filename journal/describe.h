/* describe.h - a task in words, for searches in the history; terms as text, so that a later boot
 * with different workers can read the terms again.
 *
 * Where: the journal.  Blocks: never. */
#ifndef PLM_JOURNAL_DESCRIBE_H
#define PLM_JOURNAL_DESCRIBE_H

#include <stddef.h>
#include <stdint.h>

struct journal;
struct record;

enum { TERMS_TEXT_BYTES = 1536 };

struct terms_text { /* of the terms printed last: many tasks have equal terms */
	char needs[TERMS_TEXT_BYTES], limits[TERMS_TEXT_BYTES];
	uint32_t known; /* number of the terms */
};

/* A call as typed by a user, and the label. */
void describe_call(struct journal *j, struct record *r, const char *function, char *text,
    size_t text_size, char *label, size_t label_size);
/* Needs and limits as text, "" for none. */
void describe_terms(
    struct journal *j, uint32_t number, const char **ret_needs, const char **ret_limits);

#endif
