/* command_block.h - a command line as a task: its arguments, and the log of its last run.
 *
 * The task calls COMMAND_FUNCTION of a built-in module. The arguments are bytes or futures of
 *bytes: 0     fields: each a letter, a text and a zero byte; an empty field ends the fields 1 the
 *environment: inherited properties (inherited.h; may be absent), then NAME=VALUE texts, each with a
 *zero byte. If empty, the environment follows the empty field of argument 0; if nothing follows,
 *the command gets the worker's environment. A client that submits many commands puts both once and
 *passes the future, so a queued command is little more than its words. 2...  the words, first the
 *program; then a future for each field that asks for a future, in the order of the fields; then an
 *outlet, if a field says so The value is the command's stdout, unless stdout goes to an outlet. A
 *task of two results has a log as the second result: of the last run, whether it succeeded, failed
 *or was cancelled. Further results are the files that the command was asked to write, in the order
 *of the fields. Where: arguments and results in the store.  Who may call: any process. Blocks,
 *allocates: never; system calls: command_outlet_open() alone. */
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
	COMMAND_DIRECTORY = 'd', /* absent: the worker's directory */
	COMMAND_STDIN = 'i',     /* a path; absent: empty */
	COMMAND_PART = 'p',      /* FROM+BYTES of COMMAND_STDIN; several: one after the other */
	COMMAND_OUTPUT = 'O',    /* a path: stdout goes there; absent: into the runtime */
	COMMAND_ERROR = 'E',     /* the same for stderr */
	COMMAND_CAP = 'c',       /* bytes kept of stdout, and of stderr; absent: the default */
	COMMAND_MEMORY = 'm',    /* most bytes of the command with all its processes; absent: any */
	COMMAND_VARIABLE = 'e',  /* NAME=VALUE, added to the environment; any number of fields */
	COMMAND_STDIN_VALUE = 's', /* "": stdin is the value of a future */
	COMMAND_IN =
	    'n', /* NAME: variable with the path of a file that holds the value of a future */
	COMMAND_OUT = 'o',       /* NAME or NAME=FILE: variable with the path of a file to write */
	COMMAND_AFTER = 'a',     /* "": a future to wait for only */
	COMMAND_AFTER_ANY = 'A', /* "": the same, in whatever way its task ends; */
	COMMAND_AFTER_FAILED = 'F', /* only if its task does not succeed (args.h) */
	COMMAND_SHELL = 'h',        /* "": the only word is a line for COMMAND_SHELL_WORDS */
	COMMAND_LABEL = 'l',  /* the submitter's word to find the command by; kept in the log */
	COMMAND_OUTLET = 'f', /* "": the last argument is a struct command_outlet */
};

/* A waiting submitter takes the output by descriptors of its own, which the worker opens by
 * /proc/PID/fd/N: pipes, which become the command's stdout and stderr; or files without a name, for
 * output too large to be kept. The worker opens a descriptor only if device and inode match: by now
 * the number may belong to another process or file. */
struct command_outlet {
	int32_t pid;
	uint32_t live; /* 1: pipes, 0: files */
	int32_t fd[2]; /* of stdout and stderr */
	uint64_t device[2], inode[2];
};

/* A private copy. False: the bytes are no outlet. */
bool command_outlet_read(const void *data, size_t length, struct command_outlet *ret);
/* Opens stream 1 or 2 with these flags of open(); -1 with errno: the file is gone, or out of our
 * reach. */
int command_outlet_open(const struct command_outlet *outlet, int stream, int flags);

/* Does a text begin with the name of a variable, up to the end or "=", which plm does not set
 * itself? */
bool command_variable(const char *text);
/* The file name in the NAME or NAME=FILE of COMMAND_OUT; NULL: not a possible name. */
const char *command_out_file(const char *text);

/* How a task ended, for a command that comes after the task in any case, or after its failure. If
 * the task is none of this runtime any more, or never was, the argument holds the end in words, in
 * place of the future: "REFERENCE STATE CODE". */
