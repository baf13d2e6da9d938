/* result.h - what a future became: its value on stdout, or why there is none on stderr.
 * Who: the commands that wait.  Blocks: as long as the deadline allows. */
#ifndef PLM_CLI_RESULT_H
#define PLM_CLI_RESULT_H

#include "cli/ctl_command.h"

/* Deadlines are those of base/clock.h. */
uint64_t deadline_of(const struct context *context);
int milliseconds_left(uint64_t deadline_ns);

/* Waits for the future and prints its value (raw; with --json {"ref", "value"}), or its failure.
 * Returns the exit code. */
int print_result(struct context *context, plm_ref ref, uint64_t deadline_ns);

/* This value, in the same way. */
int print_value(struct context *context, plm_ref ref, const plm_view *view);

/* The value as it is, into a descriptor. 0 or an exit code after a message. */
int write_value(const plm_view *view, int fd, const char *name);

/* For error = -PLM_EFAILED, -PLM_ECANCELLED or any other error about ref: says what happened.
 * Returns the exit code. */
int print_failure(struct context *context, plm_ref ref, int error);

/* Holds a future that comes from elsewhere as long as we are connected. EXIT_FINE, or an exit code
 * after a message that names it. */
int hold_reference(struct context *context, plm_ref ref);

/* 0; or -EDEADLK, with a why that ends in the remedy: this is the command of a task of the runtime,
 * and is about to wait for what cannot be before that task has ended. */
int refuse_inside(struct context *context, const char *remedy);

/* The reference alone, as --quiet prints it, or {"ref": ...}. */
void print_reference(struct context *context, plm_ref ref);

#endif
