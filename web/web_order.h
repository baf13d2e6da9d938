/* web_order.h - tasks in an order by a column: the first of those behind a place.
 *
 * The table of records has no index. So a page of an order is one pass over the records, which
 * keeps the first `limit` tasks behind the place where the page before ended. An order is strict:
 * of tasks with equal keys the one that stands first in the table goes first, and ages, waits and
 * runs that still grow count as of the moment when the first page was asked for. So every task that
 * does not change stands on one page, whatever the time between two pages.
 *
 * A place is text for the caller, "AT.KEY.POSITION": the moment, in milliseconds since boot; the
 * key, the largest first; the position in the table. "AT" alone is the place before all tasks.
 * Allocates, blocks: never. */
#ifndef PLM_WEB_ORDER_H
#define PLM_WEB_ORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/plm_inspect.h"

#define ORDER_NAMES "none|age|run|queue|priority|attempt|bytes"
enum order_by {
	ORDER_NONE, /* the order of the table */
	ORDER_AGE,
	ORDER_RUN,
	ORDER_QUEUE,
	ORDER_PRIORITY,
	ORDER_ATTEMPT,
	ORDER_BYTES
};

enum { ORDER_PLACE_BYTES = 72 };

struct order_place {
	int64_t at_ms;
	bool first; /* before all tasks: no key, no position */
	int64_t key;
	uint64_t position;
};

struct order_kept { /* of a task that is to be shown */
	plm_ref ref;
	int64_t key;
	uint64_t position;
};

struct order {
	enum order_by by;
	bool rising;
	struct order_place after;
	struct order_kept *kept; /* `limit` places; a heap, the last in the order on top */
	size_t count, limit;
	uint64_t matched; /* tasks behind the place, kept or not */
};

/* false: the text is no place. */
bool order_read_place(const char *text, struct order_place *ret);
/* The place of a kept task; NULL: the place behind which all stand. */
void order_print_place(
    const struct order *order, const struct order_kept *kept, char ret[ORDER_PLACE_BYTES]);

/* A task at this position of the table; positions of later calls are larger. Keeps the task if the
 * task belongs to the first `limit` so far. */
void order_take(struct order *order, const plm_task_row *row, uint64_t position);
/* After the last task: brings what was kept into the order. */
void order_finish(struct order *order);

#endif
