#include "cli/map/map_template.h"

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"

enum piece_kind {
	PIECE_TEXT,
	PIECE_VALUE,     /* {} */
	PIECE_STEM,      /* {.} */
	PIECE_BASE,      /* {/} */
	PIECE_FOLDER,    /* {//} */
	PIECE_BASE_STEM, /* {/.} */
	PIECE_NUMBER,    /* {#} */
	PIECE_PLACE,     /* {%} */
	PIECE_END,       /* of a word */
};

static const char *const names[] = {
	[PIECE_VALUE] = "",
	[PIECE_STEM] = ".",
	[PIECE_BASE] = "/",
	[PIECE_FOLDER] = "//",
	[PIECE_BASE_STEM] = "/.",
	[PIECE_NUMBER] = "#",
	[PIECE_PLACE] = "%",
};

struct piece {
	enum piece_kind kind;
	size_t which;     /* number of the value, from 1; 0: all values */
	const char *text; /* of argv */
	size_t length;
};

struct template
{
	bool shell; /* the command is one line */
	bool bare;  /* the value is the command */
	struct piece *piece;
	size_t pieces;
};

/* ---- reading ---- */

/* The length of "{2/.}"; 0: no replacement string. */
static size_t template_read_piece(const char *text, struct piece *ret)
{
	const char *end = strchr(text, '}');
	const char *at = text + 1;
	if (*text != '{' || !end)
		return 0;
	size_t which = 0;
	for (; *at >= '0' && *at <= '9' && which < ARGS_MAX; at++)
		which = which * 10 + (size_t)(*at - '0');
	for (enum piece_kind kind = PIECE_VALUE; kind <= PIECE_PLACE; kind++) {
		bool positional = kind < PIECE_NUMBER;
		if ((size_t)(end - at) != strlen(names[kind]) ||
		    strncmp(at, names[kind], strlen(names[kind])) != 0)
			continue;
		if (at > text + 1 && (!positional || which == 0))
			return 0;
		*ret = (struct piece){ .kind = kind, .which = which };
		return (size_t)(end - text) + 1;
	}
	return 0;
}

static bool template_add_piece(struct template *t, struct piece piece)
{
	struct piece *more = realloc(t->piece, (t->pieces + 1) * sizeof *more);
	if (!more)
		return false;
	t->piece = more;
	t->piece[t->pieces++] = piece;
	return true;
}

static bool template_add_word(struct template *t, const char *word)
{
	const char *text = word;
	bool good = true;
	while (good && *text) {
		struct piece piece;
		size_t plain = strcspn(text, "{"), taken;
		if (plain == 0 && (taken = template_read_piece(text, &piece)) > 0) {
			good = template_add_piece(t, piece);
			text += taken;
			continue;
		}
		if (plain == 0) /* a brace of the command itself */
			plain = 1 + strcspn(text + 1, "{");
		good = template_add_piece(t, (struct piece){ PIECE_TEXT, 0, text, plain });
		text += plain;
	}
	return good && template_add_piece(t, (struct piece){ .kind = PIECE_END });
}

static bool template_has_replacement(const struct template *t)
{
	for (size_t i = 0; i < t->pieces; i++)
		if (t->piece[i].kind != PIECE_TEXT && t->piece[i].kind != PIECE_END)
			return true;
	return false;
}

struct template *template_make(char *const *words, size_t count, bool shell)
{
	struct template *t = calloc(1, sizeof *t);
	bool good = t != NULL;
	if (good) {
		t->bare = count == 0;
		t->shell =
		    shell || t->bare || (count == 1 && strpbrk(words[0], " \t\n|&;<>()$`\\\"'*?["));
	}
	for (size_t i = 0; good && i < count; i++)
		good = template_add_word(t, words[i]);
	if (good && !template_has_replacement(t))
		good = template_add_word(t, "{}");
	if (!good) {
		template_free(t);
		return NULL;
	}
	return t;
}

