/* inspect.h - the struct behind a plm_inspect *, and helpers shared by the files inspect*.c.
 *
 * Where: a read-only mapping of one or both segments. A word may be nonsense, or change at any
 * time: each number is copied once, judged, and then used as an index. A write through the mapping
 * faults. Who: any thread: nothing in the handle changes.  Blocks: never.  Allocates: at opening.
 */
#ifndef PLM_CLIENT_INSPECT_H
#define PLM_CLIENT_INSPECT_H

#include "client/inspect_view.h"
#include "client/plm_inspect.h"
#include "tables/tables.h"

struct plm_inspect {
	struct tables tables; /* event_segment: after plm_inspect_add_events() */
	bool moving;          /* false: copies in files, which nobody changes */
};

/* Where the next row of a page goes: rows of the caller's size, filled from ours. */
struct inspect_page {
	char *at; /* the next row */
	size_t size, n, filled;
};

/* Copies a structure of `ours` bytes into the caller's of `size` bytes: the common part, then
 * zeroes. */
void inspect_give(void *ret, size_t size, const void *row, size_t ours);
bool inspect_page_full(const struct inspect_page *page);
void inspect_page_add(struct inspect_page *page, const void *row, size_t ours);

/* 0, or -EINVAL with a why: a pointer that `call` needs is missing. */
int inspect_check_page(const char *call, const void *handle, const uint64_t *cursor,
    const void *rows, size_t size, struct inspect_page *ret);

/* NULL with the error in *ret_error: the reference is empty, of another boot, or of no future. */
struct record *inspect_resolve(
    const plm_inspect *in, plm_ref ref, uint64_t *ret_word, int *ret_error);
/* The same, but for a further result returns the record of the task. */
struct record *inspect_speaker(
    const plm_inspect *in, plm_ref ref, uint64_t *ret_word, int *ret_error);
/* A reference of this runtime; PLM_NONE of 0. */
plm_ref inspect_ref(const plm_inspect *in, uint64_t ref);
/* Copies a text into a field, cut to its room. */
void inspect_text(char *ret, size_t size, const char *text);

#endif
