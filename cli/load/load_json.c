/* load_json.c - a task as a JSON object: a key for each option, what is to run, names. */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/limits.h"
#include "base/scan.h"
#include "base/why.h"
#include "cli/load/load.h"
#include "cli/short_reference.h"
#include "cli/spool.h"

struct key {
	const char *name;
	int (*take)(struct load_item *item, const char *name, json_t *value);
	bool runs; /* the key says what to run; a line has exactly one such key */
};

/* ---- values ---- */

static int load_json_wrong(const char *name, const char *expected)
{
	return why(-EINVAL, "\"%s\" is %s", name, expected);
}

static int load_json_text_of(const char *name, json_t *value, const char **ret)
{
	*ret = json_string_value(value);
	return *ret && **ret ? 0 : load_json_wrong(name, "a string that is not empty");
}

static int load_json_number_of(const char *name, json_t *value, long least, long most, long *ret)
{
	*ret = (long)json_integer_value(value);
	if (json_is_integer(value) && *ret >= least && *ret <= most)
		return 0;
	return why(-EINVAL, "\"%s\" is a whole number from %ld to %ld", name, least, most);
}

static int load_json_time_of(const char *name, json_t *value, uint32_t *ret)
{
	enum { MS_PER_SECOND = 1000 };
	uint64_t ms = 0;
	double seconds = json_number_value(value);
	if (json_is_number(value) && seconds >= 0 && seconds <= TIME_MAX_MS / MS_PER_SECOND) {
		*ret = (uint32_t)(seconds * MS_PER_SECOND + 0.5);
		return 0;
	}
	if (!json_is_string(value))
		return load_json_wrong(name, "a time: \"100ms\", \"2s\", or a number of seconds");
	int r = text_time(name, json_string_value(value), TIME_MAX_MS, &ms);
	*ret = (uint32_t)ms;
	return r;
}

/* {"result": "NAME"}: the value of the line called NAME. */
static const char *load_json_result_of(json_t *value)
{
	return json_object_size(value) == 1 ? json_string_value(json_object_get(value, "result"))
					    : NULL;
}

static const char *load_json_future_of(json_t *value)
{
	const char *text = json_string_value(value);
	plm_ref ref;
	return text && text[0] == '@' && reference_parse(text, &ref) == 0
	    ? text
	    : load_json_result_of(value);
}

/* ---- function, command, shell ---- */

static int load_json_take_argv(struct load_item *item, const char *name, json_t *value)
{
	size_t i;
	json_t *word;
	if (!json_is_array(value) || json_array_size(value) == 0)
		return load_json_wrong(name, "an array of strings, the program first");
	json_array_foreach(value, i, word)
	{
		if (!json_is_string(word))
			return load_json_wrong(
			    name, "an array of strings, and one of them is none");
		load_add_word(item, json_string_value(word));
	}
	return 0;
}

static int load_json_take_shell(struct load_item *item, const char *name, json_t *value)
{
	const char *line;
	int r = load_json_text_of(name, value, &line);
	return r < 0 ? r : load_shell(item, line);
}

static int load_json_take_func(struct load_item *item, const char *name, json_t *value)
{
	return load_json_text_of(name, value, &item->function);
}

/* "@REF" is a future, "@@TEXT" the text "@TEXT", as in plmctl call. */
static int load_json_take_args(struct load_item *item, const char *name, json_t *value)
{
	size_t i;
	json_t *arg;
	if (!json_is_array(value))
		return load_json_wrong(name, "an array");
	json_array_foreach(value, i, arg)
	{
		const char *of = load_json_result_of(arg);
		if (json_is_string(arg))
			load_add_word(item, json_string_value(arg));
		else if (of)
			load_add_result(item, of);
		else
			return load_json_wrong(name,
			    "an array of strings and of {\"result\": \"NAME\"}, the "
			    "value of the line of that name");
	}
	return 0;
}

/* ---- names ---- */

static int load_json_take_name(struct load_item *item, const char *name, json_t *value)
{
	int r = load_json_text_of(name, value, &item->name);
	return r == 0 && item->name[0] == '@' ? load_json_wrong(name, "not to begin with @") : r;
}

