#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/limits.h"
#include "cli/arguments.h"
#include "cli/look.h"

enum { DEPTH_MAX = 32, TEXT_BYTES = 3 * sizeof((plm_part_row *)NULL)->name, CPUS_BYTES = 128 };

struct seat {        /* of a worker process, real or planned */
	int32_t pid; /* 0: planned */
	plm_place_row place;
};

struct drawing {
	struct output *out;
	const struct seat *seat;
	uint32_t seats;
	plm_cpus machine;
	bool begun, chain; /* a line is begun; an only child goes on in the same line */
	bool marked;       /* the line ends with the workers on `mark` */
	plm_cpus mark;
	int indent[DEPTH_MAX];
};

static bool topology_same(const plm_cpus *a, const plm_cpus *b)
{
	return memcmp(a, b, sizeof *a) == 0;
}

/* ---- the tree, for people ---- */

static void topology_end_line(struct drawing *d)
{
	/* A worker on all cpus is not pinned: no mark. */
	bool show = d->marked && !topology_same(&d->mark, &d->machine);
	d->marked = false;
	for (uint32_t i = 0; i < d->seats && show; i++) {
		const struct seat *s = &d->seat[i];
		if (!topology_same(&s->place.cpus, &d->mark))
			continue;
		if (s->pid)
			fprintf(d->out->file, "  <- worker %" PRIu32 " (pid %" PRId32 ")",
			    s->place.worker, s->pid);
		else
			fprintf(d->out->file, "  <- worker %" PRIu32, s->place.worker);
	}
	putc('\n', d->out->file);
}

static void topology_draw_part(const struct drawing *d, const plm_part_row *part)
{
	char text[TEXT_BYTES];
	fputs(part->kind, d->out->file);
	if (part->number != PLM_NO_NUMBER)
		fprintf(d->out->file, " %" PRId32, part->number);
	if (part->bytes) {
		size_print(part->bytes, text, sizeof text);
		fprintf(d->out->file, " %s", text);
	}
	if (part->name[0]) {
		make_printable(part->name, text, sizeof text);
		fprintf(d->out->file, "  %s", text);
	}
}

/* One step deeper than the parent, however many parts share the line of the parent. */
static int topology_indent(struct drawing *d, uint32_t depth, bool joined)
{
	uint32_t at = depth < DEPTH_MAX ? depth : DEPTH_MAX - 1;
	return d->indent[at] = at == 0 ? 0 : d->indent[at - 1] + !joined;
}

/* A core shares a line with its private caches: "L2 2.0 MiB + L1d 48.0 KiB + core 3 + cpu 3". */
static void topology_draw(struct drawing *d, const plm_part_row *part)
{
	bool core = strcmp(part->kind, "core") == 0, cpu = strcmp(part->kind, "cpu") == 0;
	bool joined = d->chain && part->alone;
	if (part->depth == 0)
		d->machine = part->cpus;
	if (!joined && d->begun)
		topology_end_line(d);
	d->begun = true;
	int steps = topology_indent(d, part->depth, joined);
	fprintf(d->out->file, "%s%*s", joined ? " + " : "", joined ? 0 : 2 * steps, "");
	topology_draw_part(d, part);
	d->chain = core || part->kind[0] == 'L';
	if (core || (cpu && !joined) || strcmp(part->kind, "node") == 0) {
		d->marked = true;
		d->mark = part->cpus;
	}
}

/* ---- lists ---- */

static void topology_cell_cpus(struct output *out, const plm_cpus *cpus)
{
	char text[CPUS_BYTES];
	plm_cpus_print(cpus, text, sizeof text);
	cell_text(out, text);
}

static void topology_part_cpus(struct output *out, const void *row)
{
	topology_cell_cpus(out, &((const plm_part_row *)row)->cpus);
}

static void topology_seat_cpus(struct output *out, const void *row)
{
	topology_cell_cpus(out, &((const struct seat *)row)->place.cpus);
}

static bool topology_part_numbered(const void *row)
{
	return ((const plm_part_row *)row)->number >= 0;
}

static bool topology_gpu_has_node(const void *row)
{
	return ((const plm_gpu_row *)row)->node >= 0;
}

static bool topology_seat_has_node(const void *row)
{
	return ((const struct seat *)row)->place.node >= 0;
}

