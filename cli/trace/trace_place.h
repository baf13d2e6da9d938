/* trace_place.h - a file that gets its name when it is whole: until then it has no name, or, with
 * `seen`, the name FILE.part, which a killed program leaves behind.
 * A link is followed. A device or pipe is refused, because the rename at the end would replace the
 * device. Who: one thread.  Blocks: in the file system.  Errors: -errno with a why. */
#ifndef PLM_TRACE_PLACE_H
#define PLM_TRACE_PLACE_H

#include <stdbool.h>

enum { PLACE_BYTES = 4096 };

struct trace_place {
	int fd; /* open for reading and writing */
	char path[PLACE_BYTES];
	char part[PLACE_BYTES]; /* the present name; "": none */
};

/* True: the path leads to a device, a pipe or a directory. */
bool place_is_special(const char *path);
/* 0 or -errno. */
int place_open(struct trace_place *place, const char *path, bool seen);
/* Replaces the file at the path, if there is one. Closes the descriptor. 0 or -errno. */
int place_keep(struct trace_place *place);
/* Leaves nothing. */
void place_drop(struct trace_place *place);

#endif
