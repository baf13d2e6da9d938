/* plmdump.c - looks into a control segment: of a running runtime, of a dead one, or a copy in a
 * file. plmdump only reads, takes no lock and needs no other process. Whatever the bytes are,
 * plmdump lists them or says why not. */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/option_table.h"
#include "base/standard.h"
#include "dump/dump.h"
#include "cli/worker_rows.h"
#include "client/plm_inspect.h"

enum {
	EXIT_SOUND = 0,
	EXIT_UNSOUND = 1,
	EXIT_USAGE = 64,
	EXIT_INPUT = 66,
	EXIT_NO_RUNTIME = 69,
	EXIT_VERSION = 76,
	EXIT_DENIED = 77,
	EXIT_OURS = 125,
	SUBJECT_BYTES = 32,
	PATH_BYTES = 4096,
};

struct dump {
	const char *name, *file, *event_file;
	bool json;
	struct event_filter filter; /* of events */
	plm_inspect *in;
	struct output out;
};

struct subject {
	const char *name;
	bool (*show)(struct dump *dump); /* false: something is unsound */
};

/* ---- subjects ---- */

static bool plmdump_show_header(struct dump *dump)
{
	dump_header(dump->in, &dump->out);
	return true;
}

static bool plmdump_show_workers(struct dump *dump)
{
	rows_processes(dump->in, &dump->out);
	return true;
}

static bool plmdump_show_tasks(struct dump *dump)
{
	rows_tasks(dump->in, &dump->out);
	return true;
}

static bool plmdump_show_objects(struct dump *dump)
{
	rows_objects(dump->in, &dump->out);
	return true;
}

static bool plmdump_show_functions(struct dump *dump)
{
	rows_functions(dump->in, &dump->out);
	return true;
}

static bool plmdump_show_task_heap(struct dump *dump)
{
	dump_heap(dump->in, &dump->out, PLM_HEAP_TASKS);
	return true;
}

static bool plmdump_show_worker_heap(struct dump *dump)
{
	dump_heap(dump->in, &dump->out, PLM_HEAP_WORKERS);
	return true;
}

static bool plmdump_show_locks(struct dump *dump)
{
	dump_locks(dump->in, &dump->out);
	return true;
}

static bool plmdump_show_rings(struct dump *dump)
{
	dump_rings(dump->in, &dump->out);
	return true;
}

static bool plmdump_show_check(struct dump *dump)
{
	return dump_check(dump->in, &dump->out);
}

static bool plmdump_show_events(struct dump *dump)
{
	return dump_events(dump->in, &dump->out, &dump->filter, dump->file != NULL) == 0;
}

static const struct subject subjects[] = {
	{ "header", plmdump_show_header },
	{ "workers", plmdump_show_workers },
	{ "tasks", plmdump_show_tasks },
	{ "objects", plmdump_show_objects },
	{ "functions", plmdump_show_functions },
	{ "heap task", plmdump_show_task_heap },
	{ "heap worker", plmdump_show_worker_heap },
	{ "rings", plmdump_show_rings },
	{ "locks", plmdump_show_locks },
	{ "check", plmdump_show_check },
};

static bool plmdump_show_all(struct dump *dump)
{
	bool sound = true;
	for (size_t i = 0; i < COUNT_OF(subjects); i++) {
		output_section(&dump->out, subjects[i].name);
		sound = subjects[i].show(dump) && sound;
	}
	return sound;
}

static const struct subject everything = { "all", plmdump_show_all };
/* Not a part of all: there may be millions. */
static const struct subject events = { "events", plmdump_show_events };

/* ---- command line ---- */

#define SUBJECTS "header, workers, tasks, objects, functions, heap task, heap worker, rings, locks"

_Noreturn static void plmdump_usage_error(const char *what, const char *word)
{
	fprintf(stderr, "plmdump: %s%s%s\nplmdump --help tells more\n", what, word ? ": " : "",
	    word ? word : "");
	exit(EXIT_USAGE);
}

static int plmdump_take_help(void *target, const struct option_given *given);

static int plmdump_take_version(void *target, const struct option_given *given)
{
	(void)target;
	(void)given;
	puts("plmdump " PLM_VERSION);
	return OPTIONS_END;
}

static const struct option_row rows[] = {
	{ "name", NULL, "PLM_NAME", OPTION_RUNTIME, .word = "NAME", .standard = "\"default\"",
	    .help = "the runtime", OPTION_FIELD(struct dump, name) },
	{ "file", NULL, NULL, OPTION_FILE, .word = "FILE",
	    .help = "a control segment: a copy, or /dev/shm/plm-UID-NAME.control",
	    OPTION_FIELD(struct dump, file) },
	{ "event-file", NULL, NULL, OPTION_FILE, .word = "FILE",
	    .standard = "beside --file, .events for .control",
	    .help = "the event log that belongs to --file", OPTION_FIELD(struct dump, event_file) },
	{ "json", NULL, NULL, OPTION_FLAG, .help = "print JSON Lines",
	    OPTION_FIELD(struct dump, json) },
	{ "help", NULL, NULL, OPTION_TEXT, .optional = true, .help = "show this text",
	    .take = plmdump_take_help },
	{ "version", NULL, NULL, OPTION_FLAG, .help = "show the version",
	    .take = plmdump_take_version },
	{ 0 },
};

