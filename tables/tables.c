#include "tables/tables.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/ours.h"
#include "base/rmtree.h"
#include "base/why.h"
#include "tables/edges.h"
#include "tables/due.h"
#include "tables/segment_plan.h"

#define TABLES_NONE       \
	((struct tables){ \
	    .control_segment.fd = -1, .store_segment.fd = -1, .event_segment.fd = -1 })

_Static_assert(
    sizeof(struct process) % CACHE_LINE_BYTES == 0, "a process slot is whole cache lines");

int tables_check_name(const char *name)
{
	size_t n = strlen(name);
	bool good = n > 0 && n < RUNTIME_NAME_BYTES;
	for (size_t i = 0; good && i < n; i++)
		good = isalnum((unsigned char)name[i]) || name[i] == '-' || name[i] == '_';
	return good ? 0
		    : why(-EINVAL, "\"%s\" cannot name a runtime: 1 to %d letters, digits, - and _",
			  name, RUNTIME_NAME_BYTES - 1);
}

void tables_segment_name(const char *name, const char *what, char ret[SEGMENT_NAME_BYTES])
{
	snprintf(ret, SEGMENT_NAME_BYTES, "/plm-%u-%s.%s", (unsigned)geteuid(), name, what);
}

void tables_files_path(const char *name, char ret[SEGMENT_NAME_BYTES])
{
	snprintf(ret, SEGMENT_NAME_BYTES, "/dev/shm/plm-%u-%s.files", (unsigned)geteuid(), name);
}

int tables_files_open(const char *name, bool make)
{
	char path[SEGMENT_NAME_BYTES];
	tables_files_path(name, path);
	return ours_directory(path, make, "choose another --name");
}

/* A file that cannot be removed now goes at the next boot of the name. Files of another user, and
 * links, stay. */
static void tables_files_remove(const char *name)
{
	char path[SEGMENT_NAME_BYTES], said[WHY_TEXT_BYTES];
	snprintf(said, sizeof said, "%s", why_text());
	int files = tables_files_open(name, false);
	if (files >= 0) {
		rmtree_entries(files);
		close(files);
		tables_files_path(name, path);
		rmdir(path);
	}
	why(0, "%s", said); /* the reason of the failure for which we remove all */
}

void tables_resource_names(const struct tables *t, struct resource_names *ret)
{
	*ret = t->control->resources;
	for (uint32_t i = 0; i < RESOURCES_MAX; i++)
		ret->name[i][RESOURCE_NAME_BYTES - 1] = 0;
	for (uint32_t i = 0; i < PYTHONS_MAX; i++)
		ret->pythons.path[i][PYTHON_PATH_BYTES - 1] = 0;
}

/* ---- the truths from which derived structures are rebuilt ---- */

static bool tables_record_is_free(void *context, uint32_t index)
{
	const struct tables *t = context;
	return word_state(sh_load(&t->record[index].state)) == RECORD_FREE;
}

/* Under the pool's lock. Only the claiming process's own handle knows which process claims. */
static void tables_record_claim(void *context, uint32_t index)
{
	struct tables *t = context;
	struct record *r = &t->record[index];
	uint64_t seen = sh_load(&r->state);
	uint32_t generation = word_generation(seen) + 1;
	sh_store(&r->state, word_make(generation ? generation : 1, t->self, 0, RECORD_RESERVED, 0));
}

static void tables_each_extent(void *context, arena_visit_f *visit, void *visitor)
{
	const struct arena_owner *owner = context;
	const struct tables *t = owner->tables;
	uint32_t first = t->arena[owner->node].first_granule;
	uint32_t granules = t->arena[owner->node].pages * (STORE_PAGE_BYTES / STORE_GRANULE_BYTES);
	uint32_t fresh = pool_fresh(&t->pool);
	for (uint32_t i = 0; i < fresh; i++) {
		const struct record *r = &t->record[i];
		if (word_state(sh_load(&r->state)) == RECORD_FREE)
			continue;
		uint32_t args = sh_load(&r->args), value = sh_load(&r->value);
		if (args - first < granules)
			visit(visitor, args, r->args_bytes, ARENA_ARGUMENTS);
		if (value - first < granules)
			visit(visitor, value, r->value_bytes, ARENA_RESULT);
	}
}

