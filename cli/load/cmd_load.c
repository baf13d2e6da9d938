#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/why.h"
#include "cli/command_stdin.h"
#include "cli/load/load.h"
#include "cli/result.h"
#include "cli/spool.h"

enum { PROGRESS_MS = 100, LINE_TEXT_BYTES = 512, RESULTS_SHOWN = 64 };

struct load {
	struct context *context;
	enum load_format format;
	bool unique, skip_bad, wait;
	struct load_common common;
	struct load_file file;
	struct load_item item;
	struct load_terms *terms;
	struct load_graph graph;
	struct load_known known;
	struct load_task task;
	struct load_batch batch;
	uint64_t good, skipped;
	uint64_t *bad; /* lines */
	size_t bads, bads_room;
	struct load_wait waiting;
	uint64_t shown_ns; /* progress */
};

/* ---- options ---- */

static const struct option_row rows[] = {
	{ "format", NULL, NULL, OPTION_CHOICE, .word = "FORMAT",
	    .choices = "auto|origin|json|lines", .standard = "auto",
	    .help = "auto (the beginning of each line shows its format), origin, json, lines",
	    OPTION_FIELD(struct load, format) },
	{ "skip-bad", NULL, NULL, OPTION_FLAG,
	    .help = "load the good lines even if other lines are bad",
	    OPTION_FIELD(struct load, skip_bad) },
	{ "unique", NULL, NULL, OPTION_FLAG,
	    .help = "skip a line whose task is in the runtime already, and waits, runs or is done, "
		    "or stood in an earlier line",
	    OPTION_FIELD(struct load, unique) },
	{ "wait", NULL, NULL, OPTION_FLAG, .help = "wait until all tasks have ended",
	    OPTION_FIELD(struct load, wait) },
	HOOK_ROW(struct load, common.on_finish),
	{ 0 },
};
_Static_assert(LOAD_AUTO == 0 && LOAD_ORIGIN == 1 && LOAD_JSON == 2 && LOAD_LINES == 3,
    "--format writes the position of its word");

static void load_take_options(struct context *context, int argc, char **argv, struct load *l)
{
	struct command_request *request = &l->common.request;
	take_options(context, argc, argv, (void *[]){ l, request, request, &request->task });
	if (l->common.request.task.detach)
		usage_error(
		    context, "--detach is not for load, which does not wait without --wait");
	if (l->common.request.options.input && l->common.request.options.input[0] == '@')
		usage_error(context,
		    "--stdin %s: load takes a file (./%s if that is its name); only a JSON "
		    "line may name a reference",
		    l->common.request.options.input, l->common.request.options.input);
	if (l->common.request.options.input &&
	    stdin_descriptor(l->common.request.options.input) >= 0)
		usage_error(context,
		    "--stdin %s: tasks outlive this plmctl and its descriptors; "
		    "name a file, or ./- if it is called that",
		    l->common.request.options.input);
	expect_operands(context, argc, 1, 1);
}

/* ---- first reading: every line is judged ---- */

static void load_say_bad(void *context, uint64_t line)
{
	struct load *l = context;
	char text[LINE_TEXT_BYTES];
	make_printable(why_text(), text, sizeof text);
	fprintf(stderr, "plmctl: %s:%llu: %s\n", l->file.path, (unsigned long long)line, text);
	l->bad = grow(l->bad, l->bads + 1, &l->bads_room, sizeof *l->bad);
	l->bad[l->bads++] = line;
}

static int load_judge_line(struct load *l, const struct load_line *line)
{
	int r = load_read(l->format, &l->common.request, line, &l->item);
	if (r <= 0)
		return r;
	r = load_task_judge(&l->item, &l->common);
	if (r == 0)
		r = load_graph_add(&l->graph, &l->item, line);
	return r < 0 ? r : 1;
}

static int load_by_line(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;
	return *x < *y ? -1 : *x > *y;
}

