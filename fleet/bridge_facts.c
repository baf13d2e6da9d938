/* bridge_facts.c - what a host says of itself: memory, classes of tasks, modules. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/text_file.h"
#include "fleet/bridge_parts.h"

/* The scheduler looks at the memory of the machine only when there is work. */
static void facts_look_at_memory(plm_status *s)
{
	char text[1024];
	if (s->memory_total || !text_file_read("/proc/meminfo", text, sizeof text))
		return;
	const char *total = strstr(text, "MemTotal:"), *left = strstr(text, "MemAvailable:");
	s->memory_total = total ? strtoull(total + 9, NULL, 10) << 10 : 0;
	s->memory_free = left ? strtoull(left + 13, NULL, 10) << 10 : 0;
}

/* The classes that this host can run, a line each: for people who ask why a task waits. */
static const char *facts_can(const struct bridge *b)
{
	static char can[BRIDGE_CLASSES_MOST * TASK_CLASS_BYTES];
	size_t n = 0;
	can[0] = 0;
	for (size_t i = 0; i < b->classes; i++)
		if (b->class[i].possible)
			n += (size_t)snprintf(
			    can + n, sizeof can - n, n ? "\n%s" : "%s", b->class[i].needs);
	return can;
}

/* The classes that this host cannot run, with the reason. */
static const char *facts_lacks(const struct bridge *b)
{
	static char lacks[BRIDGE_CLASSES_MOST * (TASK_CLASS_BYTES + BRIDGE_WHY_BYTES)];
	size_t n = 0;
	lacks[0] = 0;
	for (size_t i = 0; i < b->classes; i++)
		if (!b->class[i].possible)
			n += (size_t)snprintf(lacks + n, sizeof lacks - n,
			    n ? "\n%s\t%s" : "%s\t%s", b->class[i].needs, b->class[i].why);
	return lacks;
}

/* A line once. */
static void facts_add(struct bridge *b, const char *kind, const char *name)
{
	char line[300];
	size_t n = strlen(b->has);
	int bytes = snprintf(line, sizeof line, "%s%s %.280s", n ? "\n" : "", kind, name);
	const char *text = line + (n > 0), *at = b->has;
	size_t length = strlen(text);
	for (; (at = strstr(at, text)) != NULL; at += length)
		if (at[length] == '\n' || !at[length])
			return;
	if (n + (size_t)bytes < sizeof b->has)
		memcpy(b->has + n, line, (size_t)bytes + 1);
}

/* Modules and interpreters. A module may be loaded at any time, so each renewal looks anew. */
void bridge_look_around(struct bridge *b)
{
	static plm_module_row modules[64];
	static plm_process_row workers[64];
	uint64_t cursor = 0;
	int n;
	b->has[0] = 0;
	while ((n = plm_inspect_modules(
		    b->in, &cursor, modules, sizeof *modules, COUNT_OF(modules))) > 0)
		for (int i = 0; i < n; i++)
			if (!task_module_is_built_in(modules[i].module))
				facts_add(b, "module", modules[i].module);
	cursor = 0;
	while ((n = plm_inspect_processes(b->in, 1 << PLM_KIND_WORKER, &cursor, workers,
		    sizeof *workers, COUNT_OF(workers))) > 0)
		for (int i = 0; i < n; i++)
			if (workers[i].python[0])
				facts_add(b, "python", workers[i].python);
}

static unsigned facts_busy(const struct bridge *b)
{
	unsigned ours = b->tasks < b->status.workers ? (unsigned)b->tasks : b->status.workers;
	return b->status.workers_busy > ours ? b->status.workers_busy : ours;
}

struct engine_facts bridge_facts(struct bridge *b)
{
	plm_status_get(b->rt, &b->status);
	facts_look_at_memory(&b->status);
	return (struct engine_facts){ .name = b->host,
		.runtime = b->runtime,
		.pid = b->status.manager_pid,
		.cores = b->status.workers,
		.busy = facts_busy(b),
		.can = facts_can(b),
		.lacks = facts_lacks(b),
		.has = b->has,
		.boot = b->boot,
		.serves = b->serve ? serve_address(b->serve) : "",
		.memory_total = b->status.memory_total,
		.memory_used = b->status.memory_total > b->status.memory_free
		    ? b->status.memory_total - b->status.memory_free
		    : 0 };
}
