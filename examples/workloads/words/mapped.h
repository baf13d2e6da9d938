/* mapped.h - the result of a map task: words of a chunk, parted for the reduce tasks.
 *
 * Layout: partitions + 1 offsets in bytes, then the entries of partition 0, 1, ... An entry is a
 * struct mapped_word, the letters, zeros up to a multiple of 8, and, of an index, the postings. A
 * reduce task reads its part in the results of all map tasks, in place: the shuffle moves nothing.
 */
#ifndef WORDS_MAPPED_H
#define WORDS_MAPPED_H

#include <stdint.h>

struct map_order { /* the first argument of a map task; a reduce task: number of the partition */
	uint32_t partitions, partition;
	uint32_t index;          /* 1: with postings */
	uint32_t first_document; /* the number of the first line: lines of all chunks count on */
};

struct mapped_word {
	uint64_t count;
	uint32_t bytes, postings;
};

#endif