/* 0 or -errno: the file could not be read. */
static int load_judge_all(struct load *l)
{
	struct load_line line;
	int more;
	while ((more = load_file_next(&l->file, &line)) > 0) {
		int r = load_judge_line(l, &line);
		l->good += r > 0;
		if (r < 0)
			load_say_bad(l, line.number);
	}
	size_t before = l->bads;
	load_graph_judge(&l->graph, load_say_bad, l);
	l->good -= l->bads - before;
	if (l->bads > 1)
		qsort(l->bad, l->bads, sizeof *l->bad, load_by_line);
	return more;
}

static int load_judge(struct load *l)
{
	int r = load_judge_all(l);
	if (r < 0)
		return failed(r, l->file.path), EXIT_INPUT;
	if (l->bads && !l->skip_bad) {
		fprintf(stderr,
		    "plmctl: %s: %zu bad line%s, so none of the %llu good ones was "
		    "loaded (--skip-bad loads them)\n",
		    l->file.path, l->bads, l->bads == 1 ? "" : "s", (unsigned long long)l->good);
		return EXIT_DATA;
	}
	r = load_terms_agree(l->terms, l->context->rt);
	return r < 0 ? failed(r, "the needs and limits of the file") : EXIT_FINE;
}

/* ---- accepted tasks ---- */

struct accepted { /* a row */
	const plm_ref *refs;
	unsigned results;
	uint64_t line;
	const char *name; /* NULL: none */
};

static void load_ref(struct output *out, const void *row)
{
	cell_ref(out, ((const struct accepted *)row)->refs[0]);
}

static void load_out(struct output *out, const void *row)
{
	const struct accepted *accepted = row;
	char parts[RESULTS_SHOWN][PLM_REF_TEXT_BYTES];
	const char *part[RESULTS_SHOWN];
	unsigned n = 0;
	for (unsigned i = PLM_COMMAND_RESULTS; i < accepted->results && n < RESULTS_SHOWN; i++) {
		plm_ref_print(accepted->refs[i], parts[n]);
		part[n] = parts[n];
		n++;
	}
	cell_list(out, part, n);
}

static const struct column columns[] = {
	{ "REF", "ref", -24, .cell = load_ref },
	{ "LINE", "line", 0, PLAIN(struct accepted, line) },
	{ "NAME", "name", 0, PLAIN(struct accepted, name) },
	{ "OUT", "out", 0, .cell = load_out },
};

static void load_print_row(
    struct load *l, const plm_task *task, const struct load_ticket *ticket, const plm_ref *refs)
{
	struct output *out = &l->context->out;
	if (out->json)
		table_row(out,
		    &(struct accepted){ .refs = refs,
			.results = task->results,
			.line = ticket->line,
			.name = load_graph_name(&l->graph, ticket->node) });
	else if (out->quiet)
		print_reference(l->context, refs[0]);
}

static void load_show_progress(struct load *l)
{
	if (!isatty(STDERR_FILENO) || l->context->quiet ||
	    clock_ns() - l->shown_ns < PROGRESS_MS * NS_PER_MS)
		return;
	l->shown_ns = clock_ns();
	fprintf(stderr, "\rplmctl: loaded %llu of %llu ", (unsigned long long)l->batch.accepted,
	    (unsigned long long)l->good);
}

static void load_let_go(void *context, plm_ref ref)
{
	struct load *l = context;
	if (l->context->rt)
		plm_drop(l->context->rt, ref);
}

/* The runtime keeps the task. With --wait load holds the task until its end, and a task named
 * by later lines until the submission of these lines. The first result holds all results. */
static void load_accepted(
    void *context, const plm_task *task, const struct load_ticket *ticket, const plm_ref *refs)
{
	struct load *l = context;
	struct load_node *node = ticket->node;
	bool is_new;
	load_print_row(l, task, ticket, refs);
	if (l->unique)
		load_known_find(&l->known, task->identity, &is_new)->ref = refs[0];
	if (node) {
		load_graph_done(&l->graph, node, refs[0]);
		load_graph_served(&l->graph, node, load_let_go, l);
		node->held = node->wanted > 0 && plm_hold(l->context->rt, refs[0]) == 0;
	}
	if (task->results > 1)
		plm_drop_many(l->context->rt, refs + 1, task->results - 1);
	if (l->wait)
		load_wait_add(&l->waiting, refs[0], ticket->line);
	else
		plm_drop(l->context->rt, refs[0]);
}

