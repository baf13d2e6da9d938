/* load.h - task files: the parts of `plmctl load`. Only files of this folder include load.h.
 *
 * A file is read twice. The first reading judges every line, and nothing is submitted if a
 * line is bad; the second reading submits the lines in batches. Between the two readings load
 * keeps only lines that have a name or wait for a name, so a file may be larger than memory.
 * Errors: -errno with a why; without memory the program ends (grow()). Texts of a line live
 * until the next line is read.
 * Who: plmctl, one thread. */
#ifndef PLM_CLI_LOAD_H
#define PLM_CLI_LOAD_H

#include "cli/command_objects.h"
#include "cli/fleet_door.h"
#include "cli/hook.h"

enum load_format { LOAD_AUTO, LOAD_ORIGIN, LOAD_JSON, LOAD_LINES };

/* Grows an array of *room elements to n elements at least; ends the program without memory. */
void *grow(void *array, size_t n, size_t *room, size_t size);

/* ---- load_file.c: lines ---- */

enum { LINE_BYTES_MAX = 16 << 20 };

struct load_file {
	const char *path; /* for messages */
	int fd;
	char *buffer;
	size_t room, begin, end; /* bytes that were read and not given out */
	uint64_t offset;         /* in the file, of buffer[begin] */
	uint64_t number;         /* of the last line given out */
	bool at_end;             /* buffer[end] is the end of the file */
	bool torn;               /* the rest of a line that is too long is still to be skipped */
	uint64_t bytes;          /* of the file when load opened it */
};

struct load_line {
	char *text;    /* ends with a zero */
	size_t length; /* without LF or CRLF at the end; the text may contain zeroes */
	uint64_t number, offset;
	bool too_long; /* more than LINE_BYTES_MAX: text is only the beginning */
};

/* "-" is stdin. An input that cannot be read twice is copied to a file without a name. */
int load_file_open(const char *path, struct load_file *ret);
void load_file_close(struct load_file *file);
/* 1: a line; 0: the end. */
int load_file_next(struct load_file *file, struct load_line *ret);
/* Continues with the line at this offset, whose number is given; 0, 1: the first line. */
void load_file_seek(struct load_file *file, uint64_t offset, uint64_t number);
/* False: the file has changed since load opened it. */
bool load_file_unchanged(const struct load_file *file);

/* ---- load_formats.c, load_json.c: reading a line ---- */

struct load_future { /* becomes a plm_command_future */
	enum plm_command_use use;
	const char *name;
	const char *of; /* a reference, or the name of a line; NULL: an output */
};

struct load_item {
	struct command_request request; /* the options of the command line, changed by this line */
	bool own_fields;                /* the line changes an option that all commands share */
	bool shell;                     /* the words are /bin/sh -c and a line */
	const char *function;           /* NULL: a command */
	const char **word;   /* of a command, or arguments of a function; NULL: see result */
	const char **result; /* [i]: word i is the value of the line called so */
	size_t words, words_room, results_room;
	const char *name;      /* NULL: none */
	const char *on_finish; /* NULL: as for all lines */
	struct load_future *future;
	size_t futures, futures_room;
	/* memory of the above */
	char needs[48];
	char *memory;
	size_t memory_room;
	const char **variable;
	size_t variables_room;
	struct json_t *json, *json_texts;
};

/* 1: *item is filled; 0: a comment, or a blank line; -errno with a why: a bad line. */
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

/* A copy of these terms that stays. -EINVAL: this runtime can never meet the terms. */
int load_terms_find(
    struct load_terms **terms, plm *rt, const plm_terms *wanted, const plm_terms **ret);
/* Enters all terms into the runtime, so that later submissions find them there. */
int load_terms_agree(const struct load_terms *terms, plm *rt);
void load_terms_free(struct load_terms *terms);

/* ---- load_graph.c: names, and lines that wait for names ---- */

struct load_node { /* a line that has a name, or waits for a name */
	uint64_t line, offset;
	plm_ref ref;                /* after the submission */
	uint32_t name;              /* 1 + number; 0: none */
	uint32_t first_edge, edges; /* to names that this line waits for */
	uint32_t missing;           /* names whose lines are not submitted */
	uint32_t wanted;            /* edges to this line from lines that are not submitted */
	uint32_t next;              /* 1 + index of the next node in a list; 0: the last */
	bool bad, put_off;
	bool held; /* ref is held for later lines */
};

struct load_graph { /* zeroes: no lines */
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
	size_t at;      /* index of the next node, in the order of lines */
	uint32_t ready; /* list of nodes that were put off and can be submitted */
};

/* -EINVAL: another line has the same name. */
int load_graph_add(
    struct load_graph *graph, const struct load_item *item, const struct load_line *line);
/* After the last line: calls say, with a why, for each line that can never run, and marks the line
 * as bad. */
typedef void load_say_f(void *context, uint64_t line);
void load_graph_judge(struct load_graph *graph, load_say_f *say, void *context);
/* In the second reading: the node of this line or NULL. Call with rising line numbers. */
struct load_node *load_graph_at(struct load_graph *graph, uint64_t line);
/* The line was submitted, or its task is in the runtime already. */
void load_graph_done(struct load_graph *graph, struct load_node *node, plm_ref ref);
/* The line was submitted or skipped, and no longer wants the lines it waited for. Calls let_go for
 * each held future that no later line wants. */
