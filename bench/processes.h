/* processes.h - CPU time, sleeps and memory of another process, from /proc. Where: this process.
 * Blocks: never. Allocates: directory streams, closed again. */
#ifndef PLM_BENCH_PROCESSES_H
#define PLM_BENCH_PROCESSES_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct process_use {
	uint64_t cpu_ns;   /* user and system, all threads */
	uint64_t switches; /* voluntary: how often the process went to sleep, and so was woken */
	uint64_t resident_bytes;
};

/* 0 or -errno. */
int process_use(pid_t pid, struct process_use *ret);

/* Children of a process, at most `max`; returns how many. */
size_t process_children(pid_t parent, pid_t *ret, size_t max);

#endif