/* The name of a line, or @REF. */
static int load_json_add_after(
    struct load_item *item, const char *name, json_t *value, enum plm_command_use use)
{
	const char *of = json_string_value(value);
	plm_ref ref;
	if (!of || !*of)
		return load_json_wrong(
		    name, "the name of a line, a reference, or an array of them");
	if (of[0] == '@' && reference_parse(of, &ref) < 0)
		return -EINVAL;
	load_add_future(item, (struct load_future){ use, NULL, of });
	return 0;
}

static int load_json_add_afters(
    struct load_item *item, const char *name, json_t *value, enum plm_command_use use)
{
	size_t i;
	json_t *one;
	int r = 0;
	if (!json_is_array(value))
		return load_json_add_after(item, name, value, use);
	json_array_foreach(value, i, one) if (r == 0) r = load_json_add_after(item, name, one, use);
	return r;
}

static int load_json_take_after(struct load_item *item, const char *name, json_t *value)
{
	return load_json_add_afters(item, name, value, PLM_COMMAND_AFTER);
}

static int load_json_take_after_any(struct load_item *item, const char *name, json_t *value)
{
	return load_json_add_afters(item, name, value, PLM_COMMAND_AFTER_ANY);
}

static int load_json_take_after_failed(struct load_item *item, const char *name, json_t *value)
{
	return load_json_add_afters(item, name, value, PLM_COMMAND_AFTER_FAILED);
}

/* ---- files of a command ---- */

/* Can a file of a command have this name? */
static bool load_json_is_name(enum plm_command_use use, const char *name)
{
	const plm_command_future future = { .use = use, .name = name };
	const plm_command_options options = {
		.size = sizeof options, .futures = &future, .future_count = 1
	};
	return plm_command_check(&options) == 0;
}

static int load_json_take_in(struct load_item *item, const char *name, json_t *value)
{
	const char *variable;
	json_t *one;
	if (!json_is_object(value))
		return load_json_wrong(name, "an object: {\"VARIABLE\": \"@REF\"}");
	json_object_foreach(value, variable, one)
	{
		const char *of = load_json_future_of(one);
		if (!of)
			return load_json_wrong(
			    name, "an object of \"@REF\" and {\"result\": \"NAME\"}");
		if (strchr(variable, '=') || !load_json_is_name(PLM_COMMAND_IN, variable))
			return why(-EINVAL, "\"%.40s\" of \"in\" cannot be the name of a variable",
			    variable);
		load_add_future(item, (struct load_future){ PLM_COMMAND_IN, variable, of });
	}
	return 0;
}

static int load_json_take_out(struct load_item *item, const char *name, json_t *value)
{
	size_t i;
	json_t *one;
	if (!json_is_array(value) || json_array_size(value) > RESULTS_MAX - PLM_COMMAND_RESULTS)
		return load_json_wrong(name, "an array of \"NAME\" and \"NAME=FILE\"");
	json_array_foreach(value, i, one)
	{
		const char *text = json_string_value(one);
		if (!text || !load_json_is_name(PLM_COMMAND_OUT, text))
			return load_json_wrong(name,
			    "an array of \"NAME\" and \"NAME=FILE\", and NAME that "
			    "of a variable");
		load_add_future(item, (struct load_future){ PLM_COMMAND_OUT, text, NULL });
	}
	return 0;
}

/* ---- options of commands ---- */

static int load_json_take_dir(struct load_item *item, const char *name, json_t *value)
{
	item->own_fields = true;
	return load_json_text_of(name, value, &item->request.options.directory);
}

static int load_json_take_stdin(struct load_item *item, const char *name, json_t *value)
{
	const char *of = load_json_future_of(value);
	item->own_fields = true;
	if (!of) {
		int r = load_json_text_of(name, value, &item->request.options.input);
		if (r == 0 && stdin_descriptor(item->request.options.input) >= 0)
			r = why(-EINVAL,
			    "\"stdin\" is a file, and %s is none that a worker has; "
			    "./- is a file called -",
			    item->request.options.input);
		return r;
	}
	item->request.options.input = NULL;
	load_add_future(item, (struct load_future){ PLM_COMMAND_STDIN, NULL, of });
	return 0;
}

