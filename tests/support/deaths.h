/* deaths.h - killing members of a runtime of real processes, and what must be left after it all.
 *
 * Everything here fails the test (ck_abort) when it goes wrong. What is random comes from the
 * caller's state (random_next), so that its seed repeats the choices. */
#ifndef PLM_TEST_DEATHS_H
#define PLM_TEST_DEATHS_H

#include "client/handle.h"
#include "tests/support/program_runtime.h"

enum { PATIENT_MS = 60000 }; /* a scheduler that dies young is replaced after seconds */

/* A living member of this kind, in the runtime's own table; NULL when there is none just now. */
const struct process *pick_member(plm *handle, enum process_kind kind, uint64_t *random);
/* SIGKILL; false: it was gone already. */
bool kill_member(const struct runtime *rt, const struct process *member);

/* Waits until `settled` of the n are; when that does not come, says what workers and tasks do. */
void expect_settled(
    const struct runtime *rt, plm *handle, const plm_ref *refs, size_t n, size_t settled);

/* Looks again and again: for what nobody posts an event about. */
void until(bool (*done)(void *context), void *context, const char *what);
bool comes_to(bool (*done)(void *context), void *context); /* false at the deadline */

/* A task is taken, run and answered; so many of its workers may die meanwhile. */
void expect_alive(plm *handle, unsigned crash_retries);

/* No record with a value, no byte of the store in use, and plmdump finds every structure sound. */
void expect_nothing_left(const struct runtime *rt, plm *handle);
/* False: something is, and what it is was printed. */
bool nothing_left(const struct runtime *rt, plm *handle);

#endif
