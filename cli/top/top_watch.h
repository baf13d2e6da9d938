/* top_watch.h - the runtime that plmctl top watches: opened by name, again and again.
 *
 * Nothing tells a reader of shared memory that a runtime has ended, or that a runtime of the same
 * name was booted since. So the name is opened anew for each frame, which costs two mappings, and
 * the number of the boot decides.
 * Allocates: a handle.  Blocks: never. */
#ifndef PLM_CLI_TOP_WATCH_H
#define PLM_CLI_TOP_WATCH_H

#include <stdbool.h>

#include "client/plm_inspect.h"

struct watched {
	const char *name;  /* NULL: the default */
	plm_inspect *in;   /* NULL: no runtime to show */
	uint64_t boot;     /* the number of the boot seen last; 0: none */
	char trouble[256]; /* why there is nothing to show, or why it may be old; "" */
};

enum { WATCH_NEW = 1 };

/* Looks for the runtime. 0: the same as before; WATCH_NEW: another boot, watched from now on;
 * -errno: none can be shown, ->in is NULL, and ->trouble tells why. */
int watched_look(struct watched *watched);
/* Manager or scheduler are dead or stopped: ->trouble says so. */
void watched_judge(struct watched *watched);
void watched_close(struct watched *watched);

#endif
