/* machine_limits.h - the best that this machine can do without plm, printed beside plm's
 * figures.
 *
 * Each limit is a round for series_in_turn(): called with parameters, adds samples. Where: this
 * process, and helpers forked for one round, which end after the round and die with this
 * process. Blocks: as long as the round takes; a dead helper gives -ETIMEDOUT, not a hang.
 * Allocates: anonymous shared memory, freed at the end of the round. */
#ifndef PLM_BENCH_LIMITS_H
#define PLM_BENCH_LIMITS_H

#include "bench/measure.h"

/* A token goes once round a ring of processes; ns for one turn. Two members make a round trip,
 * three make the path of a task: client, scheduler, worker, client. */
struct hop_limit {
	unsigned members;  /* 2 or 3 */
	bool spin;         /* each member spins on a core; else each is parked in a futex */
	unsigned pause_us; /* before each turn: 0 back to back; else all cores have gone idle */
	unsigned samples;
	unsigned turns; /* for one sample: more than one where the clock is slower than a turn */
};
int limit_hop(void *hop_limit, struct samples *ret);

/* Producer, middle and consumer joined by two rings of 8-byte items, batched; items/s. */
struct pipeline_limit {
	uint64_t items;
};
int limit_pipeline(void *pipeline_limit, struct samples *ret);

/* memcpy() from private into shared memory; GB/s. Cold: the pages are new, so the kernel clears
 * each page first. */
struct copy_limit {
	size_t bytes;
	bool cold;
	unsigned places; /* warm: places written in turn; 0 and 1: a single place */
};
int limit_copy(void *copy_limit, struct samples *ret);

/* A child that exits at once, or becomes /bin/true; ns until the child is reaped. */
struct fork_limit {
	bool exec;
	unsigned samples;
};
int limit_fork(void *fork_limit, struct samples *ret);

/* A program started in the shortest way, posix_spawn(): ns until wait() returns. More than one
 * at once: from as many processes, each running programs one after another; then a single
 * sample, the total time divided by the number of programs. */
struct spawn_limit {
	const char *const *argv;
	unsigned programs, at_once;
};
int limit_spawn(void *spawn_limit, struct samples *ret);

/* The cheapest call of the kernel; ns. The context is not used. */
int limit_syscall(void *unused, struct samples *ret);

/* ---- for the above ---- */

/* Zeroed memory that forked helpers share; NULL when memory is short. */
void *shared_map(size_t bytes);

/* Forks a helper that runs `body` and dies with the parent. Returns a pid or -errno. */
int helper_start(void (*body)(void *), void *context);
void helper_end(int pid);

#endif
