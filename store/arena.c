#include "store/arena.h"

#include <errno.h>
#include <inttypes.h>

#include "base/check.h"
#include "base/why.h"
#include "shm/segment.h"
#include "store/arena_map.h"

enum { CHUNK_PAGES = STORE_CHUNK_BYTES / STORE_PAGE_BYTES };

uint64_t arena_footprint(uint64_t length)
{
	if (length == 0)
		return 0;
	if (length <= SMALL_MAX_BYTES)
		return (uint64_t)class_granules(class_of(length)) * STORE_GRANULE_BYTES;
	uint64_t whole = length & ~(uint64_t)(STORE_PAGE_BYTES - 1);
	uint64_t rounded;
	if (whole == length || __builtin_add_overflow(whole, STORE_PAGE_BYTES, &rounded))
		return whole; /* overflow: a nonsense length, which still fits nowhere */
	return rounded;
}

size_t arena_bytes(uint32_t pages)
{
	return sizeof(struct arena_shm) + pages * sizeof(struct page);
}

static const char *arena_recover(void *context)
{
	struct arena *arena = context;
	map_rebuild(arena);
	/* Not arena_check(): a nonsense record is passed over, and is no reason to give up. */
	return map_check(arena);
}

static void arena_no_extents(void *context, arena_visit_f *visit, void *visitor)
{
	(void)context, (void)visit, (void)visitor;
}

void arena_create(void *memory, uint32_t pages)
{
	struct arena_shm *shm = memory;
	struct arena arena = {
		.shm = shm, .pages = pages, .truth = { .each_extent = arena_no_extents }
	};
	lock_init(&shm->lock);
	lock_init(&shm->grow_lock);
	shm->pages = pages;
	map_rebuild(&arena);
}

void arena_attach(struct arena *arena, void *memory, uint32_t first_granule, uint32_t pages, int fd,
    struct arena_truth truth)
{
	struct arena_shm *shm = memory;
	CHECK(first_granule > 0 && first_granule % PAGE_GRANULES == 0);
	CHECK(pages <= (UINT32_MAX - first_granule) / PAGE_GRANULES);
	*arena = (struct arena){
		.shm = shm, .first_granule = first_granule, .pages = pages, .fd = fd, .truth = truth
	};
	arena->lock = (struct lock){
		.shm = &shm->lock, .rank = RANK_ARENA, .recover = arena_recover, .context = arena
	};
	/* Nothing to recover: pages reserved and not published are reserved once more. */
	arena->grow_lock = (struct lock){ .shm = &shm->grow_lock, .rank = RANK_GROW };
}

/* Bytes that may be in use: by argument blocks; by all when an object comes; by all. */
static uint64_t arena_most(const struct arena *arena, enum arena_use use)
{
	uint64_t total = (uint64_t)arena->pages * STORE_PAGE_BYTES;
	if (use == ARENA_ARGUMENTS)
		return total / ARENA_ARGUMENTS_SHARE;
	return use == ARENA_OBJECT ? total - total / ARENA_RESULTS_SHARE : total;
}

void arena_usage(const struct arena *arena, struct arena_usage *ret)
{
	uint32_t unreserved = arena->pages - reserved_of(arena);
	uint32_t largest = runs_largest(arena);
	*ret = (struct arena_usage){
		.total_bytes = (uint64_t)arena->pages * STORE_PAGE_BYTES,
		.reserved_bytes = (uint64_t)reserved_of(arena) * STORE_PAGE_BYTES,
		.used_bytes = sh_peek(&arena->shm->used_bytes),
		.arguments_bytes = sh_peek(&arena->shm->arguments_bytes),
		.arguments_most_bytes = arena_most(arena, ARENA_ARGUMENTS),
		.objects_most_bytes = arena_most(arena, ARENA_OBJECT),
		.largest_free_bytes =
		    (uint64_t)(largest > unreserved ? largest : unreserved) * STORE_PAGE_BYTES,
	};
}

/* The map first, the record last; arena_free() the other way round. So the map never offers an
 * extent that a record names: without any recovery, room would be missing, but no extents would
 * overlap. */
static uint32_t arena_place_take(struct arena *arena, uint64_t length, uint32_t looks)
{
	if (length <= SMALL_MAX_BYTES)
		return slabs_take(arena, class_of(length), looks);
	uint32_t pages = (uint32_t)(arena_footprint(length) / STORE_PAGE_BYTES);
	uint32_t first = runs_take(arena, pages, 1, PAGE_LARGE, looks);
	return first == NO_PAGE ? NO_GRANULE : first * PAGE_GRANULES;
}

