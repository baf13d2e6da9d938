/* nursery.h - the births of Python workers.
 *
 * An interpreter takes tens of milliseconds to start, and modules take seconds to import. So for
 * each interpreter of the runtime the manager starts one zygote, a process that imports everything
 * once and then forks a worker for each order. The fork is double: the middle process sends the
 * worker's pidfd and lets the worker go on, then ends. So the worker becomes a child of the
 * manager, which is a subreaper, and is watched and reaped like a C worker.
 *
 * An order stands in the process slot's row of m->slot[] from the claim to the answer. The order
 * itself is made when it can be sent (manager/child.c:child_order).
 * Where: the manager.  Blocks: never.
 * Death: of a zygote: no worker that was not announced goes on, since the socket is shut before it
 * is read for the last time; open orders go to the next zygote, which starts after a pause. Of the
 * manager: the zygotes die too (PDEATHSIG), the workers go on; the next manager starts zygotes when
 * workers are missing. */
#ifndef PLM_NURSERY_H
#define PLM_NURSERY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/why.h"
#include "spec/resources.h"

struct manager;

enum order_state { ORDER_NONE, ORDER_WANTED, ORDER_SENT };

struct zygote {
	pid_t pid; /* 0: none */
	int pidfd, socket;
	bool serves; /* said a hello that fits */
	bool needed; /* was started once: a dead zygote is followed by another */
	uint64_t born_ns;
	uint64_t due_ns; /* not before may the next be started */
	uint32_t delay_ms;
	char reason[WHY_TEXT_BYTES]; /* why it is of no use; "": none known */
};

struct nursery {
	struct zygote of[PYTHONS_MAX];
	bool wanted; /* nursery_step() has something to do */
	bool ends;
};

/* The number of the interpreter for a claimed worker's process slot; PYTHONS_MAX: a C worker. */
uint32_t nursery_python(const struct manager *m, uint32_t slot);
/* Starts the zygotes of the first workers, before there are segments: an interpreter takes longer
 * to start than everything else of a boot. */
void nursery_begin(struct manager *m);
void nursery_order(struct manager *m, uint32_t slot); /* a claimed process slot */
void nursery_step(struct manager *m);                 /* starts zygotes, sends orders */
uint64_t nursery_due_ns(const struct manager *m);
void nursery_hear(struct manager *m, uint32_t python); /* reads what the zygote has said */
void nursery_hear_all(struct manager *m);
/* The pidfd says so. -errno, with a why: the interpreter cannot have workers. Another is started
 * all the same, after the pause. */
int nursery_ended(struct manager *m, uint32_t python);
uint32_t nursery_delay_ms(const struct manager *m, uint32_t python); /* the pause */
void nursery_end(struct manager *m);                                 /* no more births */
bool nursery_has(const struct manager *m, pid_t pid);                /* is the pid a zygote? */
bool nursery_is_empty(const struct manager *m);

#endif
