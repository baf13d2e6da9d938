/* journal_trouble.h - how the journal fares, said in the control page and in the log.
 *
 * Where: the journal.  Blocks: never. */
#ifndef PLM_JOURNAL_TROUBLE_H
#define PLM_JOURNAL_TROUBLE_H

struct journal;

void journal_say_trouble(
    struct journal *j, int error); /* a group could not be written: why_text() */
void journal_say_written(struct journal *j);
_Noreturn void journal_give_up(struct journal *j); /* the file is damaged: the next one salvages */

#endif
