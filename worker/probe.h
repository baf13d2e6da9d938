/* probe.h - the built-in module `probe`: tasks for people, tests and benches.
 *
 * Where: a worker, like a module from a shared object; written against client/plm.h alone, as any
 * module. Numbers are decimal text. A malformed argument is a failure (EINVAL) that names the
 * argument.
 *
 *   noop                  nothing
 *   echo BYTES...         the arguments, concatenated
 *   spin MICROSECONDS     burns a core; stops soon when cancelled
 *   sleep MILLISECONDS    sleeps; stops soon when cancelled
 *   fail MESSAGE [CODE [DETAIL]]   fails with the message, code (1 by default) and detail
 *   crash SIGNAL          ends the worker: a number, a name (KILL, SIGSEGV) or "exit" (exit code 3)
 *   fill BYTES            an object of the given size; byte i is i modulo 256
 *   sum NUMBER...         the sum, as a 64-bit integer
 *   tree DEPTH FANOUT     1 at DEPTH 0, else the sum of FANOUT tasks `tree DEPTH-1 FANOUT`
 *   wordcount TEXT...     how many words, separated by white space, the texts hold
 *
 * Blocks: spin, sleep and tree do. */
#ifndef PLM_PROBE_H
#define PLM_PROBE_H

#include "client/plm.h"

extern const plm_module probe_module;

#endif
