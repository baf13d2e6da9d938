/* capture.h - the output of a command, through a pipe into a file in memory or into an outlet.
 *
 * Where: the worker; the file is private to the worker.  Blocks: capture_take(), without output.
 * Death: of the worker: the file vanishes; what is in an outlet stays. */
#ifndef PLM_CAPTURE_H
#define PLM_CAPTURE_H

#include <stdbool.h>

#include "tables/command_block.h"
#include "worker/call.h"

enum { CAPTURE_TAIL_BYTES = 400 };

struct capture { /* the output through one pipe: a file in memory, up to the cap */
	struct plm_call *call;
	int stream; /* 1 stdout, 2 stderr */
	int pipe;   /* -1: closed, or the outlet is live */
	/* The command's end. The worker keeps the end open too, so closing at the end of the
	 * command is no separate event. */
	int theirs;
	int file;     /* -1: no output came */
	int error;    /* errno: the output could not be kept */
	uint64_t cap; /* 0: the default, or, with an outlet, no cap */
	uint64_t kept, came;
	const char *path;                    /* of a file for the output; NULL: none */
	const struct command_outlet *outlet; /* pid 0, NULL: no outlet, or out of reach */
	int outlet_fd;                       /* -1: not open */
	bool in_file;                        /* all output is in the outlet's file */
	char tail[CAPTURE_TAIL_BYTES];       /* the last bytes of the output */
	size_t tail_bytes;
};

bool capture_open(struct capture *c);          /* false: errno says why */
void capture_take(struct capture *c);          /* takes the output at hand; blocks without any */
void capture_drain(struct capture *c);         /* takes the output at hand, then closes the pipe */
bool capture_is_live(const struct capture *c); /* the command writes to its submitter */
/* Moves the kept output into the file of the outlet. False: no such outlet, or c->error is set. */
bool capture_spill(struct capture *c);
/* The first bytes of the output kept in memory. */
bool capture_copy(const struct capture *c, char *ret, size_t length);
/* Where the output failed, why, and what to do. */
void capture_say_error(const struct capture *c, char *ret, size_t size);
/* The last lines joined into one, for a message. */
void capture_last_lines(const struct capture *c, char *ret, size_t size);
void capture_close(struct capture *c);

#endif
