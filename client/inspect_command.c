/* inspect_command.c - command lines as rows: words, log, times, and where the output is. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/why.h"
#include "client/handle.h"
#include "client/inspect.h"
#include "client/inspect_command_text.h"

enum { LOOKS_MAX = 8, BYTES_PER_KB = 1024, LINK_BYTES = 128 };

_Static_assert((int)PLM_OUTLET_FILE == (int)COMMAND_WHERE_FILE &&
	(int)PLM_OUTLET_LIVE == (int)COMMAND_WHERE_LIVE,
    "the outlets of plm_inspect.h are those of command_block.h");
_Static_assert(sizeof((plm_command_row *)NULL)->command >= COMMAND_TEXT_MAX, "room for a text");
_Static_assert(sizeof((plm_command_row *)NULL)->label > COMMAND_LABEL_MAX, "room for a label");

/* All that is known about one command. */
struct command_look {
	plm_command_row row;
	struct command_outlet outlet; /* pid 0: none */
	struct command_log log;
	struct command_texts texts;
	const void *value; /* stdout of a successful command */
	uint64_t value_bytes;
};

static void command_take_log(struct command_look *c)
{
	plm_command_row *row = &c->row;
	const struct command_log *log = &c->log;
	snprintf(row->command, sizeof row->command, "%.*s", (int)log->text_bytes, c->texts.command);
	row->logged = 1;
	row->status = log->status;
	row->log_attempt = log->attempt;
	row->worker = log->worker;
	row->out_where = (int)log->out_where;
	row->err_where = (int)log->err_where;
	row->left = log->left;
	row->asked_to_stop = log->asked != 0;
	row->killed = log->killed != 0;
	row->wall_us = log->wall_us;
	row->user_us = log->user_us;
	row->system_us = log->system_us;
	row->resident_bytes = log->resident_kb * BYTES_PER_KB;
	row->memory_bytes = log->memory_kb * BYTES_PER_KB;
	row->out_bytes = log->out_bytes;
	row->err_bytes = log->err_bytes;
	row->out_dropped = log->out_dropped;
	row->err_dropped = log->err_dropped;
}

static void command_read_settled(
    const struct tables *t, const struct record *r, struct command_look *c)
{
	const struct record *part = command_log_part(t, r);
	uint64_t length = 0;
	const void *data = part ? record_value(t, part, &length) : NULL;
	if (command_log_read(data, length, &c->log, &c->texts))
		command_take_log(c);
	if (c->row.state == PLM_STATE_DONE)
		c->value = record_value(t, r, &c->value_bytes);
	if (!c->value)
		c->value_bytes = 0;
}

static void command_read_owner(const struct tables *t, uint64_t word, struct command_look *c)
{
	uint32_t owner = word_owner(word);
	if (c->row.state != PLM_STATE_RUNNING || owner >= t->limits.processes ||
	    process_kind(sh_load(&t->process[owner].state)) != KIND_WORKER)
		return;
	c->row.worker_pid = t->process[owner].pid;
	c->row.worker = t->process[owner].worker;
}

static void command_read_times(
    const struct tables *t, const struct record *r, struct command_look *c)
{
	uint32_t now = tables_ms(t);
	bool ran = c->row.attempt > 0, settled = state_settled((enum record_state)c->row.state);
	c->row.queue_ms = tables_ms_between(r->submit_ms,
	    ran           ? r->start_ms
		: settled ? r->end_ms
			  : now);
	if (c->row.state == PLM_STATE_RUNNING)
		c->row.run_ms = tables_ms_between(r->start_ms, now);
	else if (ran && settled)
		c->row.run_ms = tables_ms_between(r->start_ms, r->end_ms);
}

/* Before the log: what the arguments ask for. */
static void command_read_files(const struct tables *t, struct record *r, struct command_look *c)
{
	c->row.out_where = command_names_file(t, r, 1) ? PLM_OUTLET_FILE : PLM_OUTLET_KEPT;
	c->row.err_where = command_names_file(t, r, 2) ? PLM_OUTLET_FILE : PLM_OUTLET_KEPT;
}

static void command_read(
    const plm_inspect *in, struct record *r, uint64_t word, struct command_look *c)
{
	const struct tables *t = &in->tables;
	bool settled = state_settled(word_state(word));
	*c = (struct command_look){
		.row = { .ref =
			     inspect_ref(in, record_ref(record_index(t, r), word_generation(word))),
		    .state = (int)word_state(word),
		    .attempt = word_attempt(word),
		    .worker = PLM_NOBODY,
		    .status = -1,
		    .outputs =
			r->results > COMMAND_RESULTS ? (uint32_t)r->results - COMMAND_RESULTS : 0 }
	};
	if (settled)
		command_read_settled(t, r, c);
	if (!settled ||
	    (word_retriable(word) && !c->row.logged)) /* the arguments are still there */
		command_words(t, r, c->row.command, COMMAND_TEXT_MAX);
	if (!settled)
		command_read_files(t, r, c);
	if (settled || !command_outlet_of(t, r, &c->outlet))
		c->outlet.pid = 0;
	c->row.outlet_pid = c->outlet.pid;
	c->row.outlet_live = c->outlet.pid && c->outlet.live;
	command_label(t, r, word, c->row.label);
	command_read_owner(t, word, c);
	command_read_times(t, r, c);
	if (c->row.outputs >= RESULTS_MAX) {
		c->row.outputs = 0;
		c->row.marks |= PLM_MARK_DAMAGED;
	}
}

