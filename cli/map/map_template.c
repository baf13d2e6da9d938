#include "cli/map/map_template.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/why.h"

enum { NUMBER_BYTES = 24 };

struct template
{
	struct template_plan plan;
	bool line; /* the command is one line for plan.shell */
	bool bare; /* the value is the line, or the command in it: not quoted */
	struct piece *piece;
	size_t pieces;
	size_t bytes, value_bytes; /* of the line without values; of the text around each value */
	uint64_t total;
	unsigned jobs;
	struct text scratch;
};

/* ---- reading ---- */

static int template_add_piece(struct template *t, struct piece piece)
{
	struct piece *more = realloc(t->piece, (t->pieces + 1) * sizeof *more);
	if (!more)
		return why(-ENOMEM, "no memory for the command");
	t->piece = more;
	t->piece[t->pieces++] = piece;
	return 0;
}

/* Adds plain text. With `repeat` blanks of a line are pieces of their own. */
static int template_add_text(struct template *t, const char *text, size_t length)
{
	int r = 0;
	while (r == 0 && length) {
		bool split = t->plan.repeat && t->line;
		size_t blanks = split ? strspn(text, " \t\n") : 0;
		size_t n = split && !blanks ? strcspn(text, " \t\n") : split ? blanks : length;
		n = n < length ? n : length;
		r = template_add_piece(t,
		    (struct piece){
			.kind = blanks ? PIECE_GAP : PIECE_TEXT, .text = text, .length = n });
		text += n;
		length -= n;
	}
	return r;
}

static int template_add_word(struct template *t, const char *word)
{
	const char *text = word;
	int r = 0;
	while (r == 0 && *text) {
		struct piece piece;
		size_t plain = tags_plain(&t->plan.tags, text);
		long taken = plain == 0 ? tags_read(&t->plan.tags, text, &piece) : 0;
		if (taken < 0)
			return (int)taken;
		if (taken > 0) {
			r = template_add_piece(t, piece);
			text += taken;
			continue;
		}
		if (plain == 0) /* a brace of the command itself */
			plain = 1 + tags_plain(&t->plan.tags, text + 1);
		r = template_add_text(t, text, plain);
		text += plain;
	}
	return r == 0 ? template_add_piece(t, (struct piece){ .kind = PIECE_END }) : r;
}

static bool template_is_plain_kind(enum piece_kind kind)
{
	return kind == PIECE_TEXT || kind == PIECE_END || kind == PIECE_GAP;
}

bool template_has_replacement(const struct template *t)
{
	for (size_t i = 0; i < t->pieces; i++)
		if (!template_is_plain_kind(t->piece[i].kind))
			return true;
	return false;
}

bool template_has_value(const struct template *t)
{
	for (size_t i = 0; i < t->pieces; i++)
		if (t->piece[i].kind == PIECE_VALUE)
			return true;
	return false;
}

/* Is a replacement string (a part of) the program of the line? Then a value may be a whole command,
 * and is not quoted. */
static bool template_begins_with_value(const struct template *t)
{
	for (size_t i = 0; i < t->pieces && t->piece[i].kind != PIECE_END; i++) {
		const struct piece *piece = &t->piece[i];
		if (piece->kind == PIECE_VALUE)
			return true;
		for (size_t k = 0; k < piece->length; k++)
			if (strchr(" \t\n=", piece->text[k]))
				return false;
	}
	return false;
}

static int template_read(struct template *t)
{
	const struct template_plan *plan = &t->plan;
	int r = 0;
	for (size_t i = 0; r == 0 && i < plan->count; i++)
		r = template_add_word(t, plan->words[i]);
	if (r == 0 && plan->append && !template_has_replacement(t))
		r = template_add_word(
		    t, plan->tags.name[TAG_VALUE] ? plan->tags.name[TAG_VALUE] : "{}");
	if (r == 0 && t->line && template_begins_with_value(t))
		t->bare = true;
	return r;
}

/* ---- parts of a line ---- */

static bool template_ends_part(const struct piece *piece)
{
	return piece->kind == PIECE_END || piece->kind == PIECE_GAP;
}

static size_t template_part_end(const struct template *t, size_t begin)
{
	while (!template_ends_part(&t->piece[begin]))
		begin++;
	return begin;
}

/* Is the part, from blank to blank, made once for each value? A word that is {} alone always is. */
static bool template_repeats(const struct template *t, size_t begin, size_t end)
{
	bool all = false;
	for (size_t i = begin; i < end; i++)
		all = all || (t->piece[i].kind == PIECE_VALUE && t->piece[i].which == 0);
	bool alone = end == begin + 1 && !t->line;
	return all && (t->plan.repeat || alone);
}

/* ---- lengths ---- */

static size_t template_text_bytes(const struct template *t, size_t begin, size_t end)
{
	size_t n = 0;
	for (size_t i = begin; i < end; i++)
		n += template_is_plain_kind(t->piece[i].kind) ? t->piece[i].length
		    : t->piece[i].kind == PIECE_VALUE         ? 0
							      : NUMBER_BYTES;
	return n;
}

