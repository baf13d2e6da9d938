/* memory_thresholds.c - with how much free memory a task may start, and with how little a running
 * task goes back into the queue. A threshold is in bytes, or in hundredths of the memory of the
 * machine or of the control group. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/meter.h"
#include "base/scan.h"
#include "base/why.h"
#include "manager/options.h"

enum { HUNDRED = 100, ACCEPT_DEFAULT = 5, RETURN_DEFAULT = 2 };

int threshold_parse(const char *what, const char *text, struct threshold *ret)
{
	static const char units[] = "KMGT";
	char *end;
	errno = 0;
	uint64_t n = strtoull(text, &end, 10);
	bool number = !errno && end != text && text[0] != '-';
	const char *unit = number && *end ? strchr(units, *end & ~0x20) : NULL;
	unsigned shift = unit ? 10 * (unsigned)(unit - units + 1) : 0;
	bool percent = number && strcmp(end, "%") == 0 && n < HUNDRED;
	if (!percent && (!number || (*end && !(unit && !end[1])) || n > UINT64_MAX >> shift))
		return why(-EINVAL,
		    "%s wants free memory, such as 2G or 5%%, or 0 for never, not "
		    "\"%s\"",
		    what, text);
	*ret = (struct threshold){ .amount = n << shift, .percent = percent, .given = true };
	return 0;
}

int victim_parse(const char *what, const char *text, uint32_t *ret)
{
	for (uint32_t i = 0; i < MEMORY_VICTIMS; i++)
		if (strcmp(text, memory_victim_name(i)) == 0) {
			*ret = i;
			return 0;
		}
	return why(-EINVAL,
	    "%s wants newest (the task that started last) or over (the one "
	    "furthest over the memory it asked for), not \"%s\"",
	    what, text);
}

static uint64_t memory_thresholds_bytes_of(const struct threshold *t, uint64_t total)
{
	return t->percent ? total / HUNDRED * t->amount : t->amount;
}

/* A threshold that the user did not give makes room for the given one. */
static void memory_thresholds_fill_in(
    const struct options *o, uint64_t total, struct memory_rules *ret)
{
	ret->accept_free = memory_thresholds_bytes_of(&o->accept_free, total);
	ret->return_free = memory_thresholds_bytes_of(&o->return_free, total);
	if (!o->return_free.given && ret->return_free >= ret->accept_free)
		ret->return_free = ret->accept_free / 2;
	if (!o->accept_free.given && ret->accept_free <= ret->return_free)
		ret->accept_free = 2 * ret->return_free;
}

int memory_plan(struct options *o)
{
	struct reading now = { 0 };
	struct memory_rules *rules = &o->memory_rules;
	bool given = o->accept_free.given || o->return_free.given;
	char accept[DECIMAL_TEXT_BYTES], back[DECIMAL_TEXT_BYTES], total[DECIMAL_TEXT_BYTES];
	if (!o->accept_free.given)
		o->accept_free = (struct threshold){ ACCEPT_DEFAULT, true, false };
	if (!o->return_free.given)
		o->return_free = (struct threshold){ RETURN_DEFAULT, true, false };
	if (meter_read(&now) < 0 && given)
		return why(-EINVAL,
		    "--accept-free and --return-free cannot be used: /proc/meminfo does not tell "
		    "the available memory here");
	memory_thresholds_fill_in(o, now.total, rules);
	size_text(rules->accept_free, accept);
	size_text(rules->return_free, back);
	if (rules->return_free && rules->return_free >= rules->accept_free)
		return why(-EINVAL,
		    "--return-free %s must be less than --accept-free %s: else "
		    "each task that starts is sent back at once",
		    back, accept);
	if (rules->accept_free && rules->accept_free >= now.total)
		return why(-EINVAL,
		    "--accept-free %s: the machine has %s of memory, no task "
		    "would ever start",
		    accept, size_text(now.total, total));
	return 0;
}
