#include "tables/segment_plan.h"

#include <errno.h>

#include "base/why.h"

uint32_t plan_abi(void)
{
	const size_t sizes[] = { sizeof(struct control), sizeof(struct process),
		sizeof(struct record), sizeof(struct registry_shm), sizeof(struct terms_shm),
		sizeof(pthread_mutex_t), sizeof(struct heap_entry), arena_bytes(64),
		UP_RING_ENTRIES, DOWN_RING_ENTRIES };
	uint32_t hash = 2166136261u; /* FNV-1a: a change of any size changes the hash */
	for (size_t i = 0; i < COUNT_OF(sizes); i++)
		hash = (hash ^ (uint32_t)sizes[i]) * 16777619u;
	return hash;
}

size_t plan_ring_bytes(void)
{
	return ring_bytes(UP_RING_ENTRIES) + ring_bytes(DOWN_RING_ENTRIES);
}

/* Sizes cannot overflow: tables_check_limits() bounds each factor. */
static size_t plan_place(size_t *end, size_t bytes)
{
	size_t at = (*end + CACHE_LINE_BYTES - 1) & ~(size_t)(CACHE_LINE_BYTES - 1);
	*end = at + bytes;
	return at;
}

static size_t plan_whole_pages(size_t bytes)
{
	return (bytes + STORE_PAGE_BYTES - 1) & ~(size_t)(STORE_PAGE_BYTES - 1);
}

void plan_make(const struct limits *limits, struct plan *ret)
{
	struct plan p = { 0 };
	size_t end = SEGMENT_HEADER_BYTES;
	p.control = plan_place(&end, sizeof(struct control));
	p.process = plan_place(&end, limits->processes * sizeof(struct process));
	p.registry = plan_place(&end, sizeof(struct registry_shm));
	p.terms = plan_place(&end, sizeof(struct terms_shm));
	p.rings = plan_place(&end, EXTENSION_SLOTS * plan_ring_bytes());
	p.worker_heap = plan_place(&end, heap_bytes(limits->processes));
	end = (end + sizeof(struct record) - 1) & ~(sizeof(struct record) - 1);
	p.record = plan_place(&end, limits->records * sizeof(struct record));
	p.grace = plan_place(&end, (size_t)limits->records * sizeof(uint64_t));
	size_t bits = ((size_t)limits->records + 63) / 64 * sizeof(uint64_t);
	p.news = plan_place(&end, bits);
	p.recorded = plan_place(&end, bits);
	p.left = plan_place(&end, (size_t)limits->records * sizeof(uint32_t));
	p.pool = plan_place(&end, pool_bytes(limits->records));
	p.task_heap = plan_place(&end, heap_bytes(limits->records));
	p.arena_pages = (uint32_t)(limits->store_bytes / limits->nodes / STORE_PAGE_BYTES);
	for (uint32_t i = 0; i < limits->nodes; i++)
		p.arena[i] = plan_place(&end, arena_bytes(p.arena_pages));
	p.extension = plan_whole_pages(end);
	end = 0;
	plan_place(&end, (size_t)limits->records * sizeof(uint64_t));
	p.extension_rings = plan_place(&end, EXTENSION_SLOTS * plan_ring_bytes());
	p.extension_bytes = plan_whole_pages(end);
	p.total = p.extension + (limits->processes / EXTENSION_SLOTS - 1) * p.extension_bytes;
	p.store_total =
	    SEGMENT_HEADER_BYTES + (uint64_t)p.arena_pages * STORE_PAGE_BYTES * limits->nodes;
	*ret = p;
}

int tables_check_limits(const struct limits *l)
{
	if (l->processes == 0 || l->processes % EXTENSION_SLOTS || l->processes > PROCESSES_MAX)
		return why(-EINVAL, "--processes wants a multiple of %d up to %d, not %u",
		    EXTENSION_SLOTS, PROCESSES_MAX, l->processes);
	if (l->workers == 0 || l->workers > WORKERS_MAX ||
	    l->workers + SLOT_FIRST_SHARED >= l->processes)
		return why(-EINVAL,
		    "--workers wants 1 to %d worker processes, and fewer than the "
		    "%u of --processes, not %u",
		    WORKERS_MAX, l->processes, l->workers);
	if (l->records < RECORDS_MIN || l->records > RECORDS_MAX)
		return why(-EINVAL, "--tasks wants %d to %d, not %u", RECORDS_MIN, RECORDS_MAX,
		    l->records);
	if (l->nodes == 0 || l->nodes > ARENAS_MAX)
		return why(-EINVAL, "NUMA nodes: 1 to %d, not %u", ARENAS_MAX, l->nodes);
	if (l->store_bytes < STORE_BYTES_MIN * l->nodes || l->store_bytes > STORE_BYTES_MAX / 2)
		return why(-EINVAL,
		    "--store wants %llu KiB for each NUMA node to %llu GiB, not "
		    "%llu "
		    "KiB",
		    (unsigned long long)(STORE_BYTES_MIN >> 10),
		    (unsigned long long)(STORE_BYTES_MAX >> 31),
		    (unsigned long long)(l->store_bytes >> 10));
	return 0;
}
