/* scan.h - reading what people write: pieces, numbers, and errors that say where they are.
 *
 * A text is pieces of other characters than blanks and , ; | = : @ #, with those between them. A
 * comment goes from # to the end of its line. Nothing is copied and no locale is asked.
 * Who: any thread.  Blocks, allocates: never.
 * Errors: -EINVAL, with a why that quotes the piece and says where it stands. */
#ifndef PLM_SCAN_H
#define PLM_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct piece {
	const char *at;
	size_t length; /* 0: there was none */
};

struct scan {
	const char *text; /* ends with a zero; positions count from its beginning */
	const char *at;   /* what was not read yet */
	const char *what; /* it is about, for errors; of a file its path */
	bool is_file;     /* positions are lines */
};

struct pair { /* KEY=VALUE */
	struct piece key, value;
	struct piece whole;
};

struct range { /* of a decimal number, in the units of its last place */
	unsigned places;
	uint64_t low, high;
};

/* Past blanks and a comment, not past the end of a line. */
void scan_blanks(struct scan *s);
/* Past blanks and this character; false, and past the blanks alone, if something else stands there.
 */
bool scan_take(struct scan *s, char c);
/* Past blanks and the piece behind them. */
struct piece scan_piece(struct scan *s);
/* The same without going past it. */
struct piece scan_peek(const struct scan *s);
/* From the beginning of one to the end of another. */
struct piece piece_span(struct piece first, struct piece last);
bool piece_is(struct piece piece, const char *word);

/* A whole text that is a time: a number with up to three decimals, and ms, s, m or h behind it; 0
 * needs no unit. 0 or -EINVAL, with a why that begins with `what`. */
int text_time(const char *what, const char *text, uint64_t max_ms, uint64_t *ret_ms);

/* Below: 0 or -EINVAL. */

/* KEY=VALUE; the key is a letter and then letters, digits, underscores. */
int scan_pair(struct scan *s, struct pair *ret);
/* number as so many units of the last place: with 3 places 0.5 is 500. whole is what an error
 * quotes. */
int scan_decimal(const struct scan *s, struct piece whole, struct piece number, struct range range,
    uint64_t *ret);
/* Bytes: a whole number, K, M, G or T behind it; 1 to max. */
int scan_size(
    const struct scan *s, struct piece whole, struct piece number, uint64_t max, uint64_t *ret);

int scan_error(const struct scan *s, struct piece piece, const char *format, ...)
    __attribute__((format(printf, 3, 4), cold));
/* What stands here is not what was expected. */
int scan_unexpected(const struct scan *s, const char *expected) __attribute__((cold));

/* The shortest text that reads as this number again. */
enum { DECIMAL_TEXT_BYTES = 24 };
const char *decimal_text(uint64_t units, unsigned places, char ret[DECIMAL_TEXT_BYTES]);
const char *size_text(uint64_t bytes, char ret[DECIMAL_TEXT_BYTES]);

#endif
