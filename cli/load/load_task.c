/* load_task.c - from what a line says to a task. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/why.h"
#include "cli/identity.h"
#include "cli/load/load.h"
#include "client/handle.h"
#include "client/names.h"

/* ---- judging ---- */

static int load_task_judge_reference(const struct plm *rt, const char *text)
{
	plm_ref ref;
	uint64_t word;
	int r = plm_ref_parse(text, &ref);
	if (r == 0 && !ref_resolve(rt, ref, &word, &r))
		return why(r, "%s: %s", text, why_text());
	return r;
}

/* As for plmctl call: @REF is a future, @@TEXT is text. */
static bool load_task_is_reference(const char *word)
{
	return word && word[0] == '@' && word[1] != '@';
}

static int load_task_judge_references(const struct load_item *item, const struct plm *rt)
{
	int r = 0;
	for (size_t i = 0; i < item->words && item->function && r == 0; i++)
		if (load_task_is_reference(item->word[i]))
			r = load_task_judge_reference(rt, item->word[i]);
	for (size_t i = 0; i < item->futures && r == 0; i++)
		if (item->future[i].of && item->future[i].of[0] == '@')
			r = load_task_judge_reference(rt, item->future[i].of);
	return r;
}

int load_task_judge(const struct load_item *item, struct load_terms **terms, plm *rt)
{
	const plm_terms *same;
	uint32_t number;
	int r = load_terms_find(terms, rt, &item->request.task.terms, &same);
	if (r == 0 && item->function)
		r = names_find(rt->names, &rt->tables.registry, item->function, &number);
	return r < 0 ? r : load_task_judge_references(item, rt);
}

/* ---- making ---- */

static plm_ref load_task_future_of(const struct load_graph *graph, const char *of)
{
	plm_ref ref = PLM_NONE;
	if (of && of[0] == '@')
		plm_ref_parse(of, &ref);
	else if (of)
		ref = load_graph_ref(graph, of);
	return ref;
}

static int load_task_make_fields(struct load_item *item, const struct load_graph *graph)
{
	struct command_request *request = &item->request;
	int r = 0;
	request->fields = NULL; /* those there are everybody's */
	for (size_t i = 0; i < item->futures && r == 0; i++) {
		const struct load_future *f = &item->future[i];
		r = command_object_add(
		    request, f->field, f->name, strlen(f->name), load_task_future_of(graph, f->of));
	}
	if (r < 0)
		return why(r, "out of memory");
	return command_request_fields(request) == EXIT_FINE ? 0 : -ENOMEM;
}

/* Queued by the million: one future in the place of two, and the words of the shell go with it. */
static void load_task_pack(
    const struct load_item *item, const struct load_common *common, plm_task *task, plm_arg *args)
{
	if (item->own_fields || item->request.no_environment != common->request.no_environment)
		return;
	args[COMMAND_ARG_FIELDS] = common->packed[item->shell];
	args[COMMAND_ARG_ENVIRONMENT] = PLM_BYTES(NULL, 0);
	if (item->shell)
		args[COMMAND_ARG_WORDS] = args[task->nargs - 1];
	if (item->shell)
		task->nargs = COMMAND_ARG_WORDS + 1;
}

static int load_task_make_command(struct load_item *item, const struct load_common *common,
    const struct load_graph *graph, struct load_task *ret)
{
	struct command_request *request = &item->request;
	int r = item->own_fields ? load_task_make_fields(item, graph) : 0;
	if (r < 0)
		return r;
	if (request->no_environment)
		request->common[COMMAND_ARG_ENVIRONMENT] = PLM_BYTES(NULL, 0);
	size_t nargs = command_nargs(request, item->words);
	ret->arg = grow(ret->arg, nargs, &ret->args_room, sizeof *ret->arg);
	command_arguments(request, item->word, item->words, ret->arg);
	ret->task = command_task(request, ret->arg, nargs);
	load_task_pack(item, common, &ret->task, ret->arg);
	return 0;
}

static void load_task_make_call(
    const struct load_item *item, const struct load_graph *graph, struct load_task *ret)
{
	ret->arg = grow(ret->arg, item->words + 1, &ret->args_room, sizeof *ret->arg);
	for (size_t i = 0; i < item->words; i++) {
		const char *word = item->word[i];
		if (!word)
			ret->arg[i] = PLM_FUTURE(load_graph_ref(graph, item->result[i]));
		else if (load_task_is_reference(word))
			ret->arg[i] = PLM_FUTURE(load_task_future_of(graph, word));
		else
			ret->arg[i] =
			    PLM_BYTES(word + (word[0] == '@'), strlen(word) - (word[0] == '@'));
	}
	ret->task = item->request.task.task;
	ret->task.function = item->function;
	ret->task.args = ret->arg;
	ret->task.nargs = item->words;
	identity_make(&ret->task, NULL, 0, 0);
}

int load_task_make(struct load_item *item, const struct load_common *common,
    const struct load_graph *graph, struct load_terms **terms, plm *rt, struct load_task *ret)
{
	int r = 0;
	if (item->function)
		load_task_make_call(item, graph, ret);
	else
		r = load_task_make_command(item, common, graph, ret);
	if (r == 0)
		r = load_terms_find(terms, rt, &item->request.task.terms, &ret->task.terms);
	ret->task.flags |= PLM_KEEP;
	return r;
}

void load_task_done(struct load_item *item, const struct load_common *common)
{
	struct command_request *request = &item->request;
	if (request->fields != common->request.fields)
		free(request->fields);
	command_objects_free(request);
	request->fields = NULL;
	request->object = NULL;
	request->objects = 0;
}

/* ---- what lines have in common ---- */

int load_common_share(struct context *context, struct load_common *common)
{
	int code = command_request_share(context, &common->request);
	for (int shell = 0; shell < 2 && code == EXIT_FINE; shell++)
		code =
		    command_request_pack(context, &common->request, shell, &common->packed[shell]);
	return code;
}

void load_common_free(struct context *context, struct load_common *common)
{
	for (int shell = 0; shell < 2; shell++)
		if (common->packed[shell].future.id)
			plm_drop(context->rt, common->packed[shell].future);
	command_request_free(context, &common->request);
}
