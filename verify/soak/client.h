/* client.h - the load: processes that ask for work, look at what comes, and write down both.
 *
 * One speaks libplm, the other plmctl. Both go on until the meeting is over, then look at all they
 * hold, let go of it and end with 0; they may be killed at any moment.
 * Where: a process each, forked by who runs the soak; the meeting is memory all of them share. */
#ifndef PLM_SOAK_CLIENT_H
#define PLM_SOAK_CLIENT_H

#include <stdatomic.h>
#include <stdbool.h>

#include "client/plm.h"
#include "verify/soak/soak_history.h"
#include "tests/support/program_runtime.h"

enum { BOXES = 4, OBJECT_BYTES_MAX = 64 << 20 };

/* A future on its way from one client to another. Its word says how far it is, and whose it is: who
 * gives holds it until the word is another one. */
struct box {
	_Atomic uint64_t word; /* box_word(); 0: empty */
	uint64_t task, digest; /* W: who fills it */
	plm_ref ref;           /* W: who fills it */
};

enum box_phase { BOX_EMPTY, BOX_FILLING, BOX_FULL, BOX_TAKING };

struct meeting {
	_Atomic bool over;
	struct box box[BOXES];
};

struct attendance { /* a client's place in it */
	const struct runtime *rt;
	const char *history; /* directory */
	const char *program; /* this one, as a command */
	struct meeting *meeting;
	uint32_t slot, life;
	uint64_t random;
};

_Noreturn void client_run(const struct attendance *a);
_Noreturn void caller_run(const struct attendance *a);

/* After the death of a client: its boxes are empty again. */
void meeting_forget(struct meeting *meeting, uint32_t slot, uint32_t life);

/* The command that callers submit: arguments TASK SEED LENGTH CODE MS. Its exit code. */
int command_run(char *const *arguments);

static inline uint64_t box_word(uint64_t task, uint32_t slot, enum box_phase phase)
{
	return task << 8 | slot << 2 | phase;
}

static inline enum box_phase box_phase(uint64_t word)
{
	return (enum box_phase)(word & 3);
}

/* Up to 2 to the power of bits, small ones as often as large ones. */
uint64_t random_size(uint64_t *random, unsigned bits);

#endif
