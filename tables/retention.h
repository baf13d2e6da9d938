/* retention.h - how long finished results stay that only the runtime keeps (plm --keep-finished).
 *
 * A result is kept by the runtime when its task was submitted with PLM_KEEP, or by plm_keep(). Once
 * the task is settled, no client holds it, no task needs it and no journal is still to write it,
 * the result may leave: the scheduler ends the runtime's hold (scheduler/retain.c).
 * Where: the rules are plain values in the control segment, written at boot; who left is a number
 * for each record.  Who: any process reads.  Blocks: never. */
#ifndef PLM_TABLES_RETENTION_H
#define PLM_TABLES_RETENTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct retention {
	uint64_t age_ms; /* a result leaves so long after its task ended; 0: not for its age */
	uint32_t count;  /* so many results stay, the oldest leave; 0: not for their number */
	uint32_t stay;   /* 1: none leaves by itself, also not to make room for new tasks */
};

/* The times in records wrap after 49 days. */
#define RETENTION_AGE_MAX_MS (UINT64_C(40) * 86400000)
enum { RETENTION_FAILED_TIMES = 4 }; /* a failed task may be retried: it stays so much longer */

struct tables;

/* As --keep-finished takes it: "all", "7d", "1000", "1000,7d". 0, or -EINVAL with a why that begins
 * with `what`. */
int retention_parse(const char *what, const char *text, struct retention *ret);
enum { RETENTION_TEXT_BYTES = 48 };
void retention_print(const struct retention *rules, char *ret, size_t size);

/* What became of a reference that names no record any more. A record remembers the last of its
 * lives that left by itself. */
enum retention_fate {
	FATE_UNKNOWN, /* dropped, or it never was */
	FATE_LEFT,    /* it has left by itself */
	FATE_EITHER,  /* another life of its record left later: it was dropped, or has left, too */
};
enum retention_fate retention_fate(const struct tables *t, uint64_t ref);
/* By the scheduler, before it ends the runtime's hold. */
void retention_leaves(struct tables *t, uint32_t index);

#endif
