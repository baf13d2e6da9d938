/* probe.h - the built-in module `probe`: tasks for people, tests and benches.
 *
 * Where: a worker, in place of a module's shared object; written against client/plm.h alone, as any
 * module is. Numbers are decimal text. A malformed argument is a failure (EINVAL) that names it.
 *
 *   noop                  nothing
 *   echo BYTES...         its arguments, one behind the other
 *   spin MICROSECONDS     burns a core; stops soon when cancelled
 *   sleep MILLISECONDS    sleeps; stops soon when cancelled
 *   fail MESSAGE [CODE]   fails with this message and code (1 unless said)
 *   crash SIGNAL          ends its worker: a number, a name (KILL, SIGSEGV) or "exit" (exit code 3)
 *   fill BYTES            an object of that size; byte i is i modulo 256
 *   sum NUMBER...         their sum, as a 64-bit integer
 *   tree DEPTH FANOUT     1 at DEPTH 0, else the sum of FANOUT tasks `tree DEPTH-1 FANOUT`
 *   wordcount TEXT...     how many words, separated by white space, the texts hold
 *
 * Blocks: spin, sleep and tree do. */
#ifndef PLM_PROBE_H
#define PLM_PROBE_H

#include "client/plm.h"

extern const plm_module probe_module;

#endif