typedef void load_let_go_f(void *context, plm_ref ref);
void load_graph_served(
    struct load_graph *graph, const struct load_node *node, load_let_go_f *let_go, void *context);
/* Takes a node that was put off and can be submitted now, or NULL. */
struct load_node *load_graph_ready(struct load_graph *graph);
/* The future of the line called so, after its submission. */
plm_ref load_graph_ref(const struct load_graph *graph, const char *name);
const char *load_graph_name(const struct load_graph *graph, const struct load_node *node);
void load_graph_free(struct load_graph *graph);

/* ---- load_reference.c: references, whole or short ---- */

struct load_references { /* zeroes: none yet */
	struct load_named {
		char *text;
		plm_ref ref;
	} * known; /* short ones, as found first */
	size_t n, room;
};

/* 0, or -errno with a why. */
int load_reference(
    struct load_references *refs, struct context *context, const char *text, plm_ref *ret);
void load_references_free(struct load_references *refs);

/* ---- load_task.c: the task of a line ---- */

struct load_common { /* by all lines */
	struct context *context;
	const struct load_graph *graph;
	struct load_terms **terms;
	struct load_references references;
	struct command_request request;
	const char *on_finish; /* NULL: as the runtime says */
};

struct load_task { /* of one line, until the next */
	plm_task task;
	plm_arg *arg;
	size_t args_room;
	plm_command *command; /* NULL: the command of all lines */
	plm_command_future *future;
	size_t futures_room;
	struct hook hook;                   /* without a command: none */
	char hook_title[FLEET_TITLE_BYTES]; /* for a fleet */
};

/* Judges what is known before the task is made: function, needs, references. */
int load_task_judge(const struct load_item *item, struct load_common *common);
/* Makes the task; the lines that it waits for are submitted. 0 or -errno; load_task_done() ends it
 * either way, load_task_free() after the last line. */
int load_task_make(struct load_item *item, struct load_common *common, struct load_task *ret);
void load_task_done(struct load_task *task);
void load_task_free(struct load_task *task);

/* ---- load_known.c: tasks that exist already ---- */

struct load_known {
	struct load_known_entry {
		uint64_t identity[2];
		plm_ref ref; /* PLM_NONE: not submitted yet */
		bool used, ours;
	} * entry;
	size_t entries, room;
};

/* Takes in all tasks of the runtime that wait, run or are done. EXIT_FINE, or an exit code after a
 * message. */
int load_known_look(struct load_known *known, struct context *context);
/* Finds or adds (*ret_new) the entry of an identity. The pointer is valid until the next call. */
struct load_known_entry *load_known_find(
    struct load_known *known, const uint64_t identity[2], bool *ret_new);

/* ---- load_batch.c: submitting ---- */

enum { BATCH_TASKS = 512 };

struct load_ticket { /* of a task in a batch */
	uint64_t line;
	struct load_node *node;                              /* or NULL */
	char label[LABEL_MAX + 1], title[FLEET_TITLE_BYTES]; /* for a fleet */
};

struct load_batch {
	struct context *context;
	plm_task task[BATCH_TASKS];
	struct load_ticket ticket[BATCH_TASKS];
	size_t tasks;
	char *memory; /* of the arguments */
	size_t used, room;
	plm_ref *ref; /* of the results of all tasks */
	size_t results, refs_room;
	uint64_t accepted; /* since the beginning */
	bool told_full;
	/* Called when the table is full, at once and again after waiting. Sets *ret_some if room
	 * may have come. 0, or -errno with a why: room will never come. */
	int (*make_room)(void *context, bool waited, bool *ret_some);
};

/* Called for each accepted task, in order, but for hooks. */
typedef void load_accepted_f(
    void *context, const plm_task *task, const struct load_ticket *ticket, const plm_ref *refs);

/* Copies the task, and its hook if it has one. False: the batch is full, flush first. */
bool load_batch_add(
    struct load_batch *batch, const struct load_task *task, const struct load_ticket *ticket);
bool load_batch_is_hook(const plm_task *task);
/* Submits the batch, waiting for room in the table. EXIT_FINE, or an exit code after a message. */
int load_batch_flush(struct load_batch *batch, load_accepted_f *accepted, void *context);
void load_batch_free(struct load_batch *batch);

/* Adds the batch to a fleet. was[i]: the task was there already. 0 or -errno with a why. */
int load_batch_add_to_fleet(struct load_batch *batch, bool unique, bool was[BATCH_TASKS]);

/* ---- load_wait.c: the ends of the tasks ---- */

struct load_wait { /* zeroes, and the path for messages */
	const char *path;
	struct load_waited {
		plm_ref ref;
		uint64_t line;
	} * task; /* held until the task has ended */
	size_t tasks, room;
	size_t look_at;      /* with so many tasks it is time to look for ended tasks */
	uint64_t ended, bad; /* tasks that were reported and let go */
};

/* Takes over a hold of ref. */
void load_wait_add(struct load_wait *wait, plm_ref ref, uint64_t line);
/* If the list is long: reports ended tasks and lets go of them. */
void load_wait_look(struct load_wait *wait, plm *rt);
/* Waits a moment for a task to end, and lets go of ended tasks. 0, or -errno of the runtime. */
int load_wait_for_room(struct load_wait *wait, plm *rt, bool *ret_some);
/* Waits for all tasks. Returns the exit code. */
int load_wait_all(struct load_wait *wait, struct context *context);

#endif
