/* short_reference.h - names of tasks that a person types: the first part of a reference (6 or @6
 * for
 * @6.1.9a0b), and "last" for the task submitted last.
 *
 * The first part is the number of the record. A number names the task that has the record now:
 * after the task was forgotten, another task may get the record. Programs keep whole references.
 * Who: one thread.  Blocks: never; "last" looks at each record. */
#ifndef PLM_CLI_SHORT_REFERENCE_H
#define PLM_CLI_SHORT_REFERENCE_H

#include "cli/arguments.h"

/* A whole reference, or a mark for references_settle(). 0 or -EINVAL. */
int reference_parse(const char *word, plm_ref *ret);
/* The same; another word ends plmctl. */
plm_ref reference_name(const char *word);
/* Puts a reference in place of a mark, after a connection or with context->in open. 0, or -errno
 * with a why that names the word. */
int reference_find(struct context *context, const char *word, plm_ref *ref);
/* The same for many. EXIT_FINE, or an exit code after a message
 * that names the word. */
int references_settle(struct context *context, plm_ref *refs, size_t n, char *const *words);
/* The same for one reference that came through an option. */
int reference_settle(struct context *context, plm_ref *ref);
/* The latest of these tasks; PLM_NONE: n is 0, or all are gone. */
plm_ref reference_latest(struct context *context, const plm_ref *refs, size_t n);

#endif
