/* sweep.h - the kill sweep: SIGKILL ends an operation on shared memory at every point, and each
 * time a survivor must find, or make, a sound state.
 *
 * Where: an image, shared memory of `bytes` at one address in all processes of the sweep. With
 * bytes 0, setup() maps shared memory and regions() names the regions. How, for k = 0, 1, 2, ...
 * until the operation finishes: restore the start image; fork a victim that runs operate() and dies
 * at point k; fork a survivor, which has 5 s for recover() and judge(); any verdict but "sound"
 * fails. Points of the `steps` build: every shared step (shm/steps.h), at each visit (places.h).
 * The recovery of every distinct crash image is swept as well: killed at each step, recovered by
 * the next survivor. Points of every other build: machine instructions, by single-stepping, so code
 * of the compiler and libc is swept, too. A short operation dies at all instructions, a long
 * operation around each change of the image.
 *
 * Writing a sweep: setup() builds the start image in zeroed memory and may keep handles in static
 * variables, which victim and survivor inherit by fork. operate() and recover() leave all results
 * in the image. recover() does the work of the runtime after a death, and no more. judge() says why
 * the image is not sound: first by the checker of the structure, then because the truth is neither
 * as before the operation nor as after. judge() may change the image. A survivor that cannot go on
 * calls sweep_fail(). */
#ifndef PLM_SWEEP_H
#define PLM_SWEEP_H

#include <stdbool.h>
#include <stddef.h>

struct sweep_region {
	void *at;
	size_t bytes;
};

enum { SWEEP_REGIONS_MAX = 8 };

struct sweep_op {
	const char *name;
	size_t bytes;
	void (*setup)(void *image);
	void (*operate)(void *image);
	void (*recover)(void *image);
	const char *(*judge)(void *image);
	/* Called after setup(), if bytes is 0. */
	size_t (*regions)(struct sweep_region *ret);
	/* Or NULL. For state outside of memory, such as files: take() copies the state to a region
	 * before the image is saved; put() makes the state of the region after a restore. */
	void (*take)(void);
	void (*put)(void);
	bool steps_only; /* too long for single-stepping: hours */
};

/* Runs all operations, prints a line for each, returns the number of failures. Call first in
 * main(): the program starts again, without lazy binding and with fixed addresses. */
int sweep_run(const struct sweep_op *ops, size_t n);

/* For recover() and judge(): the victim died after operate() had returned. The caller knows that
 * the operation is done, so a truth as before is wrong. */
bool sweep_finished(void);

_Noreturn void sweep_fail(const char *reason);

#define SWEEP_REQUIRE(condition)                                        \
	do {                                                            \
		if (!(condition))                                       \
			sweep_fail("in the sweep itself: " #condition); \
	} while (0)

#endif
