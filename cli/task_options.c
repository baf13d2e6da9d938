#include "cli/task_options.h"

#include <string.h>

#include "base/limits.h"

#define TERM(field) OPTION_FIELD(struct task_request, terms.field), .most = TIME_MAX_MS

const struct option_row task_rows[] = {
	{ "priority", NULL, NULL, OPTION_NUMBER, .word = "N", .standard = "0",
	    .help = "start before tasks of a smaller N, -32768 to 32767",
	    OPTION_FIELD(struct task_request, task.priority), PRIORITY_MIN, PRIORITY_MAX },
	{ "retries", NULL, NULL, OPTION_NUMBER, .word = "N", .standard = "0",
	    .help = "run the task again when it has failed, at most N times",
	    OPTION_FIELD(struct task_request, task.retries), .most = RETRIES_MAX },
	{ "crash-retries", NULL, NULL, OPTION_NUMBER, .word = "N", .standard = "0",
	    .help = "run the task again when its worker has died, at most N times",
	    OPTION_FIELD(struct task_request, task.crash_retries), .most = RETRIES_MAX },
	{ "backoff", NULL, NULL, OPTION_TIME, .word = "TIME",
	    .help = "pause before the first retry, doubled for each further one, and up to a "
		    "quarter more",
	    TERM(backoff_ms) },
	{ "backoff-max", NULL, NULL, OPTION_TIME, .word = "TIME", .standard = "1m",
	    .help = "the longest pause", TERM(backoff_max_ms) },
	{ "queue-limit", NULL, NULL, OPTION_TIME, .word = "TIME",
	    .help = "fail if the task has not started TIME after submission", TERM(queue_ms) },
	{ "run-limit", NULL, NULL, OPTION_TIME, .word = "TIME",
	    .help = "stop the task when it has run for TIME: it fails, or is retried",
	    TERM(run_ms) },
	{ "total-limit", NULL, NULL, OPTION_TIME, .word = "TIME",
	    .help = "fail if the task is not done TIME after submission", TERM(total_ms) },
	{ "grace", NULL, NULL, OPTION_TIME, .word = "TIME", .standard = "1s",
	    .help = "how long the task may go on after it was asked to stop, before its worker is "
		    "killed",
	    TERM(grace_ms) },
	{ "needs", NULL, NULL, OPTION_TEXT, .word = "NEEDS",
	    .help = "what the task must have to run, e.g. cpus=2,mem=1G,gpus=0.5,NAME=1; | "
		    "separates alternatives, e.g. 'gpus=1 | cpus=8'",
	    OPTION_FIELD(struct task_request, terms.needs) },
	{ "replicas", NULL, NULL, OPTION_NUMBER, .word = "N",
	    .help = "run the task on N workers at once; the first good result counts, the others "
		    "are cancelled, and the task fails when all of them fail",
	    OPTION_FIELD(struct task_request, terms.replicas), 1, REPLICAS_MAX },
	{ "detach", NULL, NULL, OPTION_FLAG,
	    .help = "do not wait: print the reference; the runtime keeps the result until `plmctl "
		    "drop`, or as plm --keep-finished says",
	    OPTION_FIELD(struct task_request, detach) },
	{ "keep", NULL, NULL, OPTION_TIME, .word = "TIME",
	    .help = "keep the result at least for TIME (with --detach)", TERM(keep_ms),
	    .least = 1 },
	{ 0 },
};

void task_request_settle(const struct context *context, struct task_request *request)
{
	static const plm_terms nothing;
	if (request->terms.keep_ms && !request->detach)
		usage_error(context, "--keep is about a result that is kept: add --detach");
	if (request->detach)
		request->task.flags |= PLM_KEEP;
	if (memcmp(&request->terms, &nothing, sizeof nothing) != 0)
		request->task.terms = &request->terms;
}