/* True if the table is full of results that later lines want, and no task runs: no room will ever
 * come. */
static bool load_is_stuck(struct load *l)
{
	plm_status status;
	size_t held = 0;
	for (size_t i = 0; i < l->graph.nodes; i++)
		held += l->graph.node[i].held;
	if (held == 0 || plm_status_get(l->context->rt, &status) < 0 ||
	    status.waiting + status.ready + status.running > 0)
		return false;
	why(-ENOSPC,
	    "task table full (%llu): %zu results that later lines of the file wait for "
	    "have to stay: boot with more --tasks, or put those lines closer to what they wait for",
	    (unsigned long long)status.records_max, held);
	return true;
}

static int load_make_room(void *context, bool waited, bool *ret_some)
{
	struct load *l = context;
	int r = load_wait_for_room(&l->waiting, l->context->rt, ret_some);
	return r == 0 && waited && !*ret_some && l->waiting.tasks == 0 && load_is_stuck(l) ? -ENOSPC
											   : r;
}

static void load_note_on_fleet(struct load *l, size_t i, bool was)
{
	const struct load_ticket *ticket = &l->batch.ticket[i];
	plm_ref ref = l->batch.ref[i];
	l->skipped += was;
	l->batch.accepted += !was;
	if (!was)
		load_print_row(l, &l->batch.task[i], ticket, &ref);
	if (ticket->node) {
		load_graph_done(&l->graph, ticket->node, ref);
		load_graph_served(&l->graph, ticket->node, load_let_go, l);
	}
	if (l->wait)
		load_wait_add(&l->waiting, ref, ticket->line);
}

static int load_flush_to_fleet(struct load *l)
{
	bool was[BATCH_TASKS];
	size_t n = l->batch.tasks;
	int r = n ? load_batch_add_to_fleet(&l->batch, l->unique, was) : 0;
	l->batch.tasks = 0;
	if (r < 0) {
		int code = failed(r, l->file.path);
		fprintf(stderr,
		    "plmctl: %llu tasks were loaded before; they stay: the same file again, with "
		    "--unique, goes on from there\n",
		    (unsigned long long)l->batch.accepted);
		return code;
	}
	for (size_t i = 0; i < n; i++)
		if (!load_batch_is_hook(&l->batch.task[i]))
			load_note_on_fleet(l, i, was[i]);
	load_show_progress(l);
	return EXIT_FINE;
}

static int load_flush(struct load *l)
{
	if (l->context->fleet)
		return load_flush_to_fleet(l);
	int code = load_batch_flush(&l->batch, load_accepted, l);
	load_wait_look(&l->waiting, l->context->rt);
	load_show_progress(l);
	return code;
}

/* The task is in the runtime already, or stood in an earlier line. */
static int load_skip(
    struct load *l, const struct load_known_entry *entry, const struct load_ticket *ticket)
{
	plm_ref ref = entry->ref;
	bool ours = entry->ours; /* the entry may move */
	l->skipped++;
	if (!ref.id && ticket->node) {
		bool is_new;
		int code = load_flush(l);
		if (code != EXIT_FINE)
			return code;
		ref = load_known_find(&l->known, l->task.task.identity, &is_new)->ref;
	}
	if (ticket->node) {
		load_graph_done(&l->graph, ticket->node, ref);
		load_graph_served(&l->graph, ticket->node, load_let_go, l);
	}
	if (l->wait && !ours && plm_hold(l->context->rt, ref) == 0)
		load_wait_add(&l->waiting, ref, ticket->line);
	return EXIT_FINE;
}

/* ---- second reading: the tasks are submitted ---- */