void template_free(struct template *t)
{
	if (!t)
		return;
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

/* ---- values ---- */

struct slice {
	const char *at;
	size_t length;
};

static struct slice template_without_ending(struct slice s)
{
	for (size_t i = s.length; i-- > 0 && s.at[i] != '/';)
		if (s.at[i] == '.')
			return (struct slice){ s.at, i };
	return s;
}

static struct slice template_base(struct slice s)
{
	const char *slash = memrchr(s.at, '/', s.length);
	size_t before = slash ? (size_t)(slash + 1 - s.at) : 0;
	return (struct slice){ s.at + before, s.length - before };
}

/* As dirname(1) has it: "a/b/" is in "a", "/a" in "/", "a" in ".". */
static struct slice template_folder(struct slice s)
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

static struct slice template_changed(enum piece_kind kind, const char *value)
{
	struct slice s = { value, strlen(value) };
	switch (kind) {
	case PIECE_STEM: return template_without_ending(s);
	case PIECE_BASE: return template_base(s);
	case PIECE_FOLDER: return template_folder(s);
	case PIECE_BASE_STEM: return template_without_ending(template_base(s));
	default: return s;
	}
}

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

/* Separates several values: by a blank in a line, by the end of a word between words. */
static void template_add_values(
    const struct piece *piece, const struct job *job, bool quoted, char parting, struct text *to)
{
	const char *value = job->value;
	for (size_t i = 1; i <= job->values; i++, value += strlen(value) + 1) {
		if (piece->which && piece->which != i)
			continue;
		if (!piece->which && i > 1)
			text_byte(to, parting);
		if (quoted)
			template_add_quoted(to, template_changed(piece->kind, value));
		else
			text_add(to, template_changed(piece->kind, value).at,
			    template_changed(piece->kind, value).length);
	}
}

static void template_add_piece_text(
    const struct piece *piece, const struct job *job, bool quoted, char parting, struct text *to)
{
	switch (piece->kind) {
	case PIECE_TEXT: text_add(to, piece->text, piece->length); break;
	case PIECE_NUMBER: text_format(to, "%llu", (unsigned long long)job->number); break;
	case PIECE_PLACE: text_format(to, "%u", job->place); break;
	case PIECE_END: break;
	default: template_add_values(piece, job, quoted, parting, to);
	}
}

/* ---- the command ---- */

static void template_shell_line(const struct template *t, const struct job *job, struct text *to)
{
	if (t->bare) {
		template_values(job, to);
		return;
	}
	for (size_t i = 0; i < t->pieces; i++) {
		template_add_piece_text(&t->piece[i], job, true, ' ', to);
		if (t->piece[i].kind == PIECE_END && i + 1 < t->pieces)
			text_byte(to, ' ');
	}
}

static size_t template_program_words(
    const struct template *t, const struct job *job, struct text *to)
{
	size_t words = 0;
	for (size_t i = 0, begin = 0; i < t->pieces; i++) {
		const struct piece *piece = &t->piece[i];
		bool all_values = piece->kind >= PIECE_VALUE && piece->kind <= PIECE_BASE_STEM &&
		    piece->which == 0;
		bool alone = all_values && i == begin && t->piece[i + 1].kind == PIECE_END;
		template_add_piece_text(piece, job, false, alone ? 0 : ' ', to);
		if (alone)
			words += job->values - 1;
		if (piece->kind != PIECE_END)
			continue;
		text_byte(to, 0);
		words++;
		begin = i + 1;
	}
	return words;
}

size_t template_words(const struct template *t, const struct job *job, struct text *ret)
{
	static const char shell[] = "/bin/sh\0-c"; /* and a zero at the end */
	if (!t->shell)
		return template_program_words(t, job, ret);
	text_add(ret, shell, sizeof shell);
	template_shell_line(t, job, ret);
	text_byte(ret, 0);
	return 3;
}

void template_line(const struct template *t, const struct job *job, struct text *ret)
{
	if (t->shell) {
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
