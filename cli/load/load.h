/* load.h - task files: the parts `plmctl load` is made of. Only its files include it.
 *
 * A file is read twice. First every line is judged, and nothing is submitted if one is bad; then
 * they are submitted, in batches. Between the two nothing is kept of a line, unless it has a name
 * or waits for one: a file may be larger than memory.
 * Errors: -errno with a why; without memory the program ends (grow()). Texts of a line live until
 * the next one is read. Who: plmctl, one thread. */
#ifndef PLM_CLI_LOAD_H
#define PLM_CLI_LOAD_H

#include "cli/command_objects.h"

enum load_format { LOAD_AUTO, LOAD_ORIGIN, LOAD_JSON, LOAD_LINES };

/* An array of room elements has room for n afterwards, or the program ends. */
void *grow(void *array, size_t n, size_t *room, size_t size);

/* ---- load_file.c: lines ---- */

enum { LINE_BYTES_MAX = 16 << 20 };

struct load_file {
	const char *path; /* for messages */
	int fd;
	char *buffer;
	size_t room, begin, end; /* of what was read and not given out */
	uint64_t offset;         /* in the file, of buffer[begin] */
	uint64_t number;         /* of the line given out last */
	bool at_end;             /* nothing comes behind buffer[end] */
	bool torn;               /* of a line that is too long the rest is still to come */
	uint64_t bytes;          /* of the file, when it was opened */
};

struct load_line {
	char *text;    /* ends with a zero */
	size_t length; /* without the end of the line, LF or CRLF; zeroes may be among it */
	uint64_t number, offset;
	bool too_long; /* more than LINE_BYTES_MAX: what is given is its beginning */
};

/* "-" is stdin. What cannot be read twice is copied to a file without a name. */
int load_file_open(const char *path, struct load_file *ret);
void load_file_close(struct load_file *file);
/* 1: a line; 0: there are no more. */
int load_file_next(struct load_file *file, struct load_line *ret);
/* The next line is the one at this offset, of this number; 0, 1: the first. */
void load_file_seek(struct load_file *file, uint64_t offset, uint64_t number);
/* False: somebody has written to it since it was opened. */
bool load_file_unchanged(const struct load_file *file);

/* ---- load_formats.c, load_json.c: what a line says ---- */

struct load_future { /* that a command takes or makes (plm_command_future) */
	enum plm_command_use use;
	const char *name;
	const char *of; /* a reference, or the name of a line; NULL: an output */
};

struct load_item {
	struct command_request request; /* the options of the command line, as this line has them */
	bool own_fields;                /* the line says something that stands in the fields */
	bool shell;                     /* its words are COMMAND_SHELL_WORDS and a line */
	const char *function;           /* NULL: a command */
	const char **word;              /* its words; arguments of the function; NULL: see result */
	const char **result;            /* [i]: word i is the value of the line of this name */
	size_t words, words_room, results_room;
	const char *name; /* NULL: none */
	struct load_future *future;
	size_t futures, futures_room;
	/* ours */
	char needs[48];
	char *memory;
	size_t memory_room;
	const char **variable;
	size_t variables_room;
	struct json_t *json, *json_texts;
};

/* 1: *item is what the line says; 0: a comment, or blank; else what is wrong with it. */
int load_read(enum load_format format, const struct command_request *common,
    const struct load_line *line, struct load_item *item);
int load_json(const struct load_line *line, struct load_item *item);
void load_item_free(struct load_item *item);

void load_add_word(struct load_item *item, const char *word);
void load_add_result(struct load_item *item, const char *name);
void load_add_future(struct load_item *item, struct load_future future);
void load_add_variable(struct load_item *item, const char *variable);
int load_shell(struct load_item *item, const char *line); /* 0 or -EINVAL */

/* ---- load_terms.c: needs and limits, each combination once ---- */

struct load_terms;

/* The same terms as these, for ever. -EINVAL: this runtime can never meet them. */
int load_terms_find(
    struct load_terms **terms, plm *rt, const plm_terms *wanted, const plm_terms **ret);
/* Tells the runtime of all of them, so that no room for them is lacking later. */
int load_terms_agree(const struct load_terms *terms, plm *rt);
void load_terms_free(struct load_terms *terms);

/* ---- load_graph.c: names, and who waits for whom ---- */

struct load_node { /* a line that has a name, or waits for one */
	uint64_t line, offset;
	plm_ref ref;                /* once it is submitted */
	uint32_t name;              /* 1 + number; 0: none */
	uint32_t first_edge, edges; /* to the names it waits for */
	uint32_t missing;           /* of them, not submitted */
	uint32_t wanted;            /* by so many edges of lines that are not submitted yet */
	uint32_t next;              /* 1 + the next of a list; 0: the last */
	bool bad, put_off;
	bool held; /* ref is held for lines to come */
};

struct load_graph { /* zeroes: of no lines */
	struct load_node *node;
	struct load_name {
		char *text;
		uint32_t node, first_edge;
	} * name; /* 1 + number; 0: none */
	struct load_edge {
		uint32_t from, name, next;
	} * edge;
	uint32_t *slot; /* hash of names: 1 + number; 0: free */
	size_t nodes, names, edges, slots;
	size_t nodes_room, names_room, edges_room;
	size_t at;      /* the node of the next line that has one, in the order of lines */
	uint32_t ready; /* list of what was put off and misses nothing any more */
};

