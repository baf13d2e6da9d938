/* inherited.h - what a command has from its submitter beside the environment, as a child of a shell
 * has it from the shell: umask, nice value, resource limits.
 *
 * It travels as the first text of the environment of tables/command_block.h, one that is no
 * NAME=VALUE: so it is stored once for many commands, outlives a reboot with the environment, and
 * is absent where the environment is (--no-env). A worker may be unable to give all of it: without
 * privileges neither a nice value below its own nor a limit above its own hard one. Where: plain
 * values and system calls on this process.  Blocks, allocates: never. */
#ifndef PLM_INHERITED_H
#define PLM_INHERITED_H

#include <stdbool.h>
#include <sys/resource.h>
#include <sys/types.h>

enum { INHERITED_TEXT_BYTES = 768 };

struct inherited {
	mode_t umask;
	int nice;
	unsigned limits; /* so many are given, from resource 0 on */
	struct rlimit limit[RLIM_NLIMITS];
};

/* Nice value and limits of this process; umask is 0. */
void inherited_get(struct inherited *ret);
/* All of it. No other thread of it may create files meanwhile: reading a umask sets it. */
void inherited_print(char ret[INHERITED_TEXT_BYTES]);
/* Is this text one of ours? */
bool inherited_begins(const char *text);
/* False: it makes no sense. */
bool inherited_read(const char *text, struct inherited *ret);
/* Makes it that of this process, as far as it may; own is what inherited_get() said of it: what is
 * the same costs nothing. Safe between vfork() and execve(). */
void inherited_take(const struct inherited *inherited, const struct inherited *own);

#endif