static void tables_refill_task_heap(void *context, struct heap *heap)
{
	const struct tables *t = context;
	uint32_t fresh = pool_fresh(&t->pool);
	for (uint32_t i = 0; i < fresh; i++) {
		uint64_t word = sh_load(&t->record[i].state);
		if (word_state(word) == RECORD_READY && !(word_flags(word) & FLAG_PARKED) &&
		    !due_is_resting(t, &t->record[i], word))
			heap_push(heap, i, word_generation(word), t->record[i].key);
	}
}

/* The scheduler inserts its workers again as it meets them; no other process reads this heap. */
static void tables_refill_worker_heap(void *context, struct heap *heap)
{
	(void)context;
	(void)heap;
}

static const char *tables_recover_graph(void *context)
{
	edges_rebuild(context);
	return NULL;
}

/* ---- attaching ---- */

static void tables_place(struct tables *t, const struct plan *plan)
{
	char *base = (char *)t->control_segment.header;
	t->process = (struct process *)(void *)(base + plan->process);
	t->record = (struct record *)(void *)(base + plan->record);
	t->rings = base + plan->rings;
	t->grace = (shared64 *)(void *)(base + plan->grace);
	t->extensions = base + plan->extension;
	t->extension = plan->extension;
	t->extension_rings = plan->extension_rings;
	t->extension_bytes = plan->extension_bytes;
	t->news = (shared64 *)(void *)(base + plan->news);
	t->recorded = (shared64 *)(void *)(base + plan->recorded);
	t->left = (shared32 *)(void *)(base + plan->left);
	registry_attach(&t->registry, base + plan->registry);
	t->terms = (struct terms_shm *)(void *)(base + plan->terms);
	pool_attach(&t->pool, base + plan->pool, t->limits.records,
	    (struct pool_table){ tables_record_is_free, tables_record_claim, t });
	heap_attach(&t->task_heap, base + plan->task_heap, t->limits.records, RANK_TASK_HEAP,
	    tables_refill_task_heap, t);
	heap_attach(&t->worker_heap, base + plan->worker_heap, t->limits.processes,
	    RANK_WORKER_HEAP, tables_refill_worker_heap, t);
	t->graph_lock = (struct lock){ .shm = &t->control->graph_lock,
		.rank = RANK_GRAPH,
		.recover = tables_recover_graph,
		.context = t };
	uint32_t granule = SEGMENT_HEADER_BYTES / STORE_GRANULE_BYTES;
	for (uint32_t i = 0; i < t->limits.nodes; i++) {
		t->arena_owner[i] = (struct arena_owner){ t, i };
		arena_attach(&t->arena[i], base + plan->arena[i], granule, plan->arena_pages,
		    t->store_segment.fd,
		    (struct arena_truth){ tables_each_extent, &t->arena_owner[i] });
		t->arena[i].lock.watch = t->arena[i].grow_lock.watch = &t->lock_watch;
		granule += plan->arena_pages * (STORE_PAGE_BYTES / STORE_GRANULE_BYTES);
	}
	t->pool.lock.watch = t->graph_lock.watch = t->registry.lock.watch = &t->lock_watch;
	t->task_heap.lock.watch = t->worker_heap.lock.watch = &t->lock_watch;
}

static void tables_create_tables(struct tables *t, const struct plan *plan)
{
	char *base = (char *)t->control_segment.header;
	lock_init(&t->control->graph_lock);
	registry_create(base + plan->registry);
	pool_create(base + plan->pool);
	heap_create(base + plan->task_heap, t->limits.records);
	heap_create(base + plan->worker_heap, t->limits.processes);
	for (uint32_t i = 0; i < t->limits.nodes; i++)
		arena_create(base + plan->arena[i], plan->arena_pages);
}

