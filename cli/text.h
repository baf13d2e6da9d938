/* text.h - a growing buffer of bytes. Zeroes are an empty buffer. Who: one thread.
 * Errors: without memory the program ends with EXIT_OURS, after a message. */
#ifndef PLM_CLI_TEXT_H
#define PLM_CLI_TEXT_H

#include <stddef.h>

struct text {
	char *data; /* no zero at the end, unless added */
	size_t length, room;
};

/* Makes room for so many bytes in all; up to this length the buffer does not move. */
void text_reserve(struct text *text, size_t room);
void text_add(struct text *text, const void *data, size_t length);
void text_words(struct text *text, const char *words);
void text_byte(struct text *text, char byte);
void text_format(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_free(struct text *text);

#endif
