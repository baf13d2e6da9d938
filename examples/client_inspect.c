/* client_inspect.c - a watcher: lists the running tasks of a runtime, and why the first queued task
 * waits. The watcher takes no place in the runtime, so it also works when the runtime is dead.
 *
 *	client_inspect [NAME]       the runtime of this name; else $PLM_NAME, else "default" */
#include <inttypes.h>
#include <stdio.h>

#include "plm_inspect.h"

enum { ROWS = 64, REASONS = 8 };

static int complain(const char *what)
{
	fprintf(stderr, "client_inspect: %s: %s\n", what, plm_why());
	return 1;
}

static void print_task(const plm_task_row *task)
{
	char ref[PLM_REF_TEXT_BYTES];
	plm_ref_print(task->ref, ref);
	printf("%s on worker %" PRIu32 " for %" PRIu64 " ms: %s\n", ref, task->worker, task->run_ms,
	    task->command);
}

/* A page at a time: a million tasks need no more memory than 64. */
static int list_running(plm_inspect *in)
{
	static plm_task_row rows[ROWS];
	plm_task_filter running = { .by = PLM_BY_STATE, .states = 1u << PLM_STATE_RUNNING };
	uint64_t cursor = 0;
	int n;
	while ((n = plm_inspect_tasks(in, &running, sizeof running, PLM_LOOK_TEXTS, &cursor, rows,
		    sizeof rows[0], ROWS)) > 0)
		for (int i = 0; i < n; i++)
			print_task(&rows[i]);
	return n < 0 ? complain("plm_inspect_tasks") : 0;
}

static int explain_first_queued(plm_inspect *in)
{
	static plm_reason reasons[REASONS];
	plm_task_filter queued = { .by = PLM_BY_STATE,
		.states = 1u << PLM_STATE_READY | 1u << PLM_STATE_WAITING };
	plm_task_row task;
	plm_explanation head;
	uint64_t cursor = 0;
	if (plm_inspect_tasks(in, &queued, sizeof queued, 0, &cursor, &task, sizeof task, 1) <= 0)
		return 0;
	int n = plm_inspect_explain(
	    in, task.ref, &head, sizeof head, reasons, sizeof reasons[0], REASONS);
	if (n < 0)
		return complain("plm_inspect_explain");
	printf("%s is %s: %s\n", task.function, plm_state_name(head.state), reasons[0].text);
	return 0;
}

int main(int argc, char **argv)
{
	plm_inspect *in;
	if (plm_inspect_open(&in, argc > 1 ? argv[1] : NULL) < 0)
		return complain("plm_inspect_open");
	int code = list_running(in);
	if (code == 0)
		code = explain_first_queued(in);
	plm_inspect_close(&in);
	return code;
}