static int load_json_take_label(struct load_item *item, const char *name, json_t *value)
{
	item->own_fields = true;
	int r = load_json_text_of(name, value, &item->request.options.label);
	if (r == 0 && strlen(item->request.options.label) > LABEL_MAX)
		return why(-EINVAL, "\"label\" has at most %d bytes", LABEL_MAX);
	return r;
}

static int load_json_take_size(
    struct load_item *item, const char *name, json_t *value, uint64_t most, uint64_t *ret)
{
	item->own_fields = true;
	if (json_is_integer(value) && json_integer_value(value) > 0 &&
	    (uint64_t)json_integer_value(value) <= most) {
		*ret = (uint64_t)json_integer_value(value);
		return 0;
	}
	if (!json_is_string(value))
		return load_json_wrong(name, "a size: \"16M\", or a number of bytes");
	struct scan scan = { .text = json_string_value(value), .what = name };
	scan.at = scan.text;
	struct piece piece = scan_piece(&scan);
	int r = scan_size(&scan, piece, piece, most, ret);
	return r == 0 && *scan.at ? load_json_wrong(name, "a size: \"16M\"") : r;
}

static int load_json_take_cap(struct load_item *item, const char *name, json_t *value)
{
	return load_json_take_size(item, name, value, CAP_MAX, &item->request.options.output_cap);
}

static int load_json_take_memory(struct load_item *item, const char *name, json_t *value)
{
	return load_json_take_size(
	    item, name, value, MEMORY_MAX, &item->request.options.memory_limit);
}

static int load_json_take_env(struct load_item *item, const char *name, json_t *value)
{
	const char *variable;
	json_t *text;
	if (!json_is_object(value))
		return load_json_wrong(name, "an object: {\"NAME\": \"VALUE\"}");
	json_object_foreach(value, variable, text)
	{
		if (!variable[0] || strchr(variable, '=') || !json_is_string(text))
			return load_json_wrong(name, "an object of strings, with names without =");
		json_t *both = json_sprintf("%s=%s", variable, json_string_value(text));
		if (!both || json_array_append_new(item->json_texts, both) < 0)
			return why(-ENOMEM, "out of memory");
		load_add_variable(item, json_string_value(both));
	}
	return 0;
}

static int load_json_take_no_env(struct load_item *item, const char *name, json_t *value)
{
	if (!json_is_boolean(value))
		return load_json_wrong(name, "true or false");
	if (json_is_false(value) && item->request.options.no_environment)
		return load_json_wrong(name, "settled for all lines by --no-env");
	item->request.options.no_environment = json_is_true(value);
	return 0;
}

/* An empty line: none, whatever --on-finish says. */
static int load_json_take_on_finish(struct load_item *item, const char *name, json_t *value)
{
	item->on_finish = json_string_value(value);
	return item->on_finish ? 0 : load_json_wrong(name, "a line for a shell");
}

/* ---- options of tasks ---- */

static int load_json_take_priority(struct load_item *item, const char *name, json_t *value)
{
	long n;
	int r = load_json_number_of(name, value, PRIORITY_MIN, PRIORITY_MAX, &n);
	item->request.task.task.priority = (int)n;
	return r;
}

static int load_json_take_retries(struct load_item *item, const char *name, json_t *value)
{
	long n;
	int r = load_json_number_of(name, value, 0, RETRIES_MAX - 1, &n);
	plm_task *task = &item->request.task.task;
	*(name[0] == 'r' ? &task->retries : &task->crash_retries) = (unsigned)n;
	if (r == 0 && task->retries + task->crash_retries >= RETRIES_MAX)
		return why(-EINVAL, "\"retries\" and \"crash_retries\" are fewer than %d together",
		    RETRIES_MAX);
	return r;
}

static int load_json_take_replicas(struct load_item *item, const char *name, json_t *value)
{
	long n;
	int r = load_json_number_of(name, value, 1, REPLICAS_MAX, &n);
	item->request.task.terms.replicas = (uint32_t)n;
	return r;
}

static int load_json_take_needs(struct load_item *item, const char *name, json_t *value)
{
	return load_json_text_of(name, value, &item->request.task.terms.needs);
}

