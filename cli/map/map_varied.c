#include "cli/map/map_varied.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/why.h"
#include "cli/map/map_template.h"

enum { VARIED_INPUT, VARIED_DIRECTORY, VARIED_LABEL, VARIED_TEXTS };

struct varied {
	const struct command_request *request;
	bool any; /* a text has a replacement string */
	struct template **template;
	size_t texts;
	struct text text; /* all texts of a job, each ended by a zero */
	size_t *begin;    /* of each text, in `text` */
	const char **variable;
	plm_command_future *future;
};

/* The texts of the request, in one order: input, directory, label, variables, names of futures. */
static size_t varied_texts(const plm_command_options *o)
{
	return VARIED_TEXTS + o->variable_count + o->future_count;
}

static const char *varied_text(const plm_command_options *o, size_t i)
{
	const char *const first[] = { o->input, o->directory, o->label };
	if (i < VARIED_TEXTS)
		return first[i];
	i -= VARIED_TEXTS;
	return i < o->variable_count ? o->variables[i] : o->futures[i - o->variable_count].name;
}

static int varied_make_templates(struct varied *v, const struct tags *tags)
{
	const plm_command_options *o = &v->request->options;
	int r = 0;
	for (size_t i = 0; r == 0 && i < v->texts; i++) {
		const char *text = varied_text(o, i);
		r = text ? template_make_text(&v->template[i], text, tags) : 0;
		v->any = v->any || (r == 0 && text && template_has_replacement(v->template[i]));
	}
	return r;
}

int varied_make(struct varied **ret, const struct command_request *request, const struct tags *tags,
    bool blocks)
{
	const plm_command_options *o = &request->options;
	struct varied *v = calloc(1, sizeof *v);
	*ret = NULL;
	if (!v)
		return why(-ENOMEM, "no memory");
	v->request = request;
	v->texts = varied_texts(o);
	v->template = calloc(v->texts, sizeof *v->template);
	v->begin = calloc(v->texts, sizeof *v->begin);
	v->variable = calloc(o->variable_count + 1, sizeof *v->variable);
	v->future = calloc(o->future_count + 2, sizeof *v->future);
	bool memory = v->template && v->begin && v->variable && v->future;
	int r = memory ? varied_make_templates(v, tags) : why(-ENOMEM, "no memory");
	if (r == 0 && (v->any || blocks))
		*ret = v;
	else
		varied_free(v);
	return r;
}

bool varied_takes_value(const struct varied *v)
{
	for (size_t i = 0; v && i < v->texts; i++)
		if (v->template[i] && template_has_value(v->template[i]))
			return true;
	return false;
}

bool varied_wants_places(const struct varied *v)
{
	for (size_t i = 0; v && i < v->texts; i++)
		if (v->template[i] && template_wants_places(v->template[i]))
			return true;
	return false;
}

void varied_free(struct varied *v)
{
	if (!v)
		return;
	for (size_t i = 0; i < v->texts && v->template; i++)
		template_free(v->template[i]);
	text_free(&v->text);
	free(v->template);
	free(v->begin);
	free(v->variable);
	free(v->future);
	free(v);
}

/* ---- futures ---- */

static int varied_reference(
    struct context *context, const char *option, const char *word, plm_ref *ret)
{
	if (word[0] != '@' || plm_ref_parse(word, ret) < 0)
		return why(-EINVAL, "%s wants @REF for each job, not \"%s\"", option, word);
	int r = context->fleet ? 0 : plm_hold(context->rt, *ret);
	return r < 0 ? why(r, "%s %s: %s", option, word, plm_why()) : 0;
}

/* "NAME=@REF" of --in, or "@REF" of --stdin. */
static int varied_take_future(struct varied *v, struct context *context, plm_command_future *f)
{
	if (f->ref.id || !f->name)
		return 0;
	char *equal = strchr(f->name, '=');
	if (f->use != PLM_COMMAND_IN || !equal)
		return 0;
	int r = varied_reference(context, "--in", equal + 1, &f->ref);
	v->text.data[equal - v->text.data] = 0;
	return r;
}

static int varied_take_futures(
    struct varied *v, struct context *context, plm_command_options *o, const char *input)
{
	size_t n = o->future_count;
	for (size_t i = 0; i < n; i++) {
		if (v->future[i].name)
			v->future[i].name =
			    v->text.data + v->begin[VARIED_TEXTS + o->variable_count + i];
		int r = varied_take_future(v, context, &v->future[i]);
		if (r < 0)
			return r;
	}
	o->futures = v->future;
	if (!input || input[0] != '@')
		return 0;
	v->future[n] = (plm_command_future){ .use = PLM_COMMAND_STDIN };
	o->future_count++;
	o->input = NULL;
	return varied_reference(context, "--stdin", input, &v->future[n].ref);
}

/* ---- the command ---- */

static void varied_write_texts(struct varied *v, const struct job *job)
{
	v->text.length = 0;
	for (size_t i = 0; i < v->texts; i++) {
		v->begin[i] = v->text.length;
		if (i == VARIED_INPUT && job->block)
			block_path(job->block, &v->text);
		else if (v->template[i])
			template_plain(v->template[i], job, &v -> text);
		text_byte(&v->text, 0);
	}
}

const char *varied_label(const struct varied *v)
{
	return v->request->options.label ? v->text.data + v->begin[VARIED_LABEL] : NULL;
}

int varied_command(
    struct varied *v, struct context *context, const struct job *job, plm_command **ret)
{
	plm_command_options o = v->request->options;
	varied_write_texts(v, job);
	const char *texts = v->text.data, *input = NULL;
	if (o.input || job->block)
		o.input = input = texts + v->begin[VARIED_INPUT];
	if (o.directory)
		o.directory = texts + v->begin[VARIED_DIRECTORY];
	if (o.label)
		o.label = texts + v->begin[VARIED_LABEL];
	for (size_t i = 0; i < o.variable_count; i++)
		v->variable[i] = texts + v->begin[VARIED_TEXTS + i];
	o.variables = v->variable;
	if (o.future_count)
		memcpy(v->future, v->request->options.futures, o.future_count * sizeof *v->future);
	int r = varied_take_futures(v, context, &o, input);
	if (job->block) {
		o.parts = job->block->part;
		o.part_count = job->block->parts;
	}
	return r < 0 ? r : plm_command_make(ret, &o, v->request->command);
}
