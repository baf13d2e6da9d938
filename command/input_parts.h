/* input_parts.h - parts of a file as standard input of a command.
 *
 * A command cannot be told where its input ends within a file, so the worker moves the parts
 * through a pipe. splice() moves pages of the page cache by reference: nothing is copied in the
 * worker, and the memory is that of the pipe, whatever the length of a part. A command that closes
 * its input, or reads none of it, is not disturbed. Where: the worker, beside the sleep of
 * command_watch.c. Blocks: while the file is read. */
#ifndef PLM_COMMAND_INPUT_PARTS_H
#define PLM_COMMAND_INPUT_PARTS_H

#include <stdint.h>
#include <stddef.h>

enum { INPUT_PARTS_MAX = 2 };

struct input_parts {
	int file, pipe; /* the write end; -1: nothing to give */
	size_t part, parts;
	uint64_t from[INPUT_PARTS_MAX], left[INPUT_PARTS_MAX];
};

#define INPUT_PARTS_NONE               \
	{                              \
		.file = -1, .pipe = -1 \
	}

/* If the fields name parts, takes the file *fd, and puts the read end of a pipe in its place.
 * 0 or -errno. */
int input_parts_open(struct input_parts *p, const char *fields, size_t fields_bytes, int *fd);
/* Gives as much as the pipe takes. */
void input_parts_give(struct input_parts *p);
void input_parts_close(struct input_parts *p);

#endif
