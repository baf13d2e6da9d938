/* ctl_command.h - what a command of plmctl is: one file, one const entry, one line in the table of
 * plmctl.c.
 *
 * A command parses its options with next_option(), connects with runtime(), writes results to
 * context->out and everything else to stderr, and returns the exit code of the program.
 * Usage errors end the program at once (arguments.h): they come before anything was done. */
#ifndef PLM_CLI_COMMAND_H
#define PLM_CLI_COMMAND_H

#include "cli/output.h"
#include "client/plm_inspect.h"

enum exit_code {
	EXIT_FINE = 0,
	EXIT_TASK_FAILED = 1,
	EXIT_COUNT_MAX = 100, /* `wait`: so many did not succeed; one more: more than that */
	EXIT_USAGE = 64,
	EXIT_DATA = 65,  /* a reference malformed, stale, of another runtime; a value too
			  * large */
	EXIT_INPUT = 66, /* a file or module that cannot be read */
	EXIT_NO_RUNTIME = 69,
	EXIT_CUT = 74,     /* of what a command wrote a part was cut off */
	EXIT_FULL = 75,    /* store, table, process slots: later it may work */
	EXIT_VERSION = 76, /* the runtime is of another build */
	EXIT_DENIED = 77,  /* the runtime belongs to another user */
	EXIT_TIMED_OUT = 124,
	EXIT_OURS = 125,
	EXIT_NO_FUNCTION = 127,
	EXIT_SIGNAL = 128, /* + the signal that ended the task's worker */
	EXIT_CANCELLED = 130,
};

struct command;

struct context {
	const char *name; /* of the runtime; NULL: the default */
	bool json, quiet;
	int timeout_ms; /* negative: for ever */
	const struct command *command;
	bool stays; /* it goes on for as long as somebody wants: no visit, whatever the command */
	plm *rt;    /* NULL before runtime() */
	plm_inspect *in; /* NULL before look_open() */
	struct output out;
};

struct command {
	const char *name;
	const char *usage;   /* what follows the name */
	const char *help;    /* one line */
	const char *details; /* its options and whatever else is to be known; NULL: nothing */
	int (*run)(struct context *context, int argc, char **argv);
	bool visits; /* it looks or rules, and is over soon: let in also when clients have all the
		      * process slots that they may have (PLM_VISIT) */
};

extern const struct command cmd_call, cmd_submit, cmd_put, cmd_get, cmd_wait, cmd_cancel, cmd_retry,
    cmd_requeue, cmd_move, cmd_forget, cmd_drop, cmd_status, cmd_tasks, cmd_workers, cmd_clients,
    cmd_objects, cmd_functions, cmd_module, cmd_policy, cmd_topology, cmd_pause, cmd_resume,
    cmd_drain, cmd_stop, cmd_explain, cmd_info, cmd_logs, cmd_load, cmd_map, cmd_history;

/* Connects, once. 0, or an exit code after a message. */
int runtime(struct context *context);

/* Between two looks of a command that goes on: gives back a process slot that is kept for visits.
 * Then comes in again; for a while also when others have taken all of those meanwhile. 0, or an
 * exit code after a message. */
void runtime_leave(struct context *context);
int runtime_return(struct context *context);

/* Says on stderr what failed and why ("plmctl: what: why"); returns the exit code for -errno. */
int failed(int error, const char *what);

#endif
