/* call.h - one run of a task: what the function sees of the task (plm.h, "inside a task"), and what
 * the function left.
 * Where: the worker's stack.  Death: the scheduler cleans up the record and its extents. */
#ifndef PLM_CALL_H
#define PLM_CALL_H

#include "client/handle.h"
#include "tables/args.h"

enum { CALL_ARGS_HERE = 16, CALL_MESSAGE_BYTES = 512 };

struct call_arg {
	const void *data;
	uint64_t length;
	const struct record *future; /* NULL: bytes, or a future of which no value is wanted */
};

struct plm_call {
	struct plm *rt;
	struct record *record;
	uint64_t word;         /* RUNNING, with our attempt */
	struct call_arg *args; /* here[], or allocated */
	struct call_arg here[CALL_ARGS_HERE];
	size_t nargs;
	struct plm_call *outer; /* the waiting task in whose place our task runs */
	uint64_t started_ns;
	uint64_t future_bytes; /* of the values of futures among the arguments */
	uint64_t held_bytes;   /* of these, what clients held when the function had ended */
	uint64_t memory_peak;  /* of a command, as far as seen */
	unsigned keeps_part;   /* the number of a result which outlives a failure; 0: none */
	int code;
	uint32_t detail_bytes;
	void *detail; /* plm_fail_detail(), allocated; NULL: none */
	char message[CALL_MESSAGE_BYTES];
};

/* Fills all but the arguments; here[] stays as found: do not clear a kilobyte for each task. */
void call_begin(struct plm_call *call, struct plm *rt, struct record *record, uint64_t word);
/* Finds the arguments. 0, or -errno with a why naming the bad argument. */
int call_open(struct plm_call *call);
/* The function has ended: the arguments are gone for the call. */
void call_close(struct plm_call *call);
/* After the commit, and when the task fails for another reason than the function's. */
void call_drop_detail(struct plm_call *call);

/* A task of several replicas: the result is a copy of the first argument that is done. */
bool call_takes_first(const struct plm_call *call);
void call_take_first(struct plm_call *call);

/* As plm_result_at(), with the place in *ret and a deadline for room; 0: do not wait. 0, or -errno
 * with a why. The process slot shows the wait. */
int call_result(
    struct plm_call *call, unsigned which, size_t len, uint64_t deadline_ns, void **ret);

/* For the event log: a better name of the task than its function; the first 24 bytes count. */
void call_name(struct plm_call *call, const char *name, size_t length);

/* Gives back every extent the attempt allocated for results. */
void call_discard_results(struct plm_call *call);

#endif