/* Adds up what the parts of the line take, once. */
static void template_measure(struct template *t)
{
	for (size_t i = 0, end; i < t->pieces; i = end + 1) {
		end = template_part_end(t, i);
		size_t text = template_text_bytes(t, i, end) + 1;
		bool repeats = template_repeats(t, i, end);
		if (repeats)
			t->value_bytes += text;
		else
			t->bytes += text;
		if (t->piece[end].kind == PIECE_GAP)
			t->bytes += t->piece[end].length - 1;
		for (size_t k = i; k < end; k++) {
			bool all = t->piece[k].kind == PIECE_VALUE && t->piece[k].which == 0;
			t->piece[k].measured = all;
			t->value_bytes += all && !repeats; /* the blank between values */
		}
	}
}

int template_make(struct template **ret, const struct template_plan *plan)
{
	struct template *t = calloc(1, sizeof *t);
	if (!t)
		return why(-ENOMEM, "no memory for the command");
	t->plan = *plan;
	t->line = plan->shell != NULL;
	t->bare = plan->count == 0;
	int r = template_read(t);
	if (r == 0)
		template_measure(t);
	*ret = t;
	if (r < 0) {
		template_free(t);
		*ret = NULL;
	}
	return r;
}

int template_make_text(struct template **ret, const char *text, const struct tags *tags)
{
	char *const words[] = { (char *)(uintptr_t)text };
	const struct template_plan plan = { .words = words, .count = 1, .tags = *tags };
	int r = template_make(ret, &plan);
	if (r == 0)
		(*ret)->plan.words = NULL; /* words[] ends here; the pieces point to the text */
	return r;
}

void template_free(struct template *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->pieces; i++)
		change_free(&t->piece[i].change);
	text_free(&t->scratch);
	free(t->piece);
	free(t);
}

bool template_wants_places(const struct template *t)
{
	for (size_t i = 0; i < t->pieces; i++)
		if (t->piece[i].kind == PIECE_PLACE)
			return true;
	return false;
}

bool template_wants_total(const struct template *t)
{
	for (size_t i = 0; i < t->pieces; i++)
		if (t->piece[i].kind == PIECE_TOTAL ||
		    (t->piece[i].kind == PIECE_NUMBER && t->piece[i].padded))
			return true;
	return false;
}

void template_know(struct template *t, uint64_t total, unsigned jobs)
{
	t->total = total;
	t->jobs = jobs;
}

/* ---- quoting ---- */

static bool template_is_plain(struct slice s)
{
	static const char more[] = "-_.+/";
	for (size_t i = 0; i < s.length; i++) {
		char c = s.at[i];
		bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
		    (c >= 'A' && c <= 'Z') || (c && strchr(more, c));
		if (!plain)
			return false;
	}
	return s.length > 0;
}

/* Quotes for a shell: other than plain words stand between '', and a ' between "". */
static void template_add_quoted(struct text *to, struct slice s)
{
	if (template_is_plain(s)) {
		text_add(to, s.at, s.length);
		return;
	}
	text_byte(to, '\'');
	for (size_t i = 0; i < s.length; i++) {
		if (s.at[i] == '\'')
			text_words(to, "'\"'\"'");
		else
			text_byte(to, s.at[i]);
	}
	text_byte(to, '\'');
}

static size_t template_quoted_bytes(struct slice s)
{
	size_t n = s.length + 2;
	if (template_is_plain(s))
		return s.length;
	for (size_t i = 0; i < s.length; i++)
		n += s.at[i] == '\'' ? 4 : 0;
	return n;
}

/* ---- values ---- */

void template_values(const struct job *job, struct text *ret)
{
	const char *value = job->value;
	for (size_t i = 0; i < job->values; i++) {
		if (i)
			text_byte(ret, ' ');
		text_words(ret, value);
		value += strlen(value) + 1;
	}
}

static struct slice template_changed(
    const struct template *t, const struct piece *piece, const char *value)
{
	/* The buffer of the template is scratch: the template itself does not change. */
	struct text *scratch = (struct text *)(uintptr_t)&t->scratch;
	return change_apply(&piece->change, (struct slice){ value, strlen(value) }, scratch);
}

static void template_add_value(const struct template *t, const struct piece *piece,
    const char *value, bool quoted, struct text *to)
{
	struct slice s = template_changed(t, piece, value);
	if (quoted && !piece->change.unquoted)
		template_add_quoted(to, s);
	else
		text_add(to, s.at, s.length);
}

/* The value at a position, from 1 or from -1; NULL: there is none. */
static const char *template_value_at(const struct job *job, long which)
{
	size_t values = job->values;
	size_t n = which < 0 ? values + 1 - (size_t)-which : (size_t)which;
	const char *value = job->value;
	if (n == 0 || n > values || (which < 0 && (size_t)-which > values))
		return NULL;
	for (; n > 1; n--)
		value += strlen(value) + 1;
	return value;
}

