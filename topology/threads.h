/* threads.h - how many threads the libraries in a task may start.
 *
 * A worker is one process of many: a numerical library that starts a thread for every core of the
 * machine in each of them makes all of them slow.
 * Where: the environment of this process.  Who: a worker, before it loads a module and between
 * tasks; not while another thread reads the environment.  Blocks, allocates: in setenv(). */
#ifndef PLM_THREADS_H
#define PLM_THREADS_H

#include <stdbool.h>

/* Sets OMP_NUM_THREADS, MKL_NUM_THREADS and OPENBLAS_NUM_THREADS, each unless it was set before
 * this process first called, and PLM_CPUS always. A library that is loaded already has read them:
 * it is asked by its own call (OpenMP, OpenBLAS, MKL). */
void topology_set_threads(unsigned cpus);
/* Is this "NAME=VALUE" one of those three? */
bool topology_limits_threads(const char *variable);
/* ... and was it unset before this process first set it? */
bool topology_set_by_us(const char *variable);

#endif
