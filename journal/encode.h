/* encode.h - the arguments of a task as bytes that outlive the segments.
 *
 * An argument is a letter and then: bytes (b), the number of a blob (s), or a task of this journal
 * and the number of a result (t), or only the order after the task (a, f: enum arg_condition). Long
 * bytes, an environment for instance, may occur in many tasks, so they are stored once, as a blob
 * found by a hash and confirmed by comparison. A settled future is encoded as a value. Where: the
 * journal.  Blocks: on the disk.  Errors: -errno with a why. */
#ifndef PLM_JOURNAL_ENCODE_H
#define PLM_JOURNAL_ENCODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct journal;
struct record;
struct command_after;

enum {
	VALUE_BYTES_MAX = 1 << 20, /* of a value among arguments, to be kept in the journal */
	SHARED_BYTES_MIN = 256,    /* shorter bytes are not worth a search for an equal blob */
	SHARED_TASKS = 65536,      /* blobs of older tasks are not shared any more */
	OBJECTS_KNOWN = 1024,
};

struct object { /* a stored value */
	uint64_t ref;
	uint64_t blob, task; /* task: stored first for this task */
};

struct encoding { /* grows */
	unsigned char *bytes;
	size_t length, room;
	const char *undurable; /* why an argument could not be kept; NULL: all are kept */
	char undurable_text[160];
};

/* The caller's hold keeps the record. 0 or -errno. */
int encode_args(struct journal *j, struct record *r, uint64_t id, struct encoding *ret);
/* ref: the object with the value; 0: none. A known object is not even read. */
int encode_value(struct journal *j, uint64_t ref, const void *data, size_t length, uint64_t id,
    uint64_t *ret_blob);
/* The end of a task in words, for a command (tables/command_block.h); returns its length. */
enum { END_TEXT_BYTES = 80 };
size_t encode_end(const struct command_after *end, char ret[END_TEXT_BYTES]);
int64_t encode_sum(const void *data, size_t length);

enum argument_kind {
	ARGUMENT_BYTES = 'b',
	ARGUMENT_SHARED = 's',
	ARGUMENT_TASK = 't',
	ARGUMENT_AFTER_ANY = 'a',
	ARGUMENT_AFTER_FAILED = 'f',
	ARGUMENT_LOST = 'x'
};
struct argument {
	enum argument_kind kind;
	const void *data; /* of BYTES */
	size_t length;
	uint64_t id;    /* of the blob, or the task */
	uint32_t which; /* number of the result */
};
/* Steps through arguments. False: at the end, or the bytes make no sense. */
bool encoding_next(const unsigned char *bytes, size_t length, size_t *at, struct argument *ret);

#endif
