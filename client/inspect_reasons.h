/* inspect_reasons.h - explains a future in plain words: why it is not settled, or how it ended.
 *
 * reasons_explain() asks a table of checks in order (the end of inspect_reasons.c), each in the
 * states named in the table; each check adds a reason or none. So the first reason is the first
 * rule that keeps the task back, and later reasons would keep the task back next. A new rule is a
 * function and a line in that table. A check reads *look, and calls reasons_say() or not.
 * Where: any mapping of the control segment; every word is judged before use, so that a damaged
 * word makes a wrong sentence and nothing worse. A sentence may be old when printed. Blocks: never.
 * Allocates: never.  Lock: none. */
#ifndef PLM_CLIENT_INSPECT_REASONS_H
#define PLM_CLIENT_INSPECT_REASONS_H

#include "client/inspect_occupancy.h"
#include "client/inspect_view.h"

enum { REASONS_MAX = 8, REASON_REFS_MAX = 8, REASON_TEXT_BYTES = 1024 };
enum { NAME_BYTES = 3 * VIEW_TEXT_BYTES };

struct reason {
	const char *code; /* one word, for programs: cli/README.md lists them */
	char text[REASON_TEXT_BYTES];
	uint64_t ref[REASON_REFS_MAX]; /* the futures named in the text */
	uint32_t refs;
};

struct explanation {
	uint64_t ref; /* the task; the task of a further result */
	enum record_state state;
	bool object;
	char function[VIEW_TEXT_BYTES];    /* "" of an object */
	struct reason reason[REASONS_MAX]; /* at least 1 */
	uint32_t reasons;
};

/* False: no such future (any more). */
bool reasons_explain(const struct tables *t, uint64_t ref, struct explanation *ret);

/* ---- shared by the two files of checks ---- */

struct look { /* one look at one future */
	const struct tables *t;
	struct record *r;
	uint64_t ref, word;
	uint32_t now_ms;
	bool follow;                /* to the root of a chain */
	const struct terms *terms;  /* NULL: the task needs one cpu of any worker */
	struct occupancy occupancy; /* of a READY task */
	struct explanation *ret;
	struct reason *last; /* NULL: no reason yet, or no room for the last */
};

__attribute__((format(printf, 3, 4))) void reasons_say(
    struct look *l, const char *code, const char *format, ...);
/* Adds a future to the last reason; 0: none. */
void reasons_blame(struct look *l, uint64_t ref);
/* "@1.2.9a0b (probe.sleep)"; of anything but a task the reference alone. */
const char *reasons_name_task(const struct tables *t, uint64_t ref, char ret[NAME_BYTES]);

/* inspect_reasons_ready.c: what a READY task may lack; those of needs look at its terms. */
void reasons_check_parked(struct look *l); /* also of a WAITING task */
void reasons_check_paused(struct look *l);
void reasons_check_memory(struct look *l);
void reasons_check_backoff(struct look *l);
void reasons_check_workers(struct look *l);
void reasons_check_rings(struct look *l);
void reasons_check_scheduler(struct look *l); /* also of a WAITING task */
void reasons_check_booked(struct look *l);
void reasons_check_kept(struct look *l);
void reasons_check_turn(struct look *l);
void reasons_check_rank(struct look *l);
void reasons_check_needs(struct look *l);
void reasons_check_busy(struct look *l);
void reasons_check_heap(struct look *l);

#endif