static bool arena_place_give(struct arena *arena, uint64_t length, uint32_t place)
{
	if (length <= SMALL_MAX_BYTES)
		return slabs_give(arena, class_of(length), place);
	uint64_t pages = arena_footprint(length) / STORE_PAGE_BYTES;
	uint32_t first = place / PAGE_GRANULES;
	if (place % PAGE_GRANULES || pages != run_at(arena, first, PAGE_LARGE))
		return false;
	runs_give(arena, first, (uint32_t)pages);
	return true;
}

static bool arena_use_has_room(const struct arena *arena, uint64_t length, enum arena_use use)
{
	const struct arena_shm *shm = arena->shm;
	uint64_t used = sh_peek(use == ARENA_ARGUMENTS ? &shm->arguments_bytes : &shm->used_bytes);
	return used + arena_footprint(length) <= arena_most(arena, use);
}

/* False if the reserved pages have no room, after a full search. */
static bool arena_alloc_locked(
    struct arena *arena, uint64_t length, enum arena_use use, shared32 *granule)
{
	uint32_t place = arena_place_take(arena, length, LOOKS_USUAL);
	if (place == NO_GRANULE) {
		slabs_reclaim(arena);
		place = arena_place_take(arena, length, arena->pages);
	}
	if (place == NO_GRANULE)
		return false;
	uint64_t bytes = arena_footprint(length);
	shared64 *used = &arena->shm->used_bytes, *arguments = &arena->shm->arguments_bytes;
	sh_poke(used, sh_peek(used) + bytes, "used_bytes, taken");
	if (use == ARENA_ARGUMENTS)
		sh_poke(arguments, sh_peek(arguments) + bytes, "arguments_bytes, taken");
	sh_store(granule, arena->first_granule + place, "granule, taken");
	return true;
}

/* Pages to reserve before the failed request can succeed. */
static uint32_t arena_pages_short(const struct arena *arena, uint64_t length)
{
	uint32_t pages = length <= SMALL_MAX_BYTES
	    ? 2 * SLAB_PAGES - 1
	    : (uint32_t)(arena_footprint(length) / STORE_PAGE_BYTES);
	uint32_t tail = runs_tail(arena);
	return tail < pages ? pages - tail : 1;
}

static int arena_why_full(const struct arena *arena, uint64_t length, enum arena_use use)
{
	struct arena_usage u;
	arena_usage(arena, &u);
	if (use == ARENA_ARGUMENTS && !arena_use_has_room(arena, length, use))
		return why(-EDQUOT,
		    "no room for %" PRIu64 " bytes of arguments: arguments of queued tasks, and of "
		    "failed tasks that somebody holds, fill %" PRIu64 " of the %" PRIu64
		    " bytes for them, half of the store; wait for tasks to end "
		    "(plm_patience()), drop failed tasks, or boot with a larger store "
		    "(plm --store SIZE)",
		    length, u.arguments_bytes, u.arguments_most_bytes);
	if (use == ARENA_OBJECT && !arena_use_has_room(arena, length, use))
		return why(-ENOSPC,
		    "no room for an object of %" PRIu64 " bytes: %" PRIu64 " of %" PRIu64
		    " bytes are in use, and the last quarter of the store is for the results of "
		    "running tasks; drop references, or boot with a larger store (plm --store "
		    "SIZE)",
		    length, u.used_bytes, u.total_bytes);
	return why(-ENOSPC,
	    "no room for %" PRIu64 " bytes: of %" PRIu64 " in this arena of the "
	    "store %" PRIu64 " are free, at most %" PRIu64 " in one piece, and %" PRIu64
	    " hold arguments of tasks; drop references, or boot with a larger store (plm --store "
	    "SIZE)",
	    length, u.total_bytes, u.total_bytes - u.used_bytes, u.largest_free_bytes,
	    u.arguments_bytes);
}

static int arena_why_never(const struct arena *arena, uint64_t length, enum arena_use use)
{
	static const char *const part[] = { [ARENA_RESULT] = "",
		[ARENA_OBJECT] = ", of which the last quarter is for results of running tasks",
		[ARENA_ARGUMENTS] = ", of which half is for arguments (pass a future: plm_put())" };
	return why(-E2BIG,
	    "%" PRIu64 " bytes never fit into an arena of %" PRIu64 "%s; boot with a larger store "
	    "(plm --store SIZE)",
	    length, (uint64_t)arena->pages * STORE_PAGE_BYTES, part[use]);
}

