/* client.h - the load: processes that submit work, check the results, and write both to the
 * history.
 *
 * One kind of client calls libplm, the other kind calls plmctl. Both kinds go on until the
 * meeting is over, then check all futures they hold, drop them and exit with 0. Both may be
 * killed at any moment. Where: one process for each client, forked by the soak; all of them
 * share the meeting's memory. */
#ifndef PLM_SOAK_CLIENT_H
#define PLM_SOAK_CLIENT_H

#include <stdatomic.h>
#include <stdbool.h>

#include "client/plm.h"
#include "verify/soak/soak_history.h"
#include "tests/support/program_runtime.h"

enum { BOXES = 4, OBJECT_BYTES_MAX = 64 << 20 };

/* A future on the way from one client to another. The box's word says how far the transfer is
 * and which client owns the box; the giver keeps a hold until the word changes. */
struct box {
	_Atomic uint64_t word; /* box_word(); 0: empty */
	uint64_t task, digest; /* W: the giver */
	plm_ref ref;           /* W: the giver */
};

enum box_phase { BOX_EMPTY, BOX_FILLING, BOX_FULL, BOX_TAKING };

struct meeting {
	_Atomic bool over;
	struct box box[BOXES];
};

struct attendance { /* a client's place in the meeting */
	const struct runtime *rt;
	const char *history; /* directory */
	const char *program; /* the path of this program, to be submitted as a command */
	struct meeting *meeting;
	uint32_t slot, life;
	uint64_t random;
};

_Noreturn void client_run(const struct attendance *a);
_Noreturn void caller_run(const struct attendance *a);

/* After the death of a client: empties the client's boxes. */
void meeting_forget(struct meeting *meeting, uint32_t slot, uint32_t life);

/* The command that callers submit: arguments TASK SEED LENGTH CODE MS. Returns the exit code. */
int command_run(char *const *arguments);

static inline uint64_t box_word(uint64_t task, uint32_t slot, enum box_phase phase)
{
	return task << 8 | slot << 2 | phase;
}

static inline enum box_phase box_phase(uint64_t word)
{
	return (enum box_phase)(word & 3);
}

/* Up to 2 to the power of `bits`; small sizes are as frequent as large sizes. */
uint64_t random_size(uint64_t *random, unsigned bits);

#endif
