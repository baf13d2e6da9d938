#include "tables/journal_state.h"

#include <string.h>

#include "tables/tables.h"

static const char *const names[DURABILITIES] = {
	[DURABILITY_NONE] = "none",
	[DURABILITY_BATCH] = "batch",
	[DURABILITY_SYNC] = "sync",
};

const char *durability_name(enum durability durability)
{
	return durability < DURABILITIES ? names[durability] : "?";
}

enum durability durability_of(const char *name)
{
	int which = 0;
	while (which < DURABILITIES && strcmp(name, names[which]) != 0)
		which++;
	return (enum durability)which;
}

/* The process slot lies among the first 64, whose bits are in the record itself. */
uint32_t journal_slot(const struct tables *t)
{
	uint32_t slot = sh_once(t->control->journal.slot);
	return slot < EXTENSION_SLOTS ? slot : 0;
}

bool journal_wants(const struct tables *t, const struct record *r)
{
	uint32_t slot = journal_slot(t);
	return slot && sh_peek(&r->holds) >> slot & 1;
}

static uint64_t journal_state_bit_of(uint32_t index)
{
	return (uint64_t)1 << index % 64;
}

void journal_hold(struct tables *t, uint32_t index)
{
	uint32_t slot = journal_slot(t);
	if (slot == 0)
		return;
	struct record *r = record_at(t, index);
	if (sh_peek(&t->recorded[index / 64]) & journal_state_bit_of(index))
		sh_and(&t->recorded[index / 64], ~journal_state_bit_of(index));
	sh_poke(&r->holds, sh_peek(&r->holds) | (uint64_t)1 << slot);
}

/* Set the bit, then look whether the journal sleeps; the journal clears the bit, then looks at the
 * record. */
void journal_tell(struct tables *t, uint32_t index)
{
	sh_fence_after_cas();
	if (!(sh_peek(&t->news[index / 64]) & journal_state_bit_of(index)))
		sh_or(&t->news[index / 64], journal_state_bit_of(index));
	process_post(t, journal_slot(t));
}

bool journal_recorded(const struct tables *t, uint32_t index)
{
	return sh_load(&t->recorded[index / 64]) & journal_state_bit_of(index);
}

void journal_record(struct tables *t, uint32_t index)
{
	sh_or(&t->recorded[index / 64], journal_state_bit_of(index));
}
