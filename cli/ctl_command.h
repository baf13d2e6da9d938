/* ctl_command.h - a command of plmctl: one file, one const entry, one line in the table of
 * plmctl.c.
 *
 * A command takes its options with take_options() (arguments.h), connects with runtime(), writes
 * results to context->out and everything else to stderr, and returns the exit code of the program.
 * Usage errors end the program at once, before anything was done. */
#ifndef PLM_CLI_COMMAND_H
#define PLM_CLI_COMMAND_H

#include "base/option_table.h"
#include "cli/output.h"
#include "client/plm_inspect.h"

enum { OPTION_TABLES_MAX = 6 };

enum exit_code {
	EXIT_FINE = 0,
	EXIT_TASK_FAILED = 1,
	EXIT_COUNT_MAX = 100, /* `wait`: so many tasks did not succeed; 101: more */
	EXIT_USAGE = 64,
	EXIT_DATA = 65,  /* a reference malformed, stale, of another runtime; a value too large */
	EXIT_INPUT = 66, /* a file or module that cannot be read */
	EXIT_NO_RUNTIME = 69,
	EXIT_CUT = 74,     /* a part of a command's output was cut off */
	EXIT_FULL = 75,    /* store, table, process slots: later the same may work */
	EXIT_VERSION = 76, /* the runtime is of another build */
	EXIT_DENIED = 77,  /* the runtime belongs to another user */
	EXIT_TIMED_OUT = 124,
	EXIT_OURS = 125,
	EXIT_NO_FUNCTION = 127,
	EXIT_SIGNAL = 128, /* + the signal that ended the task's worker */
	EXIT_CANCELLED = 130,
};

struct command;

struct engine;

struct context {
	const char *name; /* of the runtime; NULL: the default */
	bool json, quiet;
	const char *help; /* --help was given, with this form or ""; NULL: no */
	int timeout_ms;   /* negative: for ever */
	const struct command *command;
	bool stays; /* the command goes on until the user ends it: no visit, even if it visits */
	plm *rt;    /* NULL before runtime() */
	const char *fleet; /* the address of a fleet; NULL: the runtime of this machine */
	bool fleet_of_environment;
	struct engine *engine; /* of the fleet; NULL before runtime() */
	plm_inspect *in;       /* NULL before look_open() */
	struct output out;
};

struct command {
	const char *name;
	const char *usage; /* the words after the name */
	const char *help;  /* one line */
	const char *about; /* the help before the options; NULL: nothing */
	/* Tables shared by commands are in task_options.h, command_request.h, command_objects.h,
	 * task_filter.h and watch.h. */
	const struct option_row *options[OPTION_TABLES_MAX];
	const char *notes;           /* the help behind the options; NULL: nothing */
	bool options_end_at_operand; /* the operands are a command line with options of its own */
	int (*run)(struct context *context, int argc, char **argv);
	bool fleet;  /* possible with --fleet: asks context->fleet (fleet_door.h) */
	bool visits; /* the command looks or rules, and is over soon: the door lets it in even when
		      * clients have all the process slots that they may have (PLM_VISIT) */
};

extern const struct command cmd_call, cmd_submit, cmd_put, cmd_get, cmd_wait, cmd_cancel, cmd_retry,
    cmd_requeue, cmd_move, cmd_forget, cmd_drop, cmd_status, cmd_tasks, cmd_workers, cmd_clients,
    cmd_objects, cmd_functions, cmd_module, cmd_policy, cmd_topology, cmd_pause, cmd_resume,
    cmd_drain, cmd_stop, cmd_explain, cmd_info, cmd_logs, cmd_load, cmd_map, cmd_history, cmd_top,
    cmd_events, cmd_trace, cmd_plot, cmd_web, cmd_hosts, cmd_close;

/* ---- connection.c ---- */

/* Connects, once: to the runtime, or to the engine of the fleet. 0, or an exit code after a
 * message. */
int runtime(struct context *context);

/* Between two looks of a command that goes on: gives back a process slot that is kept for visits,
 * then takes one again. If clients took all slots meanwhile, the return is retried for a while. 0,
 * or an exit code after a message. */
void runtime_leave(struct context *context);
int runtime_return(struct context *context);

/* ---- exit_code.c ---- */

/* Prints "plmctl: what: why" on stderr; returns the exit code for -errno. */
int failed(int error, const char *what);

#endif
