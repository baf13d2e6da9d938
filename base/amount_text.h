/* amount_text.h - amounts as a person reads them: rounded, with a unit.
 * spec/ has the texts that read as the same number again (scan.h: size_text).
 * Blocks: never.  Allocates: never. */
#ifndef PLM_AMOUNT_TEXT_H
#define PLM_AMOUNT_TEXT_H

#include <stddef.h>
#include <stdint.h>

void size_print(uint64_t bytes, char *ret, size_t size); /* "1.5 MiB" */
void ms_print(uint64_t ms, char *ret, size_t size);      /* "1.5s" */
void ns_print(uint64_t ns, char *ret, size_t size);      /* "8.7us" */

#endif
