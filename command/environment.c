/* environment.c - the environment of a command: the submitter's variables, the task's additions,
 * and the variables only the worker knows. */
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "topology/threads.h"
#include "command/command_run.h"
#include "tables/edges.h"
#include "worker/needs.h"

enum { OURS_MAX = 16, TOLD_BYTES = 32, STATE_BYTES = 12 };

struct variables {
	char **list;
	size_t n;
	char *own; /* room for our own texts */
	size_t own_left;
};

/* execve() takes char *, but changes no text. */
static char *environment_as_variable(const char *text)
{
	union {
		const char *text;
		char *variable;
	} same = { .text = text };
	return same.variable;
}

static char **environment_find(const struct variables *v, const char *variable)
{
	size_t name = strcspn(variable, "=");
	for (size_t i = 0; i < v->n; i++)
		if (strncmp(v->list[i], variable, name) == 0 && v->list[i][name] == '=')
			return &v->list[i];
	return NULL;
}

static void environment_set(struct variables *v, const char *variable)
{
	char **there = environment_find(v, variable);
	if (there)
		*there = environment_as_variable(variable);
	else
		v->list[v->n++] = environment_as_variable(variable);
}

__attribute__((format(printf, 2, 3))) static void environment_set_own(
    struct variables *v, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	size_t n = (size_t)vsnprintf(v->own, v->own_left, format, args) + 1;
	va_end(args);
	CHECK(n <= v->own_left);
	environment_set(v, v->own);
	v->own += n;
	v->own_left -= n;
}

static void environment_set_task(struct variables *v, const struct plm_call *call)
{
	const struct plm *rt = call->rt;
	char task[PLM_REF_TEXT_BYTES];
	uint32_t index = record_index(&rt->tables, call->record);
	plm_ref_print(ref_public(rt, record_ref(index, word_generation(call->word))), task);
	environment_set_own(v, "PLM_TASK=%s", task);
	environment_set_own(v, "PLM_NAME=%.*s", RUNTIME_NAME_BYTES, rt->tables.control->name);
	environment_set_own(v, "PLM_ATTEMPT=%u", word_attempt(call->word));
	environment_set_own(v, "PLM_WORKER=%u", rt->me->worker);
	environment_set_own(v, "PLM_SLOT=%u", rt->self);
}

/* What became of a task: the code is an exit code, or 128 + a signal; of a function its code. */
static void environment_set_end(struct variables *v, const struct plm *rt, const struct record *r)
{
	char task[PLM_REF_TEXT_BYTES];
	uint64_t word = sh_load(&r->state);
	enum record_state state = word_state(word);
	plm_ref_print(
	    ref_public(rt, record_ref(record_index(&rt->tables, r), word_generation(word))), task);
	environment_set_own(v, "PLM_AFTER=%s", task);
	environment_set_own(v, "PLM_AFTER_STATE=%s", record_state_name(state));
	environment_set_own(v, "PLM_AFTER_CODE=%d",
	    state == RECORD_FAILED          ? (int)r->failure.code
		: state == RECORD_CANCELLED ? COMMAND_SIGNALLED + SIGINT
					    : 0);
}

/* The same, told in bytes: "REFERENCE STATE CODE". */
static bool environment_set_told(struct variables *v, const char *told, size_t length)
{
	char text[PLM_REF_TEXT_BYTES + TOLD_BYTES], task[PLM_REF_TEXT_BYTES], state[STATE_BYTES];
	plm_ref ref;
	int code;
	if (length == 0 || length >= sizeof text)
		return false;
	snprintf(text, sizeof text, "%.*s", (int)length, told);
	const char *state_at = strchr(text, ' ');
	if (!state_at || (size_t)(state_at - text) >= sizeof task)
		return false;
	snprintf(task, sizeof task, "%.*s", (int)(state_at - text), text);
	if (sscanf(state_at, " %11[a-z] %d", state, &code) != 2 || plm_ref_parse(task, &ref) < 0)
		return false;
	environment_set_own(v, "PLM_AFTER=%s", task);
	environment_set_own(v, "PLM_AFTER_STATE=%s", state);
	environment_set_own(v, "PLM_AFTER_CODE=%d", code);
	return true;
}

/* A command that comes from a fleet has bytes in the place of such a task, which was no task of
 * this runtime. Arguments of fields stand behind the words, in the order of the fields. */
static void environment_set_after_told(struct variables *v, const struct command *c)
{
	const char *at = NULL, *text;
	enum command_field field;
	size_t length, argument = plm_nargs(c->call) - c->has_outlet - c->futures;
	while (command_field(c->fields, c->fields_bytes, &at, &field, &text)) {
		bool any = field == COMMAND_AFTER_ANY || field == COMMAND_AFTER_FAILED;
		bool future = any || field == COMMAND_AFTER || field == COMMAND_IN ||
		    field == COMMAND_STDIN_VALUE;
		if (!future)
			continue;
		const char *told = plm_arg_data(c->call, argument++, &length);
		if (any && environment_set_told(v, told, length))
			return;
	}
}

/* For a command that runs after another task in any case, or after its failure. Of several tasks
 * the first counts. */
