#include "cli/map/map_sources.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/why.h"

enum { READ_BYTES = 64 << 10 };

struct source {
	bool linked; /* to the source before */
	/* words */
	char *const *word;
	size_t words;
	bool named; /* the first word is the name of the source */
	/* or lines */
	const char *path; /* NULL: words */
	int fd;
	bool ready_always; /* a file: reading it takes no waiting */
	struct text buffer;
	size_t at; /* words that were read; bytes of buffer that were used */
	uint64_t lines;
	bool ended;
};

struct list { /* kept rows */
	struct text values;
	size_t *begin;
	size_t rows, room;
};

struct group { /* linked sources */
	struct source *source;
	size_t sources;
	size_t read;      /* sources of the present row */
	struct list kept; /* rows; the first group keeps none, unless wrap is set */
	size_t at;        /* row in kept */
};

struct sources {
	struct source *source;
	size_t sources;
	struct group *group;
	size_t groups;
	bool wrap;
	struct ending delimiter;
	struct row names; /* of the sources, with inputs->named */
	struct row head;  /* of the first group */
	bool has_head;
	uint64_t wrapped; /* rows so far, with wrap */
};

enum source_mark source_mark(const struct inputs *inputs, const char *word)
{
	const char *const mark[] = { inputs->separator ? inputs->separator : ":::",
		inputs->file_separator ? inputs->file_separator : "::::" };
	for (int i = 0; i < 2; i++) {
		size_t n = strlen(mark[i]);
		if (strncmp(word, mark[i], n) != 0)
			continue;
		if (word[n] == 0)
			return i ? MARK_FILES : MARK_WORDS;
		if (word[n] == '+' && word[n + 1] == 0)
			return i ? MARK_FILES_LINKED : MARK_WORDS_LINKED;
	}
	return MARK_NONE;
}

/* ---- opening ---- */

static int sources_open_file(struct source *source, const char *path)
{
	struct stat st;
	bool standard = strcmp(path, "-") == 0;
	*source = (struct source){ .path = standard ? "stdin" : path, .linked = source->linked };
	source->fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	if (source->fd < 0)
		return why(-errno, "cannot open the input file %s: %s", path, strerror(errno));
	source->ready_always = fstat(source->fd, &st) == 0 && S_ISREG(st.st_mode);
	return 0;
}

static struct source *sources_add(struct sources *s, bool linked)
{
	struct source *source = &s->source[s->sources++];
	*source = (struct source){ .fd = -1, .linked = linked && s->sources > 1 };
	return source;
}

/* Opens the sources of one mark; returns how many words they took, or -errno. */
static int sources_take_mark(struct sources *s, const struct inputs *inputs, size_t at)
{
	char *const *words = inputs->word + at;
	size_t count = inputs->words - at, n = 1;
	enum source_mark mark = source_mark(inputs, words[0]);
	bool files = mark == MARK_FILES || mark == MARK_FILES_LINKED;
	bool linked = mark == MARK_WORDS_LINKED || mark == MARK_FILES_LINKED;
	while (n < count && source_mark(inputs, words[n]) == MARK_NONE)
		n++;
	if (files && n == 1)
		return why(-EINVAL, "%s needs a file after it; - is stdin", words[0]);
	if (!files) {
		struct source *source = sources_add(s, linked);
		source->word = words + 1;
		source->words = n - 1;
	}
	for (size_t i = 1; files && i < n; i++) {
		int r = sources_open_file(sources_add(s, linked), words[i]);
		if (r < 0)
			return r;
	}
	return (int)n;
}

static int sources_make(struct sources *s, const struct inputs *inputs)
{
	size_t count = inputs->words, most = inputs->files + count + 1;
	s->source = calloc(most, sizeof *s->source);
	s->group = calloc(most, sizeof *s->group);
	if (!s->source || !s->group)
		return why(-ENOMEM, "no memory for the sources of inputs");
	for (size_t i = 0; i < inputs->files; i++) {
		int r = sources_open_file(sources_add(s, false), inputs->file[i]);
		if (r < 0)
			return r;
	}
	if (inputs->files + count == 0)
		return sources_open_file(sources_add(s, false), "-");
	for (size_t i = 0; i < count;) {
		int n = sources_take_mark(s, inputs, i);
		if (n < 0)
			return n;
		i += (size_t)n;
	}
	return 0;
}

static void sources_make_groups(struct sources *s)
{
	for (size_t i = 0; i < s->sources; i++) {
		if (!s->source[i].linked || s->wrap)
			s->group[s->groups++].source = &s->source[i];
		s->group[s->groups - 1].sources++;
	}
}

