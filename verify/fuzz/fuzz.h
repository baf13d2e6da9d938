/* fuzz.h - what a fuzz target is: one function over any bytes, that returns.
 *
 * A target is verify/fuzz/fuzz_NAME.c and defines LLVMFuzzerTestOneInput(). libFuzzer calls it with
 * inputs of its own making (clang, AddressSanitizer, UBSan); replay.c with the files of
 * verify/fuzz/corpus/NAME (any compiler). What it finds is a signal, a sanitizer's word,
 * FUZZ_REQUIRE, or an input that takes too long. It keeps nothing from one input to the next. */
#ifndef PLM_FUZZ_H
#define PLM_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length);

/* The bytes as a text of their own, that ends where they end: reading beyond it is found. A zero
 * byte within ends it sooner. The caller frees. */
char *fuzz_text(const uint8_t *data, size_t length);

/* What must hold of an answer. */
#define FUZZ_REQUIRE(condition)                                     \
	do {                                                        \
		if (!(condition))                                   \
			fuzz_found(__FILE__, __LINE__, #condition); \
	} while (0)
_Noreturn void fuzz_found(const char *file, int line, const char *what);

/* Calls act(context), and returns also when that ends the process by exit(): a role that cannot go
 * on ends with a word, which is an answer. */
void fuzz_until_exit(void (*act)(void *context), void *context);

#endif
