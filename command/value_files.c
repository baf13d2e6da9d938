/* value_files.c - values of futures as files for a command, and files from the command as values.
 *
 * A value becomes a sealed file in the worker's memory; the path is the path of our descriptor,
 * /proc/PID/fd/N. The path is good for all processes of the command, also if a process closes what
 * it inherits, and no file has to be removed, whoever dies. The file is a copy: the value is part
 * of the store's segment, and no path can name part of a file. A pipe would need no copy, but
 * nobody can seek in a pipe, map a pipe, or open it twice.
 *
 * A file to be written lies in a directory private to the run. Many programs write under another
 * name and rename, remove the old file first, or go by the ending of the name; the path of a
 * descriptor allows none of this. The directory is removed after the run: a dead worker's by the
 * next worker to start, a dead runtime's by the next runtime of the name. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/rmtree.h"
#include "base/why.h"
#include "command/command_run.h"

enum {
	RUN_NAME_BYTES = 32,    /* "SLOT-GENERATION" */
	PIECE_BYTES = 64 << 20, /* copied between two looks for a cancellation */
	SEALS = F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL,
};

/* ---- the request ---- */

static bool value_files_is_after_end(enum command_field field)
{
	return field == COMMAND_AFTER_ANY || field == COMMAND_AFTER_FAILED;
}

static bool value_files_is_order(enum command_field field)
{
	return field == COMMAND_AFTER || value_files_is_after_end(field);
}

static bool value_files_takes_future(enum command_field field)
{
	return field == COMMAND_IN || field == COMMAND_STDIN_VALUE || value_files_is_order(field);
}

static bool value_files_is_file(enum command_field field)
{
	return field == COMMAND_IN || field == COMMAND_STDIN_VALUE || field == COMMAND_OUT;
}

static void value_files_count(struct command *c, size_t *ret_files)
{
	const char *at = NULL, *text;
	enum command_field field;
	*ret_files = 0;
	while (command_field(c->fields, c->fields_bytes, &at, &field, &text)) {
		c->futures += value_files_takes_future(field);
		*ret_files += value_files_is_file(field);
	}
}

static int value_files_check_name(struct command *c, enum command_field field, const char *text)
{
	if (field == COMMAND_STDIN_VALUE || value_files_is_order(field) ||
	    (field == COMMAND_IN && command_variable(text) && !strchr(text, '=')) ||
	    (field == COMMAND_OUT && command_variable(text) && command_out_file(text)))
		return 0;
	return plm_fail(c->call, EINVAL, "\"%s\" is no name for the path of a file", text);
}

/* Futures stand behind the words, in the order of their fields; so do further results. */
int value_files_take(struct command *c, size_t nargs)
{
	const char *at = NULL, *text;
	enum command_field field;
	size_t files;
	unsigned result = COMMAND_RESULTS;
	value_files_count(c, &files);
	if (c->futures > nargs)
		return plm_fail(c->call, EINVAL, "%zu futures are asked for in %zu arguments",
		    c->futures, nargs);
	size_t argument = nargs - c->futures;
	c->file = calloc(files + 1, sizeof *c->file);
	if (!c->file)
		return plm_fail(c->call, COMMAND_OURS, "no memory for %zu files", files);
	while (command_field(c->fields, c->fields_bytes, &at, &field, &text)) {
		size_t which = value_files_takes_future(field) ? argument++ : result;
		if (value_files_is_after_end(field) && !c->after)
			c->after = which;
		result += field == COMMAND_OUT;
		if (!value_files_takes_future(field) && field != COMMAND_OUT)
			continue;
		int r = value_files_check_name(c, field, text);
		if (r != 0)
			return r;
		if (value_files_is_file(field))
			c->file[c->files++] = (struct command_file){ .field = field,
				.name = text,
				.name_bytes = (int)strcspn(text, "="),
				.which = which,
				.fd = -1 };
	}
	return 0;
}

/* ---- values as files ---- */

static int value_files_copy_value(const struct command *c, int fd, const char *data, size_t length)
{
	size_t done = 0;
	while (done < length) {
		size_t piece = length - done < PIECE_BYTES ? length - done : PIECE_BYTES;
		ssize_t n = pwrite(fd, data + done, piece, (off_t)done);
		if (n < 0 && errno != EINTR)
			return plm_fail(c->call, COMMAND_OURS,
			    "no memory for the input file of the command, %zu bytes: %s", length,
			    strerror(errno));
		done += n > 0 ? (size_t)n : 0;
		if (done < length && plm_cancelled(c->call))
			return plm_fail(
			    c->call, ECANCELED, "the command was asked to stop before it began");
	}
	return 0;
}

