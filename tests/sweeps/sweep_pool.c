/* sweep_pool.c - the pool of free slots, killed anywhere: a rebuild agrees with the table. */
#include "shm/pool.h"
#include "tests/support/sweep.h"

enum { SLOTS = 8, USED = 5, FREED = 1 };

enum { SLOT_FREE, SLOT_TAKEN, SLOT_CLAIMED };

struct image {
	shared32 slot[SLOTS]; /* the truth */
	_Alignas(64) unsigned char memory[256];
};

static struct pool pool;

static bool is_free(void *context, uint32_t index)
{
	struct image *image = context;
	return sh_load(&image->slot[index]) == SLOT_FREE;
}

static void claim(void *context, uint32_t index)
{
	struct image *image = context;
	sh_store(&image->slot[index], SLOT_CLAIMED);
}

/* Slots 0 to 4 were used once, of which 1 is free again; 5 to 7 are fresh. */
static void setup(void *memory)
{
	struct image *image = memory;
	uint32_t taken[USED], n, freed = FREED;
	SWEEP_REQUIRE(pool_bytes(SLOTS) <= sizeof image->memory);
	pool_create(image->memory);
	pool_attach(&pool, image->memory, SLOTS,
	    (struct pool_table){ .is_free = is_free, .claim = claim, .context = image });
	SWEEP_REQUIRE(pool_take(&pool, taken, USED, &n) == 0 && n == USED);
	for (uint32_t i = 0; i < USED; i++)
		sh_store(&image->slot[i], i == FREED ? SLOT_FREE : SLOT_TAKEN);
	SWEEP_REQUIRE(pool_give(&pool, &freed, 1) == 0);
}

static void take(void *memory) /* a record from the stack, two fresh ones */
{
	uint32_t taken[3], n;
	(void)memory;
	SWEEP_REQUIRE(pool_take(&pool, taken, 3, &n) == 0 && n == 3);
}

static void give(void *memory)
{
	struct image *image = memory;
	static const uint32_t freed[] = { 2, 3 };
	sh_store(&image->slot[2], SLOT_FREE);
	sh_store(&image->slot[3], SLOT_FREE);
	SWEEP_REQUIRE(pool_give(&pool, freed, 2) == 0);
}

static void rebuild(void *memory)
{
	(void)memory;
	SWEEP_REQUIRE(pool_rebuild(&pool) == 0);
}

/* Only slots in operation changed, and every free slot can be taken exactly once. */
static const char *judge(void *memory)
{
	struct image *image = memory;
	const char *unsound = pool_check(&pool);
	if (unsound)
		return unsound;
	if (sh_load(&image->slot[0]) != SLOT_TAKEN || sh_load(&image->slot[4]) != SLOT_TAKEN)
		return "a slot that was in use was touched";
	uint32_t free_slots = 0, taken[SLOTS + 1], n;
	for (uint32_t i = 0; i < SLOTS; i++)
		free_slots += is_free(image, i);
	if (pool_take(&pool, taken, SLOTS + 1, &n) < 0 || n != free_slots)
		return "what is free cannot all be taken";
	for (uint32_t i = 0; i < SLOTS; i++)
		if (is_free(image, i))
			return "a slot was given out twice and another not at all";
	return NULL;
}

#define OP(what, act)                                                                        \
	{                                                                                    \
		.name = what, .bytes = sizeof(struct image), .setup = setup, .operate = act, \
		.recover = rebuild, .judge = judge                                           \
	}

int main(void)
{
	static const struct sweep_op ops[] = {
		OP("pool take", take),
		OP("pool give", give),
		OP("pool rebuild", rebuild),
	};
	return sweep_run(ops, sizeof ops / sizeof ops[0]) ? 1 : 0;
}
