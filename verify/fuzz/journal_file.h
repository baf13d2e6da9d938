/* journal_file.h - a journal file made of any bytes.
 *
 * Who: the fuzz target of journals. One directory for each process, removed at the end.
 *
 * The first byte of an input says how the rest is used (modulo FILE_KINDS):
 *	FILES    three bytes: the length of journal.db; the file; the rest is the WAL
 *	PATCHES  of PATCH bytes each, over a sound journal and WAL: where (3), how, a number (2)
 *	ROWS     for the ten tables of a sound file: a byte for the table, then for each column a
 *		 byte for the type and, if the type has a value, the value. So the input reaches
 *		 the readers of rows, behind all checks of SQLite. */
#ifndef PLM_FUZZ_JOURNAL_FILE_H
#define PLM_FUZZ_JOURNAL_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum journal_file_kind { FILES, PATCHES, ROWS, FILE_KINDS };

/* Bytes read from front to back; zeros behind the last. */
struct bytes {
	const uint8_t *at;
	size_t left;
};
uint64_t bytes_take(struct bytes *b, size_t n); /* a number of n bytes, at most 8 */
const uint8_t *bytes_block(
    struct bytes *b, size_t n, size_t *ret_n); /* n bytes, or the remaining ones */

/* Returns the directory, which has only the file made of the bytes. `runtime` is a number for
 * rows: the number of the runtime that will read them. */
const char *journal_file_make(const uint8_t *data, size_t length, uint64_t runtime);
/* Also removes files that the reader left in the directory. */
void journal_file_remove(void);

#endif
