/* fleet_add.c - new tasks of a fleet: submit, call, and what load needs. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/why.h"
#include "cli/command_objects.h"
#include "cli/fleet/fleet_cli.h"
#include "cli/hook.h"
#include "cli/interrupt.h"
#include "cli/result.h"
#include "cli/shell_line.h"
#include "fleet/task_words.h"

/* ---- adding ---- */

void fleet_title(const char *const *word, size_t count, char ret[FLEET_TITLE_BYTES])
{
	size_t n = 0;
	ret[0] = 0;
	for (size_t i = 0; i < count && n + 1 < FLEET_TITLE_BYTES; i++)
		n += (size_t)snprintf(
		    ret + n, FLEET_TITLE_BYTES - n, i ? " %s" : "%s", word[i] ? word[i] : "?");
	if (n >= FLEET_TITLE_BYTES)
		memcpy(ret + FLEET_TITLE_BYTES - 4, "...", 4);
}

void fleet_hook_title(const char *line, char ret[FLEET_TITLE_BYTES])
{
	const char *const words[] = { SHELL_STANDARD, "-c", line };
	fleet_title(words, COUNT_OF(words), ret);
}

static int fleet_add_prepare(struct context *context, const struct fleet_new *new,
    struct task_words *words, struct engine_task *ret)
{
	int r = task_words_prepare(words, context->engine, new->task, ret);
	ret->label = new->label ? new->label : "";
	ret->title = new->title;
	return r;
}

int fleet_add(struct context *context, const struct fleet_new *tasks, size_t n, bool unique,
    plm_ref *refs, bool *was)
{
	CHECK(n <= ENGINE_ADD_MOST);
	struct task_words *words = calloc(n + 1, sizeof *words);
	static struct engine_task item[ENGINE_ADD_MOST];
	static int64_t ids[ENGINE_ADD_MOST];
	int r = words ? 0 : why(-ENOMEM, "out of memory");
	for (size_t i = 0; i < n && r == 0; i++)
		r = fleet_add_prepare(context, &tasks[i], &words[i], &item[i]);
	if (r == 0)
		r = engine_add(
		    context->engine, item, n, unique, engine_token(context->engine), ids);
	if (r == -ENOTCONN)
		r = why(r, "%s; whether the tasks were accepted is not known", plm_why());
	for (size_t i = 0; i < n && words; i++) {
		refs[i] = r == 0
		    ? engine_ref(context->engine, (uint64_t)(ids[i] < 0 ? -ids[i] : ids[i]))
		    : PLM_NONE;
		if (was)
			was[i] = r == 0 && ids[i] < 0;
		task_words_free(&words[i]);
	}
	free(words);
	return r;
}

/* ---- waiting for one task ---- */

static bool fleet_add_ended(void *argument, size_t i, enum engine_state state)
{
	(void)i;
	*(enum engine_state *)argument = state;
	return true;
}

static int fleet_add_give_up(struct context *context, plm_ref ref, uint64_t id, int error)
{
	char text[PLM_REF_TEXT_BYTES];
	int8_t done;
	int number = interrupt_signal();
	plm_ref_print(ref, text);
	int r = engine_cancel(context->engine, &id, 1, &done);
	fprintf(stderr, "plmctl: task %s: %s; %s\n", text,
	    error == -ETIMEDOUT ? "--timeout ran out" : "interrupted",
	    r < 0 ? plm_why() : "it is cancelled");
	return error == -ETIMEDOUT ? EXIT_TIMED_OUT : EXIT_SIGNAL + (number ? number : SIGINT);
}

static int fleet_add_show_part(struct context *context, uint64_t id)
{
	struct engine_result result;
	int r = fleet_result(context, id, true, &result);
	if (r < 0)
		return failed(r, "result");
	const plm_view view = { .data = result.value, .len = result.value_bytes };
	return result.state == ENGINE_DONE
	    ? print_value(context, engine_ref(context->engine, id), &view)
	    : EXIT_FINE;
}

static int fleet_add_show(
    struct context *context, plm_ref ref, uint64_t id, bool command, unsigned results)
{
	struct engine_result result;
	int8_t forgotten;
	int r = fleet_result(context, id, true, &result), code;
	if (r < 0)
		return failed(r, "result");
	const plm_view out = { .data = result.value, .len = result.value_bytes };
	const plm_view err = { .data = result.error_output, .len = result.error_bytes };
	if (result.state == ENGINE_DONE)
		code = print_value(context, ref, &out);
	else
		code = command && !context->json && out.len
		    ? write_value(&out, STDOUT_FILENO, "the output")
		    : EXIT_FINE;
	fflush(context->out.file);
	if (err.len && code == EXIT_FINE)
		code = write_value(&err, STDERR_FILENO, "the output");
	if (result.state != ENGINE_DONE && code == EXIT_FINE)
		code = fleet_say_failure(context, ref, &result);
	if (!command && fleet_lacks_function(&result) && code == EXIT_TASK_FAILED)
		code = EXIT_NO_FUNCTION;
	bool started = result.code < PLM_COMMAND_NOT_STARTED || result.code > PLM_COMMAND_NOT_FOUND;
	if (command && result.state == ENGINE_FAILED && (fleet_ended_itself(&result) || !started))
		code = result.code;
	for (unsigned part = 1; !command && part < results && code == EXIT_FINE; part++)
		code = fleet_add_show_part(context, engine_value_id(id, part));
	engine_forget(context->engine, &id, 1, &forgotten);
	return code;
}

