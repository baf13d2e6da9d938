#include "heap/heap.h"

#include "base/check.h"

enum { CHILDREN = 4 };

size_t heap_bytes(uint32_t capacity)
{
	return offsetof(struct heap_shm, entry) +
	    (size_t)capacity * (sizeof(struct heap_entry) + sizeof(uint32_t));
}

void heap_create(void *memory, uint32_t capacity)
{
	struct heap_shm *shm = memory;
	lock_init(&shm->lock);
	shm->capacity = capacity;
	shm->in_order = 1;
}

/* The truth is elsewhere, so nothing left by the dead holder is read. */
static const char *heap_recover(void *context)
{
	struct heap *heap = context;
	heap_rebuild(heap);
	return heap_check(heap->shm, heap->capacity);
}

void heap_attach(struct heap *heap, void *memory, uint32_t capacity, enum lock_rank rank,
    void (*refill)(void *context, struct heap *heap), void *context)
{
	struct heap_shm *shm = memory;
	*heap = (struct heap){ .shm = shm,
		.position = (uint32_t *)(void *)&shm->entry[capacity],
		.capacity = capacity,
		.refill = refill,
		.context = context };
	heap->lock = (struct lock){
		.shm = &shm->lock, .rank = rank, .recover = heap_recover, .context = heap
	};
}

int heap_lock(struct heap *heap)
{
	return lock_acquire(&heap->lock);
}

void heap_unlock(struct heap *heap)
{
	EXPENSIVE(heap_check(heap->shm, heap->capacity) == NULL);
	lock_release(&heap->lock);
}

/* A stray write may have made the length too long: never leave the array. */
static uint32_t heap_length_of(const struct heap *heap)
{
	uint32_t length = sh_peek(&heap->shm->length);
	return length <= heap->capacity ? length : heap->capacity;
}

/* Of a place; 0 is the root. */
static uint32_t heap_parent_of(uint32_t place)
{
	return (place - 1) / CHILDREN;
}

/* A place counts in the tree; entry[] is a ring that begins at `first`. */
static uint32_t heap_slot_of(uint32_t first, uint32_t capacity, uint32_t place)
{
	uint32_t to_end = capacity - first;
	return place < to_end ? first + place : place - to_end;
}

/* Not trusted: a stray write may point out of the ring. */
static uint32_t heap_first_of(const struct heap_shm *shm, uint32_t capacity)
{
	uint32_t first = sh_peek(&shm->first);
	return first < capacity ? first : 0;
}

/* The ring during one operation: the beginning is read once. */
struct tree {
	struct heap_entry *entry;
	uint32_t *position;
	uint32_t capacity, first;
};

static struct tree heap_tree_of(const struct heap *heap)
{
	return (struct tree){ heap->shm->entry, heap->position, heap->capacity,
		heap_first_of(heap->shm, heap->capacity) };
}

static struct heap_entry *heap_entry_of(const struct tree *tree, uint32_t place)
{
	return &tree->entry[heap_slot_of(tree->first, tree->capacity, place)];
}

static struct heap_entry *heap_at(const struct heap *heap, uint32_t place)
{
	struct tree tree = heap_tree_of(heap);
	return heap_entry_of(&tree, place);
}

static void heap_put(const struct tree *tree, uint32_t place, struct heap_entry entry)
{
	struct heap_entry *slot = heap_entry_of(tree, place);
	sh_set(*slot, entry, "entry");
	if (entry.id < tree->capacity) /* read from the segment: not vouched for */
		sh_set(tree->position[entry.id], (uint32_t)(slot - tree->entry));
}

/* Both sifts move a hole, not the entry: one store a level instead of two for a swap. */
static void heap_sift_up(const struct tree *tree, uint32_t hole, struct heap_entry entry)
{
	while (hole > 0 && heap_entry_of(tree, heap_parent_of(hole))->key < entry.key) {
		heap_put(tree, hole, *heap_entry_of(tree, heap_parent_of(hole)));
		hole = heap_parent_of(hole);
	}
	heap_put(tree, hole, entry);
}

/* The child with the largest key; at least one child exists. */
static uint32_t heap_best_child(const struct tree *tree, uint32_t first, uint32_t length)
{
	uint32_t end = length - first > CHILDREN ? first + CHILDREN : length, best = first;
	uint64_t best_key = heap_entry_of(tree, first)->key;
	for (uint32_t child = first + 1; child < end; child++) {
		uint64_t key = heap_entry_of(tree, child)->key;
		best = key > best_key ? child : best;
		best_key = key > best_key ? key : best_key;
	}
	return best;
}

static void heap_sift_down(
    const struct tree *tree, uint32_t hole, uint32_t length, struct heap_entry entry)
{
	for (;;) {
		uint64_t first = (uint64_t)hole * CHILDREN + 1;
		if (first >= length)
			break;
		uint32_t child = heap_best_child(tree, (uint32_t)first, length);
		if (heap_entry_of(tree, child)->key <= entry.key)
			break;
		heap_put(tree, hole, *heap_entry_of(tree, child));
		hole = child;
	}
	heap_put(tree, hole, entry);
}

/* Puts the entry into a hole anywhere: the key decides whether the entry goes up or down. */
static void heap_settle(
    const struct heap *heap, uint32_t hole, uint32_t length, struct heap_entry entry)
{
	struct tree tree = heap_tree_of(heap);
	if (hole > 0 && heap_entry_of(&tree, heap_parent_of(hole))->key < entry.key)
		heap_sift_up(&tree, hole, entry);
	else
		heap_sift_down(&tree, hole, length, entry);
}