/* The store is one segment, with a range for each NUMA node, mapped in both ways. */
static int tables_map_store(struct tables *t)
{
	t->store_write = (char *)t->store_segment.header;
	t->store_read = segment_map_readonly(&t->store_segment);
	return t->store_read ? 0 : why(-errno, "mapping the store: %s", strerror(errno));
}

static void tables_start_control(struct tables *t, const char *name)
{
	struct control *c = t->control;
	c->limits = t->limits;
	c->kinds = 1; /* plain workers, unless the manager sets kinds */
	c->kind[0] = (struct worker_kind){ .count = t->limits.workers,
		.generation = 1,
		.cpus = 1,
		.amount[RESOURCE_CPUS] = AMOUNT_UNIT };
	sh_poke(&c->staff, t->limits.workers);
	sh_poke(&c->slots, EXTENSION_SLOTS);
	while (c->runtime == 0)
		if (getrandom(&c->runtime, sizeof c->runtime, 0) < 0)
			c->runtime = clock_ns(); /* no entropy yet at early boot: the time is unlike
						    enough */
	sh_poke(&c->turn, TURNS_FIRST);
	c->boot_ns = clock_coarse_ns(); /* the clock of ages, which may be behind clock_ns() */
	cpu_set_t allowed;
	c->cores =
	    sched_getaffinity(0, sizeof allowed, &allowed) == 0 ? (uint32_t)CPU_COUNT(&allowed) : 1;
	snprintf(c->name, sizeof c->name, "%s", name);
}

static int tables_create_segments(const char *name, const struct plan *plan, struct tables *t)
{
	char control[SEGMENT_NAME_BYTES], store[SEGMENT_NAME_BYTES];
	tables_segment_name(name, "control", control);
	tables_segment_name(name, "store", store);
	int r = segment_create(control, plan->total, plan->extension, &t->control_segment);
	if (r < 0)
		return r;
	/* The store is reserved as it fills (arena_alloc()), so a large store costs nothing at
	 * boot. */
	r = segment_create(store, plan->store_total, SEGMENT_HEADER_BYTES, &t->store_segment);
	if (r < 0) {
		segment_detach(&t->control_segment);
		segment_unlink(control);
	}
	return r;
}

int tables_create(const char *name, const struct limits *limits, struct tables *t)
{
	*t = (struct tables){ .limits = *limits,
		.control_segment.fd = -1,
		.store_segment.fd = -1,
		.event_segment.fd = -1 };
	int r = tables_check_name(name);
	if (r == 0)
		r = tables_check_limits(limits);
	if (r < 0)
		return r;
	struct plan plan;
	plan_make(limits, &plan);
	r = tables_create_segments(name, &plan, t);
	if (r < 0)
		return r;
	t->control = (struct control *)(void *)((char *)t->control_segment.header + plan.control);
	tables_start_control(t, name);
	tables_create_tables(t, &plan);
	tables_place(t, &plan);
	r = tables_map_store(t);
	if (r < 0) {
		tables_detach(t);
		tables_unlink(name);
		return r;
	}
	segment_publish(&t->store_segment, "store", plan_abi(), t->control->runtime);
	segment_publish(&t->control_segment, "control", plan_abi(), t->control->runtime);
	return 0;
}

/* The limits come from the segment: judge a private copy, and use only the copy. */
static int tables_adopt_limits(struct tables *t, struct plan *ret_plan)
{
	if (t->control_segment.bytes < SEGMENT_HEADER_BYTES + sizeof(struct control))
		return why(-EPROTO, "the control segment is refused: it is too short");
	t->control =
	    (struct control *)(void *)((char *)t->control_segment.header + SEGMENT_HEADER_BYTES);
	t->limits = t->control->limits;
	if (tables_check_limits(&t->limits) < 0)
		return why(-EPROTO, "the control segment is refused: its limits make no sense");
	plan_make(&t->limits, ret_plan);
	if (ret_plan->total != t->control_segment.bytes)
		return why(
		    -EPROTO, "the control segment is refused: its size does not fit its limits");
	return 0;
}

