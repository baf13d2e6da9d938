/* load_reference.c - references in task files, whole or short. A short reference names the task
 * that has the record, or was the last, when load first reads the line: the tasks of the file
 * itself come later, and the second reading takes what the first has found. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/why.h"
#include "cli/load/load.h"
#include "cli/short_reference.h"

static const plm_ref *load_reference_known(const struct load_references *refs, const char *text)
{
	for (size_t i = 0; i < refs->n; i++)
		if (strcmp(refs->known[i].text, text) == 0)
			return &refs->known[i].ref;
	return NULL;
}

int load_reference(
    struct load_references *refs, struct context *context, const char *text, plm_ref *ret)
{
	int r = reference_parse(text, ret);
	if (r < 0 || ret->runtime)
		return r;
	const plm_ref *known = load_reference_known(refs, text);
	if (known) {
		*ret = *known;
		return 0;
	}
	r = reference_find(context, text, ret);
	if (r < 0)
		return r;
	refs->known = grow(refs->known, refs->n + 1, &refs->room, sizeof *refs->known);
	char *copy = strdup(text);
	if (!copy)
		exit(failed(-ENOMEM, "load"));
	refs->known[refs->n++] = (struct load_named){ copy, *ret };
	return 0;
}

void load_references_free(struct load_references *refs)
{
	for (size_t i = 0; i < refs->n; i++)
		free(refs->known[i].text);
	free(refs->known);
}
