#include "cli/map_job.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/command_view.h"

enum { US_PER_MS = 1000, EXIT_CODES = 256 };

struct job *job_make(const struct row *row, uint64_t number)
{
	struct job *job = calloc(1, sizeof *job + row->values.length);
	if (!job)
		return NULL;
	job->number = number;
	job->values = row->count;
	job->live[0].fd = job->live[1].fd = -1;
	memcpy(job->value, row->values.data, row->values.length);
	return job;
}

void job_free(struct job *job)
{
	for (int i = 0; i < 2; i++)
		if (job->live[i].fd >= 0)
			close(job->live[i].fd);
	free(job->message);
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

static bool begins_with(const char *text, const char *words)
{
	return strncmp(text, words, strlen(words)) == 0;
}

static void take_message(struct job *job, const plm_failure *f)
{
	char root[PLM_REF_TEXT_BYTES];
	plm_ref_print(f->task, root);
	if (asprintf(&job->message, "task %s failed: %s", root, f->message) < 0)
		job->message = NULL;
}

static void take_failure(struct context *context, struct job *job)
{
	plm_failure f;
	if (plm_error(context->rt, job->ref[0], &f) < 0)
		f = (plm_failure){ .code = EXIT_OURS };
	if (f.task.id && f.task.id != job->ref[0].id) {
		job->exit_code = EXIT_TASK_FAILED; /* of what it was to come after */
		take_message(job, &f);
		return;
	}
	if (begins_with(f.message, COMMAND_SAYS_EXIT)) {
		job->exit_code = f.code;
		return;
	}
	if (begins_with(f.message, COMMAND_SAYS_SIGNAL)) {
		job->signal = f.code - COMMAND_SIGNALLED;
		return;
	}
	job->message = strdup(f.message);
	if (f.signal) {
		job->signal = f.signal;
	} else if (f.code == ETIMEDOUT) {
		job->exit_code = JOB_KILLED;
		job->signal = SIGTERM;
	} else {
		job->exit_code = f.code > 0 && f.code < EXIT_CODES ? f.code : EXIT_OURS;
	}
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
	job->out = command_kept(&v, STDOUT_FILENO, &job->out_bytes);
	job->err = command_kept(&v, STDERR_FILENO, &job->err_bytes);
	if (v.state == RECORD_FAILED)
		take_failure(context, job);
	if (v.state != RECORD_CANCELLED)
		return EXIT_FINE;
	job->exit_code = JOB_KILLED;
	job->signal = SIGTERM;
	job->message = strdup("it was cancelled");
	return EXIT_FINE;
}