static void template_add_number(
    const struct piece *piece, uint64_t number, uint64_t largest, struct text *to)
{
	char width[NUMBER_BYTES];
	int digits =
	    piece->padded ? snprintf(width, sizeof width, "%llu", (unsigned long long)largest) : 1;
	text_format(to, "%0*llu", digits, (unsigned long long)number);
}

/* `current`: the value that a part of a line is repeated for; NULL: all values. */
static void template_add_piece_text(const struct template *t, const struct piece *piece,
    const struct job *job, const char *current, bool quoted, struct text *to)
{
	const char *value;
	switch (piece->kind) {
	case PIECE_TEXT:
	case PIECE_GAP: text_add(to, piece->text, piece->length); return;
	case PIECE_NUMBER: template_add_number(piece, job->number, t->total, to); return;
	case PIECE_PLACE:
		template_add_number(piece, job->place - piece->from_zero, t->jobs, to);
		return;
	case PIECE_TOTAL: template_add_number(piece, t->total, 0, to); return;
	case PIECE_END: return;
	case PIECE_VALUE: break;
	}
	if (piece->which || current) {
		value = piece->which ? template_value_at(job, piece->which) : current;
		if (value)
			template_add_value(t, piece, value, quoted, to);
		return;
	}
	value = job->value;
	for (size_t i = 0; i < job->values; i++, value += strlen(value) + 1) {
		if (i)
			text_byte(to, ' ');
		template_add_value(t, piece, value, quoted, to);
	}
}

/* ---- the command ---- */

static void template_add_part(const struct template *t, size_t begin, size_t end,
    const struct job *job, const char *current, bool quoted, struct text *to)
{
	for (size_t i = begin; i < end; i++)
		template_add_piece_text(t, &t->piece[i], job, current, quoted, to);
}

/* Adds the part for each value; returns how often. */
static size_t template_add_repeated(const struct template *t, size_t begin, size_t end,
    const struct job *job, char parting, bool quoted, struct text *to)
{
	const char *value = job->value;
	for (size_t n = 0; n < job->values; n++, value += strlen(value) + 1) {
		if (n)
			text_byte(to, parting);
		template_add_part(t, begin, end, job, value, quoted, to);
	}
	return job->values;
}

static void template_shell_line(const struct template *t, const struct job *job, struct text *to)
{
	if (t->plan.count == 0) {
		template_values(job, to);
		return;
	}
	for (size_t i = 0, end; i < t->pieces; i = end + 1) {
		end = template_part_end(t, i);
		if (template_repeats(t, i, end))
			template_add_repeated(t, i, end, job, ' ', !t->bare, to);
		else
			template_add_part(t, i, end, job, NULL, !t->bare, to);
		if (t->piece[end].kind == PIECE_GAP)
			text_add(to, t->piece[end].text, t->piece[end].length);
		else if (end + 1 < t->pieces)
			text_byte(to, ' ');
	}
}

static size_t template_program_words(
    const struct template *t, const struct job *job, struct text *to)
{
	size_t words = 0;
	for (size_t i = 0, end; i < t->pieces; i = end + 1) {
		size_t n = 1;
		end = template_part_end(t, i);
		if (template_repeats(t, i, end))
			n = template_add_repeated(t, i, end, job, 0, false, to);
		else
			template_add_part(t, i, end, job, NULL, false, to);
		if (n)
			text_byte(to, 0);
		words += n;
	}
	return words;
}

size_t template_words(const struct template *t, const struct job *job, struct text *ret)
{
	if (!t->line)
		return template_program_words(t, job, ret);
	text_add(ret, t->plan.shell, strlen(t->plan.shell) + 1);
	text_add(ret, "-c", sizeof "-c");
	template_shell_line(t, job, ret);
	text_byte(ret, 0);
	return 3;
}

void template_line(const struct template *t, const struct job *job, struct text *ret)
{
	if (t->line) {
		template_shell_line(t, job, ret);
		return;
	}
	struct text words = { .data = NULL };
	size_t count = template_program_words(t, job, &words);
	const char *word = words.data;
	for (size_t i = 0; i < count; i++, word += strlen(word) + 1) {
		if (i)
			text_byte(ret, ' ');
		template_add_quoted(ret, (struct slice){ word, strlen(word) });
	}
	text_free(&words);
}

void template_plain(const struct template *t, const struct job *job, struct text *ret)
{
	for (size_t i = 0; i < t->pieces; i++)
		template_add_piece_text(t, &t->piece[i], job, NULL, false, ret);
}

size_t template_bytes(const struct template *t)
{
	return t->bytes;
}

size_t template_value_bytes(const struct template *t, const char *value)
{
	size_t bytes = t->value_bytes;
	for (size_t i = 0; i < t->pieces; i++) {
		const struct piece *piece = &t->piece[i];
		if (!piece->measured)
			continue;
		struct slice s = template_changed(t, piece, value);
		bool quoted = t->line && !t->bare && !piece->change.unquoted;
		bytes += quoted ? template_quoted_bytes(s) : s.length;
	}
	return bytes;
}