static const struct column part_columns[] = {
	{ "KIND", "kind", -8, PLAIN(plm_part_row, kind) },
	{ "DEPTH", "depth", 5, PLAIN(plm_part_row, depth) },
	{ "NUMBER", "number", 6, PLAIN(plm_part_row, number), .known = topology_part_numbered },
	{ "BYTES", "bytes", 12, PLAIN(plm_part_row, bytes) },
	{ "CPUS", "cpus", -12, .cell = topology_part_cpus },
	{ "NAME", "name", -20, PLAIN(plm_part_row, name) },
};
static const struct column gpu_columns[] = {
	{ "GPU", "gpu", -3, PLAIN(plm_gpu_row, gpu) },
	{ "NODE", "node", 4, PLAIN(plm_gpu_row, node), .known = topology_gpu_has_node },
	{ "BUS", "bus", -12, PLAIN(plm_gpu_row, bus) },
	{ "NAME", "name", -20, PLAIN(plm_gpu_row, name) },
};

static const struct column worker_columns[] = {
	{ "WORKER", "worker", 6, PLAIN(struct seat, place.worker) },
	{ "PID", "pid", 7, PLAIN(struct seat, pid) },
	{ "NODE", "node", 4, PLAIN(struct seat, place.node), .known = topology_seat_has_node },
	{ "CPUS", "cpus", -12, .cell = topology_seat_cpus },
};
static const struct column plan_columns[] = {
	{ "WORKER", "worker", 6, PLAIN(struct seat, place.worker) },
	{ "NODE", "node", 4, PLAIN(struct seat, place.node), .known = topology_seat_has_node },
	{ "CPUS", "cpus", -12, .cell = topology_seat_cpus },
};

struct missing {
	const char *what, *why;
};
static const struct column missing_columns[] = {
	{ "WHAT", "what", -6, PLAIN(struct missing, what) },
	{ "WHY", "why", -20, PLAIN(struct missing, why) },
};

static void topology_list_gpus(struct output *out, plm_machine *machine)
{
	plm_gpu_row row;
	uint64_t cursor = 0;
	while (plm_machine_gpus(machine, &cursor, &row, sizeof row, 1) > 0) {
		if (cursor == 1) {
			output_section(out, "gpus");
			table_begin(out, gpu_columns, COUNT_OF(gpu_columns));
		}
		table_row(out, &row);
	}
}

/* "No GPU found" differs from "not looked for". */
static void topology_list_missing(struct output *out)
{
	const struct missing gpus = { "gpus",
		"not looked for: hwloc has no plugins here (Debian: libhwloc-plugins)" };
	if (plm_machine_sees_gpus())
		return;
	output_section(out, "missing");
	table_begin(out, missing_columns, COUNT_OF(missing_columns));
	table_row(out, &gpus);
}
static void topology_list_seats(struct output *out, const struct seat *seat, uint32_t n)
{
	bool real = n > 0 && seat[0].pid;
	if (n == 0)
		return;
	output_section(out, real ? "workers" : "plan");
	table_begin(out, real ? worker_columns : plan_columns,
	    real ? COUNT_OF(worker_columns) : COUNT_OF(plan_columns));
	for (uint32_t i = 0; i < n; i++)
		table_row(out, &seat[i]);
}

/* The tree for people, a list for programs. */
static void topology_show_parts(struct drawing *d, plm_machine *machine)
{
	struct output *out = d->out;
	plm_part_row part;
	uint64_t cursor = 0;
	if (out->json)
		table_begin(out, part_columns, COUNT_OF(part_columns));
	while (plm_machine_parts(machine, &cursor, &part, sizeof part, 1) > 0) {
		if (out->json)
			table_row(out, &part);
		else
			topology_draw(d, &part);
	}
	if (d->begun)
		topology_end_line(d);
}

static void topology_show(
    struct output *out, plm_machine *machine, const struct seat *seat, uint32_t n)
{
	struct drawing d = { .out = out, .seat = seat, .seats = n };
	out->section = "machine"; /* a drawing needs no heading */
	if (!out->quiet) {
		topology_show_parts(&d, machine);
		topology_list_gpus(out, machine);
	}
	topology_list_seats(out, seat, n);
}