static int load_submit_task(struct load *l, const struct load_ticket *ticket)
{
	struct load_known_entry *entry;
	bool is_new = true;
	if (l->unique && !l->context->fleet) {
		entry = load_known_find(&l->known, l->task.task.identity, &is_new);
		if (!is_new)
			return load_skip(l, entry, ticket);
		entry->ours = true;
	}
	int code = EXIT_FINE;
	while (code == EXIT_FINE && !load_batch_add(&l->batch, &l->task, ticket))
		code = load_flush(l);
	return code;
}

/* What lists of a fleet show of the task. */
static void load_describe(const struct load *l, struct load_ticket *ticket)
{
	const struct load_item *item = &l->item;
	const char *label = item->request.options.label;
	snprintf(ticket->label, sizeof ticket->label, "%s", label ? label : "");
	if (item->function) {
		snprintf(ticket->title, sizeof ticket->title, "%s", item->function);
		fleet_function_note(l->context, item->function);
	} else {
		fleet_title(item->word, item->words, ticket->title);
	}
}

static int load_submit_item(struct load *l, struct load_ticket *ticket)
{
	struct load_node *node = ticket->node;
	if (node && node->missing) {
		int code = load_flush(l);
		if (code != EXIT_FINE)
			return code;
	}
	if (node && node->missing) { /* the task waits for a later line */
		node->put_off = true;
		return EXIT_FINE;
	}
	if (l->context->fleet)
		load_describe(l, ticket);
	int r = load_task_make(&l->item, &l->common, &l->task);
	int code = r < 0 ? failed(r, l->file.path) : load_submit_task(l, ticket);
	load_task_done(&l->task);
	return code;
}

static int load_say_changed(const struct load *l)
{
	fprintf(stderr,
	    "plmctl: %s: it was written to while it was read: %llu tasks of it were "
	    "loaded\n",
	    l->file.path, (unsigned long long)l->batch.accepted);
	return EXIT_INPUT;
}

static int load_submit_in_order(struct load *l)
{
	struct load_line line;
	size_t bad = 0;
	int more = 0, code = EXIT_FINE;
	load_file_seek(&l->file, 0, 1);
	while (code == EXIT_FINE && (more = load_file_next(&l->file, &line)) > 0) {
		struct load_ticket ticket = { .line = line.number };
		if (bad < l->bads && l->bad[bad] == line.number) {
			bad++;
			continue;
		}
		int r = load_read(l->format, &l->common.request, &line, &l->item);
		ticket.node = load_graph_at(&l->graph, line.number);
		if (r > 0)
			code = load_submit_item(l, &ticket);
		else if (r < 0)
			code = load_say_changed(l);
	}
	return more < 0 ? failed(more, l->file.path), EXIT_INPUT : code;
}

/* Submits lines that were put off, after the lines before them. */
static int load_submit_late(struct load *l)
{
	struct load_line line;
	int code = load_flush(l);
	while (code == EXIT_FINE) {
		struct load_ticket ticket = { .node = load_graph_ready(&l->graph) };
		if (!ticket.node && l->batch.tasks == 0)
			return EXIT_FINE;
		if (!ticket.node) {
			code = load_flush(l);
			continue;
		}
		ticket.line = ticket.node->line;
		load_file_seek(&l->file, ticket.node->offset, ticket.line);
		if (load_file_next(&l->file, &line) == 1 &&
		    load_read(l->format, &l->common.request, &line, &l->item) == 1)
			code = load_submit_item(l, &ticket);
	}
	return code;
}

static int load_submit_all(struct load *l)
{
	if (!load_file_unchanged(&l->file))
		return load_say_changed(l);
	bool here = !l->context->fleet;
	int code = l->unique && here ? load_known_look(&l->known, l->context) : EXIT_FINE;
	if (code == EXIT_FINE && here)
		code = command_request_share(l->context, &l->common.request);
	if (l->context->json)
		table_begin(&l->context->out, columns, COUNT_OF(columns));
	if (code == EXIT_FINE)
		code = load_submit_in_order(l);
	return code == EXIT_FINE ? load_submit_late(l) : code;
}

