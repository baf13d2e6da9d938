#include "cli/short_reference.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/why.h"
#include "cli/look.h"

enum { PAGE_ROWS = 64, DIGITS_MAX = 8, BASE = 16 };

/* Marks are references of no boot. */
#define MARK_LAST UINT64_MAX

static bool short_reference_is_mark(plm_ref ref)
{
	return ref.id && ref.runtime == 0;
}

int reference_parse(const char *word, plm_ref *ret)
{
	const char *name = word[0] == '@' ? word + 1 : word;
	size_t digits = strspn(name, "0123456789abcdefABCDEF");
	bool number = digits && digits <= DIGITS_MAX && !name[digits];
	if (strcmp(name, "last") == 0)
		*ret = (plm_ref){ .id = MARK_LAST };
	else if (number)
		*ret = (plm_ref){ .id = strtoull(name, NULL, BASE) + 1 };
	else
		return word[0] == '@' ? plm_ref_parse(word, ret) : -EINVAL;
	return 0;
}

plm_ref reference_name(const char *word)
{
	plm_ref ref;
	return reference_parse(word, &ref) == 0 ? ref : reference_word(word);
}

static bool short_reference_find_task(struct context *context, uint64_t record, plm_ref *ret)
{
	plm_task_row row;
	uint64_t cursor = record;
	int n = plm_inspect_tasks(context->in, NULL, 0, 0, &cursor, &row, sizeof row, 1);
	*ret = n > 0 ? row.ref : PLM_NONE;
	return n > 0 && (uint32_t)row.ref.id == record;
}

static bool short_reference_find_object(struct context *context, uint64_t record, plm_ref *ret)
{
	plm_object_row row;
	uint64_t cursor = record;
	int n = plm_inspect_objects(context->in, &cursor, &row, sizeof row, 1);
	*ret = n > 0 ? row.ref : PLM_NONE;
	return n > 0 && (uint32_t)row.ref.id == record;
}

/* Of tasks submitted in the same millisecond the higher record counts. */
static bool short_reference_find_last(struct context *context, plm_ref *ret)
{
	static plm_task_row rows[PAGE_ROWS];
	uint64_t cursor = 0, latest_ms = 0;
	int n;
	*ret = PLM_NONE;
	while ((n = plm_inspect_tasks(
		    context->in, NULL, 0, 0, &cursor, rows, sizeof rows[0], PAGE_ROWS)) > 0)
		for (int i = 0; i < n; i++)
			if (rows[i].submitted_ms >= latest_ms) {
				latest_ms = rows[i].submitted_ms;
				*ret = rows[i].ref;
			}
	return ret->id != 0;
}

int reference_find(struct context *context, const char *word, plm_ref *ref)
{
	uint64_t mark = ref->id;
	if (!short_reference_is_mark(*ref))
		return 0;
	if (context->fleet)
		return why(-EINVAL, "a fleet wants whole references, not %s", word);
	if (!context->in && look_open(context) != EXIT_FINE)
		return why(-EHOSTDOWN, "no runtime can tell which task %s is", word);
	bool found = mark == MARK_LAST ? short_reference_find_last(context, ref)
				       : short_reference_find_task(context, mark - 1, ref) ||
		short_reference_find_object(context, mark - 1, ref);
	return found ? 0 : why(-ENOENT, "there is no task %s; `plmctl tasks` lists them", word);
}

int references_settle(struct context *context, plm_ref *refs, size_t n, char *const *words)
{
	for (size_t i = 0; i < n; i++) {
		int code = short_reference_is_mark(refs[i]) && !context->fleet && !context->in
		    ? look_open(context)
		    : EXIT_FINE;
		if (code != EXIT_FINE)
			return code;
		if (reference_find(context, words[i], &refs[i]) == 0)
			continue;
		fprintf(stderr, "plmctl: %s\n", why_text());
		return EXIT_DATA;
	}
	return EXIT_FINE;
}

int reference_settle(struct context *context, plm_ref *ref)
{
	char name[DIGITS_MAX + 1] = "last";
	if (short_reference_is_mark(*ref) && ref->id != MARK_LAST)
		snprintf(name, sizeof name, "%x", (uint32_t)(ref->id - 1));
	return references_settle(context, ref, 1, (char *[]){ name });
}

plm_ref reference_latest(struct context *context, const plm_ref *refs, size_t n)
{
	plm_ref latest = PLM_NONE;
	uint64_t least_ms = UINT64_MAX;
	plm_task_row row;
	for (size_t i = 0; i < n; i++) {
		if (plm_inspect_task(context->in, refs[i], 0, &row, sizeof row) < 0 ||
		    row.age_ms > least_ms)
			continue;
		least_ms = row.age_ms;
		latest = refs[i];
	}
	return latest;
}
