#include "topology/threads.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"

struct setter { /* file and call of a library that may be loaded */
	const char *file, *call;
};

static struct variable {
	const char *name;
	bool looked, theirs; /* theirs: set by the user before plm started */
	struct setter setter[3];
} variables[] = {
	{ "OMP_NUM_THREADS",
	    .setter = { { "libgomp.so.1", "omp_set_num_threads" },
		{ "libomp.so.5", "omp_set_num_threads" },
		{ "libiomp5.so", "omp_set_num_threads" } } },
	{ "MKL_NUM_THREADS", .setter = { { "libmkl_rt.so.2", "MKL_Set_Num_Threads" } } },
	{ "OPENBLAS_NUM_THREADS",
	    .setter = { { "libopenblas.so.0", "openblas_set_num_threads" } } },
};

/* Names the variables that plm has set for a program which this process executes. */
static const char threads_note[] = "PLM_THREADS";

static bool threads_noted(const char *name)
{
	const char *note = getenv(threads_note), *at = note ? strstr(note, name) : NULL;
	return at && (at == note || at[-1] == ' ');
}

void topology_threads_for_program(void)
{
	char note[128] = "";
	for (size_t i = 0; i < COUNT_OF(variables); i++) {
		const char *name = variables[i].name;
		if (getenv(name) && !topology_set_by_us(name))
			continue;
		setenv(name, "1", 1);
		size_t n = strlen(note);
		snprintf(note + n, sizeof note - n, "%s%s", n ? " " : "", name);
	}
	setenv(threads_note, note, 1);
}

/* Never loads a library. */
static void threads_ask(const struct setter *setter, int cpus)
{
	void *handle = dlopen(setter->file, RTLD_LAZY | RTLD_NOLOAD);
	if (!handle)
		return;
	void (*set)(int) = (void (*)(int))dlsym(handle, setter->call);
	if (set)
		set(cpus);
	dlclose(handle);
}

static void threads_set_variable(struct variable *v, const char *text, unsigned cpus)
{
	const char *before = getenv(v->name);
	bool first = !v->looked;
	v->looked = true;
	if (first)
		v->theirs = before != NULL && !threads_noted(v->name);
	if (v->theirs || (before && strcmp(before, text) == 0))
		return;
	setenv(v->name, text, 1);
	if (first)
		return; /* no library is loaded yet, and looking takes long */
	for (size_t i = 0; i < COUNT_OF(v->setter) && v->setter[i].file; i++)
		threads_ask(&v->setter[i], (int)cpus);
}

void topology_set_threads(unsigned cpus)
{
	char text[16];
	snprintf(text, sizeof text, "%u", cpus);
	setenv("PLM_CPUS", text, 1);
	for (size_t i = 0; i < COUNT_OF(variables); i++)
		threads_set_variable(&variables[i], text, cpus);
	unsetenv(threads_note); /* every variable has been looked at */
}

static const struct variable *threads_find_variable(const char *variable)
{
	size_t name = strcspn(variable, "=");
	for (size_t i = 0; i < COUNT_OF(variables); i++)
		if (strlen(variables[i].name) == name &&
		    strncmp(variables[i].name, variable, name) == 0)
			return &variables[i];
	return NULL;
}

bool topology_limits_threads(const char *variable)
{
	return threads_find_variable(variable) != NULL;
}

bool topology_set_by_us(const char *variable)
{
	const struct variable *v = threads_find_variable(variable);
	return v && v->looked && !v->theirs;
}
