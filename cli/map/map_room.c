#include "cli/map/map_room.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

enum { LINE_BYTES = 256, PATH_BYTES = 4096, KILO_SHIFT = 10, PERCENT = 100 };

static FILE *room_open_proc(const char *name)
{
	const char *where = getenv("PLM_PROC");
	char path[PATH_BYTES];
	snprintf(path, sizeof path, "%s/%s", where && where[0] ? where : "/proc", name);
	return fopen(path, "re");
}

/* Runnable processes at the moment, plmctl not counted. */
static unsigned room_running_now(void)
{
	FILE *file = room_open_proc("loadavg");
	unsigned running = 1;
	if (file && fscanf(file, "%*f %*f %*f %u/", &running) != 1)
		running = 1;
	if (file)
		fclose(file);
	return running > 0 ? running - 1 : 0;
}

/* UINT64_MAX: unknown. */
static uint64_t room_memory_available(void)
{
	FILE *file = room_open_proc("meminfo");
	char line[LINE_BYTES];
	unsigned long long kilobytes = 0;
	bool found = false;
	while (file && !found && fgets(line, sizeof line, file))
		found = sscanf(line, "MemAvailable: %llu kB", &kilobytes) == 1;
	if (file)
		fclose(file);
	return found ? (uint64_t)kilobytes << KILO_SHIFT : UINT64_MAX;
}

bool room_is(const struct room *room)
{
	if (room->by_load && room_running_now() >= room->load)
		return false;
	return room->memory == 0 || room_memory_available() >= room->memory;
}

unsigned room_cpus(void)
{
	cpu_set_t ours;
	return sched_getaffinity(0, sizeof ours, &ours) == 0 ? (unsigned)CPU_COUNT(&ours) : 1;
}

unsigned room_load_of(unsigned percent)
{
	return (room_cpus() * percent + PERCENT - 1) / PERCENT;
}
