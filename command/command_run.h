/* command_run.h - the parts of the module `command`. Private to the module.
 *
 * The command is a child of the worker, in a session and process group of its own, with pipes to
 * the worker as stdout and stderr. The command dies with the worker (PR_SET_PDEATHSIG). Processes
 * left behind become children of the worker when their parent dies, and are ended before the task
 * is. Processes left by a dead worker become the manager's (manager/orphans.c).
 * Where: a worker, one command at a time, also in place of a waiting task.
 * Blocks: until nothing of the command is left; a cancellation ends the command. */
#ifndef PLM_COMMAND_RUN_H
#define PLM_COMMAND_RUN_H

#include <signal.h>
#include <sys/resource.h>

#include "base/family.h"
#include "tables/command_block.h"
#include "tables/inherited.h"
#include "command/capture.h"
#include "command/input_parts.h"
#include "command/jobserver.h"
#include "worker/call.h"

enum { COMMAND_OWN_BYTES = 512 };

struct command_file { /* a value given as a file, or a file to become a value */
	enum command_field field;
	const char *name; /* as asked for; the variable is the first name_bytes bytes: */
	int name_bytes;
	size_t which;   /* number of the argument, or of the result */
	int fd;         /* the copy of a value; -1: none */
	char *variable; /* NAME=PATH; NULL: none */
};

struct command { /* the request; texts lie in the arguments of the task, or are allocated */
	struct plm_call *call;
	char **argv, **envp; /* allocated */
	char *memory;        /* the words */
	char *makeflags;     /* allocated too */
	struct jobserver jobserver;
	const char *directory;        /* NULL: the worker's directory */
	const char *input;            /* NULL: empty */
	const char *output, *error;   /* files for stdout, stderr; NULL: none */
	const char *label;            /* "": none */
	bool shell;                   /* the word is a line for a shell */
	uint64_t cap;                 /* 0: no cap was asked for */
	struct command_outlet outlet; /* pid 0: no outlet */
	uint64_t memory_limit;        /* 0: no limit */
	bool inherits;                /* attributes of the submitter; else of the worker */
	struct inherited inherited;
	const char *environment; /* zero-ended texts */
	size_t environment_bytes;
	const char *fields;
	size_t fields_bytes;
	struct command_file *file;
	size_t files;
	size_t futures;              /* arguments behind the words */
	size_t after;                /* the first of them that is an end to come after; 0: none */
	bool has_directory;          /* for the files the command writes */
	bool has_outlet;             /* the last argument is the outlet */
	char own[COMMAND_OWN_BYTES]; /* PLM_TASK and our other variables */
};

/* ---- environment.c ---- */

/* Fills envp. 0, or the result of plm_fail(). */
int command_environment(struct command *c);

/* ---- value_files.c ---- */

/* Each returns 0, or the result of plm_fail(). value_files_take() reads the request, with futures
 * up to argument nargs. value_files_open() makes the files and their names. value_files_leave()
 * turns the files of a successful command into results. */
int value_files_take(struct command *c, size_t nargs);
int value_files_open(struct command *c);
int value_files_leave(const struct command *c);
/* The file to become stdin, from now on the caller's; -1: none. */
int value_files_stdin(struct command *c);
void value_files_close(struct command *c);
/* Removes files left by commands of dead workers. */
void value_files_sweep(const struct tables *t);

/* ---- result_room.c ---- */

/* Room for a result of a finished command. Waits as long as a person may take to make room, unless
 * the task is asked to stop. 0 with *ret, or -errno with a why. */
int command_room(
    struct plm_call *call, unsigned which, size_t length, const char *what, void **ret);

/* ---- command_start.c ---- */

/* Starts the command with the given descriptors, which stay the caller's. The pid; or -1, after
 * plm_fail(). Blocks the caller's signals meanwhile, since the child shares the caller's memory. */
pid_t command_start(const struct command *c, const sigset_t *mask, int in, int out, int err);

/* ---- command_memory.c ---- */

struct watched_memory {             /* of the command and all its descendants */
	uint64_t limit;             /* 0: no limit */
	uint64_t peak;              /* as far as seen */
	uint64_t over;              /* the use when the limit was passed; 0: not passed */
	uint64_t next_ns, pause_ns; /* the next look; the pause between looks */
};

struct run;
void command_memory_begin(struct run *run);
/* Looks if due, and shows the use in the process slot. False: the use is over the limit. */
bool command_memory_look(struct run *run);
void command_memory_end(struct run *run);

/* ---- command_watch.c ---- */

struct run { /* a running command */
	struct plm_call *call;
	pid_t pid;
	int pidfd;
	struct capture out, err;
	struct jobserver *jobserver;
	struct input_parts parts;
	sigset_t waiting;     /* the signal mask of the sleep: only then interrupts arrive */
	struct family before; /* children of the worker, not of the command */
	unsigned interrupts;  /* since the command was asked to stop */
	uint64_t kill_ns;     /* when to kill; DEADLINE_NEVER: the interrupts say when */
	bool asked, killed, ended;
	int status; /* as wait() gives it */
	unsigned left;
	struct rusage usage; /* of all processes waited for */
	struct watched_memory memory;
};

/* Returns when the command has ended and nothing of the command is left. */
void command_watch(struct run *run);

#endif
