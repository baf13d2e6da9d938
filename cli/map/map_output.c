#include "cli/map/map_output.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/why.h"
#include "cli/map/map_signals.h"
#include "cli/map/map_template.h"

enum { GATHER_BYTES = 64 << 10, SMALL_BYTES = 4 << 10 };

/* ---- bytes ---- */

/* A pipe with room takes PIPE_BUF bytes without blocking, so map always notices a signal. */
static bool map_output_wait_for_room(const struct sink *sink)
{
	struct pollfd wake[] = { { .fd = sink->fd, .events = POLLOUT },
		{ .fd = signals_fd(), .events = POLLIN } };
	do {
		if (signals_wish() == WISH_CANCEL)
			return false;
		poll(wake, COUNT_OF(wake), -1);
	} while (!wake[0].revents);
	return true;
}

static void map_output_write_out(
    struct map_output *o, struct sink *sink, const char *data, size_t length)
{
	while (length && o->error == 0) {
		if (sink->may_block && !map_output_wait_for_room(sink))
			return;
		size_t piece = sink->may_block && length > PIPE_BUF ? PIPE_BUF : length;
		ssize_t n = write(sink->fd, data, piece);
		if (n < 0 && errno != EINTR && errno != EAGAIN)
			o->error = errno == EPIPE
			    ? -EPIPE
			    : why(-EIO, "writing the output: %s", strerror(errno));
		if (n > 0) {
			data += n;
			length -= (size_t)n;
		}
	}
}

static void map_output_flush_sink(struct map_output *o, struct sink *sink)
{
	map_output_write_out(o, sink, sink->text.data, sink->text.length);
	sink->text.length = 0;
}

/* Writes the other stream first, so that the order of both on a terminal is kept. */
static void map_output_put(struct map_output *o, struct sink *sink, const char *data, size_t length)
{
	struct sink *other = sink == &o->out ? &o->err : &o->out;
	if (length && other->text.length)
		map_output_flush_sink(o, other);
	if (sink->text.length + length > GATHER_BYTES)
		map_output_flush_sink(o, sink);
	if (length > SMALL_BYTES && sink->text.length == 0)
		map_output_write_out(o, sink, data, length);
	else
		text_add(&sink->text, data, length);
}

static void map_output_put_tagged(
    struct map_output *o, struct sink *sink, const char *data, size_t length)
{
	while (length) {
		const char *end = memchr(data, '\n', length);
		size_t line = end ? (size_t)(end - data) + 1 : length;
		if (!sink->begun)
			map_output_put(o, sink, o->tag.data, o->tag.length);
		map_output_put(o, sink, data, line);
		sink->begun = end == NULL;
		data += line;
		length -= line;
	}
}

/* ---- jobs ---- */

static void map_output_make_tag(struct map_output *o, const struct job *job)
{
	o->tag.length = 0;
	if (o->shown.tag_text)
		template_plain(o->shown.tag_text, job, &o->tag);
	else
		template_values(job, &o->tag);
	text_byte(&o->tag, '\t');
}

void output_piece(
    struct map_output *o, const struct job *job, int stream, const char *data, size_t length)
{
	struct sink *sink = stream == STDOUT_FILENO ? &o->out : &o->err;
	if (length == 0)
		return;
	if (o->shown.tag) {
		map_output_make_tag(o, job);
		map_output_put_tagged(o, sink, data, length);
	} else {
		map_output_put(o, sink, data, length);
	}
}

/* Output shown of an earlier attempt is no part of the output of the last attempt. */
static void map_output_put_rest(struct map_output *o, const struct job *job, int stream)
{
	uint64_t shown =
	    job->live[stream - 1].attempt == job->attempt ? job->live[stream - 1].shown : 0;
	char buffer[JOB_PIECE_BYTES];
	const char *data;
	ssize_t n;
	while (o->error == 0 && (n = job_piece(job, stream, shown, buffer, &data)) != 0) {
		if (n < 0) {
			o->error = (int)n;
			break;
		}
		output_piece(o, job, stream, data, (size_t)n);
		shown += (uint64_t)n;
	}
	o->out.begun = o->err.begun = false;
}

struct ended_job { /* a row */
	const struct job *job;
	const struct text *command;
	uint64_t number, begin_ms, run_us;
	int exit_code, signal;
	const char *message; /* NULL: none */
};

static void map_output_command(struct output *out, const void *row)
{
	const struct text *command = ((const struct ended_job *)row)->command;
	cell_bytes(out, command->data, command->length);
}

/* A line of JSON is written at once: output in a file is mapped as a whole. */
static void map_output_stream(struct output *out, const struct job *job, int stream)
{
	bool is_out = stream == STDOUT_FILENO;
	uint64_t length = is_out ? job->out_bytes : job->err_bytes;
	const char *text = is_out ? job->out : job->err;
	if (job->in_file[stream - 1])
		text = outlet_map(job->outlet, stream, &length);
	cell_bytes(out, text, text ? (size_t)length : 0);
	if (text && job->in_file[stream - 1])
		outlet_unmap(text, length);
}

