/* spec_print.c - prints workers and needs as texts that spec.c reads. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/scan.h"
#include "spec/spec.h"

struct out { /* writes as much as fits, counts all */
	char *at;
	size_t room, length;
};

__attribute__((format(printf, 2, 3))) static void spec_print_put(
    struct out *out, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	int n = vsnprintf(out->at, out->room, format, args);
	va_end(args);
	size_t written = (size_t)n < out->room ? (size_t)n : out->room ? out->room - 1 : 0;
	out->at += written;
	out->room -= written;
	out->length += (size_t)n;
}

static void spec_print_put_amounts(struct out *out, const uint64_t *amount,
    const struct resource_names *names, uint32_t first, uint32_t but)
{
	char text[DECIMAL_TEXT_BYTES];
	for (uint32_t i = first; i < RESOURCES_MAX; i++) {
		const char *name = spec_resource_name(names, i);
		if (!name || amount[i] == 0 || i == but)
			continue;
		spec_print_put(out, "%s%s=%s", out->length ? "," : "", name,
		    i == RESOURCE_MEMORY ? size_text(amount[i], text)
					 : decimal_text(amount[i], AMOUNT_PLACES, text));
	}
}

size_t spec_print_kind(
    const struct worker_kind *kind, const struct resource_names *names, char *ret, size_t size)
{
	struct out out = { ret, size, 0 };
	spec_print_put(&out, "gen=%" PRIu32 ",cpus=%" PRIu32, kind->generation, kind->cpus);
	uint32_t python = kind->python && kind->python <= PYTHONS_MAX
	    ? spec_python_resource(names, kind->python - 1)
	    : (uint32_t)RESOURCES_MAX;
	spec_print_put_amounts(&out, kind->amount, names, RESOURCE_CPUS + 1, python);
	if (python < RESOURCES_MAX)
		spec_print_put(&out, ",python=%.*s", PYTHON_PATH_BYTES - 1,
		    names->pythons.path[kind->python - 1]);
	spec_print_put(&out, " x%" PRIu32, kind->count);
	return out.length;
}

size_t spec_print_demand(
    const struct demand *demand, const struct resource_names *names, char *ret, size_t size)
{
	struct out out = { ret, size, 0 };
	if (!demand->says_cpus)
		spec_print_put_amounts(
		    &out, demand->amount, names, RESOURCE_CPUS + 1, RESOURCES_MAX);
	if (out.length == 0)
		spec_print_put_amounts(&out, demand->amount, names, RESOURCE_CPUS, RESOURCES_MAX);
	return out.length;
}
