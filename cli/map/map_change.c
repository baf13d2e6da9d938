#include "cli/map/map_change.h"

#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/why.h"
#include "cli/map/map_regex.h"

enum rule_kind {
	RULE_REPLACE,
	RULE_IF_EMPTY,
	RULE_SUBSTRING,
	RULE_SHORT_PREFIX,
	RULE_SHORT_SUFFIX,
	RULE_UPPER,
	RULE_LOWER,
};

enum { GROUPS = 10 };

struct rule {
	struct rule *next;
	enum rule_kind kind;
	bool has_regex, all;
	regex_t regex;
	struct text text;
	size_t from, length;
};

static const char *const names[CHANGE_KINDS] = {
	[CHANGE_NONE] = "",
	[CHANGE_STEM] = ".",
	[CHANGE_BASE] = "/",
	[CHANGE_FOLDER] = "//",
	[CHANGE_BASE_STEM] = "/.",
	[CHANGE_STEM_2] = "..",
	[CHANGE_STEM_3] = "...",
	[CHANGE_BASE_STEM_2] = "/..",
	[CHANGE_BASE_STEM_3] = "/...",
	[CHANGE_PARENT] = "+/",
	[CHANGE_ENDING] = "+.",
	[CHANGE_ENDING_2] = "+..",
	[CHANGE_ENDING_3] = "+...",
};

bool change_named(const char *text, size_t length, bool plus, enum change_kind *ret)
{
	enum change_kind end = plus ? CHANGE_KINDS : CHANGE_STEM_2;
	for (enum change_kind kind = CHANGE_NONE; kind < end; kind++) {
		if (strlen(names[kind]) != length || strncmp(names[kind], text, length) != 0)
			continue;
		*ret = kind;
		return true;
	}
	return false;
}

/* ---- parts of paths ---- */

/* Where the last `endings` endings begin, at their first dot; length: there are fewer. */
static size_t change_endings(struct slice s, unsigned endings)
{
	for (size_t i = s.length; i-- > 0 && s.at[i] != '/';)
		if (s.at[i] == '.' && --endings == 0)
			return i;
	return s.length;
}

static struct slice change_stem(struct slice s, unsigned endings)
{
	return (struct slice){ s.at, change_endings(s, endings) };
}

static struct slice change_base(struct slice s)
{
	const char *slash = memrchr(s.at, '/', s.length);
	size_t before = slash ? (size_t)(slash + 1 - s.at) : 0;
	return (struct slice){ s.at + before, s.length - before };
}

static struct slice change_ending(struct slice s, unsigned endings)
{
	size_t at = change_endings(s, endings);
	at += at < s.length;
	return (struct slice){ s.at + at, s.length - at };
}

static struct slice change_parent(struct slice s)
{
	const char *slash = memrchr(s.at, '/', s.length);
	return (struct slice){ s.at, slash ? (size_t)(slash - s.at) : 0 };
}

/* As dirname(1) has it: "a/b/" is in "a", "/a" in "/", "a" in ".". */
static struct slice change_folder(struct slice s)
{
	static const struct slice here = { ".", 1 };
	while (s.length > 1 && s.at[s.length - 1] == '/')
		s.length--;
	const char *slash = memrchr(s.at, '/', s.length);
	if (!slash)
		return here;
	s.length = (size_t)(slash - s.at);
	while (s.length > 1 && s.at[s.length - 1] == '/')
		s.length--;
	return s.length ? s : (struct slice){ "/", 1 };
}

/* ---- reading rules ---- */

static struct rule *change_add_rule(struct change *change, enum rule_kind kind)
{
	struct rule *rule = calloc(1, sizeof *rule), **last = &change->rules;
	if (!rule)
		return NULL;
	while (*last)
		last = &(*last)->next;
	*last = rule;
	rule->kind = kind;
	change->kind = CHANGE_RULES;
	return rule;
}