static int arena_reserve(struct arena *arena, uint32_t first, uint32_t pages)
{
	uint64_t offset = (uint64_t)arena->first_granule * STORE_GRANULE_BYTES +
	    (uint64_t)first * STORE_PAGE_BYTES;
	return segment_reserve(arena->fd, offset, (uint64_t)pages * STORE_PAGE_BYTES);
}

static int arena_publish_reserved(struct arena *arena, uint32_t reserved, uint32_t more)
{
	int r = lock_acquire(&arena->lock);
	if (r < 0)
		return r;
	sh_store(&arena->shm->reserved, reserved + more);
	runs_give(arena, reserved, more);
	lock_release(&arena->lock);
	return 0;
}

/* By a chunk, so that growing is rare; by the need alone when memory has no chunk left. */
static int arena_grow_locked(struct arena *arena, uint32_t need)
{
	uint32_t reserved = reserved_of(arena);
	uint32_t left = arena->pages - reserved;
	need = need < left ? need : left;
	uint32_t more = need > CHUNK_PAGES ? need : CHUNK_PAGES;
	more = more < left ? more : left;
	int r = arena_reserve(arena, reserved, more);
	if (r == -ENOSPC && need < more) {
		more = need;
		r = arena_reserve(arena, reserved, more);
	}
	return r < 0 ? r : arena_publish_reserved(arena, reserved, more);
}

/* Grows, unless another process has grown the arena since `seen`. */
static int arena_grow(struct arena *arena, uint32_t need, uint32_t seen)
{
	int r = lock_acquire(&arena->grow_lock);
	if (r < 0)
		return r;
	if (reserved_of(arena) == seen)
		r = arena_grow_locked(arena, need);
	lock_release(&arena->grow_lock);
	return r;
}

int arena_alloc(struct arena *arena, uint64_t length, enum arena_use use, shared32 *granule)
{
	CHECK(length > 0);
	if (arena_footprint(length) > arena_most(arena, use) ||
	    (length <= SMALL_MAX_BYTES && arena->pages < SLAB_PAGES))
		return arena_why_never(arena, length, use);
	for (;;) { /* each turn reserves pages, or ends */
		int r = lock_acquire(&arena->lock);
		if (r < 0)
			return r;
		bool may = arena_use_has_room(arena, length, use);
		bool found = may && arena_alloc_locked(arena, length, use, granule);
		uint32_t seen = reserved_of(arena);
		uint32_t need = arena_pages_short(arena, length);
		lock_release(&arena->lock);
		if (found)
			return 0;
		if (!may || seen == arena->pages)
			return arena_why_full(arena, length, use);
		r = arena_grow(arena, need, seen);
		if (r < 0)
			return r;
	}
}

static int arena_free_locked(
    struct arena *arena, uint64_t length, enum arena_use use, shared32 *granule)
{
	shared64 *used = &arena->shm->used_bytes, *arguments = &arena->shm->arguments_bytes;
	uint64_t bytes = arena_footprint(length);
	int r = 0;
	uint32_t old = sh_load(granule);
	if (old != 0) { /* freeing a free extent is no error: a repair repeats steps */
		sh_store(granule, 0, "granule, freed");
		bool known = length > 0 && old >= arena->first_granule &&
		    arena_place_give(arena, length, old - arena->first_granule);
		if (known)
			sh_poke(used, sh_peek(used) - bytes, "used_bytes, freed");
		if (known && use == ARENA_ARGUMENTS)
			sh_poke(arguments, sh_peek(arguments) - bytes, "arguments_bytes, freed");
		if (!known)
			r = why(-EINVAL,
			    "granule %" PRIu32 " with %" PRIu64 " bytes is no extent "
			    "of the store: a damaged record",
			    old, length);
	}
	return r;
}

int arena_free(struct arena *arena, uint64_t length, enum arena_use use, shared32 *granule)
{
	int r = lock_acquire(&arena->lock);
	if (r < 0)
		return r;
	r = arena_free_locked(arena, length, use, granule);
	lock_release(&arena->lock);
	return r;
}

int arena_try_free(struct arena *arena, uint64_t length, enum arena_use use, shared32 *granule)
{
	int r = lock_try(&arena->lock);
	if (r < 0)
		return r;
	r = arena_free_locked(arena, length, use, granule);
	lock_release(&arena->lock);
	return r;
}

int arena_rebuild(struct arena *arena)
{
	int r = lock_acquire(&arena->lock);
	if (r < 0)
		return r;
	map_rebuild(arena);
	lock_release(&arena->lock);
	return 0;
}
