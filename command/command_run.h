/* command_run.h - the built-in module `command`: a command line as a task (tables/command_block.h
 * says how it is asked for), and the parts it is made of. Only the files of this module include it,
 * who lists it, and who has removed what a dead worker left of it.
 *
 * The command is a child of the worker, in a session and process group of its own, its stdout and
 * stderr pipes to the worker. It dies with the worker (PDEATHSIG); what it leaves behind becomes a
 * child of the worker when its parent dies, and is ended before the task is; what a dead worker
 * leaves becomes the manager's (manager/orphans.c).
 * Where: a worker, one at a time, in the place of a task that waits, too.
 * Blocks: until nothing of the command is left; a cancellation ends that. */
#ifndef PLM_COMMAND_RUN_H
#define PLM_COMMAND_RUN_H

#include <signal.h>
#include <sys/resource.h>

#include "base/family.h"
#include "base/group.h"
#include "tables/command_block.h"
#include "tables/inherited.h"
#include "worker/call.h"
#include "command/jobserver.h"

enum { COMMAND_OWN_BYTES = 512, CAPTURE_TAIL_BYTES = 400 };

struct command_file { /* a value that is a file, or a file that becomes a value */
	enum command_field field;
	const char *name; /* as it was asked for; the variable is as much of it: */
	int name_bytes;
	size_t which;   /* of the arguments, or of the results */
	int fd;         /* the copy of a value; -1: none */
	char *variable; /* NAME=PATH; NULL: none */
};

struct command { /* what is asked for; texts lie in the task's arguments, or in memory */
	struct plm_call *call;
	char **argv, **envp; /* memory, both */
	char *memory;        /* of the words */
	char *makeflags;     /* memory, too */
	struct jobserver jobserver;
	const char *directory;        /* NULL: where the worker is */
	const char *input;            /* NULL: empty */
	const char *label;            /* "": none */
	bool shell;                   /* its word is a line */
	uint64_t cap;                 /* 0: none was asked for */
	struct command_outlet outlet; /* pid 0: none */
	uint64_t memory_limit;        /* 0: none */
	bool inherits;                /* from its submitter; else from the worker */
	struct inherited inherited;
	const char *environment; /* zero-ended texts */
	size_t environment_bytes;
	const char *fields;
	size_t fields_bytes;
	struct command_file *file;
	size_t files;
	size_t futures;              /* behind the words */
	bool has_directory;          /* for files that it writes */
	bool has_outlet;             /* as its last argument */
	char own[COMMAND_OWN_BYTES]; /* PLM_TASK and others of ours */
};

/* ---- environment.c ---- */

/* Fills envp. 0, or what plm_fail() returned. */
int command_environment(struct command *c);

/* ---- value_files.c ---- */

/* Each 0, or what plm_fail() returned: what is asked for, with futures up to argument nargs; the
 * files are there, and their names; of a command that succeeded, its files are results. */
int objects_take(struct command *c, size_t nargs);
int objects_open(struct command *c);
int objects_leave(const struct command *c);
/* The file that is to be its stdin, from now on the caller's; -1: none. */
int objects_stdin(struct command *c);
void objects_close(struct command *c);
/* Removes what commands of dead workers have left. */
void objects_sweep(const struct tables *t);

/* ---- result_room.c ---- */

/* Room for a result of a command that has ended: waits for it as long as a person may be expected
 * to make some, unless the task is asked to stop. 0 with *ret, or -errno with a why. */
int command_room(
    struct plm_call *call, unsigned which, size_t length, const char *what, void **ret);

/* ---- command_start.c ---- */

/* What this process would hand to a command and the command is not to have as it is. Looking it up
 * takes 79 system calls, so it is looked up only after a task that may have changed it. */
struct own_state {
	sigset_t odd_signals; /* not at their default */
	struct inherited inherited;
	uint64_t tasks; /* tasks this worker had ended if all since were commands; 0: unknown */
};