void sources_close(struct sources **sp)
{
	struct sources *s = *sp;
	if (!s)
		return;
	for (size_t i = 0; i < s->sources; i++) {
		if (s->source[i].path && s->source[i].fd > STDERR_FILENO)
			close(s->source[i].fd);
		text_free(&s->source[i].buffer);
	}
	for (size_t i = 0; i < s->groups; i++) {
		text_free(&s->group[i].kept.values);
		free(s->group[i].kept.begin);
	}
	text_free(&s->head.values);
	text_free(&s->names.values);
	free(s->source);
	free(s->group);
	free(s);
	*sp = NULL;
}

/* ---- the values of one source ---- */

static int sources_add_line(struct source *source, const char *line, size_t length, struct row *row)
{
	source->lines++;
	if (memchr(line, 0, length))
		return why(-EBADMSG,
		    "input %llu of %s has a zero byte in it, which no program can "
		    "be given; if zero bytes part the inputs, say --null",
		    (unsigned long long)source->lines, source->path);
	text_add(&row->values, line, length);
	text_byte(&row->values, 0);
	row->count++;
	return 1;
}

/* 1: bytes came, or the end; -EAGAIN: not yet. */
static int sources_read_more(struct source *source, bool wait)
{
	struct pollfd readable = { .fd = source->fd, .events = POLLIN };
	if (!wait && !source->ready_always && poll(&readable, 1, 0) == 0)
		return -EAGAIN;
	if (source->at)
		memmove(source->buffer.data, source->buffer.data + source->at,
		    source->buffer.length - source->at);
	source->buffer.length -= source->at;
	source->at = 0;
	char piece[READ_BYTES];
	ssize_t n = read(source->fd, piece, sizeof piece);
	if (n < 0)
		return errno == EINTR || errno == EAGAIN
		    ? -EAGAIN
		    : why(-EIO, "cannot read inputs from %s: %s", source->path, strerror(errno));
	source->ended = n == 0;
	text_add(&source->buffer, piece, (size_t)n);
	return 1;
}

static const char *sources_find(const char *at, size_t length, struct ending ending)
{
	return ending.length == 1 ? memchr(at, ending.text[0], length)
				  : memmem(at, length, ending.text, ending.length);
}

static int sources_next_line(
    struct source *source, struct ending delimiter, bool wait, struct row *row)
{
	size_t looked = 0;
	for (;;) {
		size_t left = source->buffer.length - source->at;
		const char *begin = left ? source->buffer.data + source->at : "";
		const char *end =
		    left > looked ? sources_find(begin + looked, left - looked, delimiter) : NULL;
		if (end) {
			source->at += (size_t)(end - begin) + delimiter.length;
			return sources_add_line(source, begin, (size_t)(end - begin), row);
		}
		if (source->ended) {
			source->at = source->buffer.length;
			return left ? sources_add_line(source, begin, left, row) : 0;
		}
		looked = left < delimiter.length ? 0 : left - delimiter.length + 1;
		int r = sources_read_more(source, wait);
		if (r == -EAGAIN && wait)
			continue;
		if (r < 0)
			return r;
	}
}

static int sources_next_value(
    struct source *source, struct ending delimiter, bool wait, struct row *row)
{
	if (source->path)
		return sources_next_line(source, delimiter, wait, row);
	if (source->at == source->words)
		return 0;
	const char *word = source->word[source->at++];
	text_add(&row->values, word, strlen(word) + 1);
	row->count++;
	return 1;
}

/* ---- rows ---- */

/* Continues where an earlier call met a source without input. */
static int sources_group_next(struct group *g, struct ending delimiter, bool wait, struct row *row)
{
	for (; g->read < g->sources; g->read++) {
		int r = sources_next_value(&g->source[g->read], delimiter, wait, row);
		if (r <= 0)
			return r;
	}
	g->read = 0;
	return 1;
}

static int sources_list_add(struct list *list, const struct row *row)
{
	if (list->rows + 1 >= list->room) {
		size_t room = list->room ? 2 * list->room : 64;
		size_t *begin = realloc(list->begin, room * sizeof *begin);
		if (!begin)
			return why(-ENOMEM, "no memory for %zu inputs", list->rows);
		list->begin = begin;
		list->room = room;
	}
	list->begin[list->rows++] = list->values.length;
	text_add(&list->values, row->values.data, row->values.length);
	list->begin[list->rows] = list->values.length;
	return 0;
}

