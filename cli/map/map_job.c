#include "cli/map/map_job.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/why.h"
#include "cli/command_view.h"

enum { US_PER_MS = 1000, EXIT_CODES = 256, JOB_COPY_BYTES = 64 << 10 };

struct job *job_make(const struct row *row, size_t each, uint64_t number)
{
	struct job *job = calloc(1, sizeof *job + row->values.length);
	if (!job)
		return NULL;
	job->number = number;
	job->values = row->count;
	job->values_each = each;
	job->live[0].fd = job->live[1].fd = -1;
	if (row->values.length)
		memcpy(job->value, row->values.data, row->values.length);
	return job;
}

void job_free(struct job *job)
{
	for (int i = 0; i < 2; i++)
		if (job->live[i].fd >= 0)
			close(job->live[i].fd);
	outlet_give(job->outlet, job->ended_well);
	block_give(job->block, job->ended_well);
	free(job->message);
	free(job->held[0]);
	free(job->held[1]);
	free(job);
}

bool job_failed(const struct job *job)
{
	return job->exit_code != 0 || job->signal != 0;
}

int job_exit_code(const struct job *job)
{
	if (job->signal && job->exit_code != JOB_KILLED)
		return EXIT_SIGNAL + job->signal;
	return job->exit_code == JOB_KILLED ? EXIT_TIMED_OUT : job->exit_code;
}

static bool job_begins_with(const char *text, const char *words)
{
	return strncmp(text, words, strlen(words)) == 0;
}

static void job_take_message(struct job *job, const plm_failure *f)
{
	char root[PLM_REF_TEXT_BYTES];
	plm_ref_print(f->task, root);
	if (asprintf(&job->message, "task %s failed: %s", root, f->message) < 0)
		job->message = NULL;
}

static void job_take_own_failure(struct job *job, const plm_failure *f)
{
	if (job_begins_with(f->message, PLM_COMMAND_SAYS_EXIT)) {
		job->exit_code = f->code;
		return;
	}
	if (job_begins_with(f->message, PLM_COMMAND_SAYS_SIGNAL)) {
		job->signal = f->code - PLM_COMMAND_SIGNALLED;
		return;
	}
	job->message = strdup(f->message);
	if (f->signal) {
		job->signal = f->signal;
	} else if (f->code == ETIMEDOUT) {
		job->exit_code = JOB_KILLED;
		job->signal = SIGTERM;
	} else {
		job->exit_code = f->code > 0 && f->code < EXIT_CODES ? f->code : EXIT_OURS;
	}
}

static void job_take_failure(struct context *context, struct job *job)
{
	plm_failure f;
	if (plm_error(context->rt, job->ref[0], &f) < 0)
		f = (plm_failure){ .code = EXIT_OURS };
	if (f.task.id && f.task.id != job->ref[0].id) {
		job->exit_code = EXIT_TASK_FAILED; /* of the task that the job comes after */
		job_take_message(job, &f);
		return;
	}
	job_take_own_failure(job, &f);
}

static void job_take_cancel(struct job *job)
{
	job->exit_code = JOB_KILLED;
	job->signal = SIGTERM;
	job->message = strdup(
	    job->late ? "ran longer than --timeout allows of the median" : "it was cancelled");
}

/* Without a log (the store had no room), an outlet with bytes is the output. */
static void job_take_stream(struct job *job, const struct command_view *v, int stream)
{
	uint64_t *bytes = stream == STDOUT_FILENO ? &job->out_bytes : &job->err_bytes;
	const char **text = stream == STDOUT_FILENO ? &job->out : &job->err;
	uint32_t where = stream == STDOUT_FILENO ? v->log.out_where : v->log.err_where;
	*text = command_kept(v, stream, bytes);
	if (!job->outlet || (v->logged ? where != PLM_OUTLET_FILE : job->message != NULL))
		return;
	uint64_t in_file = outlet_bytes(job->outlet, stream);
	if (!in_file)
		return;
	job->in_file[stream - 1] = true;
	*bytes = in_file;
}