static int change_add_regex(struct change *change, enum rule_kind kind, const char *before,
    const char *expression, size_t length, const char *after, int flags)
{
	struct rule *rule = change_add_rule(change, kind);
	struct text text = { .data = NULL };
	if (!rule)
		return why(-ENOMEM, "no memory");
	text_words(&text, before);
	text_add(&text, expression, length);
	text_words(&text, after);
	text_byte(&text, 0);
	int r = regex_make(&rule->regex, "a replacement string:", text.data, flags);
	rule->has_regex = r == 0;
	text_free(&text);
	return r;
}

static struct rule *change_last_rule(const struct change *change)
{
	struct rule *rule = change->rules;
	while (rule->next)
		rule = rule->next;
	return rule;
}

/* The length of a part of s/RE/TEXT/ up to its delimiter; the delimiter may be escaped. */
static size_t change_part(const char *at, const char *end, char delimiter)
{
	const char *begin = at;
	while (at < end && *at != delimiter)
		at += *at == '\\' && at + 1 < end ? 2 : 1;
	return (size_t)(at - begin);
}

/* Reads s/RE/TEXT/FLAGS behind the s; *at is then behind the flags. */
static int change_read_substitution(struct change *change, const char **at, const char *end)
{
	char delimiter = **at;
	const char *expression = *at + 1;
	size_t length = change_part(expression, end, delimiter);
	const char *text = expression + length + 1;
	size_t text_length = text < end ? change_part(text, end, delimiter) : 0;
	const char *flag = text + text_length + 1;
	bool all = false;
	int flags = 0;
	if (text >= end || text + text_length >= end)
		return why(-EINVAL, "s%c...%c...%c has no end: s%.*s", delimiter, delimiter,
		    delimiter, (int)(end - *at), *at);
	for (; flag < end && isalpha((unsigned char)*flag); flag++) {
		all = all || *flag == 'g';
		flags |= *flag == 'i' ? REG_ICASE : 0;
		if (!strchr("gimosx", *flag) || *flag == 'x')
			return why(-EINVAL, "s/// has the flags g and i, not %c", *flag);
	}
	int r = change_add_regex(change, RULE_REPLACE, "", expression, length, "", flags);
	if (r < 0)
		return r;
	struct rule *rule = change_last_rule(change);
	rule->all = all;
	text_add(&rule->text, text, text_length);
	*at = flag;
	return 0;
}

int change_read_rules(const char *text, size_t length, struct change *ret)
{
	const char *at = text, *end = text + length;
	int r = 0;
	ret->kind = CHANGE_RULES;
	while (r == 0 && at < end) {
		size_t left = (size_t)(end - at);
		if (isspace((unsigned char)*at) || *at == ';') {
			at++;
		} else if (left > 2 && *at == 's' && ispunct((unsigned char)at[1])) {
			at++;
			r = change_read_substitution(ret, &at, end);
		} else if (left >= 2 && strncmp(at, "uq", 2) == 0) {
			ret->unquoted = true;
			at += left >= 4 && strncmp(at, "uq()", 4) == 0 ? 4 : 2;
		} else {
			r = why(-EINVAL,
			    "a replacement string may say s/REGEXP/TEXT/gi and uq; this is Perl, "
			    "which plmctl has not: %.*s",
			    (int)left, at);
		}
	}
	return r;
}

/* ---- the forms of --plus ---- */

static int change_read_colon(const char *text, size_t length, struct change *ret)
{
	char *end;
	if (length > 2 && text[1] == '-') {
		struct rule *rule = change_add_rule(ret, RULE_IF_EMPTY);
		if (rule)
			text_add(&rule->text, text + 2, length - 2);
		return rule ? 1 : why(-ENOMEM, "no memory");
	}
	if (length < 2 || !isdigit((unsigned char)text[1]))
		return 0;
	unsigned long from = strtoul(text + 1, &end, 10), count = SIZE_MAX;
	if (*end == ':' && isdigit((unsigned char)end[1]))
		count = strtoul(end + 1, &end, 10);
	if (end != text + length)
		return 0;
	struct rule *rule = change_add_rule(ret, RULE_SUBSTRING);
	if (!rule)
		return why(-ENOMEM, "no memory");
	rule->from = from;
	rule->length = count;
	return 1;
}

