#include "tests/support/places.h"

#ifdef PLM_STEPS

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/check.h"
#include "tests/support/label.h"

enum { REPEATS_MAX = 8 };

struct places {
	unsigned *died;  /* of each step: at so many visits, from the first on; shared */
	unsigned *comes; /* of each step: the visits of this process */
	const struct step *last;
	const void *last_at;
	unsigned repeats;
};

static size_t places_bytes(void)
{
	return (size_t)(__stop_steps - __start_steps) * sizeof(unsigned);
}

static unsigned *places_map(int sharing)
{
	void *memory =
	    mmap(NULL, places_bytes(), PROT_READ | PROT_WRITE, sharing | MAP_ANONYMOUS, -1, 0);
	CHECK(memory != MAP_FAILED);
	return memory;
}

struct places *places_open(void)
{
	struct places *places = malloc(sizeof *places);
	CHECK(places);
	*places =
	    (struct places){ .died = places_map(MAP_SHARED), .comes = places_map(MAP_PRIVATE) };
	return places;
}

void places_forget(struct places *places)
{
	memset(places->died, 0, places_bytes());
}

static bool places_is_wait(struct places *places, const struct step *step, const void *at)
{
	bool again = step == places->last && at == places->last_at;
	places->repeats = again ? places->repeats + 1 : 0;
	places->last = step;
	places->last_at = at;
	return places->repeats > REPEATS_MAX;
}

bool places_is_new(struct places *places, const struct step *step, const void *at)
{
	size_t i = (size_t)(step - __start_steps);
	if (places_is_wait(places, step, at))
		return false;
	if (++places->comes[i] <= places->died[i])
		return false;
	places->died[i] = places->comes[i];
	return true;
}

#else
typedef int no_place_is_a_step; /* as in shm/steps.c */
#endif
