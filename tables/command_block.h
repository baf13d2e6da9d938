/* command_block.h - a command line as a task: how it is asked for, and what is kept of a run of it.
 *
 * The task calls COMMAND_FUNCTION of a built-in module. Its arguments are bytes or futures of them:
 *	0     what it asks for beyond its words: fields, each a letter, a text and a zero byte
 *	1     its environment: what else it inherits (inherited.h; it may be absent), and
 *	      NAME=VALUE, each with a zero byte behind it; empty: what stands in 0
 *	      behind an empty field, and if none does that of its worker. Who submits many puts
 *	      both once and gives the future: a queued command is then little but its words.
 *	2...  its words, the first of them the program; behind them a future for each field that
 *	      asks for one, in the order of those fields; behind those an outlet, if a field says so
 * Its value is what it wrote to stdout, unless that went to an outlet. A task of two results keeps
 * as the second one a log: of the run that came last, whether it succeeded, failed or was
 * cancelled. Further results are the files that it was asked to write, in the order of those
 * fields.
 * Where: any process.  Blocks, allocates: never; system calls: command_outlet_open() alone. */
#ifndef PLM_COMMAND_H
#define PLM_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

#include "tables/tables.h"

#define COMMAND_MODULE "command"
#define COMMAND_FUNCTION "command.run"

enum { COMMAND_ARG_FIELDS, COMMAND_ARG_ENVIRONMENT, COMMAND_ARG_WORDS };
enum { COMMAND_RESULTS = 2, COMMAND_RESULT_LOG = 1 };

enum command_field {
	COMMAND_DIRECTORY = 'd',   /* absent: that of the worker */
	COMMAND_STDIN = 'i',       /* a path; absent: empty */
	COMMAND_CAP = 'c',         /* bytes kept of stdout, and of stderr; absent: the default */
	COMMAND_MEMORY = 'm',      /* bytes that it may use with all it starts; absent: any */
	COMMAND_VARIABLE = 'e',    /* NAME=VALUE, beyond the environment; any number of them */
	COMMAND_STDIN_VALUE = 's', /* "": the value of a future is its stdin */
	COMMAND_IN = 'n',          /* NAME: of a file that holds the value of a future, the path */
	COMMAND_OUT = 'o',         /* NAME or NAME=FILE: of a file it is to write, the path */
	COMMAND_AFTER = 'a',       /* "": a future that it does not look at */
	COMMAND_SHELL = 'h',       /* "": it has one word, a line for COMMAND_SHELL_WORDS */
	COMMAND_LABEL = 'l',       /* a word of its submitter, to find it by; kept in its log */
	COMMAND_OUTLET = 'f',      /* "": its last argument is a struct command_outlet */
};

/* Where a submitter that waits takes the output itself: descriptors of its own, which the worker
 * opens by /proc/PID/fd/N. They are pipes, which the command is given as its stdout and stderr; or
 * files without a name, for what is too much to be kept or finds no room. Each is opened only if
 * it is the one that is named here: a number may be another process's or another file's by now. */
struct command_outlet {
	int32_t pid;
	uint32_t live; /* 1: pipes, 0: files */
	int32_t fd[2]; /* of stdout and stderr */
	uint64_t device[2], inode[2];
};

/* A private copy. False: these bytes are none. */
bool command_outlet_read(const void *data, size_t length, struct command_outlet *ret);
/* Opens stream 1 or 2 of it with these flags of open(); -1 with errno: it is not there any more, or
 * cannot be reached from here. */
int command_outlet_open(const struct command_outlet *outlet, int stream, int flags);

/* Does a text begin with the name of a variable, up to its end or "=", that plm does not set
 * itself? */
bool command_variable(const char *text);
/* The name of the file that NAME or NAME=FILE of COMMAND_OUT asks for; NULL: it can be none. */
const char *command_out_file(const char *text);

#define COMMAND_CAP_DEFAULT ((uint64_t)16 << 20)
#define COMMAND_CAP_MAX ((uint64_t)1 << 40)

#define COMMAND_SHELL_WORDS "/bin/sh", "-c" /* in front of the line */

/* What stands behind the fields and the empty one that ends them. */
const char *command_behind(const char *fields, size_t length, size_t *ret_length);
/* The fields one by one: *at begins at NULL. False: no more, or what is there makes no sense. */
bool command_field(const char *fields, size_t length, const char **at, enum command_field *ret,
    const char **ret_text);
/* Behind the length bytes that are there; the new length. Beyond room only counted. */
size_t command_add(
    char *fields, size_t length, size_t room, enum command_field field, const char *text);

/* How its failure says that it is its own: what any other code means is not for it to say. */
#define COMMAND_SAYS_EXIT "exit code "
#define COMMAND_SAYS_SIGNAL "signal "
#define COMMAND_MEMORY_MAX ((uint64_t)1 << 50)

enum { /* how a command that could not be started fails, as a shell would say it */
	COMMAND_OURS = 125, /* nothing is wrong with the program itself */
	COMMAND_NOT_EXECUTABLE = 126,
	COMMAND_NOT_FOUND = 127,
	COMMAND_SIGNALLED = 128, /* + the signal that ended it */
};

enum { COMMAND_TEXT_MAX = 240, COMMAND_LABEL_MAX = 64 };

enum command_where {        /* an output is */
	COMMAND_WHERE_KEPT, /* in the store */
	COMMAND_WHERE_FILE, /* all of it, in the file of the outlet */
	COMMAND_WHERE_LIVE, /* read by its submitter while the command ran: nobody counted it */
};

struct command_log { /* the texts follow: the command, its label, stdout unless it is the
		      * value, stderr */
	uint32_t magic;
	int32_t status; /* as of wait(); -1: it was never started */
	uint32_t attempt;
	uint32_t worker;
	uint64_t wall_us; /* from its start until nothing of it was left */
	uint64_t user_us, system_us;
	uint64_t resident_kb; /* of the largest process of it, at its peak */
	uint64_t memory_kb;   /* of all its processes together, at the highest that was seen */
	uint64_t out_bytes, err_bytes;     /* that it wrote */
	uint64_t out_dropped, err_dropped; /* of them: beyond the cap, or no room for it */
	uint64_t out_kept, err_kept;   /* of them here; 0: stdout is the value, or is elsewhere */
	uint32_t out_where, err_where; /* enum command_where */
	uint32_t text_bytes;           /* of the command */
	uint32_t label_bytes;          /* 0: it has none */
	uint32_t left;                 /* processes it had left behind, that were ended */
	uint32_t asked;                /* SIGTERM was sent to it */
	uint32_t killed;               /* and SIGKILL */
};

#define COMMAND_LOG_MAGIC ((uint32_t)0x676f6c64)

struct command_texts { /* where they stand in a log */
	const char *command, *label, *out, *err;
};

/* A private copy of the head, and where the texts are. False: this is no log. */
bool command_log_read(
    const void *data, size_t length, struct command_log *ret, struct command_texts *ret_texts);

/* Room for the name of the file in which a running command's stdout (stream 1) or stderr (2) is
 * found among the descriptors of its worker. */
enum { COMMAND_STREAM_BYTES = 64 };
void command_stream_name(
    uint64_t ref, uint32_t attempt, int stream, char ret[COMMAND_STREAM_BYTES]);

#endif
