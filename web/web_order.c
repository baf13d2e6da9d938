#include "web/web_order.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "web/web_query.h"

enum { NUMBER_BYTES = 24 };
#define MOST (INT64_MAX / 4) /* of a number in a key: sums of some fit into 64 bits */

/* ---- places ---- */

/* The digits up to the next dot, or to the end; *at goes behind them. */
static bool order_read_number(const char **at, uint64_t most, uint64_t *ret)
{
	char digits[NUMBER_BYTES];
	size_t length = strcspn(*at, ".");
	if (length >= sizeof digits)
		return false;
	memcpy(digits, *at, length);
	digits[length] = 0;
	*at += length;
	return query_number(digits, most, ret);
}

bool order_read_place(const char *text, struct order_place *ret)
{
	uint64_t at_ms, key, position;
	if (!order_read_number(&text, MOST, &at_ms))
		return false;
	*ret = (struct order_place){ .at_ms = (int64_t)at_ms, .first = !text[0] };
	if (ret->first)
		return true;
	bool negative = text[1] == '-';
	text += 1 + negative;
	if (!order_read_number(&text, INT64_MAX, &key) || !text[0])
		return false;
	text++;
	if (!order_read_number(&text, UINT64_MAX, &position) || text[0])
		return false;
	ret->key = negative ? -(int64_t)key : (int64_t)key;
	ret->position = position;
	return true;
}

void order_print_place(
    const struct order *order, const struct order_kept *kept, char ret[ORDER_PLACE_BYTES])
{
	int n = snprintf(ret, ORDER_PLACE_BYTES, "%" PRId64, order->after.at_ms);
	if (kept)
		snprintf(ret + n, ORDER_PLACE_BYTES - (size_t)n, ".%" PRId64 ".%" PRIu64, kept->key,
		    kept->position);
	else if (!order->after.first)
		snprintf(ret + n, ORDER_PLACE_BYTES - (size_t)n, ".%" PRId64 ".%" PRIu64,
		    order->after.key, order->after.position);
}

/* ---- keys ---- */

static int64_t order_bounded(uint64_t number)
{
	return number > MOST ? MOST : (int64_t)number;
}

/* What still grows is counted as of the moment of the first page, and may be negative: a task that
 * was submitted or started afterwards. */
static int64_t order_value(const struct order *order, const plm_task_row *row)
{
	int64_t age_ms = order->after.at_ms - order_bounded(row->submitted_ms);
	bool waits =
	    row->attempt == 0 && (row->state == PLM_STATE_WAITING || row->state == PLM_STATE_READY);
	switch (order->by) {
	case ORDER_AGE: return age_ms;
	case ORDER_QUEUE: return waits ? age_ms : order_bounded(row->queue_ms);
	case ORDER_RUN:
		return row->state == PLM_STATE_RUNNING ? age_ms - order_bounded(row->queue_ms)
						       : order_bounded(row->run_ms);
	case ORDER_PRIORITY: return row->priority;
	case ORDER_ATTEMPT: return row->attempt;
	case ORDER_BYTES: return order_bounded(row->value_bytes);
	default: return 0;
	}
}

/* ---- the first `limit` ---- */

static bool order_before(const struct order_kept *a, const struct order_kept *b)
{
	return a->key > b->key || (a->key == b->key && a->position < b->position);
}

static bool order_is_behind(const struct order_place *place, const struct order_kept *kept)
{
	return place->first || kept->key < place->key ||
	    (kept->key == place->key && kept->position > place->position);
}

static void order_sink(struct order *order, size_t at)
{
	for (;;) {
		size_t last = at;
		for (size_t child = 2 * at + 1; child <= 2 * at + 2; child++)
			if (child < order->count &&
			    order_before(&order->kept[last], &order->kept[child]))
				last = child;
		if (last == at)
			return;
		struct order_kept kept = order->kept[at];
		order->kept[at] = order->kept[last];
		order->kept[last] = kept;
		at = last;
	}
}

void order_take(struct order *order, const plm_task_row *row, uint64_t position)
{
	int64_t value = order_value(order, row);
	struct order_kept kept = { row->ref, order->rising ? -value : value, position };
	if (order->by && !order_is_behind(&order->after, &kept))
		return;
	order->matched++;
	if (order->count < order->limit) {
		order->kept[order->count++] = kept;
		if (order->by && order->count == order->limit)
			for (size_t i = order->count / 2; i-- > 0;)
				order_sink(order, i);
	} else if (order_before(&kept, &order->kept[0])) {
		order->kept[0] = kept;
		order_sink(order, 0);
	}
}

static int order_compare(const void *a, const void *b)
{
	return order_before(a, b) ? -1 : order_before(b, a) ? 1 : 0;
}

void order_finish(struct order *order)
{
	if (order->by)
		qsort(order->kept, order->count, sizeof order->kept[0], order_compare);
}