int tables_attach(int control_fd, int store_fd, struct tables *t)
{
	*t = TABLES_NONE;
	struct plan plan;
	int r = segment_attach(control_fd, "control", plan_abi(), true, &t->control_segment);
	if (r < 0) {
		close(store_fd);
		return r;
	}
	r = segment_attach(store_fd, "store", plan_abi(), true, &t->store_segment);
	if (r == 0)
		r = tables_adopt_limits(t, &plan);
	if (r == 0 && plan.store_total != t->store_segment.bytes)
		r = why(-EPROTO, "the store segment is refused: its size does not fit the limits");
	if (r == 0 && t->store_segment.header->runtime != t->control->runtime)
		r = why(-EPROTO, "the store segment is refused: it belongs to another boot");
	if (r == 0)
		r = tables_map_store(t);
	if (r < 0) {
		tables_detach(t);
		return r;
	}
	tables_place(t, &plan);
	return 0;
}

int tables_open_slot(const struct tables *t, uint32_t slot)
{
	shared32 *slots = &t->control->slots;
	CHECK(slot < t->limits.processes);
	for (uint32_t n = tables_slots(t); n <= slot; n += EXTENSION_SLOTS) {
		size_t extension = t->extension + (n / EXTENSION_SLOTS - 1) * t->extension_bytes;
		int r = segment_reserve(t->control_segment.fd, extension, t->extension_bytes);
		if (r < 0)
			return r;
		sh_store(slots, n + EXTENSION_SLOTS, "slots");
	}
	return 0;
}

/* One read-only mapping of the store serves both views: nobody writes through this handle. */
static int tables_inspect_store(int fd, const struct plan *plan, struct tables *t)
{
	int r = segment_attach(fd, "store", plan_abi(), false, &t->store_segment);
	if (r == 0 && plan->store_total != t->store_segment.bytes)
		r = why(-EPROTO, "the store segment is refused: its size does not fit the limits");
	if (r == 0 && t->store_segment.header->runtime != t->control->runtime)
		r = why(-EPROTO, "the store segment is refused: it belongs to another boot");
	if (r == 0)
		t->store_read = t->store_write = (char *)t->store_segment.header;
	return r;
}

int tables_inspect(int control_fd, int store_fd, struct tables *t)
{
	*t = TABLES_NONE;
	struct plan plan;
	int r = segment_attach(control_fd, "control", plan_abi(), false, &t->control_segment);
	if (r == 0)
		r = tables_adopt_limits(t, &plan);
	if (r == 0 && store_fd >= 0)
		r = tables_inspect_store(store_fd, &plan, t);
	else if (store_fd >= 0)
		close(store_fd);
	if (r < 0) {
		tables_detach(t);
		return r;
	}
	tables_place(t, &plan);
	return 0;
}

void tables_share(const struct tables *of, struct tables *t)
{
	struct plan plan;
	plan_make(&of->limits, &plan);
	*t = (struct tables){ .control_segment = of->control_segment,
		.store_segment = of->store_segment,
		.event_segment = of->event_segment,
		.limits = of->limits,
		.control = of->control,
		.store_read = of->store_write,
		.store_write = of->store_write,
		.shared = true };
	tables_place(t, &plan);
}

void tables_detach(struct tables *t)
{
	if (t->shared) {
		*t = TABLES_NONE;
		return;
	}
	if (t->store_read && t->store_read != (char *)t->store_segment.header) {
		struct segment view = { .fd = -1, .bytes = t->store_segment.bytes };
		memcpy(&view.header, &t->store_read,
		    sizeof view.header); /* drops the const, to unmap */
		segment_detach(&view);
	}
	segment_detach(&t->event_segment);
	segment_detach(&t->store_segment);
	segment_detach(&t->control_segment);
	*t = TABLES_NONE;
}

void tables_unlink(const char *name)
{
	char segment[SEGMENT_NAME_BYTES];
	tables_segment_name(name, "control", segment);
	segment_unlink(segment);
	tables_segment_name(name, "store", segment);
	segment_unlink(segment);
	tables_segment_name(name, "events", segment);
	segment_unlink(segment);
	tables_files_remove(name);
}
