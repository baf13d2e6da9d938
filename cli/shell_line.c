#include "cli/shell_line.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BASH "/bin/bash"

static const char special[] = " \t\n|&;<>()$`\\\"'*?[";

bool shell_line_is_function(const char *line)
{
	size_t n = strcspn(line, special);
	if (n == 0)
		return false;
	for (char **v = environ; *v; v++) {
		static const char before[] = "BASH_FUNC_", behind[] = "%%=";
		const char *name = *v + sizeof before - 1;
		if (strncmp(*v, before, sizeof before - 1) == 0 && strncmp(name, line, n) == 0 &&
		    strncmp(name + n, behind, sizeof behind - 1) == 0)
			return true;
	}
	return false;
}

bool shell_line_is(char *const *words, size_t count)
{
	return count > 0 &&
	    ((count == 1 && strpbrk(words[0], special)) || shell_line_is_function(words[0]));
}

const char *shell_line_program(const char *line)
{
	return shell_line_is_function(line) ? BASH : SHELL_STANDARD;
}
