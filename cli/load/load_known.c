/* load_known.c - the identities of tasks in the runtime and of earlier lines. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/load/load.h"
#include "cli/look.h"

enum { ROWS = 64 };

static struct load_known_entry *load_known_search(
    const struct load_known *known, const uint64_t identity[2])
{
	size_t at = identity[0] & (known->room - 1);
	while (known->entry[at].used &&
	    memcmp(known->entry[at].identity, identity, sizeof known->entry[at].identity) != 0)
		at = (at + 1) & (known->room - 1);
	return &known->entry[at];
}

static void load_known_make_room(struct load_known *known)
{
	enum { ROOM_FIRST = 1024 };
	struct load_known more = { .room = known->room ? known->room * 2 : ROOM_FIRST,
		.entries = known->entries };
	if (known->room && known->entries * 2 < known->room)
		return;
	more.entry = calloc(more.room, sizeof *more.entry);
	if (!more.entry)
		exit(failed(-ENOMEM, "load --unique"));
	for (size_t i = 0; i < known->room; i++)
		if (known->entry[i].used)
			*load_known_search(&more, known->entry[i].identity) = known->entry[i];
	free(known->entry);
	*known = more;
}

struct load_known_entry *load_known_find(
    struct load_known *known, const uint64_t identity[2], bool *ret_new)
{
	load_known_make_room(known);
	struct load_known_entry *entry = load_known_search(known, identity);
	*ret_new = !entry->used;
	if (!entry->used) {
		*entry = (struct load_known_entry){ .used = true };
		memcpy(entry->identity, identity, sizeof entry->identity);
		known->entries++;
	}
	return entry;
}

/* Failed and cancelled tasks do not count, so that load tries them again. A running task with a
 * stop request does not count either, since the task will fail or be cancelled. */
static bool load_known_counts(const plm_task_row *row)
{
	return (row->identity[0] || row->identity[1]) && row->state >= PLM_STATE_WAITING &&
	    row->state <= PLM_STATE_DONE && !(row->marks & PLM_MARK_STOPPING);
}

int load_known_look(struct load_known *known, struct context *context)
{
	static plm_task_row row[ROWS];
	uint64_t cursor = 0;
	int n, code = look_open(context);
	if (code != EXIT_FINE)
		return code;
	while (
	    (n = plm_inspect_tasks(context->in, NULL, 0, 0, &cursor, row, sizeof *row, ROWS)) > 0)
		for (int i = 0; i < n; i++) {
			bool is_new;
			if (load_known_counts(&row[i]))
				load_known_find(known, row[i].identity, &is_new)->ref = row[i].ref;
		}
	return n < 0 ? failed(n, "load --unique") : EXIT_FINE;
}
