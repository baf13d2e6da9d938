#include "base/amount_text.h"

#include <stdio.h>

#include "base/check.h"

enum { NS_PER_UNIT = 1000, MS_PER_SECOND = 1000, MS_PER_MINUTE = 60000, MS_PER_HOUR = 3600000 };

void size_print(uint64_t bytes, char *ret, size_t size)
{
	static const char *const unit[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	double scaled = (double)bytes;
	unsigned u = 0;
	for (; scaled >= 1024 && u < COUNT_OF(unit) - 1; u++)
		scaled /= 1024;
	snprintf(ret, size, u ? "%.1f %s" : "%.0f %s", scaled, unit[u]);
}

void ms_print(uint64_t ms, char *ret, size_t size)
{
	if (ms < MS_PER_SECOND)
		snprintf(ret, size, "%llums", (unsigned long long)ms);
	else if (ms < MS_PER_MINUTE)
		snprintf(ret, size, "%.1fs", (double)ms / MS_PER_SECOND);
	else if (ms < MS_PER_HOUR)
		snprintf(ret, size, "%.1fmin", (double)ms / MS_PER_MINUTE);
	else
		snprintf(ret, size, "%.1fh", (double)ms / MS_PER_HOUR);
}

void ns_print(uint64_t ns, char *ret, size_t size)
{
	static const char *const unit[] = { "ns", "us", "ms" };
	double scaled = (double)ns;
	unsigned u = 0;
	for (; scaled >= NS_PER_UNIT && u < COUNT_OF(unit); u++)
		scaled /= NS_PER_UNIT;
	if (u == COUNT_OF(unit))
		ms_print(ns / NS_PER_UNIT / NS_PER_UNIT, ret, size);
	else
		snprintf(ret, size, u && scaled < 10 ? "%.1f%s" : "%.0f%s", scaled, unit[u]);
}
