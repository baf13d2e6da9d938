#include "verify/fuzz/fuzz.h"

#include <setjmp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *fuzz_text(const uint8_t *data, size_t length)
{
	char *text = malloc(length + 1);
	if (!text)
		abort();
	if (length)
		memcpy(text, data, length);
	text[length] = 0;
	return text;
}

_Noreturn void fuzz_found(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: this must hold: %s\n", file, line, what);
	abort();
}

/* The linker leads every exit() here (-Wl,--wrap=exit). */
_Noreturn void __real_exit(int code);
_Noreturn void __wrap_exit(int code);

static jmp_buf after_exit;
static bool catching;

_Noreturn void __wrap_exit(int code)
{
	if (catching)
		longjmp(after_exit, 1);
	__real_exit(code);
}

void fuzz_until_exit(void (*act)(void *context), void *context)
{
	catching = true;
	if (setjmp(after_exit) == 0)
		act(context);
	catching = false;
}
