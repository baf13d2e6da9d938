/* task_options.h - what may be asked for any task, whatever it calls: `call`, `submit`.
 * A command that submits puts TASK_OPTIONS into its table and TASK_OPTIONS_HELP into its help, and
 * counts its own options from OPTION_OF_COMMAND. */
#ifndef PLM_CLI_TASK_OPTIONS_H
#define PLM_CLI_TASK_OPTIONS_H

#include "cli/arguments.h"

enum {
	OPTION_PRIORITY = OPTION_OWN,
	OPTION_RETRIES,
	OPTION_CRASH_RETRIES,
	OPTION_NEEDS,
	OPTION_DETACH,
	OPTION_QUEUE_LIMIT,
	OPTION_RUN_LIMIT,
	OPTION_TOTAL_LIMIT,
	OPTION_BACKOFF,
	OPTION_BACKOFF_MAX,
	OPTION_GRACE,
	OPTION_REPLICAS,
	OPTION_KEEP,
	OPTION_OF_COMMAND, /* its own */
};

#define TASK_OPTIONS                                                            \
	{ "priority", required_argument, NULL, OPTION_PRIORITY },               \
	    { "retries", required_argument, NULL, OPTION_RETRIES },             \
	    { "crash-retries", required_argument, NULL, OPTION_CRASH_RETRIES }, \
	    { "needs", required_argument, NULL, OPTION_NEEDS },                 \
	    { "detach", no_argument, NULL, OPTION_DETACH },                     \
	    { "queue-limit", required_argument, NULL, OPTION_QUEUE_LIMIT },     \
	    { "run-limit", required_argument, NULL, OPTION_RUN_LIMIT },         \
	    { "total-limit", required_argument, NULL, OPTION_TOTAL_LIMIT },     \
	    { "backoff", required_argument, NULL, OPTION_BACKOFF },             \
	    { "backoff-max", required_argument, NULL, OPTION_BACKOFF_MAX },     \
	    { "grace", required_argument, NULL, OPTION_GRACE },                 \
	    { "replicas", required_argument, NULL, OPTION_REPLICAS },           \
	{                                                                       \
		"keep", required_argument, NULL, OPTION_KEEP                    \
	}

#define TASK_OPTIONS_HELP                                                                        \
	"  --priority N       start before tasks of a smaller N, -32768 to 32767 (default 0)\n"  \
	"  --retries N        run it again when it has failed, at most N times\n"                \
	"  --crash-retries N  run it again when its worker has died, at most N times\n"          \
	"  --backoff TIME     pause before the first retry, doubled for each further one, and\n" \
	"                     up to a quarter more\n"                                            \
	"  --backoff-max TIME the longest pause (default 1m)\n"                                  \
	"  --queue-limit TIME fail if it has not started TIME after submission\n"                \
	"  --run-limit TIME   stop it when it has run for TIME: it fails, or is retried\n"       \
	"  --total-limit TIME fail if it is not done TIME after submission\n"                    \
	"  --grace TIME       how long it may go on after it was asked to stop, before its\n"    \
	"                     worker is killed (default 1s)\n"                                   \
	"  --needs NEEDS      what it must have to run, e.g. cpus=2,mem=1G,gpus=0.5,NAME=1;\n"   \
	"                     | separates alternatives, e.g. 'gpus=1 | cpus=8'\n"                \
	"  --replicas N       run it on N workers at once; the first good result counts, the\n"  \
	"                     others are cancelled, and it fails when all of them fail\n"        \
	"  --detach           do not wait: print the reference; the runtime keeps the result\n"  \
	"                     until `plmctl drop`, or as plm --keep-finished says\n"             \
	"  --keep TIME        keep the result at least so long (with --detach)\n"

#define TASK_TIMES_HELP \
	"\nA TIME has ms, s, m or h behind it. When --timeout runs out the task is cancelled.\n"

struct task_request {
	plm_task task;
	plm_terms terms; /* the task points here as soon as one is asked for */
	bool detach;
};

/* A result that nobody keeps cannot be kept for a time: for commands that may or may not detach. */
void task_check_keep(const struct context *context, const struct task_request *request);
/* Takes one of TASK_OPTIONS, with its value in optarg. */
void task_option(const struct context *context, int option, struct task_request *request);

#endif