static int change_read_slash(const char *text, size_t length, struct change *ret)
{
	bool all = length > 1 && text[1] == '/';
	bool front = length > 1 && text[1] == '#', back = length > 1 && text[1] == '%';
	const char *expression = text + 1 + (all || front || back);
	const char *end = text + length;
	const char *slash = memchr(expression, '/', (size_t)(end - expression));
	if (!slash || slash == expression)
		return 0;
	int r = change_add_regex(ret, RULE_REPLACE, front ? "^(" : "(", expression,
	    (size_t)(slash - expression), back ? ")$" : ")", 0);
	if (r < 0)
		return r;
	change_last_rule(ret)->all = all;
	text_add(&change_last_rule(ret)->text, slash + 1, (size_t)(end - slash - 1));
	return 1;
}

/* {#re} {##re} {%re} {%%re} {^re} {^^re} {,re} {,,re} */
static int change_read_doubled(const char *text, size_t length, struct change *ret)
{
	bool twice = length > 1 && text[1] == text[0];
	const char *expression = text + 1 + twice;
	size_t n = length - 1 - twice;
	int r = 0;
	if (n == 0)
		return 0;
	switch (text[0]) {
	case '#':
		r = twice ? change_add_regex(ret, RULE_REPLACE, "^(", expression, n, ")", 0)
			  : change_add_regex(ret, RULE_SHORT_PREFIX, "^(", expression, n, ")$", 0);
		break;
	case '%':
		r = twice ? change_add_regex(ret, RULE_REPLACE, "(", expression, n, ")$", 0)
			  : change_add_regex(ret, RULE_SHORT_SUFFIX, "^(", expression, n, ")$", 0);
		break;
	default:
		r = change_add_regex(ret, text[0] == '^' ? RULE_UPPER : RULE_LOWER,
		    twice ? "(" : "^(", expression, n, ")", 0);
		if (r == 0)
			change_last_rule(ret)->all = twice;
	}
	return r < 0 ? r : 1;
}

int change_read_plus(const char *text, size_t length, struct change *ret)
{
	if (length < 2)
		return 0;
	switch (text[0]) {
	case ':': return change_read_colon(text, length, ret);
	case '/': return change_read_slash(text, length, ret);
	case '#':
	case '%':
	case '^':
	case ',': return change_read_doubled(text, length, ret);
	default: return 0;
	}
}

void change_free(struct change *change)
{
	for (struct rule *rule = change->rules, *next; rule; rule = next) {
		next = rule->next;
		if (rule->has_regex)
			regfree(&rule->regex);
		text_free(&rule->text);
		free(rule);
	}
	change->rules = NULL;
}

/* ---- applying rules ---- */

/* Appends the text of s///: $1 and \1 stand for groups, $& for the match. */
static void change_add_text(
    const struct text *text, const char *value, const regmatch_t *match, struct text *to)
{
	for (size_t i = 0; i < text->length; i++) {
		char c = text->data[i], next = i + 1 < text->length ? text->data[i + 1] : 0;
		bool group = (c == '$' || c == '\\') && isdigit((unsigned char)next);
		size_t which = group ? (size_t)(next - '0') : 0;
		if (group || (c == '$' && next == '&')) {
			if (match[which].rm_so >= 0)
				text_add(to, value + match[which].rm_so,
				    (size_t)(match[which].rm_eo - match[which].rm_so));
			i++;
		} else if (c == '\\' && next) {
			text_byte(to, next == 'n' ? '\n' : next == 't' ? '\t' : next);
			i++;
		} else {
			text_byte(to, c);
		}
	}
}

static void change_add_match(
    const struct rule *rule, const char *value, const regmatch_t *match, struct text *to)
{
	if (rule->kind == RULE_REPLACE) {
		change_add_text(&rule->text, value, match, to);
		return;
	}
	for (regoff_t i = match[0].rm_so; i < match[0].rm_eo; i++)
		text_byte(to,
		    (char)(rule->kind == RULE_UPPER ? toupper((unsigned char)value[i])
						    : tolower((unsigned char)value[i])));
}

