/* result.h - prints a settled future: the value on stdout, or a failure on stderr.
 * Who: the waiting commands.  Blocks: as long as the deadline allows. */
#ifndef PLM_CLI_RESULT_H
#define PLM_CLI_RESULT_H

#include "cli/ctl_command.h"

/* Deadlines as in base/clock.h. */
uint64_t deadline_of(const struct context *context);
int milliseconds_left(uint64_t deadline_ns);

/* Waits for the future and prints the value (raw; with --json {"ref", "value"}) or the failure.
 * Returns the exit code. */
int print_result(struct context *context, plm_ref ref, uint64_t deadline_ns);

/* Prints a value in the same way. */
int print_value(struct context *context, plm_ref ref, const plm_view *view);

/* Writes the raw value to a descriptor. 0 or an exit code after a message. */
int write_value(const plm_view *view, int fd, const char *name);

/* Reports an error about ref: -PLM_EFAILED, -PLM_ECANCELLED or any other. Returns the exit code. */
int print_failure(struct context *context, plm_ref ref, int error);

/* Holds a future from the command line as long as we are connected. EXIT_FINE, or an exit code
 * after a message. */
int hold_reference(struct context *context, plm_ref ref);

/* 0; or -EDEADLK, with a why that ends in the remedy: a task of the runtime runs this plmctl, and
 * plmctl would wait for an event after the end of the same task. */
int refuse_inside(struct context *context, const char *remedy);

/* The reference alone, as --quiet prints it, or {"ref": ...}. */
void print_reference(struct context *context, plm_ref ref);

#endif
