/* text.c - a text without an end: lines of words by Zipf's law. */
#include "text.h"

#include <string.h>

enum { WORD_BYTES = 12 };

/* A word of the vocabulary, from syllables: every number has another spelling. */
static size_t spell(uint32_t number, char ret[WORD_BYTES])
{
	static const char consonants[] = "bdfghklmnprstvwz", vowels[] = "aeiou";
	size_t n = 0;
	do {
		ret[n++] = consonants[number % 16];
		number /= 16;
		ret[n++] = vowels[number % 5];
		number /= 5;
	} while (number > 0);
	return n;
}

static uint64_t next(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

/* sum[k]: the weight of the words up to k. Made at the first use in a process. */
static const double *sums(void)
{
	static double sum[TEXT_VOCABULARY];
	if (sum[0] == 0)
		for (uint32_t k = 0; k < TEXT_VOCABULARY; k++)
			sum[k] = (k ? sum[k - 1] : 0) + 1.0 / (k + 1);
	return sum;
}

static uint32_t draw(uint64_t *state)
{
	const double *sum = sums();
	double at = (double)(next(state) >> 11) / 9007199254740992.0 * sum[TEXT_VOCABULARY - 1];
	uint32_t low = 0, high = TEXT_VOCABULARY - 1;
	while (low < high) {
		uint32_t middle = (low + high) / 2;
		if (sum[middle] > at)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

void text_make(const struct text_order *order, char *ret)
{
	uint64_t state = order->seed * UINT64_C(0x9e3779b97f4a7c15) ^
	    (order->chunk + 1) * UINT64_C(0xd1342543de82ef95);
	size_t at = 0, words = 0;
	while (at + 1 < order->bytes) {
		char word[WORD_BYTES] = "hot";
		size_t n = next(&state) % 1000 < order->skew ? 3 : spell(draw(&state), word);
		if (at + n + 1 > order->bytes)
			break;
		memcpy(ret + at, word, n);
		at += n;
		ret[at++] = ++words % TEXT_LINE_WORDS ? ' ' : '\n';
	}
	memset(ret + at, ' ', order->bytes - at);
	ret[order->bytes - 1] = '\n';
}

/* Unrolled: a loop of four instructions is half as fast where it lies across two cache lines, so
 * its speed would be a matter of luck, and another in the module than in the client. */
uint64_t text_letters(const char *text, size_t bytes)
{
	static const uint64_t is_letter[256] = {
		['a'] = 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1
	};
	uint64_t count = 0;
#pragma GCC unroll 8
	for (size_t i = 0; i < bytes; i++)
		count += is_letter[(unsigned char)text[i]];
	return count;
}
