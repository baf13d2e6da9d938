/* scan.h - reads texts that a person wrote: pieces, numbers, and errors that name the place.
 *
 * A text is a row of pieces; blanks and the characters , ; | = : @ # stand between pieces. A
 * comment goes from # to the end of the line. Nothing is copied, and no locale is asked.
 * Who may call: any thread.  Blocks, allocates: never.
 * Errors: -EINVAL, with a why that quotes the piece and says where the piece stands. */
#ifndef PLM_SCAN_H
#define PLM_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct piece {
	const char *at;
	size_t length; /* 0: no piece */
};

struct scan {
	const char *text; /* ends with a zero; positions count from its beginning */
	const char *at;   /* the text not read yet */
	const char *what; /* the subject of the text, for errors; the path of a file */
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

/* Goes past blanks and a comment, not past the end of a line. */
void scan_blanks(struct scan *s);
/* Goes past blanks and the character c; false, and past the blanks alone, if c does not follow. */
bool scan_take(struct scan *s, char c);
/* Goes past blanks and the next piece. */
struct piece scan_piece(struct scan *s);
/* The next piece, without going past. */
struct piece scan_peek(const struct scan *s);
/* From the beginning of `first` to the end of `last`. */
struct piece piece_span(struct piece first, struct piece last);
bool piece_is(struct piece piece, const char *word);

/* A whole text that is a time: a number with up to three decimals, then ms, s, m or h; 0 needs no
 * unit. 0 or -EINVAL, with a why that begins with `what`. */
int text_time(const char *what, const char *text, uint64_t max_ms, uint64_t *ret_ms);

/* Below: 0 or -EINVAL. */

/* KEY=VALUE; the key is a letter and then letters, digits, underscores. */
int scan_pair(struct scan *s, struct pair *ret);
/* The number in units of the last place: with 3 places 0.5 is 500. An error quotes `whole`. */
int scan_decimal(const struct scan *s, struct piece whole, struct piece number, struct range range,
    uint64_t *ret);
/* Bytes: a whole number, then nothing or K, M, G or T; 1 to max. */
int scan_size(
    const struct scan *s, struct piece whole, struct piece number, uint64_t max, uint64_t *ret);

int scan_error(const struct scan *s, struct piece piece, const char *format, ...)
    __attribute__((format(printf, 3, 4), cold));
/* An error: the text does not go on as expected. */
int scan_unexpected(const struct scan *s, const char *expected) __attribute__((cold));

/* The shortest text that reads as the same number again. */
enum { DECIMAL_TEXT_BYTES = 24 };
const char *decimal_text(uint64_t units, unsigned places, char ret[DECIMAL_TEXT_BYTES]);
const char *size_text(uint64_t bytes, char ret[DECIMAL_TEXT_BYTES]);

#endif