struct command_after {
	uint64_t ref, runtime; /* a plm_ref */
	const char *state;     /* of a record, or "unknown" */
	int code; /* an exit code, or COMMAND_SIGNALLED + a signal; of a function its code */
};

struct command_after command_after_of(const struct tables *t, const struct record *ended);
/* The same of a state and the code of a failure. A state that is not settled: unknown. */
struct command_after command_after_make(
    uint64_t ref, uint64_t runtime, enum record_state state, int code);

#define COMMAND_CAP_DEFAULT ((uint64_t)16 << 20)
#define COMMAND_CAP_MAX ((uint64_t)1 << 40)

#define COMMAND_SHELL_WORDS "/bin/sh", "-c" /* in front of the line */

/* The bytes behind the fields and the empty field at their end. */
const char *command_behind(const char *fields, size_t length, size_t *ret_length);
/* The fields in turn: *at begins at NULL. False: no more, or the bytes make no sense. */
bool command_field(const char *fields, size_t length, const char **at, enum command_field *ret,
    const char **ret_text);
/* Appends a field behind the length bytes; returns the new length. Beyond room only counts. */
size_t command_add(
    char *fields, size_t length, size_t room, enum command_field field, const char *text);

/* A failure with such a message has the command's own code; of other failures the code says nothing
 * about the command. */
#define COMMAND_SAYS_EXIT "exit code "
#define COMMAND_SAYS_SIGNAL "signal "
#define COMMAND_MEMORY_MAX ((uint64_t)1 << 50)

enum { /* exit codes of a command that could not be started, as a shell gives them */
	COMMAND_OURS = 125, /* the fault is not the program's */
	COMMAND_NOT_EXECUTABLE = 126,
	COMMAND_NOT_FOUND = 127,
	COMMAND_SIGNALLED = 128, /* + the number of the signal */
};

enum { COMMAND_TEXT_MAX = 240, COMMAND_LABEL_MAX = 64 };

enum command_where {        /* where an output is */
	COMMAND_WHERE_KEPT, /* in the store */
	COMMAND_WHERE_FILE, /* complete, in the file of the outlet */
	COMMAND_WHERE_LIVE, /* read by the submitter during the run; not counted */
};

struct command_log { /* then the texts: the command, the label, stdout unless it is the value,
			stderr */
	uint32_t magic;
	int32_t status; /* as of wait(); -1: never started */
	uint32_t attempt;
	uint32_t worker;
	uint64_t wall_us; /* from the start to the end of the last process */
	uint64_t user_us, system_us;
	uint64_t resident_kb;              /* peak of the largest process */
	uint64_t memory_kb;                /* highest seen sum of all processes */
	uint64_t out_bytes, err_bytes;     /* bytes written */
	uint64_t out_dropped, err_dropped; /* bytes dropped: beyond the cap, or without room */
	uint64_t out_kept, err_kept;   /* bytes in this log; 0: stdout is the value, or elsewhere */
	uint32_t out_where, err_where; /* enum command_where */
	uint32_t text_bytes;           /* length of the command */
	uint32_t label_bytes;          /* 0: no label */
	uint32_t left;                 /* processes left behind by the command and ended by us */
	uint32_t asked;                /* 1: SIGTERM was sent */
	uint32_t killed;               /* 1: SIGKILL, too */
};

#define COMMAND_LOG_MAGIC ((uint32_t)0x676f6c64)

struct command_texts { /* the places in a log */
	const char *command, *label, *out, *err;
};

/* A private copy of the head, and the places of the texts. False: no log. */
bool command_log_read(
    const void *data, size_t length, struct command_log *ret, struct command_texts *ret_texts);

/* Room for the name of a running command's stdout (stream 1) or stderr (2), by which to find the
 * file among the worker's descriptors. */
enum { COMMAND_STREAM_BYTES = 64 };
void command_stream_name(
    uint64_t ref, uint32_t attempt, int stream, char ret[COMMAND_STREAM_BYTES]);

#endif