static int load_json_take_time(struct load_item *item, const char *name, json_t *value)
{
	plm_terms *terms = &item->request.task.terms;
	const struct {
		const char *name;
		uint32_t *ms;
	} all[] = {
		{ "queue_limit", &terms->queue_ms },
		{ "run_limit", &terms->run_ms },
		{ "total_limit", &terms->total_ms },
		{ "backoff", &terms->backoff_ms },
		{ "backoff_max", &terms->backoff_max_ms },
		{ "grace", &terms->grace_ms },
		{ "keep", &terms->keep_ms },
	};
	for (size_t i = 0; i < COUNT_OF(all); i++)
		if (strcmp(all[i].name, name) == 0)
			return load_json_time_of(name, value, all[i].ms);
	return 0;
}

static const struct key keys[] = {
	{ "argv", load_json_take_argv, true },
	{ "shell", load_json_take_shell, true },
	{ "func", load_json_take_func, true },
	{ "args", load_json_take_args, false },
	{ "name", load_json_take_name, false },
	{ "after", load_json_take_after, false },
	{ "after_any", load_json_take_after_any, false },
	{ "after_failed", load_json_take_after_failed, false },
	{ "dir", load_json_take_dir, false },
	{ "stdin", load_json_take_stdin, false },
	{ "env", load_json_take_env, false },
	{ "no_env", load_json_take_no_env, false },
	{ "label", load_json_take_label, false },
	{ "on_finish", load_json_take_on_finish, false },
	{ "output_cap", load_json_take_cap, false },
	{ "mem_limit", load_json_take_memory, false },
	{ "in", load_json_take_in, false },
	{ "out", load_json_take_out, false },
	{ "priority", load_json_take_priority, false },
	{ "retries", load_json_take_retries, false },
	{ "crash_retries", load_json_take_retries, false },
	{ "needs", load_json_take_needs, false },
	{ "replicas", load_json_take_replicas, false },
	{ "queue_limit", load_json_take_time, false },
	{ "run_limit", load_json_take_time, false },
	{ "total_limit", load_json_take_time, false },
	{ "backoff", load_json_take_time, false },
	{ "backoff_max", load_json_take_time, false },
	{ "grace", load_json_take_time, false },
	{ "keep", load_json_take_time, false },
};

static const struct key *load_json_find_key(const char *name)
{
	for (size_t i = 0; i < COUNT_OF(keys); i++)
		if (strcmp(keys[i].name, name) == 0)
			return &keys[i];
	return NULL;
}

static int load_json_take_all(struct load_item *item, json_t *object)
{
	const char *name;
	json_t *value;
	int runs = 0;
	json_object_foreach(object, name, value)
	{
		const struct key *key = load_json_find_key(name);
		if (!key)
			return why(-EINVAL, "unknown key \"%.40s\"", name);
		runs += key->runs;
		int r = key->take(item, name, value);
		if (r < 0)
			return r;
	}
	if (runs != 1)
		return why(-EINVAL,
		    "a task has one of \"argv\", \"shell\" and \"func\", and this "
		    "one has %s",
		    runs ? "more" : "none");
	if (json_object_get(object, "out") && item->request.task.terms.replicas > 1)
		return why(-EINVAL, "\"out\" and \"replicas\" cannot be combined");
	if (item->on_finish && item->function)
		return why(-EINVAL, "\"on_finish\" is for commands, not for \"func\"");
	if (json_object_get(object, "args") && !item->function)
		return why(-EINVAL, "\"args\" needs \"func\": the words of a command are \"argv\"");
	return 0;
}

int load_json(const struct load_line *line, struct load_item *item)
{
	json_error_t error;
	json_decref(item->json);
	json_decref(item->json_texts);
	item->json_texts = json_array();
	item->json = line->too_long
	    ? NULL
	    : json_loadb(line->text, line->length, JSON_REJECT_DUPLICATES, &error);
	if (line->too_long)
		return why(-EINVAL, "the line has more than %d MiB", LINE_BYTES_MAX >> 20);
	if (!item->json)
		return why(-EINVAL, "column %d: %s", error.column, error.text);
	if (!json_is_object(item->json))
		return why(-EINVAL, "a task is a JSON object: {\"shell\": \"echo\"}");
	return load_json_take_all(item, item->json);
}

void load_item_free(struct load_item *item)
{
	json_decref(item->json);
	json_decref(item->json_texts);
	free(item->word);
	free(item->result);
	free(item->future);
	free(item->memory);
	free(item->variable);
}
