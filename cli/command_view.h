/* command_view.h - a look at a command (tables/command_block.h), whatever became of it.
 * Who: plmctl, about a future that it holds, so that what was settled stays.
 * Blocks: never.  Allocates: never. */
#ifndef PLM_CLI_COMMAND_VIEW_H
#define PLM_CLI_COMMAND_VIEW_H

#include "cli/ctl_command.h"
#include "cli/command_text.h"

struct command_view {
	plm_ref ref;
	enum record_state state;
	uint32_t attempt;
	int32_t pid;                       /* of the worker that runs it; 0: none does */
	uint32_t worker;                   /* that runs it */
	char text[COMMAND_TEXT_MAX];       /* the command; "" of what is not known any more */
	char label[COMMAND_LABEL_MAX + 1]; /* "": none, or not known any more */
	uint32_t queue_ms, run_ms;
	struct command_outlet outlet; /* of one that is not settled; pid 0: none */
	bool logged;                  /* it is settled, and left a log: */
	struct command_log log;
	struct command_texts texts;
	const void *value; /* stdout of one that is done */
	uint64_t value_bytes;
};

bool command_known(struct context *context, plm_ref ref); /* it is there, and is a command */
/* EXIT_FINE, or an exit code after a message: it is no command, or gone. */
int command_look(struct context *context, plm_ref ref, struct command_view *ret);

/* What was kept of stream 1 or 2 of a command that is settled. */
const char *command_kept(const struct command_view *v, int stream, uint64_t *ret_length);

/* "12 bytes of stdout and 0 of stderr were cut off: ..."; false: nothing was. */
enum { CUT_TEXT_BYTES = 160 };
bool command_cut(const struct command_view *v, char ret[CUT_TEXT_BYTES]);

/* The same for a reader of stream 1 or 2 alone, on stderr. EXIT_CUT, or EXIT_FINE. */
int command_say_cut(const struct command_view *v, int stream);
/* Where it writes, or wrote, as a person would say it. */
enum { WHERE_TEXT_BYTES = 80 };
const char *command_where(const struct command_view *v, char ret[WHERE_TEXT_BYTES]);

/* The references of the files it makes into results, in their order: fewer than RESULTS_MAX. How
 * many. */
unsigned command_outputs(struct context *context, const struct command_view *v, plm_ref *ret);

/* What a running command has written so far: a descriptor to read from; -1: nothing yet. From some
 * length on all of it is in the file of its outlet: */
int command_stream_open(const struct command_view *v, int stream);
/* of which this opens another descriptor, if it is there; else -1. */
int command_outlet_file(const struct command_view *v, int stream);

#endif
