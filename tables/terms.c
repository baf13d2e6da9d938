#include "tables/terms.h"

#include <errno.h>
#include <string.h>

#include "base/why.h"

static uint32_t terms_given(const struct terms_shm *shm)
{
	uint32_t n = sh_load(&shm->given);
	return n < TERMS_MAX ? n : TERMS_MAX;
}

const struct terms *terms_at(const struct terms_shm *shm, uint32_t number)
{
	return number > 0 && number <= terms_given(shm) ? &shm->entry[number - 1] : NULL;
}

static uint32_t terms_find(const struct terms_shm *shm, const struct terms *terms)
{
	for (uint32_t i = 0; i < terms_given(shm); i++)
		if (memcmp(&shm->entry[i], terms, sizeof *terms) == 0)
			return i + 1;
	return 0;
}

static int terms_append(struct terms_shm *shm, const struct terms *terms, uint32_t *ret)
{
	uint32_t n = terms_given(shm);
	*ret = terms_find(shm, terms); /* another client was faster */
	if (*ret)
		return 0;
	if (n == TERMS_MAX)
		return why(-ENOSPC,
		    "since boot, tasks have asked for %d different combinations of "
		    "needs, limits and pauses, which is the most a runtime can hold: use fewer "
		    "different ones, or restart it",
		    TERMS_MAX);
	shm->entry[n] = *terms;
	sh_store(&shm->given, n + 1); /* the commit */
	*ret = n + 1;
	return 0;
}

int terms_number(struct terms_shm *shm, struct lock *lock, const struct terms *terms, uint32_t *ret)
{
	*ret = terms_find(shm, terms);
	if (*ret)
		return 0;
	int r = lock_acquire(lock);
	if (r < 0)
		return r;
	r = terms_append(shm, terms, ret);
	lock_release(lock);
	return r;
}
