/* fuzz.h - the contract of a fuzz target: a function that takes any bytes and returns.
 *
 * A target is verify/fuzz/fuzz_NAME.c and defines LLVMFuzzerTestOneInput(). libFuzzer calls the
 * target with generated inputs (clang, AddressSanitizer, UBSan); replay.c with the files of
 * verify/fuzz/corpus/NAME (any compiler). A finding is a signal, a sanitizer's report, a failed
 * FUZZ_REQUIRE, or an input that takes too long. A target keeps no state between inputs. */
#ifndef PLM_FUZZ_H
#define PLM_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length);

/* The bytes as a text in a block of exactly the right size, so that a read beyond the end is
 * found. A zero byte ends the text sooner. The caller frees. */
char *fuzz_text(const uint8_t *data, size_t length);

/* A condition that must hold for every input. */
#define FUZZ_REQUIRE(condition)                                     \
	do {                                                        \
		if (!(condition))                                   \
			fuzz_found(__FILE__, __LINE__, #condition); \
	} while (0)
_Noreturn void fuzz_found(const char *file, int line, const char *what);

/* Calls act(context), and returns also when act() ends the process by exit(): a role that cannot
 * go on exits with a message, which is a legal answer. */
void fuzz_until_exit(void (*act)(void *context), void *context);

#endif
