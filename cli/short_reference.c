#include "cli/short_reference.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "cli/look.h"

enum { PAGE_ROWS = 64, DIGITS_MAX = 8, BASE = 16 };

/* Marks are references of no boot. */
#define MARK_LAST UINT64_MAX

static bool short_reference_is_mark(plm_ref ref)
{
	return ref.id && ref.runtime == 0;
}

plm_ref reference_name(const char *word)
{
	const char *name = word[0] == '@' ? word + 1 : word;
	size_t digits = strspn(name, "0123456789abcdefABCDEF");
	if (strcmp(name, "last") == 0)
		return (plm_ref){ .id = MARK_LAST };
	if (digits && digits <= DIGITS_MAX && !name[digits])
		return (plm_ref){ .id = strtoull(name, NULL, BASE) + 1 };
	return reference_word(word);
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

int references_settle(struct context *context, plm_ref *refs, size_t n, char *const *words)
{
	int code = EXIT_FINE;
	for (size_t i = 0; i < n && code == EXIT_FINE; i++) {
		uint64_t mark = refs[i].id;
		if (!short_reference_is_mark(refs[i]))
			continue;
		if (context->fleet) {
			fprintf(
			    stderr, "plmctl: a fleet wants whole references, not %s\n", words[i]);
			return EXIT_DATA;
		}
		code = context->in ? EXIT_FINE : look_open(context);
		if (code != EXIT_FINE)
			return code;
		bool found = mark == MARK_LAST
		    ? short_reference_find_last(context, &refs[i])
		    : short_reference_find_task(context, mark - 1, &refs[i]) ||
			short_reference_find_object(context, mark - 1, &refs[i]);
		if (found)
			continue;
		fprintf(
		    stderr, "plmctl: there is no task %s; `plmctl tasks` lists them\n", words[i]);
		code = EXIT_DATA;
	}
	return code;
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
	uint64_t latest_ms = 0;
	plm_task_row row;
	for (size_t i = 0; i < n; i++) {
		if (plm_inspect_task(context->in, refs[i], 0, &row, sizeof row) < 0 ||
		    row.submitted_ms < latest_ms)
			continue;
		latest_ms = row.submitted_ms;
		latest = refs[i];
	}
	return latest;
}
