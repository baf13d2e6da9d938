#include "fleet/task_class.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"

static const char class_module[] = "module:";

static const char *const class_built_in[] = { "command", "probe", "py" };

static bool class_is_built_in(const char *module, size_t length)
{
	for (size_t i = 0; i < COUNT_OF(class_built_in); i++)
		if (strlen(class_built_in[i]) == length &&
		    memcmp(class_built_in[i], module, length) == 0)
			return true;
	return false;
}

bool task_module_is_built_in(const char *module)
{
	return class_is_built_in(module, strlen(module));
}

void task_module(const char *function, char ret[TASK_MODULE_BYTES])
{
	size_t n = strcspn(function, ".");
	ret[0] = 0;
	if (class_is_built_in(function, n) || !function[n] || n >= TASK_MODULE_BYTES ||
	    memchr(function, ' ', n) || memchr(function, '\n', n))
		return; /* within plm; or no name of a function, which the host refuses in words */
	memcpy(ret, function, n);
	ret[n] = 0;
}

/* Printing would cost more than all else for a task without a class. */
void task_class_print(const char *function, const char *needs, char ret[TASK_CLASS_BYTES])
{
	char module[TASK_MODULE_BYTES];
	task_module(function, module);
	ret[0] = 0;
	if (module[0] || needs[0])
		snprintf(ret, TASK_CLASS_BYTES, "%s%s%s%s", module[0] ? class_module : "", module,
		    module[0] && needs[0] ? " " : "", needs);
}

struct task_class task_class_read(const char *text)
{
	struct task_class class = { .needs = text };
	size_t prefix = sizeof class_module - 1;
	if (strncmp(text, class_module, prefix) != 0)
		return class;
	size_t n = strcspn(text + prefix, " ");
	snprintf(class.module, sizeof class.module, "%.*s", (int)n, text + prefix);
	class.needs = text + prefix + n + (text[prefix + n] == ' ');
	return class;
}

bool task_module_is_in(const char *has, const char *module)
{
	char line[TASK_MODULE_BYTES + 8];
	size_t n = (size_t)snprintf(line, sizeof line, "module %s", module);
	for (const char *at = has; at; at = strchr(at, '\n'), at += at != NULL)
		if (strncmp(at, line, n) == 0 && (at[n] == 0 || at[n] == '\n'))
			return true;
	return false;
}