static int sources_group_keep(struct group *g, struct ending delimiter)
{
	struct row row = { .count = 0 };
	int r;
	while ((r = sources_group_next(g, delimiter, true, &row)) == 1) {
		r = sources_list_add(&g->kept, &row);
		if (r < 0)
			break;
		row.values.length = row.count = 0;
	}
	text_free(&row.values);
	return r;
}

static int sources_keep_all(struct sources *s)
{
	int r = 0;
	for (size_t i = s->wrap ? 0 : 1; r == 0 && i < s->groups; i++)
		r = sources_group_keep(&s->group[i], s->delimiter);
	return r;
}

/* Reads the first value of each source: the name of its values. */
static int sources_take_names(struct sources *s)
{
	for (size_t i = 0; i < s->sources; i++) {
		int r = sources_next_value(&s->source[i], s->delimiter, true, &s->names);
		if (r < 0)
			return r;
		s->source[i].named = r > 0;
		if (r == 0) { /* an empty source has no name */
			text_byte(&s->names.values, 0);
			s->names.count++;
		}
	}
	return 0;
}

struct row *sources_names(struct sources *s)
{
	return &s->names;
}

int sources_open(
    struct sources **ret, const struct inputs *inputs, bool wrap, struct ending delimiter)
{
	struct sources *s = calloc(1, sizeof *s);
	if (!s)
		return why(-ENOMEM, "no memory for the sources of inputs");
	s->wrap = wrap;
	s->delimiter = delimiter;
	*ret = s;
	int r = sources_make(s, inputs);
	if (r == 0) {
		sources_make_groups(s);
		r = inputs->named ? sources_take_names(s) : 0;
	}
	if (r == 0) {
		r = sources_keep_all(s);
	}
	if (r < 0)
		sources_close(ret);
	return r;
}

static void sources_add_kept(const struct group *g, size_t at, struct row *row)
{
	const struct list *list = &g->kept;
	text_add(&row->values, list->values.data + list->begin[at],
	    list->begin[at + 1] - list->begin[at]);
	row->count += g->sources;
}

static uint64_t sources_wrapped_total(const struct sources *s)
{
	uint64_t most = 0;
	for (size_t i = 0; i < s->groups; i++) {
		if (s->group[i].kept.rows == 0)
			return 0;
		if (s->group[i].kept.rows > most)
			most = s->group[i].kept.rows;
	}
	return most;
}

static int sources_next_wrapped(struct sources *s, struct row *row)
{
	if (s->wrapped == sources_wrapped_total(s))
		return 0;
	for (size_t i = 0; i < s->groups; i++)
		sources_add_kept(&s->group[i], (size_t)(s->wrapped % s->group[i].kept.rows), row);
	s->wrapped++;
	return 1;
}

/* The last group turns fastest. After a full turn of all groups the first group moves on. */
static void sources_turn(struct sources *s)
{
	for (size_t i = s->groups - 1; i > 0; i--) {
		if (++s->group[i].at < s->group[i].kept.rows)
			return;
		s->group[i].at = 0;
	}
	s->has_head = false;
	s->head.values.length = s->head.count = 0;
}

static bool sources_any_is_empty(const struct sources *s)
{
	for (size_t i = 1; i < s->groups; i++)
		if (s->group[i].kept.rows == 0)
			return true;
	return false;
}

int sources_next(struct sources *s, struct row *row)
{
	row->values.length = row->count = 0;
	if (s->wrap)
		return sources_next_wrapped(s, row);
	if (sources_any_is_empty(s))
		return 0;
	if (!s->has_head) {
		int r = sources_group_next(&s->group[0], s->delimiter, false, &s->head);
		if (r <= 0)
			return r;
		s->has_head = true;
	}
	text_add(&row->values, s->head.values.data, s->head.values.length);
	row->count = s->head.count;
	for (size_t i = 1; i < s->groups; i++)
		sources_add_kept(&s->group[i], s->group[i].at, row);
	sources_turn(s);
	return 1;
}

int sources_fd(const struct sources *s)
{
	const struct group *first = &s->group[0];
	const struct source *source = &first->source[first->read];
	return s->wrap || s->has_head || !source->path || source->ready_always ? -1 : source->fd;
}

uint64_t sources_total(const struct sources *s)
{
	if (s->wrap)
		return sources_wrapped_total(s);
	uint64_t total = UINT64_MAX;
	for (size_t i = 0; i < s->group[0].sources; i++) {
		const struct source *source = &s->group[0].source[i];
		if (source->path)
			return 0;
		uint64_t words = source->words - source->named;
		total = words < total ? words : total;
	}
	for (size_t i = 1; i < s->groups; i++)
		total *= s->group[i].kept.rows;
	return total;
}