/* The references of the results: of a function all, of a command stdout and the files. */
static void fleet_add_print(struct context *context, plm_ref ref, uint64_t id, unsigned results,
    const struct command_request *request)
{
	plm_ref refs[TASK_WORDS_RESULTS];
	for (unsigned part = 1; part < results; part++)
		refs[part] = engine_ref(context->engine, engine_value_id(id, part));
	print_reference(context, ref);
	for (unsigned part = 1; part < results && !request; part++)
		print_reference(context, refs[part]);
	if (request)
		command_outputs_print(context, request, refs);
}

/* Adds the command and the hook in one step; the result of the hook stays for the time of the
 * queue. */
static int fleet_add_with_hook(struct context *context, const struct fleet_new *command,
    const struct command_request *request, const char *line, plm_ref *ret, uint64_t *ret_id)
{
	const plm_task of = { .priority = command->task->priority };
	struct hook hook = { .command = NULL };
	char title[FLEET_TITLE_BYTES];
	plm_ref refs[2];
	struct fleet_new both[] = { *command, { &hook.task, HOOK_LABEL, title } };
	bool hooked = line && line[0];
	int r = hooked ? hook_make(&hook, line, &request->options, NULL, &of) : 0;
	if (hooked)
		fleet_hook_title(line, title);
	if (r == 0)
		r = fleet_add(context, both, hooked ? 2 : 1, false, refs, NULL);
	hook_free(&hook);
	if (r < 0)
		return r;
	*ret = refs[0];
	return engine_id(context->engine, refs[0], ret_id);
}

/* Adds one task. Detached: prints the references; else waits for the end and shows the end.
 * request, hook: of a command, or NULL. */
static int fleet_add_one(struct context *context, const struct fleet_new *new, bool detach,
    const struct command_request *request, const char *hook)
{
	unsigned results = new->task->results;
	enum engine_state state = ENGINE_NONE;
	plm_ref ref;
	uint64_t id;
	int code = fleet_open(context), r = 0;
	if (code != EXIT_FINE)
		return code;
	if (!detach)
		r = engine_watch_open(context->engine);
	if (r == 0 && !detach)
		interrupts_catch(context);
	if (r == 0)
		r = fleet_add_with_hook(context, new, request, hook, &ref, &id);
	if (r < 0)
		return failed(r, request ? "submit" : new->task->function);
	if (detach) {
		fleet_add_print(context, ref, id, results, request);
		return EXIT_FINE;
	}
	r = fleet_await(context, &id, 1, fleet_add_ended, &state);
	if (r == -ETIMEDOUT || r == -EINTR)
		return fleet_add_give_up(context, ref, id, r);
	return r < 0 ? failed(r, "waiting") : fleet_add_show(context, ref, id, request, results);
}

int fleet_call(struct context *context, const struct task_request *call)
{
	const struct fleet_new new = { .task = &call->task, .title = call->task.function };
	int code = fleet_function_look(context, call->task.function, call->detach);
	return code == EXIT_FINE ? fleet_add_one(context, &new, call->detach, NULL, NULL) : code;
}

/* A command of a fleet has the environment of the host that runs it, and the --env of the
 * submitter; the environment of this machine is not for others. */
int fleet_submit(struct context *context, struct command_request *request, const char *const *word,
    size_t count, const char *on_finish)
{
	char title[FLEET_TITLE_BYTES];
	plm_task task = request->task.task;
	size_t bytes = 0;
	char *input = NULL;
	request->options.no_environment = 1;
	request->options.outlet = 0;
	int code = fleet_open(context);
	if (code == EXIT_FINE)
		code = fleet_input_take(request, &input, &bytes);
	if (code == EXIT_FINE)
		code = command_request_make(request);
	if (code != EXIT_FINE)
		return code;
	plm_arg *args = calloc(plm_command_nargs(request->command, count), sizeof *args);
	if (!args)
		return failed(-ENOMEM, "submit");
	int r = plm_command_task(request->command, word, count, NULL, args, &task);
	fleet_title(word, count, title);
	if (r == 0)
		fleet_input_place(args, input, bytes, &task);
	const struct fleet_new new = {
		.task = &task, .label = request->options.label, .title = title
	};
	code = r < 0 ? failed(r, "submit")
		     : fleet_add_one(context, &new, request->task.detach, request, on_finish);
	free(args);
	free(input);
	return code;
}
