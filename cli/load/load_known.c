/* load_known.c - identities of tasks: those the runtime has, and those of the lines before. */
#include <stdlib.h>
#include <string.h>

#include "cli/load/load.h"
#include "client/handle.h"

static struct load_known_entry *find(const struct load_known *known, const uint64_t identity[2])
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
			*find(&more, known->entry[i].identity) = known->entry[i];
	free(known->entry);
	*known = more;
}

struct load_known_entry *load_known_find(
    struct load_known *known, const uint64_t identity[2], bool *ret_new)
{
	load_known_make_room(known);
	struct load_known_entry *entry = find(known, identity);
	*ret_new = !entry->used;
	if (!entry->used) {
		*entry = (struct load_known_entry){ .used = true };
		memcpy(entry->identity, identity, sizeof entry->identity);
		known->entries++;
	}
	return entry;
}

/* Failed and cancelled ones are to be tried again; what was asked to stop will be one of them. */
static bool load_known_counts(uint64_t word)
{
	return word_state(word) == RECORD_DONE ||
	    (!word_settled(word) && word_state(word) >= RECORD_WAITING &&
		word_state(word) < RECORD_DONE);
}

void load_known_look(struct load_known *known, plm *rt)
{
	const struct tables *t = plm_tables(rt);
	uint32_t end = pool_fresh(&t->pool);
	for (uint32_t i = 0; i < end; i++) {
		const struct record *r = record_at(t, i);
		uint64_t word = sh_load(&r->state), identity[2];
		bool is_new;
		if (!load_known_counts(word) || !record_identity(r, word, identity))
			continue;
		uint64_t again = sh_load(&r->state);
		if (word_generation(again) == word_generation(word))
			load_known_find(known, identity, &is_new)->ref =
			    ref_public(rt, record_ref(i, word_generation(word)));
	}
}
