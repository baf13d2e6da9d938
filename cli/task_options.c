#include "cli/task_options.h"

#include "base/limits.h"

static void task_options_take_term(const struct context *context, const char *name, uint32_t *ret)
{
	*ret = (uint32_t)duration_word(context, name, optarg);
}

static void task_options_take_terms(const struct context *context, int option, plm_terms *terms)
{
	switch (option) {
	case OPTION_QUEUE_LIMIT:
		task_options_take_term(context, "--queue-limit", &terms->queue_ms);
		break;
	case OPTION_RUN_LIMIT:
		task_options_take_term(context, "--run-limit", &terms->run_ms);
		break;
	case OPTION_TOTAL_LIMIT:
		task_options_take_term(context, "--total-limit", &terms->total_ms);
		break;
	case OPTION_BACKOFF:
		task_options_take_term(context, "--backoff", &terms->backoff_ms);
		break;
	case OPTION_BACKOFF_MAX:
		task_options_take_term(context, "--backoff-max", &terms->backoff_max_ms);
		break;
	case OPTION_GRACE: task_options_take_term(context, "--grace", &terms->grace_ms); break;
	case OPTION_KEEP:
		task_options_take_term(context, "--keep", &terms->keep_ms);
		if (terms->keep_ms == 0)
			usage_error(context, "--keep is a time from 1ms on: %s", optarg);
		break;
	case OPTION_REPLICAS:
		terms->replicas =
		    (unsigned)number_word(context, "--replicas", optarg, 1, REPLICAS_MAX);
		break;
	case OPTION_NEEDS: terms->needs = optarg; break;
	}
}

void task_check_keep(const struct context *context, const struct task_request *request)
{
	if (request->terms.keep_ms && !request->detach)
		usage_error(context, "--keep is about a result that is kept: add --detach");
}

void task_option(const struct context *context, int option, struct task_request *request)
{
	plm_task *task = &request->task;
	switch (option) {
	case OPTION_PRIORITY:
		task->priority =
		    (int)number_word(context, "--priority", optarg, PRIORITY_MIN, PRIORITY_MAX);
		break;
	case OPTION_RETRIES:
		task->retries = (unsigned)number_word(context, "--retries", optarg, 0, RETRIES_MAX);
		break;
	case OPTION_CRASH_RETRIES:
		task->crash_retries =
		    (unsigned)number_word(context, "--crash-retries", optarg, 0, RETRIES_MAX);
		break;
	case OPTION_DETACH:
		request->detach = true;
		task->flags |= PLM_KEEP;
		break;
	default:
		task_options_take_terms(context, option, &request->terms);
		task->terms = &request->terms;
	}
}
