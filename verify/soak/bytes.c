#include "verify/soak/bytes.h"

#include <string.h>

#define FACTOR UINT64_C(0x9e3779b97f4a7c15)

static uint64_t bytes_mixed(uint64_t hash, uint64_t word)
{
	hash = (hash ^ word) * FACTOR;
	return hash ^ hash >> 29;
}

/* Each word depends on its place, so a page in the place of another page is noticed. */
void bytes_fill(void *data, size_t length, uint64_t seed)
{
	unsigned char *at = data;
	uint64_t word = bytes_mixed(seed, length);
	for (; length >= sizeof word; length -= sizeof word, at += sizeof word) {
		word = word * FACTOR + 1;
		memcpy(at, &word, sizeof word);
	}
	word = bytes_mixed(word, seed);
	if (length)
		memcpy(at, &word, length);
}

uint64_t bytes_digest(const void *data, size_t length)
{
	const unsigned char *at = data;
	uint64_t hash = length, word = 0;
	for (; length >= sizeof word; length -= sizeof word, at += sizeof word) {
		memcpy(&word, at, sizeof word);
		hash = bytes_mixed(hash, word);
	}
	word = 0;
	if (length)
		memcpy(&word, at, length);
	return bytes_mixed(hash, word);
}

uint64_t bytes_with(uint64_t seed, uint64_t digest)
{
	return bytes_mixed(bytes_mixed(seed, digest), FACTOR);
}
