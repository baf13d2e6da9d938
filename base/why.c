#include "base/why.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

static _Thread_local char sentence[WHY_TEXT_BYTES];

int why(int code, const char *format, ...)
{
	int saved = errno;
	va_list args;
	va_start(args, format);
	vsnprintf(sentence, sizeof sentence, format, args);
	va_end(args);
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
