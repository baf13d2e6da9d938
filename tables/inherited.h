/* inherited.h - what a command inherits from its submitter besides the environment, like a child of
 * a shell: umask, nice value, resource limits.
 *
 * The text travels as the first text of the environment in tables/command_block.h, and is no
 * NAME=VALUE. So many commands share one copy, a reboot keeps the text with the environment, and
 * --no-env leaves both out. A worker may be unable to set everything: without privileges neither a
 * nice value below its own nor a limit above its own hard limit.
 * Where: plain values, and system calls on the calling process.  Who may call: any process.
 * Blocks, allocates: never. */
#ifndef PLM_INHERITED_H
#define PLM_INHERITED_H

#include <stdbool.h>
#include <sys/resource.h>
#include <sys/types.h>

enum { INHERITED_TEXT_BYTES = 768 };

struct inherited {
	mode_t umask;
	int nice;
	unsigned limits; /* number of limits, from resource 0 on */
	struct rlimit limit[RLIM_NLIMITS];
};

/* Nice value and limits of this process; umask is 0. */
void inherited_get(struct inherited *ret);
/* All properties of this process as a text. No other thread may create files meanwhile, because
 * reading a umask sets it. */
void inherited_print(char ret[INHERITED_TEXT_BYTES]);
/* Is the text from inherited_print()? */
bool inherited_begins(const char *text);
/* False: the text makes no sense. */
bool inherited_read(const char *text, struct inherited *ret);
/* Applies the properties to this process as far as permitted; equal values in own, from
 * inherited_get(), cost nothing. Safe between vfork() and execve(). */
void inherited_take(const struct inherited *inherited, const struct inherited *own);

#endif
