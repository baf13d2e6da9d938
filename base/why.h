/* why.h - the sentence behind an error code.
 * A function that fails returns -errno and, when the number alone does not tell the user what
 * happened to which thing and what to do, leaves a sentence here. One sentence a thread, valid
 * until the next.
 * Blocks: never.  Allocates: never.  Who: any thread. */
#ifndef PLM_WHY_H
#define PLM_WHY_H

enum { WHY_TEXT_BYTES = 512 }; /* of a sentence, with its end */

/* Remembers the sentence and returns code, so that a failure is one line: return why(-ENOSPC,
 * ...). */
int why(int code, const char *format, ...) __attribute__((format(printf, 2, 3), cold));

/* The last sentence of this thread, "" if none. */
const char *why_text(void);

/* Forgets it. */
void why_clear(void);

/* How many sentences this thread has left so far: whoever asks before and after a call knows
 * whether the call left one. */
unsigned why_count(void);

#endif
