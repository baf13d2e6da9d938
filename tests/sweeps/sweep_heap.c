/* sweep_heap.c - the heap, killed at every step: the next locker finds the entries that the
 * truth names. */
#include "heap/heap.h"
#include "tests/support/sweep.h"

enum { IDS = 12, START = 9 };

struct image {
	shared64 key[IDS]; /* the truth: 0 = not in the heap */
	_Alignas(64) unsigned char memory[64 + 64 + IDS * 20];
};

static struct heap heap;
static bool sorted; /* larger ids come later, so that the heap is one long list */

static void refill(void *context, struct heap *into)
{
	struct image *image = context;
	for (uint32_t id = 0; id < IDS; id++)
		if (sh_load(&image->key[id]))
			heap_push(into, id, 0, sh_load(&image->key[id]));
}

static uint64_t key_before(uint32_t id)
{
	if (id >= START)
		return 0;
	return 10 + (sorted ? START - id : id * 7 % START);
}

static void setup_any(void *memory)
{
	struct image *image = memory;
	SWEEP_REQUIRE(heap_bytes(IDS) <= sizeof image->memory);
	heap_create(image->memory, IDS);
	heap_attach(&heap, image->memory, IDS, RANK_TASK_HEAP, refill, image);
	for (uint32_t id = 0; id < START; id++)
		sh_store(&image->key[id], key_before(id));
	SWEEP_REQUIRE(heap_lock(&heap) == 0);
	heap_rebuild(&heap);
	heap_unlock(&heap);
}

static void setup(void *memory)
{
	sorted = false;
	setup_any(memory);
}

static void setup_sorted(void *memory)
{
	sorted = true;
	setup_any(memory);
}

static void push(void *memory)
{
	struct image *image = memory;
	SWEEP_REQUIRE(heap_lock(&heap) == 0);
	sh_store(&image->key[START], 100);
	heap_push(&heap, START, 0, 100);
	heap_unlock(&heap);
}

static void pop(void *memory)
{
	struct image *image = memory;
	struct heap_entry entry;
	SWEEP_REQUIRE(heap_lock(&heap) == 0);
	SWEEP_REQUIRE(heap_pop(&heap, &entry));
	sh_store(&image->key[entry.id], 0);
	heap_unlock(&heap);
}

static void take_out(void *memory)
{
	struct image *image = memory;
	SWEEP_REQUIRE(heap_lock(&heap) == 0);
	SWEEP_REQUIRE(heap_remove(&heap, 2));
	sh_store(&image->key[2], 0);
	heap_unlock(&heap);
}

static void update(void *memory)
{
	struct image *image = memory;
	SWEEP_REQUIRE(heap_lock(&heap) == 0);
	sh_store(&image->key[3], 100);
	heap_update(&heap, 3, 100);
	heap_unlock(&heap);
}

static void rebuild(void *memory)
{
	(void)memory;
	SWEEP_REQUIRE(heap_lock(&heap) == 0);
	heap_rebuild(&heap);
	heap_unlock(&heap);
}

static void recover(void *memory)
{
	(void)memory;
	SWEEP_REQUIRE(heap_lock(&heap) == 0);
	heap_unlock(&heap);
}

/* Which ids may differ from the start, and by which key: 0 out, 100 the new key. */
static bool truth_is_before_or_after(const struct image *image)
{
	uint32_t changed = 0;
	for (uint32_t id = 0; id < IDS; id++) {
		uint64_t key = sh_load(&image->key[id]);
		if (key == key_before(id))
			continue;
		changed++;
		if (key != 0 && key != 100)
			return false;
	}
	return changed <= 1;
}

static const char *judge(void *memory)
{
	struct image *image = memory;
	const char *unsound = heap_check(heap.shm, IDS);
	if (unsound)
		return unsound;
	if (!truth_is_before_or_after(image))
		return "the truth is neither as before nor as after";
	SWEEP_REQUIRE(heap_lock(&heap) == 0);
	for (uint32_t id = 0; id < IDS; id++)
		if (heap_contains(&heap, id) != (sh_load(&image->key[id]) != 0))
			return "the heap and the truth disagree about what is in";
	for (struct heap_entry entry; heap_pop(&heap, &entry);)
		if (entry.key != sh_load(&image->key[entry.id]))
			return "the heap has a key of old";
	heap_unlock(&heap);
	return NULL;
}

#define OP(what, prepare, act)                                                                 \
	{                                                                                      \
		.name = what, .bytes = sizeof(struct image), .setup = prepare, .operate = act, \
		.recover = recover, .judge = judge                                             \
	}

int main(void)
{
	static const struct sweep_op ops[] = {
		OP("heap push", setup, push),
		OP("heap pop", setup, pop),
		OP("heap remove", setup, take_out),
		OP("heap update", setup, update),
		OP("heap rebuild", setup, rebuild),
		OP("heap pop, in order", setup_sorted, pop),
		OP("heap remove, in order", setup_sorted, take_out),
		OP("heap update, in order", setup_sorted, update),
	};
	return sweep_run(ops, sizeof ops / sizeof ops[0]) ? 1 : 0;
}
