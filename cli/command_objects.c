#include "cli/command_objects.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/limits.h"
#include "base/why.h"
#include "cli/result.h"

/* ---- options ---- */

int command_object_add(struct command_request *request, enum command_field field, const char *name,
    size_t length, plm_ref ref)
{
	size_t n = request->objects;
	struct command_object *more = realloc(request->object, (n + 1) * sizeof *more);
	if (!more)
		return -ENOMEM;
	request->object = more;
	more[n] =
	    (struct command_object){ .field = field, .ref = ref, .name = strndup(name, length) };
	if (!more[n].name)
		return -ENOMEM;
	request->objects++;
	request->futures += ref.id != 0;
	request->outputs += ref.id == 0;
	return 0;
}

static int command_objects_add_option(
    void *target, enum command_field field, const char *name, size_t length, plm_ref ref)
{
	int r = command_object_add(target, field, name, length, ref);
	return r < 0 ? why(r, "out of memory") : 0;
}

/* Names of the variables that plm itself sets are refused: the command would not see the other
 * value. */
static int command_objects_check_variable(const struct option_given *given)
{
	return command_variable(given->text)
	    ? 0
	    : why(-EINVAL,
		  "%s: \"%.*s\" cannot be the name of a variable: use letters, digits and _, no "
		  "digit first, and no name that begins with PLM_",
		  given->what, (int)strcspn(given->text, "="), given->text);
}

static int command_objects_take_in(void *target, const struct option_given *given)
{
	const char *equal = strchr(given->text, '=');
	if (!equal || equal[1] != '@')
		return why(-EINVAL, "%s wants NAME=@REF, not \"%s\"", given->what, given->text);
	int r = command_objects_check_variable(given);
	return r < 0 ? r
		     : command_objects_add_option(target, COMMAND_IN, given->text,
			   (size_t)(equal - given->text), reference_word(equal + 1));
}

static int command_objects_take_out(void *target, const struct option_given *given)
{
	int r = command_objects_check_variable(given);
	if (r < 0)
		return r;
	if (!command_out_file(given->text))
		return why(-EINVAL, "%s wants NAME or NAME=FILE, FILE without \"/\", not \"%s\"",
		    given->what, given->text);
	return command_objects_add_option(
	    target, COMMAND_OUT, given->text, strlen(given->text), PLM_NONE);
}

static int command_objects_take_after(void *target, const struct option_given *given)
{
	return command_objects_add_option(
	    target, COMMAND_AFTER, "", 0, reference_word(given->text));
}

static int command_objects_take_stdin(void *target, const struct option_given *given)
{
	if (given->text[0] == '@')
		return command_objects_add_option(
		    target, COMMAND_STDIN_VALUE, "", 0, reference_word(given->text));
	((struct command_request *)target)->input = given->text;
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
	{ 0 },
};

/* ---- all of them together ---- */

static bool command_objects_same_variable(const char *a, const char *b)
{
	size_t n = strcspn(a, "=");
	return n > 0 && n == strcspn(b, "=") && strncmp(a, b, n) == 0;
}

static void command_objects_check_name(
    const struct context *context, const struct command_request *request, size_t i)
{
	const struct command_object *o = &request->object[i], *other;
	for (size_t k = 0; k < request->variables; k++)
		if (command_objects_same_variable(o->name, request->variable[k]))
			usage_error(context,
			    "the variable %s is set twice, by --env and by --in "
			    "or --out",
			    o->name);
	for (other = request->object; other < o; other++) {
		if (command_objects_same_variable(o->name, other->name))
			usage_error(context, "the variable %.*s is set twice, by --in or --out",
			    (int)strcspn(o->name, "="), o->name);
		if (o->field == COMMAND_OUT && other->field == COMMAND_OUT &&
		    strcmp(command_out_file(o->name), command_out_file(other->name)) == 0)
			usage_error(context, "two --out write the same file: %s",
			    command_out_file(o->name));
	}
}

void command_objects_check(const struct context *context, const struct command_request *request)
{
	unsigned inputs = request->input != NULL;
	for (size_t i = 0; i < request->objects; i++) {
		command_objects_check_name(context, request, i);
		inputs += request->object[i].field == COMMAND_STDIN_VALUE;
	}
	if (inputs > 1)
		usage_error(context, "--stdin is given twice");
	if (request->outputs > RESULTS_MAX - COMMAND_RESULTS)
		usage_error(context, "%u --out are too many: at most %d are possible",
		    request->outputs, RESULTS_MAX - COMMAND_RESULTS);
	if (request->outputs && request->task.terms.replicas > 1)
		usage_error(context,
		    "--out and --replicas cannot be combined: of replicas only "
		    "stdout is kept");
}

size_t command_objects_fields(
    const struct command_request *request, char *fields, size_t length, size_t room)
{
	for (size_t i = 0; i < request->objects; i++)
		length = command_add(
		    fields, length, room, request->object[i].field, request->object[i].name);
	return length;
}

int command_objects_hold(struct context *context, const struct command_request *request)
{
	int code = EXIT_FINE;
	for (size_t i = 0; i < request->objects && code == EXIT_FINE; i++)
		if (request->object[i].ref.id)
			code = hold_reference(context, request->object[i].ref);
	return code;
}

/* ---- what came of it ---- */

bool command_objects_failed(struct context *context, const struct command_request *request)
{
	plm_failure failure;
	for (size_t i = 0; i < request->objects; i++)
		if (request->object[i].ref.id &&
		    plm_error(context->rt, request->object[i].ref, &failure) == 0)
			return true;
	return false;
}

static void command_objects_print_output(struct context *context, const char *name, plm_ref ref)
{
	static const struct column columns[] = { { "REF", "ref", -1 }, { "OUT", "out", -1 } };
	char text[PLM_REF_TEXT_BYTES], variable[256];
	if (!context->json) {
		print_reference(context, ref);
		return;
	}
	plm_ref_print(ref, text);
	snprintf(variable, sizeof variable, "%.*s", (int)strcspn(name, "="), name);
	list_begin(&context->out, columns, COUNT_OF(columns));
	cell_text(&context->out, text);
	cell_text(&context->out, variable);
	row_end(&context->out);
}

void command_outputs_print(
    struct context *context, const struct command_request *request, const plm_ref *refs)
{
	unsigned which = COMMAND_RESULTS;
	for (size_t i = 0; i < request->objects; i++)
		if (request->object[i].field == COMMAND_OUT)
			command_objects_print_output(
			    context, request->object[i].name, refs[which++]);
}

void command_objects_free(struct command_request *request)
{
	for (size_t i = 0; i < request->objects; i++)
		free(request->object[i].name);
	free(request->object);
}