static void load_say_counts(const struct load *l)
{
	if (l->context->quiet)
		return;
	fprintf(stderr, "%splmctl: %s: loaded %llu, skipped %llu", l->shown_ns ? "\r" : "",
	    l->file.path, (unsigned long long)l->batch.accepted, (unsigned long long)l->skipped);
	if (l->bads)
		fprintf(stderr, ", %zu bad line%s left out", l->bads, l->bads == 1 ? "" : "s");
	putc('\n', stderr);
}

/* ---- the command ---- */

static int load_wait_on_fleet(struct load *l)
{
	size_t n = l->waiting.tasks;
	struct selection s = { .n = n, .ref = calloc(n + 1, sizeof *s.ref), .named = true };
	if (!s.ref)
		return failed(-ENOMEM, "load");
	for (size_t i = 0; i < n; i++)
		s.ref[i] = l->waiting.task[i].ref;
	int code = fleet_await_all(l->context, &s);
	free(s.ref);
	return code;
}

static int load_all(struct load *l, const char *path)
{
	if (l->context->fleet)
		l->common.request.options.no_environment = 1;
	int code = command_request_make(&l->common.request);
	if (code == EXIT_FINE)
		code = runtime(l->context);
	if (code != EXIT_FINE)
		return code;
	int r = load_file_open(path, &l->file);
	if (r < 0)
		return failed(r, path), EXIT_INPUT;
	l->waiting.path = l->file.path;
	l->batch.make_room = load_make_room;
	code = load_judge(l);
	if (code != EXIT_FINE)
		return code;
	code = load_submit_all(l);
	if (code == EXIT_FINE || l->batch.accepted || l->skipped)
		load_say_counts(l);
	if (code == EXIT_FINE && l->wait && l->context->fleet)
		return load_wait_on_fleet(l);
	return code == EXIT_FINE && l->wait ? load_wait_all(&l->waiting, l->context) : code;
}

static void load_free(struct load *l)
{
	load_file_close(&l->file);
	load_item_free(&l->item);
	load_terms_free(l->terms);
	load_graph_free(&l->graph);
	load_references_free(&l->common.references);
	load_batch_free(&l->batch);
	command_request_free(l->context, &l->common.request);
	free(l->known.entry);
	load_task_free(&l->task);
	free(l->bad);
	free(l->waiting.task);
}

static int load_run(struct context *context, int argc, char **argv)
{
	struct load *l = calloc(1, sizeof *l);
	if (!l)
		return failed(-ENOMEM, "load");
	l->context = l->batch.context = l->common.context = context;
	l->common.graph = &l->graph;
	l->common.terms = &l->terms;
	l->file.fd = -1;
	load_take_options(context, argc, argv, l);
	int code = load_all(l, argv[optind]);
	load_free(l);
	free(l);
	return code;
}

const struct command cmd_load = {
	.name = "load",
	.usage = "[OPTION]... FILE|-",
	.help = "submit the tasks of a file, one a line",
	.about =
	    "A line is TYPE:PRIORITY:MIN_DRAM_GB:MIN_CPU:PARAMS (TYPE: shell, python, func), a\n"
	    "JSON object, or a line for the shell; blank lines and lines that begin with # are\n"
	    "skipped. docs/task-files.md describes each format. All lines are judged first: if\n"
	    "lines are bad, each of them is named, and no task is loaded. The tasks are kept\n"
	    "until `plmctl drop`. Options of tasks hold for lines that do not say otherwise.\n",
	.options = { rows, command_stdin_rows, command_rows, task_rows },
	.notes = TASK_TIMES_HELP
	"--detach is refused: without --wait, load does not wait.\n"
	"--timeout is how long to wait for room when the table of futures is full, and with\n"
	"--wait for the tasks. On stdout: with --quiet references, with --json a line a task;\n"
	"else nothing.\n"
	"Exit code: 65 bad lines; 66 the file cannot be read; 75 full; with --wait how many\n"
	"tasks did not succeed, up to 100; 101: more; 124: time ran out.\n",
	.run = load_run,
	.fleet = true,
};
