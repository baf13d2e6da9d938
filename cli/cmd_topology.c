#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/limits.h"
#include "cli/arguments.h"
#include "cli/look.h"
#include "topology/topology.h"

enum { DEPTH_MAX = 32, TEXT_BYTES = 3 * TOPOLOGY_NAME_BYTES, CPUS_BYTES = 128 };

struct seat {            /* of a worker process, real or planned */
	uint32_t number; /* of the worker */
	int32_t pid;     /* 0: planned */
	struct place place;
};

struct drawing {
	struct output *out;
	const struct seat *seat;
	uint32_t seats;
	cpu_set_t machine;
	bool begun, chain; /* a line is begun; an only child goes on in the same line */
	bool marked;       /* the line ends with the workers on `mark` */
	cpu_set_t mark;
	int indent[DEPTH_MAX];
};

/* ---- the tree, for people ---- */

static void topology_end_line(struct drawing *d)
{
	/* A worker on all cpus is not pinned: no mark. */
	bool show = d->marked && !CPU_EQUAL(&d->mark, &d->machine);
	d->marked = false;
	for (uint32_t i = 0; i < d->seats && show; i++) {
		const struct seat *s = &d->seat[i];
		if (!CPU_EQUAL(&s->place.cpus, &d->mark))
			continue;
		if (s->pid)
			fprintf(d->out->file, "  <- worker %" PRIu32 " (pid %" PRId32 ")",
			    s->number, s->pid);
		else
			fprintf(d->out->file, "  <- worker %" PRIu32, s->number);
	}
	putc('\n', d->out->file);
}

