/* deaths.h - kills members of a runtime of real processes, and checks the state after the kills.
 *
 * Every error fails the test (ck_abort). Random choices come from the state of the caller
 * (random_next), so a seed repeats them. */
#ifndef PLM_TEST_DEATHS_H
#define PLM_TEST_DEATHS_H

#include "client/handle.h"
#include "tests/support/program_runtime.h"

enum { PATIENT_MS = 60000 }; /* the manager replaces a scheduler that dies young after seconds */

/* A living member of this kind, as the process table says; NULL: none lives now. */
const struct process *pick_member(plm *handle, enum process_kind kind, uint64_t *random);
/* SIGKILL; false: the member was gone already. */
bool kill_member(const struct runtime *rt, const struct process *member);

/* Waits until `settled` of the n tasks are settled; at the deadline prints workers and tasks. */
void expect_settled(
    const struct runtime *rt, plm *handle, const plm_ref *refs, size_t n, size_t settled);

/* Polls a condition for which no event is posted. */
void until(bool (*done)(void *context), void *context, const char *what);
bool comes_to(bool (*done)(void *context), void *context); /* false at the deadline */

/* A task is accepted, run and answered, though so many workers may die under the task. */
void expect_alive(plm *handle, unsigned crash_retries);

/* No record has a value, no byte of the store is used, and plmdump finds every structure sound. */
void expect_nothing_left(const struct runtime *rt, plm *handle);
/* The same; false: something is left, and was printed. */
bool nothing_left(const struct runtime *rt, plm *handle);

#endif
