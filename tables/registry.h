/* registry.h - the loaded modules, and the number of each function.
 *
 * Where: the control segment.  Who may call: a loader process (manager/loader.c) appends, under the
 * registry lock; any process reads, without a lock, by the release of `modules` and `functions`.
 * A number, once given, is for ever: entries are appended, never changed. Functions count only
 * after the entry of their module counts (the commit word). Number 0 is no function. Death: a
 * loader that dies half-way has loaded nothing.  Blocks: registry_add(), for the lock. */
#ifndef PLM_REGISTRY_H
#define PLM_REGISTRY_H

#include "base/limits.h"
#include "shm/lock.h"
#include "shm/steps.h"

struct module_entry {
	char path[MODULE_PATH_BYTES];
	shared32 functions; /* how many; 0 until complete: the commit word */
	uint32_t first;     /* number of its first function */
};

struct function_entry {
	char name[FUNCTION_NAME_BYTES]; /* "module.function" */
	uint32_t module;
	uint32_t slot; /* place in the module's table */
};

struct registry_shm {
	struct lock_shm lock;
	shared32 modules;   /* W: under the lock */
	shared32 functions; /* W: under the lock. Numbers 1 .. functions are given. */
	struct module_entry module[MODULES_MAX];
	struct function_entry function[FUNCTIONS_MAX];
};

struct registry {
	struct registry_shm *shm;
	struct lock lock;
};

void registry_create(void *memory);
void registry_attach(struct registry *registry, void *memory);

/* Appends a module with all its functions, or nothing. names[i] is the bare function name. 0,
 * -EEXIST (the module name is taken), -ENOSPC, -EINVAL (a name is empty or too long). */
int registry_add(struct registry *registry, const char *path, const char *module,
    const char *const *names, uint32_t n);

/* The number of "module.function", 0: none. Linear: callers remember the answer. */
uint32_t registry_find(const struct registry *registry, const char *name);

/* Private copies of validated entries; false: no such number. */
bool registry_function(
    const struct registry *registry, uint32_t number, struct function_entry *ret);
bool registry_module(const struct registry *registry, uint32_t index, char path[MODULE_PATH_BYTES],
    uint32_t *ret_first, uint32_t *ret_count);
uint32_t registry_modules(const struct registry *registry);

#endif
