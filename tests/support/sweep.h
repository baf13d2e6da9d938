/* sweep.h - the kill sweep: an operation on shared memory is killed (SIGKILL) at every point, and
 * each time a survivor must find, or make, a sound state.
 *
 * Where: an image, shared memory of `bytes` at one address in all processes of the sweep; or, with
 * bytes 0, the regions of shared memory that setup() mapped itself and regions() names.
 * How, for k = 0, 1, 2, ... until the operation finishes:
 *	restore the start image; fork a victim that runs operate() and dies at its k-th point;
 *	fork a survivor, which has 5 s for recover() and judge(); anything but "sound" is a failure.
 * The points: in the `steps` build every shared step (shm/steps.h), and then the same again for
 * the recovery of every distinct crash image: killed at each of its own steps, recovered by the
 * next one. In every other build the machine instructions, by single-stepping: all of a short
 * operation; of a long one those around each change of the image. So what the compiler and libc do
 * is swept as well.
 *
 * Writing one: setup() builds the start image in zeroed memory and may keep handles in static
 * variables (victim and survivor inherit them by fork). operate() and recover() leave all that
 * matters in the image. recover() does what the runtime does after a death, no more. judge() says
 * why the image is not sound: the structure's checker first, then that the truth is as before the
 * operation or as after. judge() may change the image. A survivor that cannot go on calls
 * sweep_fail(). */
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
	/* Asked after setup(), when bytes is 0. */
	size_t (*regions)(struct sweep_region *ret);
	/* Or NULL. Of what is no memory, such as files: take() copies it to a region, before the
	 * image is looked at; put() makes it what the region says, after that was put back. */
	void (*take)(void);
	void (*put)(void);
	bool steps_only; /* so long that a victim at each instruction would take hours */
};

/* Runs them all, prints a line each, returns the number of failures. Call it first thing in
 * main(): it starts the program anew, without lazy binding and with fixed addresses. */
int sweep_run(const struct sweep_op *ops, size_t n);

/* For recover() and judge(): the victim died after operate() had returned, so that whoever asked
 * for it knows that it is done: before is not good enough then. */
bool sweep_finished(void);

_Noreturn void sweep_fail(const char *reason);

#define SWEEP_REQUIRE(condition)                                        \
	do {                                                            \
		if (!(condition))                                       \
			sweep_fail("in the sweep itself: " #condition); \
	} while (0)

#endif
