#include "tables/registry.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/why.h"

void registry_create(void *memory)
{
	struct registry_shm *shm = memory;
	lock_init(&shm->lock);
}

/* Forgets functions of a module whose entry was never committed. */
static const char *registry_recover(void *context)
{
	struct registry_shm *shm = ((struct registry *)context)->shm;
	uint32_t modules = registry_modules(context), functions = 0;
	for (uint32_t i = 0; i < modules; i++)
		functions += sh_load(&shm->module[i].functions);
	if (functions > FUNCTIONS_MAX)
		return "the module table is damaged";
	sh_store(&shm->functions, functions, "functions, recovered");
	return NULL;
}

void registry_attach(struct registry *registry, void *memory)
{
	struct registry_shm *shm = memory;
	registry->shm = shm;
	registry->lock = (struct lock){ .shm = &shm->lock,
		.rank = RANK_REGISTRY,
		.recover = registry_recover,
		.context = registry };
}

uint32_t registry_modules(const struct registry *registry)
{
	uint32_t n = sh_load(&registry->shm->modules);
	return n > MODULES_MAX ? MODULES_MAX : n;
}

bool registry_module(const struct registry *registry, uint32_t index, char path[MODULE_PATH_BYTES],
    uint32_t *ret_first, uint32_t *ret_count)
{
	if (index >= registry_modules(registry))
		return false;
	const struct module_entry *m = &registry->shm->module[index];
	uint32_t count = sh_load(&m->functions), first = m->first;
	if (first == 0 || first > FUNCTIONS_MAX || count > FUNCTIONS_MAX + 1 - first)
		return false;
	memcpy(path, m->path, MODULE_PATH_BYTES);
	path[MODULE_PATH_BYTES - 1] = 0;
	*ret_first = first;
	*ret_count = count;
	return true;
}

bool registry_function(const struct registry *registry, uint32_t number, struct function_entry *ret)
{
	uint32_t given = sh_load(&registry->shm->functions);
	if (number == 0 || number > given || number > FUNCTIONS_MAX)
		return false;
	struct function_entry copy = registry->shm->function[number - 1];
	copy.name[FUNCTION_NAME_BYTES - 1] = 0;
	if (copy.module >= MODULES_MAX)
		return false;
	*ret = copy;
	return true;
}

uint32_t registry_find(const struct registry *registry, const char *name)
{
	struct function_entry entry;
	uint32_t given = sh_load(&registry->shm->functions);
	for (uint32_t number = 1; number <= given && number <= FUNCTIONS_MAX; number++)
		if (registry_function(registry, number, &entry) && strcmp(entry.name, name) == 0)
			return number;
	return 0;
}

static int registry_check_names(const char *module, const char *const *names, uint32_t n)
{
	if (module[0] == 0 || strchr(module, '.'))
		return why(
		    -EINVAL, "a module's name must not be empty or hold a dot: \"%s\"", module);
	if (n == 0)
		return why(-EINVAL, "module %s exports no function", module);
	for (uint32_t i = 0; i < n; i++) {
		if (!names[i] || names[i][0] == 0)
			return why(-EINVAL, "module %s: export %u has no name", module, i + 1);
		if (strlen(module) + 1 + strlen(names[i]) >= FUNCTION_NAME_BYTES)
			return why(-EINVAL,
			    "module %s: the name of \"%s\" is too long (%d bytes "
			    "with its module)",
			    module, names[i], FUNCTION_NAME_BYTES - 1);
	}
	return 0;
}

static bool registry_module_known(const struct registry *registry, const char *module)
{
	struct function_entry entry;
	size_t length = strlen(module);
	uint32_t given = sh_load(&registry->shm->functions);
	for (uint32_t number = 1; number <= given; number++)
		if (registry_function(registry, number, &entry) &&
		    strncmp(entry.name, module, length) == 0 && entry.name[length] == '.')
			return true;
	return false;
}

static int registry_add_locked(struct registry *registry, const char *path, const char *module,
    const char *const *names, uint32_t n)
{
	CHECK(lock_held(&registry->lock));
	struct registry_shm *shm = registry->shm;
	uint32_t modules = sh_peek(&shm->modules), functions = sh_peek(&shm->functions);
	if (registry_module_known(registry, module))
		return why(-EEXIST, "module %s is loaded already", module);
	if (modules >= MODULES_MAX || n > FUNCTIONS_MAX - functions)
		return why(-ENOSPC, "no room for module %s: at most %d modules and %d functions",
		    module, MODULES_MAX, FUNCTIONS_MAX);
	for (uint32_t i = 0; i < n; i++) {
		struct function_entry *f = &shm->function[functions + i];
		snprintf(f->name, sizeof f->name, "%s.%s", module, names[i]);
		f->module = modules;
		f->slot = i;
	}
	struct module_entry *m = &shm->module[modules];
	snprintf(m->path, sizeof m->path, "%s", path);
	m->first = functions + 1;
	sh_store(&m->functions, n, "functions of the module");
	sh_store(&shm->modules,
	    modules + 1); /* the commit: registry_recover() now counts the functions */
	sh_store(&shm->functions, functions + n,
	    "functions, added"); /* pairs with registry_function() */
	return 0;
}

int registry_add(struct registry *registry, const char *path, const char *module,
    const char *const *names, uint32_t n)
{
	int r = registry_check_names(module, names, n);
	if (r < 0)
		return r;
	if (strlen(path) >= MODULE_PATH_BYTES)
		return why(-ENAMETOOLONG, "a module's path has at most %d bytes: %s",
		    MODULE_PATH_BYTES - 1, path);
	r = lock_acquire(&registry->lock);
	if (r < 0)
		return r;
	r = registry_add_locked(registry, path, module, names, n);
	lock_release(&registry->lock);
	return r;
}
