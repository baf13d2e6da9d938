#include "base/meter.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text_file.h"

enum { TEXT_BYTES = 8192, PATH_BYTES = 4096, BYTES_PER_KB = 1024 };

static bool meter_number_after(const char *text, const char *name, uint64_t *ret)
{
	const char *at = strstr(text, name);
	char *end;
	if (!at || (at != text && at[-1] != '\n' && at[-1] != ' '))
		return false;
	uint64_t n = strtoull(at + strlen(name), &end, 10);
	if (end == at + strlen(name))
		return false;
	*ret = n;
	return true;
}

/* ---- control groups ---- */

struct version {          /* the file names of a version of control groups */
	const char *line; /* of /proc/self/cgroup: the text before our path */
	const char *root, *limit, *used;
	const char *forgettable; /* of memory.stat: file pages that the kernel could drop */
};

static bool meter_number_in(const char *directory, const char *file, uint64_t *ret)
{
	char path[PATH_BYTES + 64], text[TEXT_BYTES], *end;
	snprintf(path, sizeof path, "%s/%s", directory, file);
	if (!text_file_read(path, text, sizeof text))
		return false;
	*ret = strtoull(text, &end, 10);
	return end != text; /* "max" is no number: no limit */
}

static void meter_apply_group(const char *directory, const struct version *v, struct reading *r)
{
	char path[PATH_BYTES + 64], text[TEXT_BYTES];
	uint64_t limit, used, forgettable = 0;
	if (!meter_number_in(directory, v->limit, &limit) || limit >= r->total ||
	    !meter_number_in(directory, v->used, &used))
		return;
	snprintf(path, sizeof path, "%s/memory.stat", directory);
	if (text_file_read(path, text, sizeof text))
		meter_number_after(text, v->forgettable, &forgettable);
	used = used > forgettable ? used - forgettable : 0;
	uint64_t left = limit > used ? limit - used : 0;
	r->total = limit;
	if (left < r->available)
		r->available = left;
}

/* Our group and every group above: each may have a limit. */
static void meter_apply_groups(const char *groups, const struct version *v, struct reading *r)
{
	char directory[PATH_BYTES];
	const char *path = strstr(groups, v->line);
	if (!path)
		return;
	path += strlen(v->line);
	int n = snprintf(
	    directory, sizeof directory, "%s%.*s", v->root, (int)strcspn(path, "\n"), path);
	if (n < 0 || (size_t)n >= sizeof directory)
		return;
	while (strlen(directory) > strlen(v->root)) {
		meter_apply_group(directory, v, r);
		*strrchr(directory, '/') = 0;
	}
	meter_apply_group(directory, v, r); /* a container sees its own group as the root */
}

/* ---- the whole reading ---- */

static bool meter_read_memory(const char *path, struct reading *ret)
{
	char text[TEXT_BYTES];
	if (!text_file_read(path, text, sizeof text) ||
	    !meter_number_after(text, "MemTotal:", &ret->total) ||
	    !meter_number_after(text, "MemAvailable:", &ret->available))
		return false;
	ret->total *= BYTES_PER_KB;
	ret->available *= BYTES_PER_KB;
	ret->stalled_us = 0;
	meter_number_after(text, "Stalled:", &ret->stalled_us);
	return true;
}

int meter_read(struct reading *ret)
{
	static const struct version versions[] = {
		{ "0::", "/sys/fs/cgroup", "memory.max", "memory.current", "inactive_file " },
		{ ":memory:", "/sys/fs/cgroup/memory", "memory.limit_in_bytes",
		    "memory.usage_in_bytes", "total_inactive_file " },
	};
	struct reading r;
	char text[TEXT_BYTES];
	const char *simulated = getenv(METER_VARIABLE);
	bool good = meter_read_memory(simulated ? simulated : "/proc/meminfo", &r);
	if (good && !simulated) {
		if (text_file_read("/proc/self/cgroup", text, sizeof text))
			for (size_t i = 0; i < sizeof versions / sizeof versions[0]; i++)
				meter_apply_groups(text, &versions[i], &r);
		if (text_file_read("/proc/pressure/memory", text, sizeof text))
			meter_number_after(
			    text, "total=", &r.stalled_us); /* the first line is "some" */
	}
	if (!good)
		return -EIO;
	*ret = r;
	return 0;
}
