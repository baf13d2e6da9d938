/* reserved.c - reserved records of our process, taken from the pool in batches.
 *
 * The word of a cached record says RESERVED by us. So our death needs no further note: the
 * scheduler frees the reserved records of dead processes. */
#include <errno.h>

#include "base/why.h"
#include "client/handle.h"
#include "client/wait.h"

/* A process about to fill the table leaves the last records to others (tables_last_records).
 * Tasks brought back by the journal were accepted long ago, so the journal may take the last
 * records too. */
static bool reserved_holds_its_share(struct plm *rt)
{
	int64_t held = atomic_load_explicit(&rt->held, memory_order_relaxed);
	return held >= (int64_t)tables_last_records(&rt->tables) && !rt->before_publish;
}

static uint32_t reserved_may_take(struct plm *rt, uint32_t wanted)
{
	uint32_t left = pool_free_count(&rt->tables.pool), last = tables_last_records(&rt->tables);
	if (!reserved_holds_its_share(rt))
		return wanted;
	left = left > last ? left - last : 0;
	return wanted < left ? wanted : left;
}

/* Threads are spread over the caches by the address of their thread-local storage. */
static struct reserved_cache *reserved_cache_of_thread(struct plm *rt)
{
	static _Thread_local char here;
	return &rt->cache[((uintptr_t)&here >> 12) % RESERVED_CACHES];
}

static int reserved_refill_locked(struct plm *rt, struct reserved_cache *cache, uint32_t wanted)
{
	cache->refill =
	    cache->refill * 2 > RESERVED_CACHE_ENTRIES ? RESERVED_CACHE_ENTRIES : cache->refill * 2;
	if (cache->refill < wanted)
		cache->refill = wanted;
	uint32_t n = reserved_may_take(rt, cache->refill);
	if (n == 0)
		return 0;
	sh_store(&rt->me->unclean, 1);
	return pool_take(&rt->tables.pool, cache->index, n, &cache->count);
}

/* Takes up to n from the cache; an empty cache is refilled once. */
static int reserved_take_locked(struct plm *rt, struct reserved_cache *cache, uint32_t *ret_indices,
    uint32_t n, uint32_t *ret_n)
{
	int r = 0;
	if (cache->count == 0)
		r = reserved_refill_locked(
		    rt, cache, n < RESERVED_CACHE_ENTRIES ? n : RESERVED_CACHE_ENTRIES);
	uint32_t taken = 0;
	while (r == 0 && taken < n && cache->count > 0)
		ret_indices[taken++] = cache->index[--cache->count];
	*ret_n = taken;
	return r;
}

static int reserved_take_from(struct plm *rt, struct reserved_cache *cache, uint32_t *ret_indices,
    uint32_t n, uint32_t *ret_n)
{
	pthread_mutex_lock(&cache->mutex);
	int r = reserved_take_locked(rt, cache, ret_indices, n, ret_n);
	pthread_mutex_unlock(&cache->mutex);
	return r;
}

/* The pool is empty: use records from the caches of other threads. */
static void reserved_take_from_others(
    struct plm *rt, uint32_t *ret_indices, uint32_t n, uint32_t *ret_n)
{
	*ret_n = 0;
	for (int i = 0; i < RESERVED_CACHES && *ret_n == 0; i++) {
		struct reserved_cache *cache = &rt->cache[i];
		pthread_mutex_lock(&cache->mutex);
		while (*ret_n < n && cache->count > 0)
			ret_indices[(*ret_n)++] = cache->index[--cache->count];
		pthread_mutex_unlock(&cache->mutex);
	}
}

static int reserved_why_full(struct plm *rt)
{
	uint32_t records = rt->tables.limits.records;
	if (reserved_holds_its_share(rt) && pool_free_count(&rt->tables.pool) > 0)
		return why(-ENOSPC,
		    "task table full but for its last %u of %u, which are for "
		    "processes that hold fewer futures than this one (%lld): drop some, run "
		    "`plmctl forget --finished`, or boot with more --tasks",
		    tables_last_records(&rt->tables), records, (long long)atomic_load(&rt->held));
	return why(-ENOSPC,
	    "task table full (%u of %u): run `plmctl forget --finished`, or boot "
	    "with more --tasks",
	    records, records);
}

int reserved_take(
    struct plm *rt, uint32_t *ret_indices, uint32_t n, uint32_t *ret_n, uint64_t deadline_ns)
{
	for (unsigned tries = 0;;) {
		int r = reserved_take_from(rt, reserved_cache_of_thread(rt), ret_indices, n, ret_n);
		if (r == 0 && *ret_n == 0)
			reserved_take_from_others(rt, ret_indices, n, ret_n);
		if (r < 0 || *ret_n > 0)
			return r;
		if (!wait_for_room(rt, deadline_ns, &tries))
			return reserved_why_full(rt);
	}
}

void reserved_return_all(struct plm *rt)
{
	/* If nobody listens, the scheduler finds the records by their words after our end. */
	for (int i = 0; i < RESERVED_CACHES && !untold_any(rt); i++) {
		struct reserved_cache *cache = &rt->cache[i];
		pthread_mutex_lock(&cache->mutex);
		while (cache->count > 0 && !untold_any(rt)) {
			uint32_t index = cache->index[--cache->count];
			uint64_t word = sh_peek(&record_at(&rt->tables, index)->state);
			uint64_t hint =
			    hint_make(HINT_DROPPED, record_ref(index, word_generation(word)));
			untold_tell(rt, &hint, 1, true);
		}
		pthread_mutex_unlock(&cache->mutex);
	}
}
