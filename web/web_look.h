/* web_look.h - the runtime that plmweb watches: opened by name, again and again.
 *
 * Nothing tells a reader of shared memory that a runtime has ended, or that another boot has taken
 * the name. So each look opens the name anew, which costs two mappings, and the number of the boot
 * decides.
 * Allocates: a handle.  Blocks: never. */
#ifndef PLM_WEB_LOOK_H
#define PLM_WEB_LOOK_H

#include <stdbool.h>

#include "client/plm_inspect.h"

struct look {
	const char *name; /* NULL: the default */
	plm_inspect *in;  /* NULL: no runtime to show */
	uint64_t boot;    /* the number of the boot seen last; 0: none yet */
	int error;        /* of the last look; 0: ->in may be used */
	plm_runtime_row runtime;
	char trouble[256]; /* why there is nothing to show, or why it may be old; "" */
};

enum { LOOK_NEW = 1 };

/* 0: the boot of the look before; LOOK_NEW: another boot; -errno: none can be shown. */
int look_again(struct look *look);
/* Manager or scheduler are dead or stopped: ->trouble says so; else "". Cost: a look at each
 * process slot, and at two files of /proc. */
void look_judge(struct look *look);
/* "up", "stopping" and the like; "gone", "other version", "other user", "unreadable":
 * nothing can be shown. */
const char *look_state(const struct look *look);
void look_close(struct look *look);

/* Pages of the runtime that we have touched count as our memory. The kernel forgets that we touched
 * them, in the mappings of each handle; the runtime keeps the pages. */
void look_let_go(void);

#endif
