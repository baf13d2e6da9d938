/* gauge.h - the file that the tasks of mod_gauge.c and their test share.
 * Where: a mapped file. */
#ifndef PLM_TEST_GAUGE_H
#define PLM_TEST_GAUGE_H

#include <stdatomic.h>
#include <stdint.h>

struct gauge {
	_Atomic int64_t now, most; /* W: tasks */
	_Atomic int64_t open;      /* W: the test. Not 0: the standing tasks may end. */
};

#endif