static int value_files_open_value(const struct command *c, struct command_file *f)
{
	size_t length;
	const char *data = plm_arg_data(c->call, f->which, &length);
	f->fd = memfd_create("plm-input", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (f->fd < 0)
		return plm_fail(c->call, COMMAND_OURS,
		    "no file in memory for the input of the command: %s", strerror(errno));
	int r = value_files_copy_value(c, f->fd, data, length);
	if (r != 0 || f->field == COMMAND_STDIN_VALUE)
		return r;
	fcntl(f->fd, F_ADD_SEALS, SEALS);
	if (asprintf(&f->variable, "%s=/proc/%d/fd/%d", f->name, (int)getpid(), f->fd) >= 0)
		return 0;
	f->variable = NULL;
	return plm_fail(c->call, COMMAND_OURS, "no memory for the path of %s", f->name);
}

int value_files_stdin(struct command *c)
{
	for (size_t i = 0; i < c->files; i++) {
		int fd = c->file[i].fd;
		if (c->file[i].field != COMMAND_STDIN_VALUE || fd < 0)
			continue;
		c->file[i].fd = -1;
		return fd;
	}
	return -1;
}

/* ---- the directory of a run ---- */

static void value_files_run_name(const struct plm *rt, char ret[RUN_NAME_BYTES])
{
	snprintf(
	    ret, RUN_NAME_BYTES, "%u-%u", rt->self, process_generation(sh_load(&rt->me->state)));
}

static int value_files_open_root(const struct command *c, bool make)
{
	return tables_files_open(c->call->rt->tables.control->name, make);
}

/* Made anew: an earlier run of the worker may have left files that could not be removed. */
static int value_files_make_run_directory(const struct plm *rt, int files)
{
	char name[RUN_NAME_BYTES];
	value_files_run_name(rt, name);
	int r = rmtree_at(files, name);
	if (r == 0 && mkdirat(files, name, S_IRWXU) < 0)
		r = why(-errno, "making its directory %s: %s", name, strerror(errno));
	return r;
}

static int value_files_make_directory(struct command *c)
{
	int files = value_files_open_root(c, true);
	int r = files < 0 ? files : value_files_make_run_directory(c->call->rt, files);
	if (files >= 0)
		close(files);
	c->has_directory = r == 0;
	return r == 0 ? 0
		      : plm_fail(c->call, COMMAND_OURS,
			    "no directory for the output files of the command: %s", why_text());
}

/* Opens the directory anew: the command may have put another directory in its place. */
static int value_files_open_run_directory(const struct command *c)
{
	char name[RUN_NAME_BYTES];
	int files = value_files_open_root(c, false);
	if (files < 0)
		return files;
	value_files_run_name(c->call->rt, name);
	int fd = openat(files, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int r = fd < 0 ? why(-errno, "its directory %s: %s", name, strerror(errno)) : fd;
	close(files);
	return r;
}

static void value_files_remove_run_directory(const struct command *c)
{
	char name[RUN_NAME_BYTES];
	int files = value_files_open_root(c, false);
	value_files_run_name(c->call->rt, name);
	if (files < 0 || rmtree_at(files, name) < 0)
		log_warn("cannot remove the output files of a command: %s", why_text());
	if (files >= 0)
		close(files);
}

static int value_files_name_output(struct command *c, struct command_file *f)
{
	char files[SEGMENT_NAME_BYTES], run[RUN_NAME_BYTES];
	int r = c->has_directory ? 0 : value_files_make_directory(c);
	if (r != 0)
		return r;
	tables_files_path(c->call->rt->tables.control->name, files);
	value_files_run_name(c->call->rt, run);
	if (asprintf(&f->variable, "%.*s=%s/%s/%s", f->name_bytes, f->name, files, run,
		command_out_file(f->name)) >= 0)
		return 0;
	f->variable = NULL;
	return plm_fail(c->call, COMMAND_OURS, "no memory for the path of %s", f->name);
}

int value_files_open(struct command *c)
{
	int r = 0;
	for (size_t i = 0; i < c->files && r == 0; i++)
		r = c->file[i].field == COMMAND_OUT ? value_files_name_output(c, &c->file[i])
						    : value_files_open_value(c, &c->file[i]);
	return r;
}

void value_files_close(struct command *c)
{
	for (size_t i = 0; i < c->files; i++) {
		if (c->file[i].fd >= 0)
			close(c->file[i].fd);
		free(c->file[i].variable);
	}
	free(c->file);
	if (c->has_directory)
		value_files_remove_run_directory(c);
}

/* "SLOT-GENERATION": does the process live, so that it may use the directory? */
static bool value_files_is_in_use(const struct tables *t, const char *name)
{
	char *end;
	unsigned long slot = strtoul(name, &end, 10);
	unsigned long generation = *end == '-' ? strtoul(end + 1, NULL, 10) : 0;
	if (!isdigit((unsigned char)name[0]) || *end != '-' || slot >= t->limits.processes)
		return true; /* not our making */
	uint64_t word = sh_load(&t->process[slot].state);
	return process_present(word) && process_generation(word) == generation;
}

void value_files_sweep(const struct tables *t)
{
	int files = tables_files_open(t->control->name, false);
	DIR *all = files >= 0 ? fdopendir(files) : NULL;
	const struct dirent *entry;
	while (all && (entry = readdir(all)) != NULL)
		if (!value_files_is_in_use(t, entry->d_name) && rmtree_at(files, entry->d_name) < 0)
			log_warn("cannot remove the output files of a dead worker: %s", why_text());
	if (all)
		closedir(all);
	else if (files >= 0)
		close(files);
}

/* ---- files as values ---- */

static int value_files_read_into(
    const struct command *c, const struct command_file *f, int fd, size_t length)
{
	void *place = NULL;
	if (command_room(c->call, (unsigned)f->which, length, "a file it wrote", &place) < 0)
		return plm_fail(c->call, COMMAND_OURS,
		    "no room for its output %.*s of %zu bytes: %s", f->name_bytes, f->name, length,
		    why_text());
	char *to = place;
	for (size_t done = 0; done < length;) {
		size_t piece = length - done < PIECE_BYTES ? length - done : PIECE_BYTES;
		ssize_t n = pread(fd, to + done, piece, (off_t)done);
		if (n < 0 && errno == EINTR)
			continue;
		if (plm_cancelled(c->call)) /* to look is a sign of life too */
			return plm_fail(c->call, ECANCELED, "the command was asked to stop");
		if (n <= 0)
			return plm_fail(c->call, COMMAND_OURS,
			    "its output %.*s could not be read: %s", f->name_bytes, f->name,
			    n < 0 ? strerror(errno) : "the file became shorter");
		done += (size_t)n;
	}
	return 0;
}

static const char *value_files_kind_of(mode_t mode)
{
	return S_ISDIR(mode) ? "a directory"
	    : S_ISLNK(mode)  ? "a link"
			     : "a device, pipe or socket";
}

static int value_files_not_written(
    const struct command *c, const struct command_file *f, const char *reason)
{
	return plm_fail(c->call, COMMAND_OURS,
	    "the command has not written its output %.*s: no file is at the path in $%.*s: %s",
	    f->name_bytes, f->name, f->name_bytes, f->name, reason);
}

static int value_files_leave_one(const struct command *c, const struct command_file *f, int run)
{
	const char *name = command_out_file(f->name);
	struct stat st;
	if (fstatat(run, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return value_files_not_written(c, f, strerror(errno));
	/* Non-blocking: a leftover of the command may replace the file by a pipe before we open
	 * it. */
	int fd = S_ISREG(st.st_mode)
	    ? openat(run, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
	    : -1;
	if (fd < 0 && S_ISREG(st.st_mode))
		return plm_fail(c->call, COMMAND_OURS, "its output %.*s could not be read: %s",
		    f->name_bytes, f->name, strerror(errno));
	int r = fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)
	    ? plm_fail(c->call, COMMAND_OURS, "its output %.*s is not a file, but %s",
		  f->name_bytes, f->name, value_files_kind_of(st.st_mode))
	    : value_files_read_into(c, f, fd, (size_t)st.st_size);
	if (fd >= 0)
		close(fd);
	unlinkat(run, name, 0); /* the next output needs the memory */
	return r;
}

int value_files_leave(const struct command *c)
{
	int r = 0, run = c->has_directory ? value_files_open_run_directory(c) : -1;
	for (size_t i = 0; i < c->files && r == 0; i++)
		if (c->file[i].field == COMMAND_OUT)
			r = run < 0 ? value_files_not_written(c, &c->file[i], why_text())
				    : value_files_leave_one(c, &c->file[i], run);
	if (run >= 0)
		close(run);
	return r;
}