static bool change_match(const struct rule *rule, struct slice s, size_t from, regmatch_t *ret)
{
	ret[0] = (regmatch_t){ (regoff_t)from, (regoff_t)s.length };
	return regexec(&rule->regex, s.at, GROUPS, ret, REG_STARTEND) == 0;
}

static void change_replace(const struct rule *rule, struct slice s, struct text *to)
{
	regmatch_t match[GROUPS];
	size_t at = 0, from = 0;
	while (from <= s.length && change_match(rule, s, from, match)) {
		size_t end = (size_t)match[0].rm_eo, begin = (size_t)match[0].rm_so;
		text_add(to, s.at + at, begin - at);
		change_add_match(rule, s.at, match, to);
		at = end;
		from = end > begin ? end : end + 1;
		if (!rule->all)
			break;
	}
	text_add(to, s.at + at, s.length - at);
}

/* Removes the shortest prefix, or suffix, that matches as a whole. */
static struct slice change_shorten(const struct rule *rule, struct slice s)
{
	regmatch_t match[GROUPS];
	bool prefix = rule->kind == RULE_SHORT_PREFIX;
	for (size_t n = 1; n <= s.length; n++) {
		size_t begin = prefix ? 0 : s.length - n;
		struct slice part = { s.at + begin, n };
		if (!change_match(rule, part, 0, match))
			continue;
		return prefix ? (struct slice){ s.at + n, s.length - n }
			      : (struct slice){ s.at, begin };
	}
	return s;
}

/* A part of the value, a text of the rule, or the new content of scratch. */
static struct slice change_apply_rule(const struct rule *rule, struct slice s, struct text *scratch)
{
	struct text made = { .data = NULL };
	size_t from = rule->from < s.length ? rule->from : s.length, most = s.length - from;
	switch (rule->kind) {
	case RULE_IF_EMPTY:
		return s.length ? s : (struct slice){ rule->text.data, rule->text.length };
	case RULE_SUBSTRING:
		return (struct slice){ s.at + from, rule->length < most ? rule->length : most };
	case RULE_SHORT_PREFIX:
	case RULE_SHORT_SUFFIX: return change_shorten(rule, s);
	default: break;
	}
	change_replace(rule, s, &made); /* s may lie in scratch */
	text_byte(&made, 0);            /* the next rule may be a regular expression */
	made.length--;
	text_free(scratch);
	*scratch = made;
	return (struct slice){ made.data ? made.data : "", made.length };
}

static struct slice change_apply_rules(
    const struct change *change, struct slice s, struct text *scratch)
{
	for (const struct rule *rule = change->rules; rule; rule = rule->next)
		s = change_apply_rule(rule, s, scratch);
	return s;
}

struct slice change_apply(const struct change *change, struct slice s, struct text *scratch)
{
	switch (change->kind) {
	case CHANGE_NONE: return s;
	case CHANGE_STEM: return change_stem(s, 1);
	case CHANGE_BASE: return change_base(s);
	case CHANGE_FOLDER: return change_folder(s);
	case CHANGE_BASE_STEM: return change_stem(change_base(s), 1);
	case CHANGE_STEM_2: return change_stem(s, 2);
	case CHANGE_STEM_3: return change_stem(s, 3);
	case CHANGE_BASE_STEM_2: return change_stem(change_base(s), 2);
	case CHANGE_BASE_STEM_3: return change_stem(change_base(s), 3);
	case CHANGE_PARENT: return change_parent(s);
	case CHANGE_ENDING: return change_ending(s, 1);
	case CHANGE_ENDING_2: return change_ending(s, 2);
	case CHANGE_ENDING_3: return change_ending(s, 3);
	case CHANGE_RULES: break;
	}
	return change_apply_rules(change, s, scratch);
}
