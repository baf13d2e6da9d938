/* recording_format.h - the bytes of a recording, shared by writer and reader. */
#ifndef PLM_RECORDING_FORMAT_H
#define PLM_RECORDING_FORMAT_H

#include <stdint.h>

/* The byte before the newline is the version: another layout gets another number. */
#define RECORDING_MAGIC "plmrec\001\n"

enum {
	RECORDING_MAGIC_BYTES = 8,
	BLOCK_MAGIC = 0x6b6c6270, /* "pblk" */
	BLOCK_HEAD_WORDS = 3,     /* magic, bytes, CRC-32, each 4 bytes, little endian */
	BLOCK_BYTES = 1 << 16,    /* of a payload, at most */
	ITEM_BYTES = 256,         /* of the longest item, with the name of its function */
	BLOCK_FUNCTIONS = 512,    /* function numbers whose names a block remembers */
};

enum { /* the byte before an item; events have their own numbers, 1 to 99 */
	TAG_EVENTS_MAX = 99,
	TAG_HEAD = 100,
	TAG_FUNCTION,
	TAG_PROCESS,
	TAG_SAMPLE,
	TAG_LOST,
	TAG_END,
};

enum { /* the byte behind the tag of an event */
	EVENT_HAS_WORKER = 1,
	EVENT_HAS_FUNCTION = 2,
	EVENT_HAS_REF = 4,
	EVENT_SAME_REF = 8, /* as the event before, in this block */
	EVENT_HAS_OTHER = 16,
	EVENT_HAS_ARGUMENT = 32,
	EVENT_HAS_ATTEMPT = 64,
	EVENT_HAS_PROCESS = 128,
};

static inline uint64_t zigzag(int64_t number)
{
	return (uint64_t)number << 1 ^ (uint64_t)(number >> 63);
}

static inline int64_t zagzig(uint64_t number)
{
	return (int64_t)(number >> 1) ^ -(int64_t)(number & 1);
}

#endif