struct start { /* of a process */
	const char *path;
	char *const *argv, *const *envp;
	const char *directory; /* NULL: stays */
	int in, out, err;      /* -1: as the worker's own */
	int more[2];           /* it finds these as well, by the same numbers; -1: none */
	sigset_t mask;         /* of signals, as it was before ours were blocked */
	pid_t parent;
	int error;                         /* errno; 0: the program runs */
	const struct group *group;         /* it runs in, if that exists */
	bool in_directory;                 /* it was the directory that could not be entered */
	const struct own_state *own;       /* what it would have of the worker */
	const struct inherited *inherited; /* NULL: that of the worker */
};

/* Starts it, with these descriptors, which stay the caller's. The pid; or, after plm_fail(), -1.
 * Signals of the caller are blocked meanwhile: it shares its memory with the child. */
pid_t command_start(const struct command *c, const sigset_t *mask, int in, int out, int err);

/* ---- capture.c ---- */

struct capture { /* of what comes through a pipe: a file in memory, up to the cap */
	struct plm_call *call;
	int stream;   /* 1 stdout, 2 stderr */
	int pipe;     /* -1: at its end, or nothing comes here */
	int theirs;   /* its other end, which the command has as well. Open here, too: so its
		       * closing, at the end of the command, is no event of its own. */
	int file;     /* -1: nothing came */
	int error;    /* errno: it could not be kept */
	uint64_t cap; /* 0: the default, or with an outlet none */
	uint64_t kept, came;
	const struct command_outlet *outlet; /* pid 0, NULL: none, or out of reach */
	int outlet_fd;                       /* -1: not open */
	bool in_file;                        /* of the outlet: all of it */
	char tail[CAPTURE_TAIL_BYTES];       /* the last of what came */
	size_t tail_bytes;
};

bool capture_open(struct capture *c);          /* false: errno says why */
void capture_take(struct capture *c);          /* what is there now; blocks if nothing is */
void capture_drain(struct capture *c);         /* what is there, and nothing later; ends it */
bool capture_is_live(const struct capture *c); /* the command writes to its submitter */
/* What was kept goes into the file of the outlet. False: there is none, or its error is set. */
bool capture_spill(struct capture *c);
/* The first bytes of what was kept in memory. */
bool capture_copy(const struct capture *c, char *ret, size_t length);
/* Where, why, what to do. */
void capture_say_error(const struct capture *c, char *ret, size_t size);
/* Its last lines in one, for a message. */
void capture_last_lines(const struct capture *c, char *ret, size_t size);
void capture_close(struct capture *c);

/* ---- command_memory.c ---- */

struct watched_memory {             /* of the command and all that it has started */
	uint64_t limit;             /* 0: any */
	uint64_t peak;              /* as far as was seen */
	uint64_t over;              /* so much was used when the limit was passed; 0: it was not */
	uint64_t next_ns, pause_ns; /* to look, and between the looks */
};

struct run;
void memory_begin(struct run *run);
/* If it is time: tells the process slot. False: it uses more than it may. */
bool memory_look(struct run *run);
void memory_end(struct run *run);

/* ---- watch.c ---- */

struct run { /* a command that runs */
	struct plm_call *call;
	pid_t pid;
	int pidfd;
	struct capture out, err;
	struct jobserver *jobserver;
	sigset_t waiting;     /* the mask while it sleeps: interrupts come then, and only then */
	struct family before; /* children of the worker that are none of the command's */
	unsigned interrupts;  /* since it was asked to stop */
	uint64_t kill_ns;     /* when that is over; DEADLINE_NEVER: the interrupts say so */
	bool asked, killed, ended;
	int status; /* as of wait() */
	unsigned left;
	struct rusage usage; /* of all that was waited for */
	struct watched_memory memory;
};

/* Until the command has ended, and nothing of it is left. */
void run_watch(struct run *run);

/* ---- leftovers.c ---- */

/* The cgroup that commands of this process run in, if that exists: command_begin(). */
const struct group *command_group(void);
void command_group_open(const char *runtime, uint32_t slot);

/* Ends what has become a child of this process since `before`: SIGTERM, then SIGKILL, for all that
 * is in the group as well. Adds what they used to *usage; how many they were. */
unsigned leftovers_end(
    const struct family *before, const struct group *group, bool at_once, struct rusage *usage);
void usage_add(struct rusage *sum, const struct rusage *one);

#endif
