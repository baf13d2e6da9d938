/* command_view.h - a command line as the commands of plmctl want to see it.
 * Who: plmctl, while plmctl holds the future, so that a settled command stays.
 * Blocks: never.  Allocates: never. */
#ifndef PLM_CLI_COMMAND_VIEW_H
#define PLM_CLI_COMMAND_VIEW_H

#include "cli/look.h"

struct command_view {
	plm_inspect *in; /* the handle of the look */
	plm_ref ref;
	int state; /* PLM_STATE_... */
	uint32_t attempt;
	int32_t pid;     /* of the running worker; 0: does not run */
	uint32_t worker; /* of the last attempt; PLM_NOBODY: unknown */
	uint64_t age_ms, queue_ms, run_ms;
	bool logged;         /* settled, and all of `log` is known */
	plm_command_row log; /* words and label are always there */
};

bool command_known(struct context *context, plm_ref ref); /* a future, and a command */
/* EXIT_FINE, or an exit code after a message: no command, or gone. */
int command_look(struct context *context, plm_ref ref, struct command_view *ret);

/* The kept bytes of stream 1 or 2 of a settled command; valid until look_close(). */
const char *command_kept(const struct command_view *v, int stream, uint64_t *ret_length);

/* "12 bytes of stdout and 0 of stderr were cut off: ..."; false: nothing cut off. */
enum { CUT_TEXT_BYTES = 160 };
bool command_cut(const struct command_view *v, char ret[CUT_TEXT_BYTES]);

/* Says so on stderr to a reader of stream 1 or 2 alone. EXIT_CUT, or EXIT_FINE. */
int command_say_cut(const struct command_view *v, int stream);
/* Where the output goes or went, in words. */
enum { WHERE_TEXT_BYTES = 80 };
const char *command_where(const struct command_view *v, char ret[WHERE_TEXT_BYTES]);

/* A descriptor for the output of a running command so far; -1: nothing yet. Long output moves to a
 * file of the submitter: ask again to follow the output. */
int command_stream_open(const struct command_view *v, int stream);

#endif
