#include "cli/map/map_kept.h"

#include <string.h>
#include <sys/random.h>

struct extent {
	size_t begin, length;
};

void kept_add(struct kept *k, const char *values, size_t length)
{
	const struct extent extent = { k->values.length, length };
	text_add(&k->values, values, length);
	text_add(&k->begins, &extent, sizeof extent);
	k->rows++;
}

static struct extent *kept_extents(const struct kept *k)
{
	return (struct extent *)(void *)k->begins.data;
}

bool kept_next(struct kept *k, struct row *ret)
{
	ret->values.length = ret->count = 0;
	if (k->at == k->rows)
		return false;
	struct extent e = kept_extents(k)[k->at++];
	text_add(&ret->values, k->values.data + e.begin, e.length);
	for (size_t i = 0; i < e.length; i++)
		ret->count += ret->values.data[i] == 0;
	return true;
}

void kept_shuffle(struct kept *k)
{
	struct extent *e = kept_extents(k);
	for (size_t left = k->rows - k->at; left > 1; left--) {
		uint64_t random = 0;
		if (getrandom(&random, sizeof random, 0) < 0)
			return;
		size_t chosen = k->at + (size_t)(random % left), last = k->at + left - 1;
		struct extent swap = e[chosen];
		e[chosen] = e[last];
		e[last] = swap;
	}
}

void kept_free(struct kept *k)
{
	text_free(&k->values);
	text_free(&k->begins);
	*k = (struct kept){ .rows = 0 };
}
