/* threads.h - how many threads the libraries in a task may start.
 *
 * Many workers share the machine: a numerical library with a thread for every core in each worker
 * makes all workers slow.
 * Where: the environment of a worker, before it loads a module and between tasks; not while another
 * thread reads the environment.
 * Blocks, allocates: in setenv(). */
#ifndef PLM_THREADS_H
#define PLM_THREADS_H

#include <stdbool.h>

/* Sets OMP_NUM_THREADS, MKL_NUM_THREADS and OPENBLAS_NUM_THREADS, each unless the user had set it,
 * and always PLM_CPUS. A loaded library has read its variable already, so its own call is used
 * (OpenMP, OpenBLAS, MKL). */
void topology_set_threads(unsigned cpus);
/* Before the program of a Python interpreter is executed, which loads libraries before the process
 * sets thread counts: one thread. The process that calls topology_set_threads() in the program
 * knows by the variable PLM_THREADS that the settings are not the user's. */
void topology_threads_for_program(void);
/* Is "NAME=VALUE" a setting of OMP_, MKL_ or OPENBLAS_NUM_THREADS? */
bool topology_limits_threads(const char *variable);
/* ... and not set by the user? */
bool topology_set_by_us(const char *variable);

#endif
