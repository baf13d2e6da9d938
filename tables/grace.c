#include "tables/grace.h"

#include "tables/due.h"

static uint64_t grace_word(uint64_t word, uint32_t ms_and_one)
{
	return (uint64_t)(word_generation(word) & 0xffffff) << 40 |
	    (uint64_t)word_attempt(word) << 32 | ms_and_one;
}

static uint32_t grace_ms_and_one(const struct tables *t, uint32_t index, uint64_t word)
{
	uint64_t grace = sh_load(&t->grace[index]);
	return grace >> 32 == grace_word(word, 0) >> 32 ? (uint32_t)grace : 0;
}

void grace_name(struct tables *t, uint32_t index, uint64_t word, int grace_ms)
{
	bool asked = word_flags(word) & (FLAG_CANCEL | FLAG_RETURN);
	if (grace_ms >= 0)
		sh_store(&t->grace[index], grace_word(word, (uint32_t)grace_ms + 1));
	else if (!asked &&
	    grace_ms_and_one(t, index, word)) /* of a process that died before the request */
		sh_store(&t->grace[index], 0);
}

bool grace_was_named(const struct tables *t, uint32_t index, uint64_t word, uint32_t *ret_ms)
{
	uint32_t named =
	    word_flags(word) & (FLAG_CANCEL | FLAG_RETURN) ? grace_ms_and_one(t, index, word) : 0;
	*ret_ms = named ? named - 1 : 0;
	return named != 0;
}

uint32_t grace_of(const struct tables *t, uint32_t index, uint64_t word)
{
	uint32_t ms;
	if (grace_was_named(t, index, word, &ms))
		return ms;
	const struct terms *terms = due_terms(t, record_at(t, index));
	return terms && terms->grace_ms ? terms->grace_ms : (uint32_t)CANCEL_GRACE_MS;
}