/* Reads again if the state changed meanwhile, so that all fields are of one moment. */
static int command_look(const plm_inspect *in, plm_ref ref, struct command_look *c)
{
	uint64_t word;
	int error = 0;
	char text[PLM_REF_TEXT_BYTES];
	struct record *r = inspect_speaker(in, ref, &word, &error);
	if (!r)
		return error;
	plm_ref_print(ref, text);
	if (!command_is(&in->tables, r, word))
		return why(
		    -ENOTSUP, "%s is not a command: only tasks of submit, map and load are", text);
	for (int look = 0; look < LOOKS_MAX; look++) {
		word = sh_load(&r->state);
		command_read(in, r, word, c);
		if (word_without_flags(sh_load(&r->state)) == word_without_flags(word))
			return 0;
	}
	c->row.marks |= PLM_MARK_MOVED;
	return 0;
}

int plm_inspect_command(plm_inspect *in, plm_ref ref, plm_command_row *ret, size_t size)
{
	struct command_look c;
	if (!in || !ret)
		return why(-EINVAL, "plm_inspect_command: no handle, or no place for the row");
	int r = command_look(in, ref, &c);
	if (r == 0)
		inspect_give(ret, size, &c.row, sizeof c.row);
	return r;
}

/* ---- output ---- */

int plm_inspect_output(
    plm_inspect *in, plm_ref ref, int stream, const void **ret, size_t *ret_bytes)
{
	struct command_look c;
	if (!in || !ret || !ret_bytes || (stream != STDOUT_FILENO && stream != STDERR_FILENO))
		return why(-EINVAL, "plm_inspect_output: no handle, no place, or no stream 1 or 2");
	int r = command_look(in, ref, &c);
	if (r < 0)
		return r;
	bool out = stream == STDOUT_FILENO, value = out && c.row.state == PLM_STATE_DONE;
	*ret = value ? c.value : !c.row.logged ? NULL : out ? c.texts.out : c.texts.err;
	*ret_bytes = value ? c.value_bytes : !*ret ? 0 : out ? c.log.out_kept : c.log.err_kept;
	return 0;
}

/* Finds the worker's own descriptor by the name of the file: the worker need not answer. */
static int command_stream_open(const struct command_look *c, int stream)
{
	char name[COMMAND_STREAM_BYTES], path[LINK_BYTES], target[LINK_BYTES], wanted[LINK_BYTES];
	command_stream_name(c->row.ref.id, c->row.attempt, stream, name);
	snprintf(wanted, sizeof wanted, "/memfd:%s (deleted)", name);
	snprintf(path, sizeof path, "/proc/%d/fd", (int)c->row.worker_pid);
	DIR *all = c->row.worker_pid > 0 ? opendir(path) : NULL;
	const struct dirent *entry;
	int fd = -1;
	while (all && fd < 0 && (entry = readdir(all)) != NULL) {
		ssize_t n = readlinkat(dirfd(all), entry->d_name, target, sizeof target - 1);
		target[n > 0 ? n : 0] = 0;
		if (strcmp(target, wanted) == 0)
			fd = openat(dirfd(all), entry->d_name, O_RDONLY | O_CLOEXEC);
	}
	if (all)
		closedir(all);
	return fd;
}

/* From some length on all output of a command is in the file of the submitter. */
static int command_outlet_file(const struct command_look *c, int stream)
{
	struct stat st;
	if (c->outlet.pid == 0 || c->outlet.live)
		return -1;
	int fd = command_outlet_open(&c->outlet, stream, O_RDONLY);
	if (fd >= 0 && fstat(fd, &st) == 0 && st.st_size > 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

int plm_inspect_output_open(plm_inspect *in, plm_ref ref, int stream)
{
	struct command_look c;
	if (!in || (stream != STDOUT_FILENO && stream != STDERR_FILENO))
		return why(-EINVAL, "plm_inspect_output_open: no handle, or no stream 1 or 2");
	int r = command_look(in, ref, &c);
	if (r < 0)
		return r;
	bool runs = in->moving && c.row.state == PLM_STATE_RUNNING;
	int fd = runs ? command_stream_open(&c, stream) : -1;
	/* Look at the outlet after the stream: a worker with a stream has emptied the outlet of
	 * earlier attempts. */
	int file = fd >= 0 ? command_outlet_file(&c, stream) : -1;
	if (file >= 0) {
		close(fd);
		fd = file;
	}
	return fd >= 0 ? fd : why(-ENOENT, "the command has written nothing that is kept yet");
}

int plm_inspect_outputs(plm_inspect *in, plm_ref ref, plm_ref *ret, size_t n)
{
	struct command_look c;
	if (!in || (!ret && n))
		return why(-EINVAL, "plm_inspect_outputs: no handle, or no place for references");
	int r = command_look(in, ref, &c), steps = 0;
	if (r < 0)
		return r;
	const struct tables *t = &in->tables;
	const struct record *part;
	uint32_t next = t->record[ref_index(c.row.ref.id)].first_part, outputs = c.row.outputs;
	for (size_t i = 0; i < n && i < outputs; i++)
		ret[i] = PLM_NONE;
	while ((part = command_next_part(t, &next, &steps)) != NULL) {
		uint64_t word = sh_load(&part->state);
		uint32_t which = part->part.which - COMMAND_RESULTS;
		if (which < outputs && which < n)
			ret[which] = inspect_ref(
			    in, record_ref(record_index(t, part), word_generation(word)));
	}
	return (int)outputs;
}
