/* journal_file.h - the file of a journal, made of any bytes.
 *
 * Who: the target of journals. One directory a process, gone with it.
 *
 * The first byte of an input says how the rest is taken (modulo FILE_KINDS):
 *	FILES    three bytes: how long journal.db is; the file; what is left is its WAL
 *	PATCHES  of PATCH bytes each, over a sound journal and its WAL: where (3), how, a number (2)
 *	ROWS     of the ten tables of a file that is sound: a byte for the table, then each column
 *		 by a byte that says of which type it is and, if it has none of its own, what
 *		 follows. So bytes reach what reads rows, behind all that SQLite sees for itself. */
#ifndef PLM_FUZZ_JOURNAL_FILE_H
#define PLM_FUZZ_JOURNAL_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum journal_file_kind { FILES, PATCHES, ROWS, FILE_KINDS };

/* Bytes one after the other; zeros behind the last. */
struct bytes {
	const uint8_t *at;
	size_t left;
};
uint64_t bytes_take(struct bytes *b, size_t n); /* a number of n bytes, at most 8 */
const uint8_t *bytes_block(struct bytes *b, size_t n, size_t *ret_n); /* n, or what is left */

/* The directory, empty but for the file that the bytes make. `runtime` is a number rows may have:
 * that of the runtime which is to read them. */
const char *journal_file_make(const uint8_t *data, size_t length, uint64_t runtime);
/* Without what was left in it. */
void journal_file_remove(void);

#endif
