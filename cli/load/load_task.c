/* load_task.c - makes the task of a line. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/why.h"
#include "cli/load/load.h"

/* ---- judging ---- */

static int load_task_judge_reference(struct load_common *common, const char *text)
{
	plm_ref ref;
	plm *rt = common->context->rt;
	int r = load_reference(&common->references, common->context, text, &ref);
	if (r == 0 && rt && (r = plm_check_ref(rt, ref)) < 0)
		return why(r, "%s: %s", text, plm_why());
	return r;
}

/* As in plmctl call: @REF is a future, @@TEXT is text. */
static bool load_task_is_reference(const char *word)
{
	return word && word[0] == '@' && word[1] != '@';
}

static int load_task_judge_references(const struct load_item *item, struct load_common *common)
{
	int r = 0;
	for (size_t i = 0; i < item->words && item->function && r == 0; i++)
		if (load_task_is_reference(item->word[i]))
			r = load_task_judge_reference(common, item->word[i]);
	for (size_t i = 0; i < item->futures && r == 0; i++)
		if (item->future[i].of && item->future[i].of[0] == '@')
			r = load_task_judge_reference(common, item->future[i].of);
	return r;
}

/* Of a fleet the hosts judge functions and needs. */
int load_task_judge(const struct load_item *item, struct load_common *common)
{
	const plm_terms *same;
	plm *rt = common->context->rt;
	int r = load_terms_find(common->terms, rt, &item->request.task.terms, &same);
	if (r == 0 && rt && item->function)
		r = plm_check_function(rt, item->function);
	return r < 0 ? r : load_task_judge_references(item, common);
}

/* ---- making ---- */

static plm_ref load_task_future_of(struct load_common *common, const char *of)
{
	plm_ref ref = PLM_NONE;
	if (of && of[0] == '@' &&
	    load_reference(&common->references, common->context, of, &ref) < 0)
		return PLM_NONE; /* judged before */
	return of && of[0] != '@' ? load_graph_ref(common->graph, of) : ref;
}

/* Makes a command whose options differ from the options on the command line. */
static int load_task_make_own(
    const struct load_item *item, struct load_common *common, struct load_task *ret)
{
	plm_command_options options = item->request.options;
	ret->future = grow(ret->future, item->futures + 1, &ret->futures_room, sizeof *ret->future);
	for (size_t i = 0; i < item->futures; i++) {
		const struct load_future *f = &item->future[i];
		ret->future[i] = (plm_command_future){
			.use = f->use, .name = f->name, .ref = load_task_future_of(common, f->of)
		};
	}
	options.futures = ret->future;
	options.future_count = item->futures;
	return plm_command_make(&ret->command, &options, common->request.command);
}

static int load_task_make_command(
    const struct load_item *item, struct load_common *common, struct load_task *ret)
{
	const plm_command_options *options = &item->request.options;
	bool own =
	    item->own_fields || options->no_environment != common->request.options.no_environment;
	int r = own ? load_task_make_own(item, common, ret) : 0;
	if (r < 0)
		return r;
	const plm_command *command = own ? ret->command : common->request.command;
	size_t nargs = plm_command_nargs(command, item->words);
	ret->arg = grow(ret->arg, nargs, &ret->args_room, sizeof *ret->arg);
	return plm_command_task(command, item->word, item->words, NULL, ret->arg, &ret->task);
}

static void load_task_make_call(
    const struct load_item *item, struct load_common *common, struct load_task *ret)
{
	ret->arg = grow(ret->arg, item->words + 1, &ret->args_room, sizeof *ret->arg);
	for (size_t i = 0; i < item->words; i++) {
		const char *word = item->word[i];
		if (!word)
			ret->arg[i] = PLM_FUTURE(load_graph_ref(common->graph, item->result[i]));
		else if (load_task_is_reference(word))
			ret->arg[i] = PLM_FUTURE(load_task_future_of(common, word));
		else
			ret->arg[i] =
			    PLM_BYTES(word + (word[0] == '@'), strlen(word) - (word[0] == '@'));
	}
	ret->task.function = item->function;
	ret->task.args = ret->arg;
	ret->task.nargs = item->words;
	plm_identify(&ret->task);
}

static int load_task_make_hook(
    const struct load_item *item, const struct load_common *common, struct load_task *ret)
{
	const char *line = item->on_finish ? item->on_finish : common->on_finish;
	if (!common->context->fleet)
		line = hook_line(common->context, line);
	if (!line || !line[0])
		return 0;
	if (common->context->fleet)
		fleet_hook_title(line, ret->hook_title);
	return hook_make(
	    &ret->hook, line, &item->request.options, common->request.command, &ret->task);
}

int load_task_make(struct load_item *item, struct load_common *common, struct load_task *ret)
{
	ret->task = item->request.task.task;
	ret->task.flags |= PLM_KEEP;
	int r = load_terms_find(
	    common->terms, common->context->rt, &item->request.task.terms, &ret->task.terms);
	if (r == 0 && item->function) {
		load_task_make_call(item, common, ret);
		return 0;
	}
	if (r == 0)
		r = load_task_make_command(item, common, ret);
	return r == 0 ? load_task_make_hook(item, common, ret) : r;
}

void load_task_done(struct load_task *task)
{
	plm_command_free(NULL, &task->command);
	hook_free(&task->hook);
}

void load_task_free(struct load_task *task)
{
	load_task_done(task);
	free(task->arg);
	free(task->future);
}
