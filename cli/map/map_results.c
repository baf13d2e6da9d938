#include "cli/map/map_results.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/why.h"

enum { NUMBER_BYTES = 24 };

/* Makes a value the name of a file: escapes slashes, and cuts long names. */
static void results_add_name(struct text *path, const char *value)
{
	size_t begin = path->length;
	for (; *value && path->length - begin < NAME_MAX - 1; value++) {
		switch (*value) {
		case '/': text_words(path, "\\_"); break;
		case '\\': text_words(path, "\\\\"); break;
		case '\t': text_words(path, "\\t"); break;
		default: text_byte(path, *value);
		}
	}
	size_t n = path->length - begin;
	const char *name = path->data + begin;
	if (n == 0)
		text_words(path, "\\0");
	else if (name[0] == '.' && (n == 1 || (n == 2 && name[1] == '.')))
		text_words(path, "\\"); /* no way up the tree */
}

static int results_make_folder(struct text *path)
{
	text_byte(path, 0);
	path->length--;
	if (mkdir(path->data, 0777) < 0 && errno != EEXIST)
		return why(
		    -EIO, "the output of a job cannot go to %s: %s", path->data, strerror(errno));
	return 0;
}

/* Makes the folders above a file, as far as they are missing. */
static int results_make_parents(struct text *path)
{
	int r = 0;
	text_byte(path, 0);
	path->length--;
	for (char *at = strchr(path->data + 1, '/'); r == 0 && at; at = strchr(at + 1, '/')) {
		*at = 0;
		if (mkdir(path->data, 0777) < 0 && errno != EEXIST)
			r = why(-EIO, "the output of a job cannot go to %s: %s", path->data,
			    strerror(errno));
		*at = '/';
	}
	return r;
}

static int results_compare(const void *one, const void *two, void *names)
{
	const char *const *name = names;
	size_t a = *(const size_t *)one, b = *(const size_t *)two;
	int order = strcmp(name[a], name[b]);
	return order ? order : (a > b) - (a < b);
}

size_t *results_order(const char *const *name, size_t count)
{
	size_t *order = calloc(count + 1, sizeof *order);
	for (size_t i = 0; i < count && order; i++)
		order[i] = i;
	if (order)
		qsort_r(order, count, sizeof *order, results_compare, (void *)(uintptr_t)name);
	return order;
}

static int results_add_folders(
    struct text *path, const struct results_names *names, size_t column, const char *value)
{
	text_byte(path, '/');
	if (column < names->count)
		results_add_name(path, names->name[column]);
	else
		text_format(path, "%zu", column + 1);
	int r = results_make_folder(path);
	text_byte(path, '/');
	results_add_name(path, value);
	return r < 0 ? r : results_make_folder(path);
}

static const char *results_value(const struct job *job, size_t at)
{
	const char *value = job->value;
	while (at--)
		value += strlen(value) + 1;
	return value;
}

/* The values of one input: columns with names first, in the order of the names. */
static int results_add_input(const struct results_names *names, const struct job *job, size_t begin,
    size_t columns, struct text *path)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < names->count; i++) {
		size_t column = names->order[i];
		if (column < columns)
			r = results_add_folders(
			    path, names, column, results_value(job, begin + column));
	}
	for (size_t column = names->count; r == 0 && column < columns; column++)
		r = results_add_folders(path, names, column, results_value(job, begin + column));
	return r;
}

/* Each of several inputs counts its values anew, as for GNU parallel. */
static int results_make_folders(const char *directory, const struct results_names *names,
    const struct job *job, struct text *path)
{
	size_t each = job->values_each ? job->values_each : 1;
	path->length = 0;
	text_words(path, directory);
	text_byte(path, '/');
	int r = results_make_parents(path);
	path->length--;
	for (size_t begin = 0; r == 0 && begin < job->values; begin += each) {
		size_t left = job->values - begin;
		r = results_add_input(names, job, begin, left < each ? left : each, path);
	}
	return r;
}

static int results_open_file(struct text *path, const char *name)
{
	size_t folder = path->length;
	text_words(path, name);
	text_byte(path, 0);
	path->length = folder;
	int fd = open(path->data, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	return fd >= 0
	    ? fd
	    : why(-EIO, "the output of a job cannot go to %s: %s", path->data, strerror(errno));
}

static int results_write_all(const struct text *path, int fd, const char *data, size_t length)
{
	while (length) {
		ssize_t n = write(fd, data, length);
		if (n < 0 && errno != EINTR)
			return why(-EIO, "the output of a job cannot go to %s: %s", path->data,
			    strerror(errno));
		data += n > 0 ? n : 0;
		length -= n > 0 ? (size_t)n : 0;
	}
	return 0;
}

static int results_write_stream(
    struct text *path, const char *name, const struct job *job, int stream)
{
	char buffer[JOB_PIECE_BYTES];
	const char *data;
	ssize_t n;
	int fd = results_open_file(path, name), r = fd < 0 ? fd : 0;
	for (uint64_t done = 0; r == 0; done += (uint64_t)n) {
		n = job_piece(job, stream, done, buffer, &data);
		if (n <= 0) {
			r = (int)n;
			break;
		}
		r = results_write_all(path, fd, data, (size_t)n);
	}
	if (fd >= 0)
		close(fd);
	return r;
}

static int results_write_number(struct text *path, const char *name, uint64_t number)
{
	char text[NUMBER_BYTES];
	int n = snprintf(text, sizeof text, "%llu", (unsigned long long)number);
	int fd = results_open_file(path, name),
	    r = fd < 0 ? fd : results_write_all(path, fd, text, (size_t)n);
	if (fd >= 0)
		close(fd);
	return r;
}

int results_write(const char *directory, const struct results_names *names, const struct job *job,
    struct text *path)
{
	int r = results_make_folders(directory, names, job, path);
	if (r == 0)
		r = results_write_stream(path, "/stdout", job, STDOUT_FILENO);
	if (r == 0)
		r = results_write_stream(path, "/stderr", job, STDERR_FILENO);
	return r == 0 ? results_write_number(path, "/seq", job->number) : r;
}

/* ---- files with names of their own ---- */

int results_write_named(const struct template *name, const struct job *job, struct text *path)
{
	static const char *const in_folder[] = { "stdout", "stderr", "seq" };
	static const char *const beside[] = { "", ".err", ".seq" };
	path->length = 0;
	template_plain(name, job, path);
	if (path->length == 0)
		return why(-EIO, "--results: the name of the file for job %llu is empty",
		    (unsigned long long)job->number);
	bool folder = path->data[path->length - 1] == '/';
	const char *const *ending = folder ? in_folder : beside;
	int r = results_make_parents(path);
	if (r == 0)
		r = results_write_stream(path, ending[0], job, STDOUT_FILENO);
	if (r == 0)
		r = results_write_stream(path, ending[1], job, STDERR_FILENO);
	return r == 0 ? results_write_number(path, ending[2], job->number) : r;
}

int results_write_new(const char *directory, const struct job *job, struct text *path)
{
	static const char pattern[] = "/paXXXXXX.par";
	enum { ENDING_BYTES = 4 };
	path->length = 0;
	text_words(path, directory);
	text_add(path, pattern, sizeof pattern);
	path->length--;
	int fd = mkostemps(path->data, ENDING_BYTES, O_CLOEXEC);
	if (fd < 0)
		return why(-EIO, "--files: no file in %s: %s", directory, strerror(errno));
	close(fd);
	return results_write_stream(path, "", job, STDOUT_FILENO);
}