static void environment_set_after(struct variables *v, const struct command *c)
{
	const struct plm_call *call = c->call;
	const struct plm *rt = call->rt;
	struct args_reader reader;
	struct arg arg;
	bool readable = args_open(&rt->tables, call->record, &reader);
	while (readable && args_next(&reader, &arg)) {
		const struct record *r = arg.future && arg.condition != ARG_VALUE
		    ? edges_speaker(&rt->tables, arg.future->ref)
		    : NULL;
		if (!r)
			continue;
		environment_set_end(v, rt, r);
		return;
	}
	environment_set_after_told(v, c);
}

/* The worker's variables as functions find them (worker/needs.h). Thread counts only for a task
 * with a need for cpus: any other program may start as many threads as in a shell. A count set by
 * the submitter stays. */
static void environment_set_needs(struct variables *v, const struct plm_call *call)
{
	bool threads = needs_say_cpus(call);
	for (char **theirs = environ; *theirs; theirs++) {
		bool cpus = strncmp(*theirs, "PLM_CPUS=", 9) == 0;
		bool devices = needs_devices(&call->rt->tables) &&
		    strncmp(*theirs, "CUDA_VISIBLE_DEVICES=", 21) == 0;
		bool limit =
		    threads && topology_limits_threads(*theirs) && !environment_find(v, *theirs);
		if (cpus || devices || limit)
			environment_set(v, *theirs);
	}
}

static const char *environment_text_of(const struct variables *v, const char *variable)
{
	char **there = environment_find(v, variable);
	return there ? *there + strlen(variable) : NULL;
}

/* Such flags name the jobserver of the submitter's own make, out of our control. */
static void environment_drop_flags_of_others(struct variables *v)
{
	static const char *const theirs[] = { "MFLAGS=", "CARGO_MAKEFLAGS=" };
	for (size_t i = 0; i < COUNT_OF(theirs); i++) {
		char **there = environment_find(v, theirs[i]);
		if (there && strstr(*there, "--jobserver"))
			*there = v->list[--v->n];
	}
}

/* The task may choose the form of jobserver, or no jobserver. */
static int environment_set_makeflags(struct variables *v, struct command *c)
{
	enum jobserver_form form = c->call->rt->tables.control->jobserver;
	const char *wanted = environment_text_of(v, "PLM_JOBSERVER=");
	if (wanted && strcmp(wanted, "pipe") == 0)
		form = JOBSERVER_PIPE;
	if (wanted && strcmp(wanted, "fifo") == 0)
		form = JOBSERVER_FIFO;
	bool none = wanted && strcmp(wanted, "none") == 0;
	if (!c->call->rt->tables.control->jobserver || none || !jobserver_open(&c->jobserver, form))
		return 0;
	environment_drop_flags_of_others(v);
	c->makeflags = jobserver_makeflags(&c->jobserver, environment_text_of(v, "MAKEFLAGS="));
	if (!c->makeflags)
		return plm_fail(c->call, COMMAND_OURS, "no memory for MAKEFLAGS");
	environment_set(v, c->makeflags);
	return 0;
}

static size_t environment_count_zeros(const char *text, size_t length)
{
	size_t n = 0;
	for (size_t i = 0; i < length; i++)
		n += text[i] == 0;
	return n;
}

static size_t environment_count_worker_variables(void)
{
	size_t n = 0;
	while (environ[n])
		n++;
	return n;
}

static void environment_add_base(struct variables *v, const struct command *c)
{
	const char *at = c->environment, *end = at + c->environment_bytes;
	for (char **theirs = environ; *theirs && at == end; theirs++)
		if (!topology_set_by_us(*theirs))
			v->list[v->n++] = *theirs;
	for (; at < end; at += strlen(at) + 1)
		if (strchr(at, '='))
			v->list[v->n++] = environment_as_variable(at);
}

static void environment_add_fields(struct variables *v, const struct command *c)
{
	const char *at = NULL, *text;
	enum command_field field;
	while (command_field(c->fields, c->fields_bytes, &at, &field, &text))
		if (field == COMMAND_VARIABLE && strchr(text, '='))
			environment_set(v, text);
}

static void environment_add_files(struct variables *v, const struct command *c)
{
	for (size_t i = 0; i < c->files; i++)
		if (c->file[i].variable)
			environment_set(v, c->file[i].variable);
}

int command_environment(struct command *c)
{
	size_t room = environment_count_zeros(c->environment, c->environment_bytes) +
	    environment_count_worker_variables() +
	    environment_count_zeros(c->fields, c->fields_bytes) + c->files + OURS_MAX;
	struct variables v = { .own = c->own, .own_left = sizeof c->own };
	v.list = c->envp = calloc(room, sizeof *v.list);
	if (!v.list)
		return plm_fail(c->call, COMMAND_OURS, "no memory for %zu variables", room);
	environment_add_base(&v, c);
	environment_set_needs(&v, c->call);
	environment_add_fields(&v, c);
	environment_add_files(&v, c);
	environment_set_task(&v, c->call);
	environment_set_after(&v, c);
	return environment_set_makeflags(&v, c);
}
