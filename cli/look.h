/* look.h - what the checks of reasons.c and reasons_ready.c share: one look at one future.
 *
 * Private to them. A check reads *look, and says a reason or nothing. */
#ifndef PLM_CLI_LOOK_H
#define PLM_CLI_LOOK_H

#include "cli/occupancy.h"
#include "cli/reasons.h"

enum { NAME_BYTES = 3 * VIEW_TEXT_BYTES };

struct look {
	const struct tables *t;
	struct record *r;
	uint64_t ref, word;
	uint32_t now_ms;
	bool follow;                /* to the root */
	const struct terms *terms;  /* NULL: it asks for nothing */
	struct occupancy occupancy; /* of a READY one */
	struct explanation *ret;
	struct reason *last; /* said; NULL: nothing yet, or there was no room for it */
};

__attribute__((format(printf, 3, 4))) void say(
    struct look *l, const char *code, const char *format, ...);
/* The last reason is about this future, too; 0: about none. */
void blame(struct look *l, uint64_t ref);
/* "@1.2.9a0b (probe.sleep)"; of what is no task the reference alone. */
const char *name_task(const struct tables *t, uint64_t ref, char ret[NAME_BYTES]);

/* ---- reasons_ready.c: what a READY task may lack; those of needs look at its terms ---- */
void check_paused(struct look *l);
void check_memory(struct look *l);
void check_backoff(struct look *l);
void check_workers(struct look *l);
void check_rings(struct look *l);
void check_scheduler(struct look *l); /* also of a WAITING one */
void check_booked(struct look *l);
void check_kept(struct look *l);
void check_turn(struct look *l);
void check_rank(struct look *l);
void check_needs(struct look *l);
void check_busy(struct look *l);
void check_heap(struct look *l);

#endif
