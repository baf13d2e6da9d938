/* task_class.h - the class of a task: needs, and the module of the function, as one text.
 *
 * Tasks of one class wait in one queue of the engine, and a host asks for the classes that the host
 * can serve. A class is "" (any host), NEEDS, "module:NAME" or "module:NAME NEEDS". Needs do not
 * begin so, since a name in needs has no colon. Modules within plm are on every host, and make no
 * class.
 * Who: any thread.  Blocks: never. */
#ifndef PLM_FLEET_TASK_CLASS_H
#define PLM_FLEET_TASK_CLASS_H

#include <stdbool.h>
#include <stddef.h>

enum {
	TASK_CLASS_BYTES = 240,
	TASK_MODULE_BYTES = 64,
};

struct task_class {
	char module[TASK_MODULE_BYTES]; /* "": none, or within plm */
	const char *needs;              /* the end of the text: "": none */
};

/* The module of a function; "": none, or within plm. */
void task_module(const char *function, char ret[TASK_MODULE_BYTES]);
void task_class_print(const char *function, const char *needs, char ret[TASK_CLASS_BYTES]);
struct task_class task_class_read(const char *text);

bool task_module_is_built_in(const char *module);
/* has: lines of a host, "module NAME" or "python PATH". */
bool task_module_is_in(const char *has, const char *module);

#endif
