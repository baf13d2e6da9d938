#include "cli/map/map_tags.h"

#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/why.h"

static const char *const standard[TAG_NAMES] = { "{}", "{.}", "{/}", "{//}", "{/.}", "{#}", "{%}" };

static void tags_make_named(enum tag_name name, struct piece *ret)
{
	ret->kind = name == TAG_NUMBER ? PIECE_NUMBER
	    : name == TAG_PLACE        ? PIECE_PLACE
				       : PIECE_VALUE;
	if (ret->kind == PIECE_VALUE)
		ret->change.kind = (enum change_kind)name;
}

/* The name that an option gave in place of the usual one, or NULL. */
static const char *tags_other_name(const struct tags *tags, int which)
{
	const char *name = tags->name[which];
	return name && strcmp(name, standard[which]) != 0 ? name : NULL;
}

/* The longest of the names that the text begins with. */
static size_t tags_read_named(const struct tags *tags, const char *text, struct piece *ret)
{
	size_t longest = 0;
	for (int i = 0; i < TAG_NAMES; i++) {
		const char *name = tags->name[i] ? tags->name[i] : standard[i];
		size_t n = strlen(name);
		if (n <= longest || strncmp(text, name, n) != 0)
			continue;
		longest = n;
		*ret = (struct piece){ .kind = PIECE_TEXT };
		tags_make_named((enum tag_name)i, ret);
	}
	return longest;
}

/* The length of a number such as 2 or -1 with a value in *ret. */
static size_t tags_read_position(const char *at, const char *end, long *ret)
{
	char *behind;
	*ret = 0;
	if (!isdigit((unsigned char)at[at[0] == '-']))
		return 0;
	*ret = strtol(at, &behind, 10);
	return behind <= end && *ret ? (size_t)(behind - at) : 0;
}

static size_t tags_read_column(const struct tags *tags, const char *at, const char *end, long *ret)
{
	size_t longest = 0;
	for (size_t i = 0; i < tags->columns; i++) {
		size_t n = strlen(tags->column[i]);
		if (n > longest && n <= (size_t)(end - at) &&
		    strncmp(at, tags->column[i], n) == 0) {
			longest = n;
			*ret = (long)i + 1;
		}
	}
	return longest;
}

/* The inside of braces behind a position or a name: 1, 0, or -EINVAL. */
static int tags_read_change(
    const struct tags *tags, const char *at, const char *end, struct piece *ret)
{
	size_t length = (size_t)(end - at);
	ret->kind = PIECE_VALUE;
	if (change_named(at, length, tags->plus, &ret->change.kind))
		return 1;
	return tags->plus ? change_read_plus(at, length, &ret->change) : 0;
}

static bool tags_read_count(const struct tags *tags, const char *at, size_t n, struct piece *ret)
{
	bool padded = n == 2 && at[0] == '0' && (at[1] == '#' || at[1] == '%');
	bool total = n == 2 && strncmp(at, "##", 2) == 0;
	if (!tags->plus || (!padded && !total))
		return false;
	*ret = (struct piece){ .kind = total ? PIECE_TOTAL
		    : at[1] == '#'           ? PIECE_NUMBER
					     : PIECE_PLACE,
		.padded = padded };
	return true;
}

/* With -I {o}: {2o}, and no {2}; with -I TEXT: no {2}. So -I lets a command have {1} as it is. */
static long tags_read_other_position(const struct tags *tags, const char *text, struct piece *ret)
{
	const char *end = text[0] == '{' ? strchr(text, '}') : NULL;
	long which = 0;
	size_t n = end ? tags_read_position(text + 1, end, &which) : 0;
	for (int i = 0; n && i < TAG_NUMBER; i++) {
		const char *name = tags_other_name(tags, i);
		size_t length = name && name[0] == '{' ? strlen(name + 1) : 0;
		if (length < 2 || name[length] != '}' ||
		    strncmp(text + 1 + n, name + 1, length) != 0)
			continue;
		*ret = (struct piece){ .which = which };
		tags_make_named((enum tag_name)i, ret);
		return (long)(1 + n + length);
	}
	return 0;
}

/* Does the inside of braces behind a position belong to a name that an option has replaced? */
static bool tags_is_replaced(const struct tags *tags, const char *at, const char *end)
{
	for (int i = 0; i < TAG_NUMBER; i++) {
		size_t length = strlen(standard[i]) - 2;
		if (tags_other_name(tags, i) && length == (size_t)(end - at) &&
		    strncmp(standard[i] + 1, at, length) == 0)
			return true;
	}
	return false;
}

