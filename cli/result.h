/* result.h - prints the end of a future: its value on stdout, or the failure on stderr.
 * Who: the commands that wait.  Blocks: as long as the deadline allows. */
#ifndef PLM_CLI_RESULT_H
#define PLM_CLI_RESULT_H

#include "cli/ctl_command.h"

/* Deadlines as in base/clock.h. */
uint64_t deadline_of(const struct context *context);
int milliseconds_left(uint64_t deadline_ns);

/* Waits for the future and prints its value (raw; with --json {"ref", "value"}), or its failure.
 * Returns the exit code. */
int print_result(struct context *context, plm_ref ref, uint64_t deadline_ns);

/* Prints a value in the same way. */
int print_value(struct context *context, plm_ref ref, const plm_view *view);

/* Prints a piece of what a command wrote into STDOUT_FILENO or STDERR_FILENO, as an object with
 * --json. 0 or an exit code after a message. */
int print_log(
    struct context *context, plm_ref ref, int stream, uint32_t attempt, const plm_view *text);

/* Writes the bytes of a value into a descriptor. 0 or an exit code after a message. */
int write_value(const plm_view *view, int fd, const char *name);

/* Reports -PLM_EFAILED, -PLM_ECANCELLED or another error about ref. Returns the exit code. */
int print_failure(struct context *context, plm_ref ref, int error);

/* Holds a future of another process until plmctl disconnects. EXIT_FINE, or an exit code after a
 * message that names the future. */
int hold_reference(struct context *context, plm_ref ref);

/* 0; or -EDEADLK, with a why that ends in the remedy: a task of the runtime runs this plmctl, and
 * plmctl is about to wait for the end of the very task. */
int refuse_inside(struct context *context, const char *remedy);

/* Prints the reference alone, or {"ref": ...}. */
void print_reference(struct context *context, plm_ref ref);

#endif
