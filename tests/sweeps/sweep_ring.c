/* sweep_ring.c - the ring of hints, killed at every step: no hint in the ring is lost, none
 * appears from nowhere except the filler of a hole; doubled hints are allowed (law 3). */
#include "shm/ring.h"
#include "tests/support/sweep.h"

enum { SIZE = 8, LAPS = 17, OLD = 3, NEW = 4, FILLER = 999 };

struct image {
	_Alignas(64) unsigned char memory[sizeof(struct ring_shm) + SIZE * sizeof(uint64_t)];
	shared32 reset_begun;
};

static struct ring ring;

static void push_some(uint64_t first, uint32_t n)
{
	uint64_t hints[SIZE];
	for (uint32_t i = 0; i < n; i++)
		hints[i] = first + i;
	SWEEP_REQUIRE(ring_push(&ring, hints, n) == n);
}

/* Some laps on, so that places hold entries of an older lap; hints 1, 2, 3 are in the ring. */
static void setup(void *memory)
{
	struct image *image = memory;
	uint64_t hint;
	ring = ring_at(image->memory, SIZE);
	for (uint32_t i = 0; i < LAPS; i++) {
		push_some(500 + i, 1);
		SWEEP_REQUIRE(ring_pop(&ring, &hint, 1) == 1);
	}
	push_some(1, OLD);
}

static void push(void *memory)
{
	(void)memory;
	push_some(1 + OLD, NEW);
}

static void pop(void *memory)
{
	uint64_t hints[2];
	(void)memory;
	SWEEP_REQUIRE(ring_pop(&ring, hints, 2) == 2);
}

static void fill(void *memory)
{
	(void)memory;
	ring_fill_holes(&ring, FILLER);
}

static void reset(void *memory)
{
	struct image *image = memory;
	sh_store(&image->reset_begun, 1);
	ring_reset(&ring);
}

/* The process that began a reset is dead: the scheduler sees the dead peer, and resets. */
static void reset_again(void *memory)
{
	struct image *image = memory;
	if (sh_load(&image->reset_begun))
		ring_reset(&ring);
}

static const char *judge_pushed(void *memory)
{
	uint64_t hints[SIZE];
	(void)memory;
	if (ring_check(&ring))
		return ring_check(&ring);
	uint32_t n = ring_pop(&ring, hints, SIZE), sure = sweep_finished() ? OLD + NEW : OLD;
	if (n != sure && n != OLD + NEW)
		return "a place was neither filled nor left alone";
	for (uint32_t i = 0; i < n; i++)
		if (hints[i] != 1 + i && !(i >= sure && hints[i] == FILLER))
			return "a hint was lost or changed";
	push_some(1, SIZE);
	return ring_pop(&ring, hints, SIZE) == SIZE ? NULL : "the ring no longer works";
}

static const char *judge_popped(void *memory)
{
	uint64_t hints[SIZE];
	(void)memory;
	uint32_t n = ring_pop(&ring, hints, SIZE);
	if ((n != OLD || sweep_finished()) && n != OLD - 2)
		return "the ring is neither as before nor as after";
	return hints[n - 1] == OLD ? ring_check(&ring) : "a hint was lost";
}

static const char *judge_reset(void *memory)
{
	struct image *image = memory;
	uint64_t hints[SIZE];
	uint32_t n = ring_pop(&ring, hints, SIZE);
	if (n != (sh_load(&image->reset_begun) ? 0 : OLD))
		return "the ring is neither as before nor empty";
	for (int lap = 0; lap < 3; lap++) {
		push_some(1, SIZE);
		if (ring_pop(&ring, hints, SIZE) != SIZE || hints[0] != 1)
			return "the ring no longer works";
	}
	return ring_check(&ring);
}

#define OP(what, act, mend, verdict)                                                         \
	{                                                                                    \
		.name = what, .bytes = sizeof(struct image), .setup = setup, .operate = act, \
		.recover = mend, .judge = verdict                                            \
	}

int main(void)
{
	static const struct sweep_op ops[] = {
		OP("ring push", push, fill, judge_pushed),
		OP("ring pop", pop, fill, judge_popped),
		OP("ring reset", reset, reset_again, judge_reset),
	};
	return sweep_run(ops, sizeof ops / sizeof ops[0]) ? 1 : 0;
}
