/* open_handle.c - makes a handle over attached tables, and gives back the private memory. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/why.h"
#include "client/pollable.h"
#include "client/handle.h"
#include "client/names.h"
#include "events/eventlog.h"
#include "events/eventlog_switch.h"

/* Of refs[] and mine[]. */
static size_t handle_refs_bytes(const struct plm *rt)
{
	return (size_t)rt->tables.limits.records * (sizeof rt->refs[0] + sizeof rt->mine[0]);
}

static int handle_map(struct plm *rt)
{
	/* Untouched pages of the counts cost nothing, however large the table. */
	size_t bytes = handle_refs_bytes(rt);
	void *refs = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	void *alive = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	rt->refs = rt->refs_memory = refs == MAP_FAILED ? NULL : refs;
	rt->mine = rt->refs ? rt->refs + rt->tables.limits.records : NULL;
	rt->alive = alive == MAP_FAILED ? NULL : alive;
	if (!rt->refs || !rt->alive)
		return why(-ENOMEM, "no memory for a handle of %zu KiB", bytes >> 10);
	*rt->alive = 1;
	if (madvise(alive, 4096, MADV_WIPEONFORK) < 0)
		return why(-errno, "MADV_WIPEONFORK: %s", strerror(errno));
	return 0;
}

void handle_unmap(struct plm *rt)
{
	if (rt->refs_memory)
		munmap(rt->refs_memory, handle_refs_bytes(rt));
	if (rt->alive)
		munmap(rt->alive, 4096);
	free(rt->adopted);
	free(rt->untold.hint);
	rt->adopted = NULL;
	rt->untold.hint = NULL;
	rt->refs_memory = NULL;
	rt->refs = rt->mine = NULL;
	rt->alive = NULL;
}

int handle_open(struct plm *rt, uint32_t slot)
{
	CHECK(slot < rt->tables.limits.processes);
	rt->self = rt->tables.self = slot;
	rt->me = &rt->tables.process[slot];
	rt->runtime = rt->tables.control->runtime;
	eventlog_attach(&rt->tables);
	rt->pollable_fd = -1;
	pthread_mutex_init(&rt->socket_mutex, NULL);
	pthread_mutex_init(&rt->import_mutex, NULL);
	for (int i = 0; i < DROP_GATES; i++)
		pthread_mutex_init(&rt->gate[i].mutex, NULL);
	pthread_mutex_init(&rt->untold.mutex, NULL);
	pthread_mutex_init(&rt->waiters_mutex, NULL);
	pthread_mutex_init(&rt->pollable_mutex, NULL);
	for (int i = 0; i < RESERVED_CACHES; i++) {
		pthread_mutex_init(&rt->cache[i].mutex, NULL);
		rt->cache[i].refill = 1;
	}
	int r = handle_map(rt);
	if (r == 0)
		r = names_open(&rt->names);
	uint64_t word = sh_load(&rt->me->state);
	if (r == 0 && !process_step(rt->me, &word, PROCESS_LIVE))
		r = why(-ECONNRESET,
		    "the manager gave process slot %u to another process meanwhile: connect again",
		    slot);
	if (r < 0) {
		names_close(&rt->names);
		handle_unmap(rt);
		return r;
	}
	/* A client counts as awake only while spinning: nobody knows what a program does between
	 * calls. */
	process_set_awake(&rt->tables, slot, rt->help);
	processes_changed(&rt->tables);
	return 0;
}

void handle_close(struct plm *rt)
{
	pollable_close(rt);
	reserved_return_all(rt);
	if (sh_peek(&rt->me->watches))
		eventlog_unwatch(&rt->tables, rt->self);
	/* Nothing is held, reserved, or still to be granted: spare the scheduler the scan of the
	 * table. */
	if (atomic_load(&rt->held) == 0 && !rt->late.open && !untold_any(rt))
		sh_store(&rt->me->unclean, 0);
	uint64_t word = sh_load(&rt->me->state);
	process_step(rt->me, &word, PROCESS_LEAVING);
	names_close(&rt->names);
	handle_unmap(rt);
}
