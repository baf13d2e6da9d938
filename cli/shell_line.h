/* shell_line.h - one rule for map and submit: when a command is a line for a shell, and which shell
 * reads the line. `load` reads lines, so its commands are lines for a shell always.
 *
 * A command of several words is executed as it stands. A single word is a line if it holds a blank
 * or another special character of a shell. A command whose first word is a function exported by
 * bash (export -f) is a line for bash. */
#ifndef PLM_CLI_SHELL_LINE_H
#define PLM_CLI_SHELL_LINE_H

#include <stdbool.h>
#include <stddef.h>

#define SHELL_STANDARD "/bin/sh"

bool shell_line_is(char *const *words, size_t count);
/* Is the first word of a line, or the word, a function that bash has exported? */
bool shell_line_is_function(const char *line);
/* The shell for a line: bash for an exported function, else /bin/sh. */
const char *shell_line_program(const char *line);

#endif