static void job_take_output(struct job *job, const struct command_view *v)
{
	char text[CUT_TEXT_BYTES];
	job_take_stream(job, v, STDOUT_FILENO);
	job_take_stream(job, v, STDERR_FILENO);
	if (!job->in_file[0] &&
	    !job->in_file[1]) { /* free for another job during the wait in map_order.c */
		outlet_give(job->outlet, job->ended_well);
		job->outlet = NULL;
	}
	if (!command_cut(v, text) || job->message)
		return;
	job->message = strdup(text);
	if (!job_failed(job))
		job->exit_code = EXIT_CUT;
}

int job_take_end(struct context *context, struct job *job)
{
	struct command_view v;
	int code = command_look(context, job->ref[0], &v);
	if (code != EXIT_FINE)
		return code;
	job->attempt = v.attempt;
	job->begin_ms = job->submit_ms + v.queue_ms;
	job->run_us = v.logged ? v.log.wall_us : (uint64_t)v.run_ms * US_PER_MS;
	job->ended_well = v.state == PLM_STATE_DONE;
	if (v.state == PLM_STATE_FAILED)
		job_take_failure(context, job);
	bool ending = job->late && v.state != PLM_STATE_DONE && v.state != PLM_STATE_FAILED;
	if (v.state == PLM_STATE_CANCELLED || ending)
		job_take_cancel(job);
	job_take_output(job, &v);
	block_give(job->block, job->ended_well); /* free for another job, as the outlet */
	job->block = NULL;
	return EXIT_FINE;
}

/* ---- of a fleet ---- */

/* What a fleet tells is gone after the call: short output is copied, long output is written into
 * the outlet. */
static int job_copy_stream(struct job *job, int stream, const char *text, uint64_t bytes)
{
	*(stream == STDOUT_FILENO ? &job->out_bytes : &job->err_bytes) = bytes;
	if (bytes > JOB_COPY_BYTES) {
		job->in_file[stream - 1] = true;
		return outlet_fill(job->outlet, stream, text, bytes);
	}
	char *copy = bytes ? malloc(bytes) : NULL;
	if (bytes && !copy)
		return why(-ENOMEM, "no memory for the output of a job");
	if (copy)
		memcpy(copy, text, bytes);
	job->held[stream - 1] = copy;
	*(stream == STDOUT_FILENO ? &job->out : &job->err) = copy;
	return 0;
}

int job_take_fleet_end(struct job *job, const struct fleet_outcome *end)
{
	job->attempt = end->attempt;
	job->begin_ms = end->began_ms ? end->began_ms : job->submit_ms;
	job->run_us = end->run_us;
	job->ended_well = true; /* no worker writes into our files */
	if (end->state == PLM_STATE_FAILED)
		job_take_own_failure(job, &end->failure);
	if (end->state == PLM_STATE_CANCELLED)
		job_take_cancel(job);
	int r = 0;
	for (int stream = STDOUT_FILENO; stream <= STDERR_FILENO && r == 0; stream++)
		r = job_copy_stream(job, stream, end->text[stream - 1], end->bytes[stream - 1]);
	if (job->in_file[0] || job->in_file[1])
		return r;
	outlet_give(job->outlet, true);
	job->outlet = NULL;
	return r;
}

uint64_t job_held_bytes(const struct job *job)
{
	return (job->in_file[0] ? 0 : job->out_bytes) + (job->in_file[1] ? 0 : job->err_bytes);
}

ssize_t job_piece(const struct job *job, int stream, uint64_t from, char *buffer, const char **ret)
{
	uint64_t length = stream == STDOUT_FILENO ? job->out_bytes : job->err_bytes;
	const char *text = stream == STDOUT_FILENO ? job->out : job->err;
	if (job->in_file[stream - 1]) {
		*ret = buffer;
		return outlet_read(job->outlet, stream, from, buffer, JOB_PIECE_BYTES);
	}
	*ret = text + from;
	return from < length && text ? (ssize_t)(length - from) : 0;
}
