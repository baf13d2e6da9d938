/* why.h - the sentence behind an error code.
 * A function that fails returns -errno. Where the number tells the user too little, the function
 * leaves a sentence here: the event, the thing, the remedy. Each thread has one sentence, valid
 * until the next.
 * Blocks: never.  Allocates: never.  Who may call: any thread. */
#ifndef PLM_WHY_H
#define PLM_WHY_H

enum { WHY_TEXT_BYTES = 512 }; /* of a sentence, with its end */

/* Remembers the sentence and returns code, for the short form: return why(-ENOSPC, ...); */
int why(int code, const char *format, ...) __attribute__((format(printf, 2, 3), cold));

/* The last sentence of this thread, "" if none. */
const char *why_text(void);

/* Forgets the sentence. */
void why_clear(void);

/* How many sentences this thread has left so far. A caller compares the counts before and after a
 * call to learn whether the call left a sentence. */
unsigned why_count(void);

#endif
