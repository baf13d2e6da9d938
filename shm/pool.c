#include "shm/pool.h"

#include "base/check.h"

size_t pool_bytes(uint32_t rows)
{
	return sizeof(struct pool_shm) + (size_t)rows * 2 * sizeof(uint32_t);
}

void pool_create(void *memory)
{
	struct pool_shm *shm = memory;
	lock_init(&shm->lock);
}

static bool pool_on_stack(const struct pool *pool, uint32_t index)
{
	uint32_t at = sh_once(pool->place[index]);
	return at < sh_peek(&pool->shm->top) && at < pool->rows && pool->shm->stack[at] == index;
}

/* False: no room. */
static bool pool_push_locked(struct pool *pool, uint32_t index)
{
	struct pool_shm *shm = pool->shm;
	uint32_t top = sh_peek(&shm->top);
	if (top >= pool->rows)
		return false;
	sh_set(pool->place[index], top);
	sh_set(shm->stack[top], index);
	sh_poke(&shm->top, top + 1, "top, pushed");
	return true;
}

/* Throws away everything that the dead holder may have half done, and derives it again. */
static const char *pool_recover(void *context)
{
	struct pool *pool = context;
	sh_poke(&pool->shm->top, 0, "top, rebuilt");
	/* Downwards, so that low and therefore warm rows are taken first. */
	for (uint32_t i = pool_fresh(pool); i-- > 0;)
		if (pool->table.is_free(pool->table.context, i))
			pool_push_locked(pool, i);
	return NULL;
}

void pool_attach(struct pool *pool, void *memory, uint32_t rows, struct pool_table table)
{
	struct pool_shm *shm = memory;
	*pool =
	    (struct pool){ .shm = shm, .place = &shm->stack[rows], .rows = rows, .table = table };
	pool->lock = (struct lock){
		.shm = &shm->lock, .rank = RANK_POOL, .recover = pool_recover, .context = pool
	};
}

uint32_t pool_fresh(const struct pool *pool)
{
	uint32_t fresh = sh_load(&pool->shm->fresh);
	return fresh > pool->rows ? pool->rows : fresh;
}

/* Checks an index from the stack like any word that another process wrote. */
static bool pool_pop_locked(struct pool *pool, uint32_t *ret)
{
	struct pool_shm *shm = pool->shm;
	uint32_t top;
	while ((top = sh_peek(&shm->top)) > 0 && top <= pool->rows) {
		uint32_t index = sh_once(shm->stack[top - 1]);
		sh_poke(&shm->top, top - 1, "top, popped");
		if (index < pool->rows && pool->table.is_free(pool->table.context, index)) {
			*ret = index;
			return true;
		}
	}
	uint32_t fresh = pool_fresh(pool);
	if (fresh == pool->rows)
		return false;
	sh_store(&shm->fresh, fresh + 1);
	*ret = fresh;
	return true;
}

int pool_take(struct pool *pool, uint32_t *ret_indices, uint32_t n, uint32_t *ret_n)
{
	int r = lock_acquire(&pool->lock);
	if (r < 0)
		return r;
	uint32_t taken = 0;
	while (taken < n && pool_pop_locked(pool, &ret_indices[taken])) {
		pool->table.claim(pool->table.context, ret_indices[taken]);
		taken++;
	}
	lock_release(&pool->lock);
	*ret_n = taken;
	return 0;
}

int pool_give(struct pool *pool, const uint32_t *indices, uint32_t n)
{
	int r = lock_acquire(&pool->lock);
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < n; i++) {
		CHECK(indices[i] < pool->rows);
		/* Skip a row that a recovery found before, even if it was taken since. */
		if (pool->table.is_free(pool->table.context, indices[i]) &&
		    !pool_on_stack(pool, indices[i]) && !pool_push_locked(pool, indices[i]))
			break; /* damage, which a rebuild mends */
	}
	lock_release(&pool->lock);
	return 0;
}

int pool_rebuild(struct pool *pool)
{
	int r = lock_acquire(&pool->lock);
	if (r < 0)
		return r;
	pool_recover(pool);
	lock_release(&pool->lock);
	return 0;
}

int pool_try_rebuild(struct pool *pool)
{
	int r = lock_try(&pool->lock);
	if (r < 0)
		return r;
	pool_recover(pool);
	lock_release(&pool->lock);
	return 0;
}

uint32_t pool_free_count(const struct pool *pool)
{
	uint32_t top = sh_peek(&pool->shm->top);
	return pool->rows - pool_fresh(pool) + (top > pool->rows ? pool->rows : top);
}

/* Without the lock: for the dump tool, tests and recovery, on a structure at rest. */
const char *pool_check(const struct pool *pool)
{
	const struct pool_shm *shm = pool->shm;
	if (sh_load(&shm->fresh) > pool->rows)
		return "pool: more rows used than the table has";
	if (sh_peek(&shm->top) > pool_fresh(pool))
		return "pool: more free rows than used rows";
	uint32_t free_rows = 0;
	for (uint32_t i = 0; i < pool_fresh(pool); i++)
		free_rows += pool->table.is_free(pool->table.context, i);
	if (free_rows != shm->top)
		return "pool: the stack and the table disagree about what is free";
	for (uint32_t i = 0; i < shm->top; i++)
		if (shm->stack[i] >= pool->rows ||
		    !pool->table.is_free(pool->table.context, shm->stack[i]))
			return "pool: a row on the stack is not free";
	return NULL;
}