/* {2}, {-1/}, {NAME}, {NAME.}; with --plus {..}, {2..}, {:1:2} and the like. */
static long tags_read_braces(const struct tags *tags, const char *text, struct piece *ret)
{
	const char *end = text[0] == '{' ? strchr(text, '}') : NULL, *at = text + 1;
	struct piece piece = { .kind = PIECE_VALUE };
	if (!end)
		return 0;
	long taken = end + 1 - text;
	if (tags_read_count(tags, at, (size_t)(end - at), ret))
		return taken;
	size_t n = tags_read_column(tags, at, end, &piece.which);
	if (n == 0) {
		n = tags_read_position(at, end, &piece.which);
		if (n && tags_is_replaced(tags, at + n, end))
			return 0;
	}
	if (n == 0 && (!tags->plus || at == end))
		return 0;
	int r = tags_read_change(tags, at + n, end, &piece);
	if (r > 0)
		*ret = piece;
	else
		change_free(&piece.change);
	return r > 0 ? taken : r;
}

/* {= RULES =}, {=2 RULES =} */
static long tags_read_expression(const struct tags *tags, const char *text, struct piece *ret)
{
	const char *parens = tags->parens ? tags->parens : "{==}";
	size_t n = strlen(parens) / 2;
	if (n == 0 || strncmp(text, parens, n) != 0)
		return 0;
	const char *at = text + n, *end = strstr(at, parens + n);
	if (!end)
		return 0;
	*ret = (struct piece){ .kind = PIECE_VALUE };
	at += tags_read_position(at, end, &ret->which);
	int r = change_read_rules(at, (size_t)(end - at), &ret->change);
	if (r < 0)
		change_free(&ret->change);
	return r < 0 ? r : end + (long)(strlen(parens) - n) - text;
}

/* "TAG RULES" of --rpl; a TAG in braces also with a position: {2TAG}. */
static long tags_read_rule(const char *rule, const char *text, struct piece *ret)
{
	size_t n = strcspn(rule, " \t"), taken = n;
	*ret = (struct piece){ .kind = PIECE_VALUE };
	if (strncmp(text, rule, n) != 0) {
		size_t digits = rule[0] == '{' && text[0] == '{'
		    ? tags_read_position(text + 1, text + strlen(text), &ret->which)
		    : 0;
		if (digits == 0 || strncmp(text + 1 + digits, rule + 1, n - 1) != 0)
			return 0;
		taken += digits;
	}
	int r = change_read_rules(rule + n, strlen(rule + n), &ret->change);
	if (r < 0)
		change_free(&ret->change);
	return r < 0 ? r : (long)taken;
}

long tags_read(const struct tags *tags, const char *text, struct piece *ret)
{
	for (size_t i = 0; i < tags->rules; i++) {
		long n = tags_read_rule(tags->rule[i], text, ret);
		if (n)
			return n;
	}
	if (text == tags->place_from_zero) {
		*ret = (struct piece){ .kind = PIECE_PLACE, .from_zero = true };
		return 1;
	}
	long n = (long)tags_read_named(tags, text, ret);
	if (n == 0)
		n = tags_read_expression(tags, text, ret);
	if (n == 0)
		n = tags_read_other_position(tags, text, ret);
	return n ? n : tags_read_braces(tags, text, ret);
}

size_t tags_plain(const struct tags *tags, const char *text)
{
	size_t n = strcspn(text, "{");
	uintptr_t place = (uintptr_t)tags->place_from_zero, from = (uintptr_t)text;
	if (place >= from && place - from < n)
		n = place - from;
	const char *parens = tags->parens;
	for (int i = 0; i < TAG_NAMES; i++) {
		const char *at = tags->name[i] ? strstr(text, tags->name[i]) : NULL;
		n = at && (size_t)(at - text) < n ? (size_t)(at - text) : n;
	}
	for (size_t i = 0; i < tags->rules; i++) {
		const char *at = strchr(text, tags->rule[i][0]);
		n = at && (size_t)(at - text) < n ? (size_t)(at - text) : n;
	}
	const char *at = parens && parens[0] ? strchr(text, parens[0]) : NULL;
	return at && (size_t)(at - text) < n ? (size_t)(at - text) : n;
}
