#include "cli/command_objects.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/limits.h"
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

static void command_objects_add_option(struct command_request *request, enum command_field field,
    const char *name, size_t length, plm_ref ref)
{
	int r = command_object_add(request, field, name, length, ref);
	if (r < 0)
		exit(failed(r, optarg));
}

/* Of variables that are ours the command would not see another's. */
static void command_objects_check_variable(
    const struct context *context, const char *option, const char *word)
{
	if (!command_variable(word))
		usage_error(context,
		    "%s: \"%.*s\" cannot be the name of a variable: use letters, "
		    "digits and _, no digit first, and no name that begins with PLM_",
		    option, (int)strcspn(word, "="), word);
}

static void command_objects_take_in(const struct context *context, struct command_request *request)
{
	const char *equal = strchr(optarg, '=');
	if (!equal || equal[1] != '@')
		usage_error(context, "--in wants NAME=@REF, not \"%s\"", optarg);
	command_objects_check_variable(context, "--in", optarg);
	command_objects_add_option(
	    request, COMMAND_IN, optarg, (size_t)(equal - optarg), reference_word(equal + 1));
}

static void command_objects_take_out(const struct context *context, struct command_request *request)
{
	command_objects_check_variable(context, "--out", optarg);
	if (!command_out_file(optarg))
		usage_error(context,
		    "--out wants NAME or NAME=FILE, FILE without \"/\", not "
		    "\"%s\"",
		    optarg);
	command_objects_add_option(request, COMMAND_OUT, optarg, strlen(optarg), PLM_NONE);
}

bool command_object_option(
    const struct context *context, int option, struct command_request *request)
{
	if (option == OPTION_IN)
		command_objects_take_in(context, request);
	else if (option == OPTION_OUT)
		command_objects_take_out(context, request);
	else if (option == OPTION_AFTER)
		command_objects_add_option(request, COMMAND_AFTER, "", 0, reference_word(optarg));
	else if (option == OPTION_STDIN && optarg[0] == '@')
		command_objects_add_option(
		    request, COMMAND_STDIN_VALUE, "", 0, reference_word(optarg));
	else
		return false;
	return true;
}

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
