/* machine_limits.h - what this machine can do at best, without plm: what the figures of plm stand
 * beside.
 *
 * Each is a round for series_in_turn(): called with its parameters, it adds its samples.
 * Where: this process, and helpers that it forks for one round and ends after it; they die with it.
 * Blocks: as long as the round takes; a helper that died is -ETIMEDOUT, not a hang.
 * Allocates: anonymous shared memory, given back at the end of the round. */
#ifndef PLM_BENCH_LIMITS_H
#define PLM_BENCH_LIMITS_H

#include "bench/measure.h"

/* A token goes once round a ring of processes; ns for one turn. Two members make a round trip,
 * three the way of a task: client, scheduler, worker, client. */
struct hop_limit {
	unsigned members;  /* 2 or 3 */
	bool spin;         /* each on its own core, watching its word; else parked in a futex */
	unsigned pause_us; /* before each turn: 0 back to back; else all cores have gone idle */
	unsigned samples;
	unsigned turns; /* a sample: more than one where the clock is slower than the turn */
};
int limit_hop(void *hop_limit, struct samples *ret);

/* Producer, middle and consumer joined by two rings of 8-byte items, batched; items/s. */
struct pipeline_limit {
	uint64_t items;
};
int limit_pipeline(void *pipeline_limit, struct samples *ret);

/* memcpy() from private into shared memory; GB/s. Cold: pages never touched, that the kernel has
 * to clear first. */
struct copy_limit {
	size_t bytes;
	bool cold;
	unsigned places; /* warm: written in turn; 0 and 1: one */
};
int limit_copy(void *copy_limit, struct samples *ret);

/* A child that ends at once, or becomes /bin/true; ns until it is reaped. */
struct fork_limit {
	bool exec;
	unsigned samples;
};
int limit_fork(void *fork_limit, struct samples *ret);

/* A program by the shortest way there is, posix_spawn(): ns until it is waited for. At once more
 * than one: from as many processes, each one after the other; then one sample, of all by their
 * number. */
struct spawn_limit {
	const char *const *argv;
	unsigned programs, at_once;
};
int limit_spawn(void *spawn_limit, struct samples *ret);

/* The cheapest call of the kernel; ns. The context is not used. */
int limit_syscall(void *unused, struct samples *ret);

/* ---- for the above ---- */

/* Zeroed memory that forked helpers share; NULL when there is none. */
void *shared_map(size_t bytes);

/* A helper running `body`, dying with its parent. Its pid or -errno. */
int helper_start(void (*body)(void *), void *context);
void helper_end(int pid);

#endif