static void map_output_stdout(struct output *out, const void *row)
{
	map_output_stream(out, ((const struct ended_job *)row)->job, STDOUT_FILENO);
}

static void map_output_stderr(struct output *out, const void *row)
{
	map_output_stream(out, ((const struct ended_job *)row)->job, STDERR_FILENO);
}

static const struct column columns[] = {
	{ "JOB", "job", 0, PLAIN(struct ended_job, number) },
	{ "COMMAND", "command", -1, .cell = map_output_command },
	{ "EXIT", "exit_code", 0, PLAIN(struct ended_job, exit_code) },
	{ "SIGNAL", "signal", 0, PLAIN(struct ended_job, signal) },
	{ "BEGIN", "begin_ms", 0, PLAIN(struct ended_job, begin_ms) },
	{ "RUN", "run_us", 0, PLAIN(struct ended_job, run_us) },
	{ "OUT", "stdout", -1, .cell = map_output_stdout },
	{ "ERR", "stderr", -1, .cell = map_output_stderr },
	{ "MESSAGE", "message", -1, PLAIN(struct ended_job, message) },
};

static void map_output_put_json(
    struct map_output *o, const struct job *job, const struct text *command)
{
	struct output *out = &o->context->out;
	table_begin(out, columns, COUNT_OF(columns));
	table_row(out,
	    &(struct ended_job){ .job = job,
		.command = command,
		.number = job->number,
		.begin_ms = job->begin_ms,
		.run_us = job->run_us,
		.exit_code = job->exit_code,
		.signal = job->signal,
		.message = job->message });
}

void output_line(struct map_output *o, const struct job *job, const struct text *line)
{
	output_piece(o, job, STDOUT_FILENO, line->data, line->length);
	map_output_put(o, &o->out, "\n", 1);
	o->out.begun = false;
}

/* Writes the output into files, if asked for. True: nothing is left to show. */
static bool map_output_into_files(struct map_output *o, const struct job *job)
{
	const struct shown *s = &o->shown;
	int r = 0;
	if (s->results_text)
		r = results_write_named(s->results_text, job, &o->path);
	else if (s->results)
		r = results_write(s->results, &s->results_names, job, &o->path);
	else if (s->files)
		r = results_write_new(s->files, job, &o->path);
	if (o->error == 0 && r < 0)
		o->error = r;
	if (s->files && r == 0)
		output_line(o, job, &o->path);
	return s->results_text || s->results || s->files;
}

void output_begin_job(struct map_output *o, const struct text *command)
{
	if (!(o->shown.echo & ECHO_ERR))
		return;
	map_output_put(o, &o->err, command->data, command->length);
	map_output_put(o, &o->err, "\n", 1);
}

void output_echo_running(struct map_output *o, struct job *job)
{
	struct text line = { .data = NULL };
	if (!(o->shown.echo & ECHO_OUT) || job->echoed)
		return;
	job->echoed = true;
	template_line(o->shown.command, job, &line);
	output_line(o, job, &line);
	text_free(&line);
}

void output_job(struct map_output *o, const struct job *job, const struct text *command)
{
	if (o->shown.echo & ECHO_OUT && !job->echoed)
		output_line(o, job, command);
	bool in_files = map_output_into_files(o, job);
	if (o->shown.json) {
		map_output_put_json(o, job, command);
		return;
	}
	if (!in_files)
		map_output_put_rest(o, job, STDOUT_FILENO);
	if (!in_files || o->shown.files)
		map_output_put_rest(o, job, STDERR_FILENO);
	if (!job->message)
		return;
	struct text line = { .data = NULL };
	text_format(&line, "plmctl: job %llu: ", (unsigned long long)job->number);
	text_words(&line, job->message);
	text_byte(&line, '\n');
	map_output_put(o, &o->err, line.data, line.length);
	text_free(&line);
}

/* ---- begin and end ---- */

static struct sink map_output_open_sink(int fd)
{
	struct stat st;
	return (struct sink){ .fd = fd, .may_block = fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) };
}

void output_begin(struct map_output *o, struct context *context, struct shown shown)
{
	*o = (struct map_output){ .context = context, .shown = shown };
	o->out = map_output_open_sink(STDOUT_FILENO);
	o->err = map_output_open_sink(STDERR_FILENO);
}

int output_flush(struct map_output *o)
{
	map_output_flush_sink(o, &o->out);
	map_output_flush_sink(o, &o->err);
	if (o->shown.json && !output_close(&o->context->out) && o->error == 0)
		o->error =
		    errno == EPIPE ? -EPIPE : why(-EIO, "writing the output: %s", strerror(errno));
	return o->error;
}

void output_end(struct map_output *o)
{
	text_free(&o->out.text);
	text_free(&o->err.text);
	text_free(&o->tag);
	text_free(&o->path);
}
