#include "cli/command_view.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "client/handle.h"

static void command_view_read_log(
    const struct tables *t, const struct record *r, struct command_view *ret)
{
	const struct record *part = command_log_part(t, r);
	uint64_t length = 0;
	const void *data = part ? record_value(t, part, &length) : NULL;
	ret->logged = command_log_read(data, length, &ret->log, &ret->texts);
	if (ret->logged)
		snprintf(ret->text, sizeof ret->text, "%.*s", (int)ret->log.text_bytes,
		    ret->texts.command);
	if (ret->state == RECORD_DONE)
		ret->value = record_value(t, r, &ret->value_bytes);
}

static void command_view_read_owner(const struct tables *t, uint64_t word, struct command_view *ret)
{
	uint32_t owner = word_owner(word);
	if (ret->state != RECORD_RUNNING || owner >= t->limits.processes ||
	    process_kind(sh_load(&t->process[owner].state)) != KIND_WORKER)
		return;
	ret->pid = t->process[owner].pid;
	ret->worker = t->process[owner].worker;
}

static void command_view_read_times(
    const struct tables *t, const struct record *r, struct command_view *ret)
{
	uint32_t now = (uint32_t)((clock_ns() - t->control->boot_ns) / NS_PER_MS);
	bool ran = ret->attempt > 0, settled = state_settled(ret->state);
	ret->queue_ms = tables_ms_between(r->submit_ms,
	    ran           ? r->start_ms
		: settled ? r->end_ms
			  : now);
	if (ret->state == RECORD_RUNNING)
		ret->run_ms = tables_ms_between(r->start_ms, now);
	else if (ran && settled)
		ret->run_ms = tables_ms_between(r->start_ms, r->end_ms);
}

static void command_view_read(
    const struct tables *t, struct record *r, uint64_t word, struct command_view *ret)
{
	ret->state = word_state(word);
	ret->attempt = word_attempt(word);
	if (state_settled(ret->state))
		command_view_read_log(t, r, ret);
	if (!state_settled(ret->state) || (word_dead(word) && !ret->logged))
		command_words(t, r, ret->text, sizeof ret->text); /* its arguments are there */
	if (state_settled(ret->state) || !command_outlet_of(t, r, &ret->outlet))
		ret->outlet.pid = 0;
	command_label(t, r, word, ret->label);
	command_view_read_owner(t, word, ret);
	command_view_read_times(t, r, ret);
}

bool command_known(struct context *context, plm_ref ref)
{
	uint64_t word;
	int error;
	const struct record *r = ref_resolve(context->rt, ref, &word, &error);
	return r && command_is(plm_tables(context->rt), r, word);
}

int command_look(struct context *context, plm_ref ref, struct command_view *ret)
{
	const struct tables *t = plm_tables(context->rt);
	char text[PLM_REF_TEXT_BYTES];
	uint64_t word;
	int error = 0;
	plm_ref_print(ref, text);
	struct record *r = ref_resolve(context->rt, ref, &word, &error);
	if (!r)
		return failed(error, text);
	r = ref_speaker(context->rt, r, &word);
	if (!command_is(t, r, word)) {
		fprintf(stderr,
		    "plmctl: %s is not a command: only tasks of submit, map and load "
		    "are\n",
		    text);
		return EXIT_DATA;
	}
	do { /* all of it from one moment: it may go on while we read */
		word = sh_load(&r->state);
		*ret = (struct command_view){ .ref = ref };
		command_view_read(t, r, word, ret);
	} while (word_without_flags(sh_load(&r->state)) != word_without_flags(word));
	ret->ref.id = record_ref(record_index(t, r), word_generation(word));
	return EXIT_FINE;
}