/* ---- where workers are ---- */

/* The kernel knows best where a process may run. */
static bool topology_read_seat(const plm_process_row *row, struct seat *ret)
{
	if (row->marks & PLM_MARK_DRAINED || row->pid <= 0 || !row->live)
		return false;
	*ret = (struct seat){ row->pid, { .worker = row->worker, .node = row->node } };
	return plm_cpus_of(&ret->place.cpus, row->pid) == 0;
}

static int topology_find_workers(struct context *context, struct seat *ret, uint32_t *ret_n)
{
	plm_process_row row;
	uint64_t cursor = 0;
	int r = plm_connect_with(&context->rt, context->name, PLM_VISIT, context->timeout_ms);
	*ret_n = 0;
	if (r == -ENOENT || r == -EHOSTDOWN) /* the machine is there without a runtime */
		return EXIT_FINE;
	if (r < 0)
		return failed(r, "connecting");
	int code = look_open(context);
	while (code == EXIT_FINE && *ret_n < WORKERS_MAX &&
	    plm_inspect_processes(
		context->in, 1u << PLM_KIND_WORKER, &cursor, &row, sizeof row, 1) > 0)
		*ret_n += topology_read_seat(&row, &ret[*ret_n]);
	return code;
}

static int topology_make_plan(plm_machine *machine, int pin, uint32_t n, struct seat *ret)
{
	static plm_place_row place[WORKERS_MAX];
	int r = plm_machine_plan(machine, pin, place, sizeof place[0], n);
	for (uint32_t i = 0; i < n && r == 0; i++)
		ret[i] = (struct seat){ .place = place[i] };
	return r == 0 ? EXIT_FINE : failed(r, "planning");
}

struct request {
	const char *synthetic;
	int pin; /* enum plm_pin; negative: show the real workers, no plan */
	uint32_t workers;
};

static const struct option_row rows[] = {
	{ "synthetic", NULL, NULL, OPTION_TEXT, .word = "TEXT",
	    .help = "another machine instead, such as \"numa:2 core:4 pu:2\"",
	    OPTION_FIELD(struct request, synthetic) },
	{ "pin", NULL, NULL, OPTION_CHOICE, .choices = "none|core|numa",
	    .help = "with --workers: where `plm --pin` would put so many workers",
	    OPTION_FIELD(struct request, pin) },
	{ "workers", NULL, NULL, OPTION_NUMBER, .word = "N", .help = "see --pin",
	    OPTION_FIELD(struct request, workers), 1, WORKERS_MAX },
	{ 0 },
};

static struct request topology_parse(struct context *context, int argc, char **argv)
{
	struct request q = { .pin = -1 };
	take_options(context, argc, argv, (void *[]){ &q });
	expect_operands(context, argc, 0, 0);
	if ((q.pin < 0) != (q.workers == 0))
		usage_error(context, "--pin needs --workers N, and --workers needs --pin");
	return q;
}

static int topology_run(struct context *context, int argc, char **argv)
{
	static struct seat seats[WORKERS_MAX];
	struct request q = topology_parse(context, argc, argv);
	plm_machine *machine;
	uint32_t n = q.workers;
	int code = EXIT_FINE;
	int r = plm_machine_open(&machine, q.synthetic);
	if (r < 0)
		return failed(r, "topology");
	if (n > 0)
		code = topology_make_plan(machine, q.pin, n, seats);
	else if (!q.synthetic)
		code = topology_find_workers(context, seats, &n);
	if (code == EXIT_FINE)
		topology_show(&context->out, machine, seats, n);
	if (code == EXIT_FINE && !q.synthetic && !context->out.quiet)
		topology_list_missing(&context->out);
	plm_machine_close(&machine);
	return code;
}

const struct command cmd_topology = {
	.name = "topology",
	.usage = "[OPTION]...",
	.help = "show the machine (caches, cores, cpus, GPUs) and which worker runs where",
	.options = { rows },
	.notes =
	    "Drawn is what this process may use: its affinity mask, CUDA_VISIBLE_DEVICES for the "
	    "list of\nGPUs; \"missing\" tells that hwloc has no plugins and looks for none. "
	    "Without a runtime it\ndraws the machine alone.\n",
	.run = topology_run,
	.visits = true,
};
