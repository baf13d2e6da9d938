/* args.h - the argument block of a task: bytes and futures in any mixture.
 *
 * Where: inline in the record if small, else an extent of the store named by the record.
 * Who may call: the submitter writes, before the task is visible; afterwards only the `next` links
 * of futures change (edges.h). Readers (worker, scheduler) trust nothing: each word is read once
 *and checked against the block. Death: the block belongs to the record.  Blocks: never.
 *
 *	u32 descriptor[nargs]     length of the bytes, or ARG_FUTURE + enum arg_condition
 *	(to a multiple of 8)
 *	payloads, each to a multiple of 8: the bytes, or struct arg_future  */
#ifndef PLM_ARGS_H
#define PLM_ARGS_H

#include "tables/tables.h"

#define ARG_FUTURE ((uint32_t)1 << 31)
#define ARG_BYTES_MAX ((uint64_t)ARG_FUTURE - 1)

/* What a future has to come to before its task may run. Any other end of a task dooms ARG_VALUE,
 * and ends ARG_AFTER_FAILED as not needed. The values of the last two are never read. */
enum arg_condition {
	ARG_VALUE,        /* DONE */
	ARG_AFTER_ANY,    /* settled in any way */
	ARG_AFTER_FAILED, /* FAILED or CANCELLED */
	ARG_CONDITIONS
};

struct arg_future {
	uint64_t ref;
	shared64 next; /* W: under the graph's lock. Next edge to the same record. */
};

struct arg {
	const void *data; /* of bytes */
	uint64_t length;
	struct arg_future *future;    /* NULL: bytes */
	enum arg_condition condition; /* of a future */
	uint32_t offset;              /* of the payload in the block */
};

struct args_reader {
	unsigned char *block;
	uint64_t bytes, at;
	uint32_t nargs, next;
};

/* Where the arguments of r stand, writable. False if the record makes no sense. */
bool args_open(const struct tables *t, struct record *r, struct args_reader *ret);
/* The next argument; false after the last, or where the block makes no sense. */
bool args_next(struct args_reader *reader, struct arg *ret);
/* Does a record in this state meet the condition? An unsettled record meets none. */
bool arg_met(enum arg_condition condition, enum record_state state);
/* The future at a payload offset of r's block; NULL if impossible. */
struct arg_future *args_future_at(const struct tables *t, struct record *r, uint32_t offset);

/* Writing: begin with a block of args_bytes(), then one call an argument, in order. */
struct args_writer {
	unsigned char *block;
	uint64_t at;
	uint32_t next;
};
static inline uint64_t args_round(uint64_t n)
{
	return (n + 7) & ~(uint64_t)7;
}
static inline uint64_t args_header_bytes(uint32_t nargs)
{
	return args_round((uint64_t)nargs * sizeof(uint32_t));
}
void args_begin(struct args_writer *writer, void *block, uint32_t nargs);
void args_add_bytes(struct args_writer *writer, const void *data, uint64_t length);
void args_add_future(struct args_writer *writer, uint64_t ref, enum arg_condition condition);

#endif