unsigned command_outputs(struct context *context, const struct command_view *v, plm_ref *ret)
{
	const struct tables *t = plm_tables(context->rt);
	const struct record *r = record_at(t, ref_index(v->ref.id)), *part;
	unsigned n = r->results > COMMAND_RESULTS ? r->results - COMMAND_RESULTS : 0;
	uint32_t next = r->first_part;
	int steps = 0;
	n = n < RESULTS_MAX ? n : 0;
	for (unsigned i = 0; i < n; i++)
		ret[i] = PLM_NONE;
	while ((part = command_next_part(t, &next, &steps)) != NULL) {
		uint64_t word = sh_load(&part->state);
		uint32_t which = part->part.which;
		if (which >= COMMAND_RESULTS && which - COMMAND_RESULTS < n)
			ret[which - COMMAND_RESULTS] = ref_public(
			    context->rt, record_ref(record_index(t, part), word_generation(word)));
	}
	return n;
}

const char *command_kept(const struct command_view *v, int stream, uint64_t *ret_length)
{
	bool value = stream == STDOUT_FILENO && v->state == RECORD_DONE;
	*ret_length = value           ? v->value_bytes
	    : !v->logged              ? 0
	    : stream == STDOUT_FILENO ? v->log.out_kept
				      : v->log.err_kept;
	return value ? v->value : stream == STDOUT_FILENO ? v->texts.out : v->texts.err;
}

/* The worker's own descriptor, found by the name of its file: the worker need not answer. */
int command_stream_open(const struct command_view *v, int stream)
{
	char name[COMMAND_STREAM_BYTES], path[64], target[128], wanted[128];
	command_stream_name(v->ref.id, v->attempt, stream, name);
	snprintf(wanted, sizeof wanted, "/memfd:%s (deleted)", name);
	snprintf(path, sizeof path, "/proc/%d/fd", (int)v->pid);
	DIR *all = v->pid > 0 ? opendir(path) : NULL;
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

int command_outlet_file(const struct command_view *v, int stream)
{
	struct stat st;
	if (v->outlet.pid == 0 || v->outlet.live)
		return -1;
	int fd = command_outlet_open(&v->outlet, stream, O_RDONLY);
	if (fd >= 0 && fstat(fd, &st) == 0 && st.st_size > 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

bool command_cut(const struct command_view *v, char ret[CUT_TEXT_BYTES])
{
	const struct command_log *log = &v->log;
	if (!v->logged || (log->out_dropped == 0 && log->err_dropped == 0))
		return false;
	snprintf(ret, CUT_TEXT_BYTES,
	    "%llu bytes of stdout and %llu of stderr were cut off: more "
	    "than is kept (--output-cap), or than there was room for",
	    (unsigned long long)log->out_dropped, (unsigned long long)log->err_dropped);
	return true;
}

int command_say_cut(const struct command_view *v, int stream)
{
	bool out = stream == STDOUT_FILENO;
	uint64_t dropped = out ? v->log.out_dropped : v->log.err_dropped;
	uint64_t all = out ? v->log.out_bytes : v->log.err_bytes;
	if (!v->logged || dropped == 0)
		return EXIT_FINE;
	fprintf(stderr,
	    "plmctl: of the %llu bytes that it wrote to %s the last %llu were cut off: "
	    "more than is kept (--output-cap), or than there was room for\n",
	    (unsigned long long)all, out ? "stdout" : "stderr", (unsigned long long)dropped);
	return EXIT_CUT;
}

const char *command_where(const struct command_view *v, char ret[WHERE_TEXT_BYTES])
{
	uint32_t out = v->log.out_where, err = v->log.err_where;
	if (v->outlet.pid) {
		snprintf(ret, WHERE_TEXT_BYTES,
		    v->outlet.live ? "process %d, as it is written"
				   : "the runtime, and at length files of process %d",
		    (int)v->outlet.pid);
		return ret;
	}
	bool live = v->logged && out == COMMAND_WHERE_LIVE;
	bool file = v->logged && (out == COMMAND_WHERE_FILE || err == COMMAND_WHERE_FILE);
	return live ? "its submitter, as it was written"
	    : file  ? "a file of its submitter"
		    : "the runtime";
}