static void plmdump_list_for_programs(void)
{
	option_table_list(stdout, "plmdump", "", rows);
	option_table_list(stdout, "plmdump", "", event_filter_rows);
	fputs("command\tplmdump\t\t\t[", stdout);
	for (size_t i = 0; i < COUNT_OF(subjects); i++)
		printf("%s|", subjects[i].name);
	printf("%s|%s]\t\n", events.name, everything.name);
}

static int plmdump_take_help(void *target, const struct option_given *given)
{
	(void)target;
	if (given->text && strcmp(given->text, "table") == 0) {
		plmdump_list_for_programs();
		return OPTIONS_END;
	}
	puts("usage: plmdump [OPTION]... [SUBJECT]\n"
	     "look into the control segment of a runtime: running, dead, or copied to a file\n\n"
	     "Subjects: " SUBJECTS ",\n"
	     "check (what each checker says; exit code 1 if anything is unsound), all (default),\n"
	     "events (the event log; not a part of all)\n\n"
	     "Options:");
	option_table_help(stdout, rows);
	puts("\nOptions of events (the last TIME before the last event):");
	option_table_help(stdout, event_filter_rows);
	puts("\nExit codes: 0 fine, 1 unsound, 64 usage, 66 no such file, 69 no such runtime,\n"
	     "76 the segment is refused (damaged, or of another version), 77 not allowed");
	return OPTIONS_END;
}

static void plmdump_take_options(struct dump *dump, int argc, char **argv)
{
	const struct option_use uses[] = { { rows, dump }, { event_filter_rows, &dump->filter } };
	int r = option_table_parse(uses, COUNT_OF(uses), argc, argv, false);
	if (r < 0)
		plmdump_usage_error(plm_why(), NULL);
	if (r == OPTIONS_END)
		exit(EXIT_SOUND);
}

static const struct subject *plmdump_find_subject(int argc, char **argv)
{
	char words[SUBJECT_BYTES] = "";
	if (optind == argc)
		return &everything;
	for (int i = optind; i < argc; i++) {
		size_t length = strlen(words);
		snprintf(words + length, sizeof words - length, "%s%s", length ? " " : "", argv[i]);
	}
	if (strcmp(words, everything.name) == 0)
		return &everything;
	if (strcmp(words, events.name) == 0)
		return &events;
	for (size_t i = 0; i < COUNT_OF(subjects); i++)
		if (strcmp(subjects[i].name, words) == 0)
			return &subjects[i];
	plmdump_usage_error("unknown subject", words);
}

static int plmdump_refused(struct dump *dump, int error)
{
	fprintf(stderr, "plmdump: %s\n", plm_why());
	plm_inspect_close(&dump->in); /* open, if the event file alone was refused */
	switch (-error) {
	case ENOENT: return dump->file ? EXIT_INPUT : EXIT_NO_RUNTIME;
	case EINVAL: return EXIT_USAGE;
	case EPROTO: return EXIT_VERSION;
	case EACCES:
	case EPERM: return EXIT_DENIED;
	default: return EXIT_OURS;
	}
}

/* 0; 1: the log was not named, and does not lie beside the copy. */
static int plmdump_event_file(const struct dump *dump, char *ret, size_t size)
{
	static const char control[] = ".control";
	size_t length = strlen(dump->file), end = sizeof control - 1;
	if (dump->event_file) {
		snprintf(ret, size, "%s", dump->event_file);
		return 0;
	}
	if (length < end || length >= size || strcmp(dump->file + length - end, control) != 0)
		return 1;
	snprintf(ret, size, "%.*s.events", (int)(length - end), dump->file);
	return access(ret, F_OK) == 0 ? 0 : 1;
}

static int plmdump_open_copies(struct dump *dump)
{
	char path[PATH_BYTES];
	int r = plm_inspect_open_files(&dump->in, dump->file, NULL);
	if (r == 0 && plmdump_event_file(dump, path, sizeof path) == 0)
		r = plm_inspect_add_events(dump->in, path);
	return r;
}

static int plmdump_open(struct dump *dump)
{
	return dump->file ? plmdump_open_copies(dump) : plm_inspect_open(&dump->in, dump->name);
}

int main(int argc, char **argv)
{
	struct dump dump = { 0 };
	standard_open();
	plmdump_take_options(&dump, argc, argv);
	const struct subject *subject = plmdump_find_subject(argc, argv);
	int r = plmdump_open(&dump);
	if (r < 0)
		return plmdump_refused(&dump, r);
	output_open(&dump.out, stdout, dump.json, false);
	if (subject != &everything)
		dump.out.section = subject->name;
	bool sound = subject->show(&dump);
	bool written = output_close(&dump.out);
	if (!written)
		fprintf(stderr, "plmdump: writing: %s\n", strerror(errno));
	plm_inspect_close(&dump.in);
	return !written ? EXIT_OURS : sound ? EXIT_SOUND : EXIT_UNSOUND;
}
