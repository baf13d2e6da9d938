#include "shm/ring.h"

#include "base/check.h"

/* The top bit of an entry at this position. A zeroed place must look empty in lap 0, hence the not;
 * in lap 1 every place has been filled once, with the other parity. */
static uint64_t ring_lap_bit(const struct ring *ring, uint32_t position)
{
	return position & ring->size ? 0 : RING_LAP;
}

static shared64 *ring_place_of(const struct ring *ring, uint32_t position)
{
	return &ring->shm->place[position & (ring->size - 1)];
}

uint32_t ring_push(struct ring *ring, const uint64_t *hints, uint32_t n)
{
	uint32_t tail = sh_peek(&ring->shm->tail);
	uint32_t take;
	do {
		uint32_t used = tail - sh_load(&ring->shm->head);
		if (used >= ring->size)
			return 0;
		take = ring->size - used < n ? ring->size - used : n;
	} while (!sh_cas(&ring->shm->tail, &tail, tail + take, "tail, pushed"));

	for (uint32_t i = 0; i < take; i++)
		sh_store(ring_place_of(ring, tail + i), hints[i] | ring_lap_bit(ring, tail + i),
		    "place, pushed");
	return take;
}

uint32_t ring_look(const struct ring *ring, uint64_t *ret_hints, uint32_t max)
{
	uint32_t head = sh_peek(&ring->shm->head);
	uint32_t n = 0;
	while (n < max) {
		uint64_t entry = sh_load(ring_place_of(ring, head + n));
		if ((entry & RING_LAP) != ring_lap_bit(ring, head + n))
			break;
		ret_hints[n++] = entry & ~RING_LAP;
	}
	return n;
}

void ring_done(struct ring *ring, uint32_t n)
{
	if (n)
		sh_store(&ring->shm->head, sh_peek(&ring->shm->head) + n, "head, read");
}

uint32_t ring_pop(struct ring *ring, uint64_t *ret_hints, uint32_t max)
{
	uint32_t n = ring_look(ring, ret_hints, max);
	ring_done(ring, n);
	return n;
}

bool ring_ready(const struct ring *ring)
{
	uint32_t head = sh_peek(&ring->shm->head);
	uint64_t entry = sh_load(ring_place_of(ring, head));
	return (entry & RING_LAP) == ring_lap_bit(ring, head);
}

uint32_t ring_position(const struct ring *ring)
{
	return sh_load(&ring->shm->head);
}

uint32_t ring_end(const struct ring *ring)
{
	return sh_load(&ring->shm->tail);
}

uint32_t ring_used(const struct ring *ring)
{
	uint32_t used = sh_load(&ring->shm->tail) - sh_load(&ring->shm->head);
	return used > ring->size ? ring->size : used;
}

void ring_fill_holes(struct ring *ring, uint64_t hint)
{
	uint32_t tail = sh_load(&ring->shm->tail);
	uint32_t head = sh_load(&ring->shm->head);
	if (tail - head > ring->size)
		return; /* no ring any more; ring_check() says so */
	for (uint32_t p = head; p != tail; p++) {
		uint64_t entry = sh_load(ring_place_of(ring, p));
		/* By CAS: a producer that lives after all, and fills the place just now, wins. */
		if ((entry & RING_LAP) != ring_lap_bit(ring, p))
			sh_cas(ring_place_of(ring, p), &entry, hint | ring_lap_bit(ring, p),
			    "place, hole filled");
	}
}

void ring_reset(struct ring *ring)
{
	/* Places first: a reset cut short is unfinished, and the next reset does it again. */
	for (uint32_t i = 0; i < ring->size; i++)
		if (sh_peek(
			&ring->shm->place[i])) /* most were never used: leave those pages alone */
			sh_poke(&ring->shm->place[i], 0, "place, reset");
	sh_store(&ring->shm->head, 0, "head, reset");
	sh_store(&ring->shm->tail, 0, "tail, reset");
}

const char *ring_check(const struct ring *ring)
{
	uint32_t used = sh_load(&ring->shm->tail) - sh_load(&ring->shm->head);
	return used > ring->size ? "ring: more entries than places" : NULL;
}
