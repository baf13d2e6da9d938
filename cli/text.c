#include "cli/text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "cli/ctl_command.h"

enum { ROOM_LEAST = 256, FORMAT_BYTES = 256 };

static void text_make_room(struct text *text, size_t more)
{
	size_t room = text->room ? text->room : ROOM_LEAST;
	while (room - text->length < more)
		room *= 2;
	if (room == text->room)
		return;
	char *data = realloc(text->data, room);
	if (!data)
		exit(failed(-ENOMEM, "a text"));
	text->data = data;
	text->room = room;
}

void text_reserve(struct text *text, size_t room)
{
	if (room > text->length)
		text_make_room(text, room - text->length);
}

void text_add(struct text *text, const void *data, size_t length)
{
	text_make_room(text, length);
	if (length)
		memcpy(text->data + text->length, data, length);
	text->length += length;
}

void text_words(struct text *text, const char *words)
{
	text_add(text, words, strlen(words));
}

void text_byte(struct text *text, char byte)
{
	text_add(text, &byte, 1);
}

void text_format(struct text *text, const char *format, ...)
{
	char line[FORMAT_BYTES];
	va_list args;
	va_start(args, format);
	int n = vsnprintf(line, sizeof line, format, args);
	va_end(args);
	text_add(text, line, n < FORMAT_BYTES ? (size_t)n : FORMAT_BYTES - 1);
}

void text_free(struct text *text)
{
	free(text->data);
	*text = (struct text){ .data = NULL };
}
