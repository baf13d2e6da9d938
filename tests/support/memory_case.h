/* memory_case.h - a simulated machine for the tests of short memory: a runtime booted after
 * memory_case_begin() reads the memory of the machine from a file (base/meter.h). */
#ifndef PLM_TEST_MEMORY_CASE_H
#define PLM_TEST_MEMORY_CASE_H

/* The machine has so much memory, of which 10 MB are in use. */
void memory_case_begin(unsigned total_mb);
/* What the runtime sees from now on. */
void memory_case_set(unsigned total_mb, unsigned free_mb);
/* Removes the file; no error if there is none. */
void memory_case_end(void);

#endif