static void heap_set_length(struct heap *heap, uint32_t length)
{
	sh_poke(&heap->shm->length, length);
	if (length > 0)
		return;
	sh_poke(&heap->shm->first, 0, "first, empty"); /* where siblings share a line */
	sh_poke(&heap->shm->in_order, 1, "in_order, empty");
}

static bool heap_find(const struct heap *heap, uint32_t id, uint32_t *ret_place)
{
	CHECK(id < heap->capacity);
	uint32_t slot = heap->position[id], first = heap_first_of(heap->shm, heap->capacity);
	uint32_t place = slot >= first ? slot - first : slot + heap->capacity - first;
	if (slot >= heap->capacity || place >= heap_length_of(heap) ||
	    heap_at(heap, place)->id != id)
		return false;
	*ret_place = place;
	return true;
}

bool heap_contains(const struct heap *heap, uint32_t id)
{
	uint32_t place;
	CHECK(lock_held(&heap->lock));
	return heap_find(heap, id, &place);
}

void heap_push(struct heap *heap, uint32_t id, uint32_t tag, uint64_t key)
{
	CHECK(lock_held(&heap->lock));
	CHECK(id < heap->capacity);
	EXPENSIVE(!heap_contains(heap, id));
	struct heap_entry entry = { .key = key, .id = id, .tag = tag };
	uint32_t length = heap_length_of(heap);
	if (length == heap->capacity)
		return; /* full without this id: damage, which a rebuild mends */
	heap_set_length(heap, length + 1);
	if (length > 0 && heap_at(heap, length - 1)->key < key)
		sh_poke(&heap->shm->in_order, 0, "in_order, pushed");
	struct tree tree = heap_tree_of(heap);
	if (sh_peek(&heap->shm->in_order))
		heap_put(&tree, length, entry);
	else
		heap_sift_up(&tree, length, entry);
}

bool heap_peek(const struct heap *heap, struct heap_entry *ret)
{
	CHECK(lock_held(&heap->lock));
	if (heap_length_of(heap) == 0)
		return false;
	*ret = *heap_at(heap, 0);
	return true;
}

/* The first entry of a queue leaves at the front; otherwise the last entry fills the hole. */
static void heap_close_hole(struct heap *heap, uint32_t hole)
{
	uint32_t length = heap_length_of(heap) - 1;
	if (hole == 0 && sh_peek(&heap->shm->in_order)) {
		sh_poke(&heap->shm->first,
		    heap_slot_of(heap_first_of(heap->shm, heap->capacity), heap->capacity, 1),
		    "first, popped");
		heap_set_length(heap, length);
		return;
	}
	struct heap_entry last = *heap_at(heap, length);
	heap_set_length(heap, length);
	if (hole == length)
		return;
	sh_poke(&heap->shm->in_order, 0, "in_order, hole filled");
	heap_settle(heap, hole, length, last);
}

bool heap_pop(struct heap *heap, struct heap_entry *ret)
{
	struct heap_entry top;
	while (heap_peek(heap, &top)) {
		heap_close_hole(heap, 0);
		if (top.id <
		    heap->capacity) { /* a wild id comes from a stray write, not from the caller */
			*ret = top;
			return true;
		}
	}
	return false;
}

bool heap_remove(struct heap *heap, uint32_t id)
{
	uint32_t place;
	CHECK(lock_held(&heap->lock));
	if (!heap_find(heap, id, &place))
		return false;
	heap_close_hole(heap, place);
	return true;
}

void heap_update(struct heap *heap, uint32_t id, uint64_t key)
{
	uint32_t place;
	CHECK(lock_held(&heap->lock));
	if (!heap_find(heap, id, &place)) {
		heap_push(heap, id, 0, key);
		return;
	}
	struct heap_entry entry = *heap_at(heap, place);
	entry.key = key;
	sh_poke(&heap->shm->in_order, 0, "in_order, updated");
	heap_settle(heap, place, heap_length_of(heap), entry);
}

void heap_rebuild(struct heap *heap)
{
	CHECK(lock_held(&heap->lock));
	heap_set_length(heap, 0);
	heap->refill(heap->context, heap);
}

uint32_t heap_length(const struct heap *heap)
{
	return heap_length_of(heap);
}

struct heap_entry heap_entry_at(const struct heap *heap, uint32_t i)
{
	return *heap_at(heap, i < heap->capacity ? i : 0);
}

const char *heap_check(const struct heap_shm *shm, uint32_t capacity)
{
	const uint32_t *position = (const uint32_t *)(const void *)&shm->entry[capacity];
	if (shm->capacity != capacity)
		return "heap: its capacity is not the one it was attached with";
	if (sh_peek(&shm->length) > capacity)
		return "heap: longer than its capacity";
	uint32_t first = sh_peek(&shm->first);
	if (capacity && first >= capacity)
		return "heap: it begins behind its capacity";
	for (uint32_t place = 0; place < sh_peek(&shm->length); place++) {
		uint32_t slot = heap_slot_of(first, capacity, place);
		uint32_t parent = sh_peek(&shm->in_order) ? place - 1 : heap_parent_of(place);
		const struct heap_entry *entry = &shm->entry[slot];
		if (entry->id >= capacity)
			return "heap: an entry's id is out of range";
		if (position[entry->id] != slot) /* also finds an id that is in twice */
			return "heap: an entry is not where its position says";
		if (place > 0 && shm->entry[heap_slot_of(first, capacity, parent)].key < entry->key)
			return "heap: an entry is larger than its parent";
	}
	return NULL;
}
