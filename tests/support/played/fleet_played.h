/* fleet_played.h - a fleet whose users and hosts the test plays, through the verbs of the engine
 * and a real Redis. Two members, anna and bert, speak over one handle. */
#ifndef PLM_TEST_FLEET_PLAYED_H
#define PLM_TEST_FLEET_PLAYED_H

#include <check.h>

#include "base/why.h"
#include "fleet/engine.h"

enum { PLAYED_MOST = ENGINE_ADD_MOST, PLAYED_ANSWER_MS = 5000, PLAYED_LEASE_MS = 1000 };

extern struct played {
	struct engine *user, *host;
	int64_t ids[PLAYED_MOST];                /* of the last played_add() */
	struct engine_claim claims[PLAYED_MOST]; /* of the last played_claim() */
	uint8_t taken[PLAYED_MOST];              /* of the last commit */
	bool idle;                               /* of the last commit */
	struct engine_room room;                 /* said with claims and commits */
} played;

extern const struct engine_facts played_facts;

#define GOOD(call)                                                           \
	do {                                                                 \
		int r_ = (call);                                             \
		ck_assert_msg(r_ >= 0, "%s: %d, %s", #call, r_, why_text()); \
	} while (0)

void played_begin(void);
void played_end(void);
/* n tasks, whose words and titles tell their numbers. */
void played_add(size_t n, struct engine_task like);
enum engine_state played_state_of(size_t i);
void played_value_is(size_t i, const char *expected);
struct engine_status played_counts(void);
/* One verb about task i. */
int8_t played_one(int (*act)(struct engine *, const uint64_t *, size_t, int8_t *), size_t i);
/* Claims, and compares the words of the tasks. */
unsigned played_claim_of(const char *member, unsigned n, const char *needs);
unsigned played_claim(const char *member, unsigned n);
/* The end of a claim, with a value that tells the number of the task. */
struct engine_end played_end_of(const struct engine_claim *c, enum engine_ending kind);
/* Ends n claims, last first, as the bridge does. Returns how many were accepted. */
unsigned played_commit(
    const char *member, const struct engine_claim *c, size_t n, enum engine_ending kind);
/* Hears until n tasks have ended; each once. */
size_t played_hear(size_t n, bool with_values);

#endif