/* -EINVAL: its name is another line's. */
int load_graph_add(
    struct load_graph *graph, const struct load_item *item, const struct load_line *line);
/* Once all are in: says for each line that can never run, with a why; it is bad from then on. */
typedef void load_say_f(void *context, uint64_t line);
void load_graph_judge(struct load_graph *graph, load_say_f *say, void *context);
/* In the second reading: the node of this line, NULL if it has none. Lines in rising order. */
struct load_node *load_graph_at(struct load_graph *graph, uint64_t line);
/* It was submitted, or is here already. */
void load_graph_done(struct load_graph *graph, struct load_node *node, plm_ref ref);
/* The line is submitted, or skipped: what it waits for it wants no more. Calls let_go for each held
 * future that no line to come wants. */
typedef void load_let_go_f(void *context, plm_ref ref);
void load_graph_served(
    struct load_graph *graph, const struct load_node *node, load_let_go_f *let_go, void *context);
/* Takes one that was put off and can be submitted now; NULL if there is none. */
struct load_node *load_graph_ready(struct load_graph *graph);
/* The future of the line of that name, once it is submitted. */
plm_ref load_graph_ref(const struct load_graph *graph, const char *name);
const char *load_graph_name(const struct load_graph *graph, const struct load_node *node);
void load_graph_free(struct load_graph *graph);

/* ---- load_task.c: the task of a line ---- */

struct load_common { /* of all lines */
	struct command_request request;
};

struct load_task { /* of one line, until the next */
	plm_task task;
	plm_arg *arg;
	size_t args_room;
	plm_command *command; /* NULL: the command of all lines */
	plm_command_future *future;
	size_t futures_room;
};

/* What can be known before it is made: its function, its needs, the futures it names. */
int load_task_judge(const struct load_item *item, struct load_terms **terms, plm *rt);
/* Makes the task; the lines that it waits for are submitted. 0 or -errno; load_task_done() ends it
 * either way, load_task_free() after the last line. */
int load_task_make(struct load_item *item, const struct load_common *common,
    const struct load_graph *graph, struct load_terms **terms, plm *rt, struct load_task *ret);
void load_task_done(struct load_task *task);
void load_task_free(struct load_task *task);

/* ---- load_known.c: what is here already ---- */

struct load_known {
	struct load_known_entry {
		uint64_t identity[2];
		plm_ref ref; /* none: it is being submitted */
		bool used, ours;
	} * entry;
	size_t entries, room;
};

/* Takes in all tasks of the runtime that wait, run or are done. EXIT_FINE, or an exit code after a
 * message. */
int load_known_look(struct load_known *known, struct context *context);
/* The entry of this identity; a new one, of no future, if there was none (*ret_new). Until the next
 * call. */
struct load_known_entry *load_known_find(
    struct load_known *known, const uint64_t identity[2], bool *ret_new);

/* ---- load_batch.c: submitting ---- */

enum { BATCH_TASKS = 512 };

struct load_ticket { /* of a task in a batch */
	uint64_t line;
	struct load_node *node; /* NULL: it has none */
};

struct load_batch {
	struct context *context;
	plm_task task[BATCH_TASKS];
	struct load_ticket ticket[BATCH_TASKS];
	size_t tasks;
	char *memory; /* of their arguments */
	size_t used, room;
	plm_ref *ref; /* of all their results */
	size_t results, refs_room;
	uint64_t accepted; /* since it began */
	bool told_full;
	/* Asked when there is no room, at once and when we have waited for some: *ret_some says
	 * that there may be some now. 0, or -errno with a why: there will never be any. */
	int (*make_room)(void *context, bool waited, bool *ret_some);
};

/* Called for each task once it is accepted, in order. */
typedef void load_accepted_f(
    void *context, const plm_task *task, const struct load_ticket *ticket, const plm_ref *refs);

/* The task is copied, with its arguments. False: there is no room, flush first. */
bool load_batch_add(struct load_batch *batch, const plm_task *task, struct load_ticket ticket);
/* Submits what was added, waiting for room in the table. EXIT_FINE, or an exit code after a
 * message. */
int load_batch_flush(struct load_batch *batch, load_accepted_f *accepted, void *context);
void load_batch_free(struct load_batch *batch);

/* ---- load_wait.c: what became of them ---- */

struct load_wait { /* zeroes, and the path for messages */
	const char *path;
	struct load_waited {
		plm_ref ref;
		uint64_t line;
	} * task; /* held, till they have ended */
	size_t tasks, room;
	size_t look_at;      /* so many: it is time to look which have ended */
	uint64_t ended, bad; /* that were told and let go */
};

/* Takes over a hold of it. */
void load_wait_add(struct load_wait *wait, plm_ref ref, uint64_t line);
/* If there are many: tells of those that have ended, and lets go of them. */
void load_wait_look(struct load_wait *wait, plm *rt);
/* Until some have ended and are let go, for a moment. 0, or -errno of the runtime. */
int load_wait_for_room(struct load_wait *wait, plm *rt, bool *ret_some);
/* Until all have. The exit code. */
int load_wait_all(struct load_wait *wait, struct context *context);

#endif
