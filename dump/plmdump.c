/* plmdump.c - looks into a control segment: of a running runtime, of a dead one, or a copy in a
 * file. Read-only, takes no lock, needs no process of the runtime; whatever the bytes are, plmdump
 * lists them or says why not. */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
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
};

struct dump {
	const char *name, *file;
	bool json;
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

/* ---- command line ---- */

static const char help_text[] =
    "usage: plmdump [OPTION]... [SUBJECT]\n"
    "look into the control segment of a runtime: running, dead, or copied to a file\n\n"
    "Subjects: header, workers, tasks, objects, functions, heap task, heap worker, rings, locks,\n"
    "check (what each checker says; exit code 1 if anything is unsound), all (default)\n\n"
    "Options:\n"
    "  --name NAME   the runtime (default: $PLM_NAME, else \"default\")\n"
    "  --file FILE   a control segment: a copy, or /dev/shm/plm-UID-NAME.control\n"
    "  --json        JSON Lines\n"
    "  --help        this text\n"
    "  --version\n\n"
    "Exit codes: 0 fine, 1 unsound, 64 usage, 66 no such file, 69 no such runtime,\n"
    "76 the segment is refused (damaged, or of another version), 77 not allowed\n";

static const struct option options[] = {
	{ "name", required_argument, NULL, 'n' },
	{ "file", required_argument, NULL, 'f' },
	{ "json", no_argument, NULL, 'j' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'v' },
	{ 0 },
};

_Noreturn static void plmdump_usage_error(const char *what, const char *word)
{
	fprintf(stderr, "plmdump: %s: %s\nplmdump --help tells more\n", what, word);
	exit(EXIT_USAGE);
}

_Noreturn static void plmdump_print_and_exit(const char *text)
{
	fputs(text, stdout);
	exit(EXIT_SOUND);
}

static void plmdump_take_options(struct dump *dump, int argc, char **argv)
{
	int option;
	opterr = 0;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'n')
			dump->name = optarg;
		else if (option == 'f')
			dump->file = optarg;
		else if (option == 'j')
			dump->json = true;
		else if (option == 'h')
			plmdump_print_and_exit(help_text);
		else if (option == 'v')
			plmdump_print_and_exit("plmdump " PLM_VERSION "\n");
		else
			plmdump_usage_error(
			    "unknown option, or its value is missing", argv[optind - 1]);
	}
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
	for (size_t i = 0; i < COUNT_OF(subjects); i++)
		if (strcmp(subjects[i].name, words) == 0)
			return &subjects[i];
	plmdump_usage_error("unknown subject", words);
}

static int plmdump_refused(const struct dump *dump, int error)
{
	fprintf(stderr, "plmdump: %s\n", plm_why());
	switch (-error) {
	case ENOENT: return dump->file ? EXIT_INPUT : EXIT_NO_RUNTIME;
	case EINVAL: return EXIT_USAGE;
	case EPROTO: return EXIT_VERSION;
	case EACCES:
	case EPERM: return EXIT_DENIED;
	default: return EXIT_OURS;
	}
}

static int plmdump_open(struct dump *dump)
{
	return dump->file ? plm_inspect_open_files(&dump->in, dump->file, NULL)
			  : plm_inspect_open(&dump->in, dump->name);
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
