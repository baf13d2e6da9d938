/* inspect_machine.c - the machine as rows: parts, GPUs, and the places of workers. */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/why.h"
#include "client/handle.h"
#include "client/inspect.h"
#include "topology/topology.h"

_Static_assert(sizeof(plm_cpus) == sizeof(cpu_set_t), "the same cpus, the same bits");
_Static_assert((int)PLM_PIN_NONE == (int)PIN_NONE && (int)PLM_PIN_CORE == (int)PIN_CORE &&
	(int)PLM_PIN_NUMA == (int)PIN_NUMA,
    "the ways to pin of plm_inspect.h are those of topology.h");
_Static_assert((int)TOPOLOGY_NO_NUMBER == PLM_NO_NUMBER && (int)PLACE_ANY_NODE == PLM_NO_NUMBER &&
	(int)GPU_NODE_NONE == PLM_NO_NUMBER,
    "no number is the same number everywhere");

enum { PARTS_LEAST = 64 };

struct plm_machine {
	struct topology *topology;
	plm_part_row *part;
	size_t parts, room;
	bool full; /* memory ran out */
	plm_gpu_row gpu[GPUS_MAX];
	size_t gpus;
};

/* ---- opening ---- */

static plm_cpus machine_cpus(const cpu_set_t *cpus)
{
	plm_cpus ret;
	memcpy(&ret, cpus, sizeof ret);
	return ret;
}

static void machine_add_part(void *context, const struct topology_part *part)
{
	plm_machine *machine = context;
	if (machine->parts == machine->room && !machine->full) {
		size_t room = machine->room ? 2 * machine->room : PARTS_LEAST;
		plm_part_row *more = realloc(machine->part, room * sizeof *more);
		machine->full = !more;
		machine->part = more ? more : machine->part;
		machine->room = more ? room : machine->room;
	}
	if (machine->full)
		return;
	plm_part_row *row = &machine->part[machine->parts++];
	*row = (plm_part_row){ .depth = part->depth,
		.alone = part->alone,
		.number = part->number,
		.bytes = part->bytes,
		.cpus = machine_cpus(&part->cpus) };
	inspect_text(row->kind, sizeof row->kind, part->kind);
	inspect_text(row->name, sizeof row->name, part->name);
}

static void machine_add_gpus(plm_machine *machine)
{
	struct gpu *gpu = calloc(GPUS_MAX, sizeof *gpu);
	machine->full |= !gpu;
	machine->gpus = gpu ? topology_gpus(machine->topology, gpu) : 0;
	for (size_t i = 0; i < machine->gpus; i++) {
		plm_gpu_row *row = &machine->gpu[i];
		row->node = gpu[i].node;
		inspect_text(row->gpu, sizeof row->gpu, gpu[i].id);
		inspect_text(row->bus, sizeof row->bus, gpu[i].bus);
		inspect_text(row->name, sizeof row->name, gpu[i].name);
	}
	free(gpu);
}

static int machine_read(plm_machine *machine, const char *description)
{
	int r = description ? topology_open_synthetic(description, &machine->topology)
			    : topology_open(TOPOLOGY_ALL, &machine->topology);
	if (r < 0)
		return r;
	topology_walk(machine->topology, machine_add_part, machine);
	machine_add_gpus(machine);
	return machine->full ? why(-ENOMEM, "no memory to describe the machine") : 0;
}

int plm_machine_open(plm_machine **ret, const char *description)
{
	unsigned said = why_count();
	if (!ret)
		return why(-EINVAL, "plm_machine_open: no place for the handle");
	plm_machine *machine = calloc(1, sizeof *machine);
	if (!machine)
		return why(-ENOMEM, "no memory to describe the machine");
	int r = machine_read(machine, description);
	if (r < 0)
		plm_machine_close(&machine);
	else
		*ret = machine;
	return handle_end(said, r);
}

void plm_machine_close(plm_machine **machine)
{
	if (!machine || !*machine)
		return;
	topology_close(&(*machine)->topology);
	free((*machine)->part);
	free(*machine);
	*machine = NULL;
}

/* ---- rows ---- */

/* A page of an array of `count` rows of `ours` bytes. */
static int machine_page(
    struct inspect_page *page, const void *array, size_t count, size_t ours, uint64_t *cursor)
{
	const char *row = array;
	for (; *cursor < count && !inspect_page_full(page); ++*cursor)
		inspect_page_add(page, row + *cursor * ours, ours);
	return (int)page->filled;
}

int plm_machine_parts(
    plm_machine *machine, uint64_t *cursor, plm_part_row *rows, size_t size, size_t n)
{
	struct inspect_page page = { .n = n };
	int r = inspect_check_page("plm_machine_parts", machine, cursor, rows, size, &page);
	return r < 0
	    ? r
	    : machine_page(&page, machine->part, machine->parts, sizeof machine->part[0], cursor);
}

int plm_machine_gpus(
    plm_machine *machine, uint64_t *cursor, plm_gpu_row *rows, size_t size, size_t n)
{
	struct inspect_page page = { .n = n };
	int r = inspect_check_page("plm_machine_gpus", machine, cursor, rows, size, &page);
	return r < 0
	    ? r
	    : machine_page(&page, machine->gpu, machine->gpus, sizeof machine->gpu[0], cursor);
}

int plm_machine_sees_gpus(void)
{
	return topology_sees_devices();
}

int plm_machine_plan(plm_machine *machine, int pin, plm_place_row *rows, size_t size, size_t n)
{
	struct inspect_page page = { .n = n };
	uint64_t none = 0;
	int r = inspect_check_page("plm_machine_plan", machine, &none, rows, size, &page);
	if (r < 0)
		return r;
	if (pin < 0 || pin >= PIN_MODES || n > WORKERS_MAX)
		return why(-EINVAL, "plm_machine_plan: no such way to pin, or too many workers");
	struct place *place = calloc(n ? n : 1, sizeof *place);
	if (!place)
		return why(-ENOMEM, "no memory for the places of workers");
	r = topology_plan(machine->topology, (enum pin)pin, (uint32_t)n, place);
	for (uint32_t i = 0; i < n && r == 0; i++) {
		const plm_place_row row = {
			.worker = i, .node = place[i].node, .cpus = machine_cpus(&place[i].cpus)
		};
		inspect_page_add(&page, &row, sizeof row);
	}
	free(place);
	return r;
}

/* ---- cpus ---- */

int plm_cpus_of(plm_cpus *ret, int32_t pid)
{
	cpu_set_t cpus;
	if (!ret || pid < 0)
		return why(-EINVAL, "plm_cpus_of: no place for the cpus, or no process");
	if (sched_getaffinity(pid, sizeof cpus, &cpus) < 0)
		return why(-errno, "process %d: %s", pid, strerror(errno));
	*ret = machine_cpus(&cpus);
	return 0;
}

int plm_cpus_print(const plm_cpus *cpus, char *text, size_t size)
{
	cpu_set_t set;
	if (!cpus || !text || size == 0)
		return why(-EINVAL, "plm_cpus_print: no cpus, or no place for the text");
	memcpy(&set, cpus, sizeof set);
	cpus_print(&set, text, size);
	return 0;
}
