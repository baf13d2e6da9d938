/* call.h - one run of one task: what a function sees of it (plm.h, "inside a task"), and what it
 * left.
 * Where: the worker's stack.  Death: the record and its extents are the scheduler's to clean. */
#ifndef PLM_CALL_H
#define PLM_CALL_H

#include "client/handle.h"
#include "tables/args.h"

enum { CALL_ARGS_HERE = 16, CALL_MESSAGE_BYTES = 512 };

struct call_arg {
	const void *data;
	uint64_t length;
};

struct plm_call {
	struct plm *rt;
	struct record *record;
	uint64_t word;         /* RUNNING, with our attempt */
	struct call_arg *args; /* here[], or allocated */
	struct call_arg here[CALL_ARGS_HERE];
	size_t nargs;
	struct plm_call *outer; /* the task that waits while this one runs in its place */
	uint64_t memory_peak;   /* of a command, as it was seen */
	unsigned keeps_part;    /* this result outlives a failure; 0: none does */
	int code;
	char message[CALL_MESSAGE_BYTES];
};

/* All but the arguments; here[] stays as it lies: a kilobyte is not cleared for each task. */
void call_begin(struct plm_call *call, struct plm *rt, struct record *record, uint64_t word);
/* Finds the arguments. 0, or -errno with a why: an argument failed to be what it should. */
int call_open(struct plm_call *call);
void call_close(struct plm_call *call);

/* Of a task of several replicas: its result is a copy of the first argument that is done. */
bool call_takes_first(const struct plm_call *call);
void call_take_first(struct plm_call *call);

/* As plm_result_at(), in *ret, with a deadline of its own; 0: it does not wait. 0, or -errno with a
 * why. While it waits, the process slot says so. */
int call_result(
    struct plm_call *call, unsigned which, size_t len, uint64_t deadline_ns, void **ret);

/* Gives back every extent the attempt allocated for results. */
void call_discard_results(struct plm_call *call);

#endif
