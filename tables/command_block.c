#include "tables/command_block.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool command_field(const char *fields, size_t length, const char **at, enum command_field *ret,
    const char **ret_text)
{
	const char *field = *at ? *at : fields, *end = fields + length;
	const char *zero = field < end ? memchr(field, 0, (size_t)(end - field)) : NULL;
	if (!zero || zero == field)
		return false;
	*ret = (enum command_field) * field;
	*ret_text = field + 1;
	*at = zero + 1;
	return true;
}

const char *command_behind(const char *fields, size_t length, size_t *ret_length)
{
	const char *at = NULL, *text, *end = fields + length;
	enum command_field field;
	while (command_field(fields, length, &at, &field, &text))
		continue;
	const char *behind = at ? at : fields;
	behind += behind < end;
	*ret_length = (size_t)(end - behind);
	return behind;
}

size_t command_add(
    char *fields, size_t length, size_t room, enum command_field field, const char *text)
{
	size_t bytes = strlen(text) + 2;
	if (length + bytes <= room) {
		fields[length] = (char)field;
		memcpy(fields + length + 1, text, bytes - 1);
	}
	return length + bytes;
}

bool command_variable(const char *text)
{
	size_t n = 0;
	while (isalnum((unsigned char)text[n]) || text[n] == '_')
		n++;
	return n > 0 && (text[n] == 0 || text[n] == '=') && !isdigit((unsigned char)text[0]) &&
	    strncmp(text, "PLM_", 4) != 0;
}

const char *command_out_file(const char *text)
{
	const char *equal = strchr(text, '=');
	const char *file = equal ? equal + 1 : text;
	bool is_name = file[0] && strlen(file) <= NAME_MAX && !strchr(file, '/') &&
	    strcmp(file, ".") != 0 && strcmp(file, "..") != 0;
	return is_name ? file : NULL;
}

bool command_log_read(
    const void *data, size_t length, struct command_log *ret, struct command_texts *ret_texts)
{
	if (!data || length < sizeof *ret)
		return false;
	memcpy(ret, data, sizeof *ret);
	uint64_t left = length - sizeof *ret;
	uint64_t words = (uint64_t)ret->text_bytes + ret->label_bytes;
	if (ret->magic != COMMAND_LOG_MAGIC || words > left || ret->out_kept > left - words ||
	    ret->err_kept > left - words - ret->out_kept)
		return false;
	const char *text = (const char *)data + sizeof *ret;
	*ret_texts = (struct command_texts){ .command = text,
		.label = text + ret->text_bytes,
		.out = text + words,
		.err = text + words + ret->out_kept };
	return true;
}

void command_stream_name(uint64_t ref, uint32_t attempt, int stream, char ret[COMMAND_STREAM_BYTES])
{
	snprintf(ret, COMMAND_STREAM_BYTES, "plm-%" PRIx64 "-%" PRIu32 "-%s", ref, attempt,
	    stream == 1 ? "stdout" : "stderr");
}

/* ---- the end of the task before ---- */

struct command_after command_after_make(
    uint64_t ref, uint64_t runtime, enum record_state state, int code)
{
	struct command_after after = { .ref = ref, .runtime = runtime };
	after.state = state_settled(state) ? record_state_name(state) : "unknown";
	after.code = !state_settled(state) ? COMMAND_OURS
	    : state == RECORD_FAILED       ? code
	    : state == RECORD_CANCELLED    ? COMMAND_SIGNALLED + SIGINT
					   : 0;
	return after;
}

struct command_after command_after_of(const struct tables *t, const struct record *ended)
{
	uint64_t word = sh_load(&ended->state);
	return command_after_make(record_ref(record_index(t, ended), word_generation(word)),
	    t->control->runtime, word_state(word), ended->failure.code);
}

/* ---- outlets ---- */

bool command_outlet_read(const void *data, size_t length, struct command_outlet *ret)
{
	if (!data || length != sizeof *ret)
		return false;
	memcpy(ret, data, sizeof *ret);
	return ret->pid > 0 && ret->live <= 1 && ret->fd[0] >= 0 && ret->fd[1] >= 0;
}

static bool command_block_is_named(
    const struct command_outlet *outlet, int stream, const struct stat *st)
{
	bool kind = outlet->live ? S_ISFIFO(st->st_mode) : S_ISREG(st->st_mode);
	return kind && st->st_uid == geteuid() && st->st_dev == outlet->device[stream - 1] &&
	    st->st_ino == outlet->inode[stream - 1] && (outlet->live || st->st_nlink == 0);
}

/* Judge the file before opening, because opening a device may have effects; and again after,
 * because the number may have changed hands meanwhile. O_NONBLOCK: opening takes no time, whatever
 * the file is by then. */
int command_outlet_open(const struct command_outlet *outlet, int stream, int flags)
{
	char path[64];
	struct stat st;
	snprintf(
	    path, sizeof path, "/proc/%d/fd/%d", (int)outlet->pid, (int)outlet->fd[stream - 1]);
	if (stat(path, &st) < 0)
		return -1;
	errno = ESTALE;
	if (!command_block_is_named(outlet, stream, &st))
		return -1;
	int fd = open(path, flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return -1;
	bool same = fstat(fd, &st) == 0 && command_block_is_named(outlet, stream, &st);
	if (same && fcntl(fd, F_SETFL, flags & O_APPEND) == 0)
		return fd;
	close(fd);
	errno = ESTALE;
	return -1;
}
