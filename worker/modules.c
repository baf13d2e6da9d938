#include "worker/modules.h"

#include <dlfcn.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/why.h"
#include "worker/probe.h"

enum { BUILTIN_MAX = 4 };

static struct builtin {
	const char *path;
	const plm_module *module;
} builtin[BUILTIN_MAX] = { { MODULE_BUILTIN, &probe_module },
	{ MODULE_PYTHON, &python_standin_module } };

void module_offer(const char *path, const plm_module *module)
{
	size_t i = 0;
	while (i < BUILTIN_MAX && builtin[i].path && strcmp(builtin[i].path, path) != 0)
		i++;
	CHECK(i < BUILTIN_MAX);
	builtin[i] = (struct builtin){ path, module };
}

/* NULL: the path of a file. */
static const plm_module *module_builtin(const char *path)
{
	for (size_t i = 0; i < BUILTIN_MAX && builtin[i].path; i++)
		if (strcmp(builtin[i].path, path) == 0)
			return builtin[i].module;
	return NULL;
}

static int module_check(const char *path, const plm_module *module)
{
	if (module->abi != PLM_MODULE_ABI)
		return why(-EPROTO,
		    "%s was built for module ABI %u, this plm has %d: build it anew", path,
		    module->abi, PLM_MODULE_ABI);
	if (module->view_size != sizeof(plm_view) || module->task_size != sizeof(plm_task))
		return why(-EPROTO, "%s was built with another plm.h: build it anew", path);
	if (!module->name || !module->exports || module->count == 0)
		return why(-EPROTO, "%s exports nothing: see PLM_MODULE in plm.h", path);
	return 0;
}

int module_open(const char *path, const plm_module **ret)
{
	*ret = module_builtin(path);
	if (*ret)
		return 0;
	if (access(path, R_OK) < 0)
		return why(-errno, "module %s: %s", path, strerror(errno));
	void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!library)
		return why(-ELIBBAD, "module %s cannot be loaded: %s", path, dlerror());
	const plm_module *module = dlsym(library, "plm_module_table");
	if (!module)
		return why(-EPROTO,
		    "%s is a shared object, but no plm module: it has no PLM_MODULE(...)", path);
	int r = module_check(path, module);
	if (r == 0)
		*ret = module;
	return r;
}

static plm_function *modules_python;

void module_run_python(plm_function *run)
{
	modules_python = run;
}

static bool module_is_python(const char *path)
{
	size_t length = strlen(path);
	return length > 3 && strcmp(path + length - 3, ".py") == 0;
}

static int module_bind_python(
    struct functions *functions, const char *path, uint32_t first, uint32_t count)
{
	if (!modules_python)
		return why(-ENOTSUP,
		    "%s is a Python file, and this worker has no interpreter: submit the task with "
		    "the need python=1, or boot with plm --python INTERPRETER",
		    path);
	for (uint32_t i = 0; i < count; i++)
		functions->code[first + i] = modules_python;
	return 0;
}

/* Binds all functions of a module at once, as far as the registry knows the module. */
static int module_bind(struct functions *functions, const struct registry *registry, uint32_t index)
{
	char path[MODULE_PATH_BYTES];
	uint32_t first, count;
	const plm_module *module;
	if (!registry_module(registry, index, path, &first, &count))
		return why(-ENOENT, "the registry has no module %u", index);
	if (module_is_python(path))
		return module_bind_python(functions, path, first, count);
	int r = module_open(path, &module);
	if (r < 0)
		return r;
	if (module->count != count)
		return why(-EPROTO,
		    "module %s has changed since it was loaded: restart the runtime", path);
	for (uint32_t i = 0; i < count; i++)
		functions->code[first + i] = module->exports[i].function;
	return 0;
}

int functions_find(struct functions *functions, const struct registry *registry, uint32_t number,
    plm_function **ret)
{
	struct function_entry entry;
	if (number > FUNCTIONS_MAX || number == 0)
		return why(-ENOENT, "no function has number %u", number);
	if (!functions->code[number]) {
		if (!registry_function(registry, number, &entry))
			return why(-ENOENT, "no function has number %u", number);
		int r = module_bind(functions, registry, entry.module);
		if (r < 0)
			return r;
	}
	*ret = functions->code[number];
	return *ret ? 0 : why(-EPROTO, "function number %u is missing from its module", number);
}
