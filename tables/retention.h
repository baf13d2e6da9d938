/* retention.h - how long finished results stay which only the runtime keeps (plm --keep-finished).
 *
 * The runtime keeps a result whose task was submitted with PLM_KEEP, or after plm_keep(). A settled
 * result may leave when no client holds it, no task needs it and no journal must still write it:
 * the scheduler then ends the runtime's hold (scheduler/retain.c).
 * Where: the rules are plain values in the control segment, written at boot; for each record a word
 * names the last life that left.  Who may call: any process reads; the scheduler writes.
 * Blocks: never.  Death: nothing to undo. */
#ifndef PLM_TABLES_RETENTION_H
#define PLM_TABLES_RETENTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct retention {
	uint64_t age_ms; /* age at which a result leaves; 0: no limit */
	uint32_t count;  /* most results kept, the oldest leave first; 0: no limit */
	uint32_t stay;   /* 1: no result leaves, not even to make room for new tasks */
};

/* The times in records wrap after 49 days. */
#define RETENTION_AGE_MAX_MS (UINT64_C(40) * 86400000)
enum { RETENTION_FAILED_TIMES = 4 }; /* a failed task may be retried, so its result stays longer */

struct tables;

/* The value of --keep-finished: "all", "7d", "1000", "1000,7d". 0, or -EINVAL with a why that
 * begins with `what`. */
int retention_parse(const char *what, const char *text, struct retention *ret);
enum { RETENTION_TEXT_BYTES = 48 };
void retention_print(const struct retention *rules, char *ret, size_t size);

/* The fate of a reference that names no record any more. A record remembers the last of its lives
 * that left. */
enum retention_fate {
	FATE_UNKNOWN, /* dropped, or never existed */
	FATE_LEFT,    /* left by the rules */
	FATE_EITHER,  /* a later life of the record left: this life was dropped, or left, too */
};
enum retention_fate retention_fate(const struct tables *t, uint64_t ref);
/* By the scheduler, before it ends the runtime's hold. */
void retention_leaves(struct tables *t, uint32_t index);

#endif