static void topology_draw_part(const struct drawing *d, const struct topology_part *part)
{
	char text[TEXT_BYTES];
	fputs(part->kind, d->out->file);
	if (part->number != TOPOLOGY_NO_NUMBER)
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
static void topology_draw(void *context, const struct topology_part *part)
{
	struct drawing *d = context;
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

static const struct column part_columns[] = {
	{ "KIND", "kind", -8 },
	{ "DEPTH", "depth", 5 },
	{ "NUMBER", "number", 6 },
	{ "BYTES", "bytes", 12 },
	{ "CPUS", "cpus", -12 },
	{ "NAME", "name", -20 },
};
static const struct column gpu_columns[] = {
	{ "GPU", "gpu", -3 },
	{ "NODE", "node", 4 },
	{ "BUS", "bus", -12 },
	{ "NAME", "name", -20 },
};
static const struct column missing_columns[] = { { "WHAT", "what", -6 }, { "WHY", "why", -20 } };
static const struct column worker_columns[] = {
	{ "WORKER", "worker", 6 },
	{ "PID", "pid", 7 },
	{ "NODE", "node", 4 },
	{ "CPUS", "cpus", -12 },
};
static const struct column plan_columns[] = {
	{ "WORKER", "worker", 6 },
	{ "NODE", "node", 4 },
	{ "CPUS", "cpus", -12 },
};

static void topology_cell_cpus(struct output *out, const cpu_set_t *cpus)
{
	char text[CPUS_BYTES];
	cpus_print(cpus, text, sizeof text);
	cell_text(out, text);
}

/* Negative: none */
static void topology_cell_number_or_none(struct output *out, int32_t number)
{
	if (number < 0)
		cell_none(out);
	else
		cell_signed(out, number);
}

static void topology_list_part(void *context, const struct topology_part *part)
{
	struct drawing *d = context;
	cell_text(d->out, part->kind);
	cell_number(d->out, part->depth);
	topology_cell_number_or_none(d->out, part->number);
	cell_number(d->out, part->bytes);
	topology_cell_cpus(d->out, &part->cpus);
	cell_text(d->out, part->name);
	row_end(d->out);
}

static void topology_list_gpus(struct output *out, const struct topology *t)
{
	static struct gpu gpus[GPUS_MAX];
	uint32_t n = topology_gpus(t, gpus);
	if (n == 0)
		return;
	output_section(out, "gpus");
	list_begin(out, gpu_columns, COUNT_OF(gpu_columns));
	for (uint32_t i = 0; i < n; i++) {
		cell_text(out, gpus[i].id);
		topology_cell_number_or_none(out, gpus[i].node);
		cell_text(out, gpus[i].bus);
		cell_text(out, gpus[i].name);
		row_end(out);
	}
}

/* "No GPU found" differs from "not looked for". */
static void topology_list_missing(struct output *out)
{
	if (topology_sees_devices())
		return;
	output_section(out, "missing");
	list_begin(out, missing_columns, COUNT_OF(missing_columns));
	cell_text(out, "gpus");
	cell_text(out, "not looked for: hwloc has no plugins here (Debian: libhwloc-plugins)");
	row_end(out);
}

static void topology_list_seats(struct output *out, const struct seat *seat, uint32_t n)
{
	bool real = n > 0 && seat[0].pid;
	if (n == 0)
		return;
	output_section(out, real ? "workers" : "plan");
	list_begin(out, real ? worker_columns : plan_columns,
	    real ? COUNT_OF(worker_columns) : COUNT_OF(plan_columns));
	for (uint32_t i = 0; i < n; i++) {
		cell_number(out, seat[i].number);
		if (real)
			cell_signed(out, seat[i].pid);
		topology_cell_number_or_none(out, seat[i].place.node);
		topology_cell_cpus(out, &seat[i].place.cpus);
		row_end(out);
	}
}

static void topology_show(
    struct output *out, const struct topology *t, const struct seat *seat, uint32_t n)
{
	struct drawing d = { .out = out, .seat = seat, .seats = n };
	out->section = "machine"; /* a drawing needs no heading */
	if (out->json)
		list_begin(out, part_columns, COUNT_OF(part_columns));
	if (!out->quiet)
		topology_walk(t, out->json ? topology_list_part : topology_draw, &d);
	if (d.begun)
		topology_end_line(&d);
	if (!out->quiet)
		topology_list_gpus(out, t);
	topology_list_seats(out, seat, n);
}

/* ---- where workers are ---- */

/* The kernel knows best where a process may run. */
static bool topology_read_seat(const plm_process_row *row, struct seat *ret)
{
	if (row->marks & PLM_MARK_DRAINED || row->pid <= 0 || !row->live)
		return false;
	*ret = (struct seat){ .number = row->worker, .pid = row->pid, .place.node = row->node };
	return sched_getaffinity(row->pid, sizeof ret->place.cpus, &ret->place.cpus) == 0;
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

static int topology_make_plan(const struct topology *t, enum pin mode, uint32_t n, struct seat *ret)
{
	static struct place place[WORKERS_MAX];
	int r = topology_plan(t, mode, n, place);
	for (uint32_t i = 0; i < n && r == 0; i++)
		ret[i] = (struct seat){ .number = i, .place = place[i] };
	return r == 0 ? EXIT_FINE : failed(r, "planning");
}

struct request {
	const char *synthetic;
	enum pin pin; /* PIN_MODES: show the real workers, no plan */
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
	struct request q = { .pin = PIN_MODES };
	take_options(context, argc, argv, (void *[]){ &q });
	expect_operands(context, argc, 0, 0);
	if ((q.pin == PIN_MODES) != (q.workers == 0))
		usage_error(context, "--pin needs --workers N, and --workers needs --pin");
	return q;
}

static int topology_run(struct context *context, int argc, char **argv)
{
	static struct seat seats[WORKERS_MAX];
	struct request q = topology_parse(context, argc, argv);
	struct topology *t;
	uint32_t n = q.workers;
	int code = EXIT_FINE;
	int r = q.synthetic ? topology_open_synthetic(q.synthetic, &t)
			    : topology_open(TOPOLOGY_ALL, &t);
	if (r < 0)
		return failed(r, "topology");
	if (n > 0)
		code = topology_make_plan(t, q.pin, n, seats);
	else if (!q.synthetic)
		code = topology_find_workers(context, seats, &n);
	if (code == EXIT_FINE)
		topology_show(&context->out, t, seats, n);
	if (code == EXIT_FINE && !q.synthetic && !context->out.quiet)
		topology_list_missing(&context->out);
	topology_close(&t);
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
