/* interpreters.c - the interpreters of Python workers, as paths that mean the same in any
 * directory.
 *
 * A path is made absolute, and symbolic links stay: a virtual environment is known by the link. A
 * name without a slash is looked up in PATH; a name that is nowhere in PATH stays, and the boot
 * fails when the interpreter is started. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/why.h"
#include "manager/options.h"
#include "spec/spec.h"

enum { FOUND_BYTES = 4096 };

static void interpreters_look_up(const char *name, char ret[FOUND_BYTES])
{
	const char *path = getenv("PATH");
	snprintf(ret, FOUND_BYTES, "%s", name);
	for (const char *at = path ? path : "/usr/bin:/bin"; at; at = strchr(at, ':')) {
		char one[FOUND_BYTES];
		at += *at == ':';
		int length = (int)strcspn(at, ":");
		int n = snprintf(one, sizeof one, "%.*s/%s", length, at, name);
		if (length > 0 && *at == '/' && n < FOUND_BYTES && access(one, X_OK) == 0) {
			memcpy(ret, one, sizeof one);
			return;
		}
	}
}

static int interpreters_resolve(const char *given, char ret[PYTHON_PATH_BYTES])
{
	char found[FOUND_BYTES], here[FOUND_BYTES / 2];
	if (given[0] == '/')
		snprintf(found, sizeof found, "%s", given);
	else if (!strchr(given, '/'))
		interpreters_look_up(given, found);
	else if (getcwd(here, sizeof here))
		snprintf(found, sizeof found, "%s/%.*s", here, PYTHON_PATH_BYTES, given);
	else
		return why(
		    -EINVAL, "%s: the current directory is gone: %s", given, strerror(errno));
	if (strlen(found) >= PYTHON_PATH_BYTES)
		return why(-EINVAL,
		    "the path of an interpreter has 1 to %d characters, not %zu: %s",
		    PYTHON_PATH_BYTES - 1, strlen(found), found);
	memcpy(ret, found, strlen(found) + 1);
	return 0;
}

int interpreters_plan(struct options *o)
{
	char path[PYTHON_PATH_BYTES];
	struct python_names *pythons = &o->resources.pythons;
	for (uint32_t i = 0; i < PYTHONS_MAX && pythons->path[i][0]; i++) {
		int r = interpreters_resolve(pythons->path[i], path);
		if (r < 0)
			return r;
		memcpy(pythons->path[i], path, sizeof path);
	}
	if (o->preload && !o->python && !pythons->path[0][0])
		return why(-EINVAL, "--preload needs an interpreter: --python INTERPRETER");
	if (!o->python)
		return 0;
	if (!o->python[0])
		return why(-EINVAL, "--python wants the path of an interpreter");
	int r = interpreters_resolve(o->python, path);
	return r < 0 ? r : spec_python_everywhere(path, &o->resources, o->kind, o->kinds);
}
