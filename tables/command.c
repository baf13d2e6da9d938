#include "tables/command.h"

#include <ctype.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

bool command_field(const char *fields, size_t length, const char **at, enum command_field *ret,
    const char **ret_text)
{
	const char *field = *at ? *at : fields, *end = fields + length;
	const char *zero = field < end ? memchr(field, 0, (size_t)(end - field)) : NULL;
	if (!zero || zero == field)
		return false;
	*ret = (enum command_field)*field;
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

size_t command_add(char *fields, size_t length, size_t room, enum command_field field,
    const char *text)
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

bool command_log_read(const void *data, size_t length, struct command_log *ret,
    struct command_texts *ret_texts)
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
	*ret_texts = (struct command_texts){ .command = text, .label = text + ret->text_bytes,
		.out = text + words, .err = text + words + ret->out_kept };
	return true;
}

void command_stream_name(uint64_t ref, uint32_t attempt, int stream,
    char ret[COMMAND_STREAM_BYTES])
{
	snprintf(ret, COMMAND_STREAM_BYTES, "plm-%" PRIx64 "-%" PRIu32 "-%s", ref, attempt,
	    stream == 1 ? "stdout" : "stderr");
}
