#include "cli/map/map_pace.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/option_table.h"
#include "base/scan.h"
#include "base/why.h"

enum { TEXT_BYTES = 32, PERCENT = 100, PERCENT_MAX = 1000000, LIMIT_MAX_MS = 1 << 30 };

int pace_time(const char *what, const char *text, uint64_t most_ms, uint64_t *ret_ms)
{
	char seconds[TEXT_BYTES];
	size_t n = strspn(text, "0123456789.");
	if (n == 0 || text[n] || n + 2 > sizeof seconds)
		return text_time(what, text, most_ms, ret_ms);
	snprintf(seconds, sizeof seconds, "%s%ss", text[0] == '.' ? "0" : "", text);
	return text_time(what, seconds, most_ms, ret_ms);
}

int pace_read(const char *what, const char *text, struct pace *ret)
{
	char number[TEXT_BYTES];
	size_t n = strlen(text);
	uint64_t percent;
	ret->limit_ms = ret->percent = 0;
	if (n < 2 || n > sizeof number || text[n - 1] != '%')
		return pace_time(what, text, LIMIT_MAX_MS, &ret->limit_ms);
	memcpy(number, text, n - 1);
	number[n - 1] = 0;
	int r = option_number(what, number, 1, PERCENT_MAX, &percent);
	ret->percent = r == 0 ? (unsigned)percent : 0;
	return r;
}

void pace_learn(struct pace *p, uint64_t run_ms)
{
	unsigned at = p->jobs;
	if (p->percent == 0 || p->jobs == PACE_KEPT)
		return;
	for (; at > 0 && p->run_ms[at - 1] > run_ms; at--)
		p->run_ms[at] = p->run_ms[at - 1];
	p->run_ms[at] = run_ms;
	p->jobs++;
}

uint64_t pace_limit_ms(const struct pace *p)
{
	if (p->percent == 0)
		return p->limit_ms;
	if (p->jobs < PACE_LEAST)
		return 0;
	uint64_t limit = p->run_ms[p->jobs / 2] * p->percent / PERCENT;
	return limit ? limit : 1;
}
