/* race.h - the file that mod_race.c and the test of replicas share.
 * Where: a mapped file. */
#ifndef PLM_TEST_RACE_H
#define PLM_TEST_RACE_H

#include <stdatomic.h>
#include <stdint.h>

enum { RACE_MAX = 64 };

struct race {
	_Atomic uint32_t begun;     /* replicas that have begun */
	_Atomic uint32_t cancelled; /* the straggler ended */
	uint32_t wanted;            /* W: the test */
	int32_t pid[RACE_MAX];      /* by the order of begin */
};

#endif
