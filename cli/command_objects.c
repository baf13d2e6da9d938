#include "cli/command_objects.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/why.h"
#include "cli/result.h"
#include "cli/short_reference.h"

/* ---- options ---- */

int command_object_add(struct command_request *request, enum plm_command_use use, const char *name,
    size_t length, plm_ref ref)
{
	size_t n = request->options.future_count;
	plm_command_future *more = realloc(request->future, (n + 1) * sizeof *more);
	char *copy = more && name ? strndup(name, length) : NULL;
	if (more) {
		request->future = more;
		request->options.futures = more;
	}
	if (!more || (name && !copy))
		return why(-ENOMEM, "out of memory");
	more[n] = (plm_command_future){ .use = use, .name = copy, .ref = ref };
	request->options.future_count++;
	return 0;
}

unsigned command_output_files(const struct command_request *request)
{
	unsigned n = 0;
	for (size_t i = 0; i < request->options.future_count; i++)
		n += request->future[i].use == PLM_COMMAND_OUT;
	return n;
}

/* `plmctl map` replaces {} for each job, and then knows the reference. */
static bool command_objects_is_varied(const struct command_request *request, const char *text)
{
	return request->by_job && strchr(text, '{');
}

static int command_objects_take_in(void *target, const struct option_given *given)
{
	const char *equal = strchr(given->text, '=');
	if (equal && command_objects_is_varied(target, given->text))
		return command_object_add(
		    target, PLM_COMMAND_IN, given->text, strlen(given->text), PLM_NONE);
	if (!equal || equal[1] != '@')
		return why(-EINVAL, "%s wants NAME=@REF, not \"%s\"", given->what, given->text);
	return command_object_add(target, PLM_COMMAND_IN, given->text,
	    (size_t)(equal - given->text), reference_name(equal + 1));
}

static int command_objects_take_out(void *target, const struct option_given *given)
{
	return command_object_add(
	    target, PLM_COMMAND_OUT, given->text, strlen(given->text), PLM_NONE);
}

static int command_objects_take_after(void *target, const struct option_given *given)
{
	return command_object_add(target, PLM_COMMAND_AFTER, NULL, 0, reference_name(given->text));
}

static int command_objects_take_after_any(void *target, const struct option_given *given)
{
	return command_object_add(
	    target, PLM_COMMAND_AFTER_ANY, NULL, 0, reference_name(given->text));
}

static int command_objects_take_after_failed(void *target, const struct option_given *given)
{
	return command_object_add(
	    target, PLM_COMMAND_AFTER_FAILED, NULL, 0, reference_name(given->text));
}

static int command_objects_take_stdin(void *target, const struct option_given *given)
{
	if (given->text[0] == '@' && !command_objects_is_varied(target, given->text))
		return command_object_add(
		    target, PLM_COMMAND_STDIN, NULL, 0, reference_name(given->text));
	((struct command_request *)target)->options.input = given->text;
	return 0;
}

const struct option_row command_object_rows[] = {
	{ "stdin", NULL, NULL, OPTION_FILE, .word = "FILE|@REF", .standard = "empty",
	    .help = "read FILE, or the value of a future, as standard input; - is the stdin of "
		    "plmctl, read to its end first; ./@REF is a file called @REF",
	    .take = command_objects_take_stdin },
	{ "in", NULL, NULL, OPTION_REFERENCE, .word = "NAME=@REF",
	    .help = "give the command the value of a future as a read-only file; the variable NAME "
		    "holds the path, /proc/PID/fd/N; may be repeated",
	    .take = command_objects_take_in },
	{ "out", NULL, NULL, OPTION_TEXT, .word = "NAME[=FILE]",
	    .help = "let the command write a file called FILE (default: NAME); the variable NAME "
		    "holds the path. If the command succeeds, the file becomes one more result; "
		    "--detach prints its reference, a line for each",
	    .take = command_objects_take_out },
	{ "after", NULL, NULL, OPTION_REFERENCE, .word = "@REF",
	    .help = "start when that task has succeeded, fail if that task fails; may be repeated",
	    .take = command_objects_take_after },
	{ "after-any", NULL, NULL, OPTION_REFERENCE, .word = "@REF",
	    .help = "start when that task has ended in whatever way; may be repeated",
	    .take = command_objects_take_after_any },
	{ "after-failed", NULL, NULL, OPTION_REFERENCE, .word = "@REF",
	    .help = "start when that task has failed or been cancelled; the command is cancelled "
		    "if that task succeeds; may be repeated",
	    .take = command_objects_take_after_failed },
	{ 0 },
};

/* ---- checks ---- */

void command_objects_check(const struct context *context, struct command_request *request)
{
	request->options.size = sizeof request->options;
	if (plm_command_check(&request->options) < 0)
		usage_error(context, "%s", why_text());
	if (command_output_files(request) && request->task.terms.replicas > 1)
		usage_error(context,
		    "--out and --replicas cannot be combined: of replicas only stdout is kept");
}

int command_objects_settle(struct context *context, struct command_request *request)
{
	int code = EXIT_FINE;
	for (size_t i = 0; i < request->options.future_count && code == EXIT_FINE; i++)
		code = reference_settle(context, &request->future[i].ref);
	return code;
}

int command_objects_hold(struct context *context, struct command_request *request)
{
	int code = command_objects_settle(context, request);
	for (size_t i = 0; i < request->options.future_count && code == EXIT_FINE; i++)
		if (request->future[i].ref.id)
			code = hold_reference(context, request->future[i].ref);
	return code;
}

/* ---- results ---- */

bool command_objects_failed(struct context *context, const struct command_request *request)
{
	plm_failure failure;
	for (size_t i = 0; i < request->options.future_count; i++)
		if (request->future[i].ref.id && request->future[i].use != PLM_COMMAND_AFTER_ANY &&
		    request->future[i].use != PLM_COMMAND_AFTER_FAILED &&
		    plm_error(context->rt, request->future[i].ref, &failure) == 0)
			return true;
	return false;
}

struct command_output { /* a row */
	plm_ref ref;
	char variable[256];
};

static void command_objects_print_output(struct context *context, const char *name, plm_ref ref)
{
	static const struct column columns[] = {
		{ "REF", "ref", -1, PLAIN(struct command_output, ref) },
		{ "OUT", "out", -1, PLAIN(struct command_output, variable) },
	};
	struct command_output row = { .ref = ref };
	if (!context->json) {
		print_reference(context, ref);
		return;
	}
	snprintf(row.variable, sizeof row.variable, "%.*s", (int)strcspn(name, "="), name);
	table_begin(&context->out, columns, COUNT_OF(columns));
	table_row(&context->out, &row);
}

void command_outputs_print(
    struct context *context, const struct command_request *request, const plm_ref *refs)
{
	unsigned which = PLM_COMMAND_RESULTS;
	for (size_t i = 0; i < request->options.future_count; i++)
		if (request->future[i].use == PLM_COMMAND_OUT)
			command_objects_print_output(
			    context, request->future[i].name, refs[which++]);
}
