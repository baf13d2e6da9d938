#include "cli/map/map_values.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/why.h"
#include "cli/map/map_change.h"
#include "cli/map/map_regex.h"

struct values {
	struct values_plan plan;
	bool left, right; /* sides to trim */
	regex_t separator;
};

static int values_read_trim(struct values *v)
{
	const char *trim = v->plan.trim ? v->plan.trim : v->plan.column_separator ? "lr" : "n";
	bool known = strcmp(trim, "n") == 0 || strcmp(trim, "l") == 0 || strcmp(trim, "r") == 0 ||
	    strcmp(trim, "lr") == 0 || strcmp(trim, "rl") == 0;
	v->left = strchr(trim, 'l') != NULL;
	v->right = strchr(trim, 'r') != NULL;
	return known ? 0 : why(-EINVAL, "--trim wants one of n, l, r, lr, rl, not \"%s\"", trim);
}

int values_make(struct values **ret, const struct values_plan *plan)
{
	struct values *v = calloc(1, sizeof *v);
	*ret = NULL;
	if (!v)
		return why(-ENOMEM, "no memory");
	v->plan = *plan;
	int r = values_read_trim(v);
	if (r == 0 && plan->column_separator)
		r = regex_make(&v->separator, "--colsep", plan->column_separator, 0);
	if (r < 0)
		free(v);
	else
		*ret = v;
	return r;
}

void values_free(struct values *v)
{
	if (!v)
		return;
	if (v->plan.column_separator)
		regfree(&v->separator);
	free(v);
}

static void values_add(const struct values *v, struct slice s, struct row *to)
{
	while (v->left && s.length && isspace((unsigned char)s.at[0])) {
		s.at++;
		s.length--;
	}
	while (v->right && s.length && isspace((unsigned char)s.at[s.length - 1]))
		s.length--;
	text_add(&to->values, s.at, s.length);
	text_byte(&to->values, 0);
	to->count++;
}

/* An empty match separates nothing. */
static void values_add_columns(const struct values *v, const char *value, struct row *to)
{
	regmatch_t match;
	size_t at = 0, from = 0, length = strlen(value);
	while (from <= length) {
		match = (regmatch_t){ (regoff_t)from, (regoff_t)length };
		if (regexec(&v->separator, value, 1, &match, REG_STARTEND) != 0)
			break;
		if (match.rm_eo == match.rm_so) {
			from = (size_t)match.rm_eo + 1;
			continue;
		}
		values_add(v, (struct slice){ value + at, (size_t)match.rm_so - at }, to);
		at = from = (size_t)match.rm_eo;
	}
	values_add(v, (struct slice){ value + at, length - at }, to);
}

static bool values_is_empty(const struct row *row)
{
	const char *at = row->values.data;
	for (size_t i = 0; i < row->values.length; i++)
		if (at[i] && !isspace((unsigned char)at[i]))
			return false;
	return true;
}

/* Gives the values away unchanged, without a copy. */
static void values_swap(struct row *from, struct row *to)
{
	struct row swap = *to;
	*to = *from;
	*from = swap;
}

int values_take(const struct values *v, struct row *from, struct row *to)
{
	const char *value = from->values.data;
	if (v->plan.end && from->count && strcmp(value, v->plan.end) == 0)
		return 0;
	if (v->plan.skip_empty && values_is_empty(from))
		return -EAGAIN;
	if (!v->left && !v->right && !v->plan.column_separator && to->count == 0) {
		values_swap(from, to);
		return 1;
	}
	for (size_t i = 0; i < from->count; i++, value += strlen(value) + 1) {
		if (v->plan.column_separator)
			values_add_columns(v, value, to);
		else
			values_add(v, (struct slice){ value, strlen(value) }, to);
	}
	return 1;
}

void values_take_names(const struct values *v, struct row *from, struct row *to)
{
	struct values plain = *v; /* shares the separator */
	plain.left = plain.right = plain.plan.skip_empty = false;
	plain.plan.end = NULL;
	values_take(&plain, from, to);
}
