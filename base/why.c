#include "base/why.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

static _Thread_local char sentence[WHY_TEXT_BYTES];
static _Thread_local unsigned sentences;

int why(int code, const char *format, ...)
{
	int saved = errno;
	char text[WHY_TEXT_BYTES]; /* the last sentence may be part of the new one */
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	snprintf(sentence, sizeof sentence, "%s", text);
	sentences++;
	errno = saved;
	return code;
}

const char *why_text(void)
{
	return sentence;
}

void why_clear(void)
{
	sentence[0] = 0;
}

unsigned why_count(void)
{
	return sentences;
}
