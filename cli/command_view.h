/* command_view.h - a command line that is a task, whatever became of it, as the commands of plmctl
 * want it.
 * Who: plmctl, about a future that it holds, so that a settled command stays.
 * Blocks: never.  Allocates: never. */
#ifndef PLM_CLI_COMMAND_VIEW_H
#define PLM_CLI_COMMAND_VIEW_H

#include "cli/look.h"

struct command_view {
	plm_inspect *in; /* where the command is looked at */
	plm_ref ref;
	int state; /* PLM_STATE_... */
	uint32_t attempt;
	int32_t pid;     /* of the worker that runs it; 0: none does */
	uint32_t worker; /* that runs it, or ran it last; PLM_NOBODY: not known */
	uint64_t queue_ms, run_ms;
	bool logged;         /* it is settled, and all of `log` is known */
	plm_command_row log; /* also its text and label */
};

bool command_known(struct context *context, plm_ref ref); /* it is there, and is a command */
/* EXIT_FINE, or an exit code after a message: it is no command, or gone. */
int command_look(struct context *context, plm_ref ref, struct command_view *ret);

/* What was kept of stream 1 or 2 of a settled command; valid until look_close(). */
const char *command_kept(const struct command_view *v, int stream, uint64_t *ret_length);

/* "12 bytes of stdout and 0 of stderr were cut off: ..."; false: nothing was. */
enum { CUT_TEXT_BYTES = 160 };
bool command_cut(const struct command_view *v, char ret[CUT_TEXT_BYTES]);

/* The same for a reader of stream 1 or 2 alone, on stderr. EXIT_CUT, or EXIT_FINE. */
int command_say_cut(const struct command_view *v, int stream);
/* Where the command writes, or wrote, as a person would say it. */
enum { WHERE_TEXT_BYTES = 80 };
const char *command_where(const struct command_view *v, char ret[WHERE_TEXT_BYTES]);

/* A descriptor from which to read what a running command has written so far; -1: nothing yet. From
 * some length on all output is in a file of the submitter, so ask again to follow it. */
int command_stream_open(const struct command_view *v, int stream);

#endif
