/* sweep_registry.c - modules and terms, killed at every step of the append: each is there
 * complete or not at all, and earlier entries keep their numbers. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "tables/registry.h"
#include "tables/terms.h"
#include "tests/support/sweep.h"

static const char *const first[] = { "one", "two" };
static const char *const second[] = { "three", "four", "five" };
enum { FIRST = 2, SECOND = 3 }; /* how many */

struct scene { /* as in the control segment, where the terms have the registry's lock */
	struct registry_shm registry;
	struct terms_shm terms;
};

static struct registry registry;
static struct terms asked = { .queue_ms = 1 }, wanted = { .run_ms = 2 };
static uint32_t number;

static struct terms_shm *terms_of(void *image)
{
	struct scene *scene = image;
	return &scene->terms;
}

static void setup(void *image)
{
	struct scene *scene = image;
	registry_create(&scene->registry);
	registry_attach(&registry, &scene->registry);
	SWEEP_REQUIRE(registry_add(&registry, "/first.so", "first", first, FIRST) == 0);
	SWEEP_REQUIRE(terms_number(&scene->terms, &registry.lock, &asked, &number) == 0);
	SWEEP_REQUIRE(number == 1);
}

/* ---- operations ---- */

static void add_module(void *image)
{
	(void)image;
	SWEEP_REQUIRE(registry_add(&registry, "/second.so", "second", second, SECOND) == 0);
	SWEEP_REQUIRE(registry_find(&registry, "second.five") == FIRST + SECOND);
}

static void add_terms(void *image)
{
	SWEEP_REQUIRE(terms_number(terms_of(image), &registry.lock, &wanted, &number) == 0);
	SWEEP_REQUIRE(number == 2 && terms_at(terms_of(image), number));
}

/* The next process that takes the lock: no other repair exists. */
static void recover(void *image)
{
	(void)image;
	SWEEP_REQUIRE(lock_acquire(&registry.lock) == 0);
	lock_release(&registry.lock);
}

/* ---- verdicts ---- */

/* The module's functions have consecutive numbers from `number` on. */
static bool has(
    uint32_t module, const char *name, const char *const *names, uint32_t n, uint32_t from)
{
	char path[MODULE_PATH_BYTES], wanted_path[32], full[FUNCTION_NAME_BYTES];
	uint32_t begin, count;
	snprintf(wanted_path, sizeof wanted_path, "/%s.so", name);
	if (!registry_module(&registry, module, path, &begin, &count) || begin != from ||
	    count != n || strcmp(path, wanted_path) != 0)
		return false;
	for (uint32_t i = 0; i < n; i++) {
		struct function_entry f;
		snprintf(full, sizeof full, "%s.%s", name, names[i]);
		if (registry_find(&registry, full) != from + i ||
		    !registry_function(&registry, from + i, &f))
			return false;
		if (f.module != module || f.slot != i)
			return false;
	}
	return true;
}

static const char *judge_added(void)
{
	return has(1, "second", second, SECOND, 1 + FIRST) ? NULL
							   : "a module is there, but not all of it";
}

/* Before: no function of the module is found, and the module can be loaded. After: loading the
 * module once more is refused. */
static const char *judge_module(void *image)
{
	(void)image;
	uint32_t modules = registry_modules(&registry);
	if (!has(0, "first", first, FIRST, 1))
		return "a module that was there before is not what it was";
	if (modules > 2 || (modules == 1 && registry_find(&registry, "second.three")))
		return "a function of a module that is not there is found";
	const char *why = modules == 2 ? judge_added() : NULL;
	int r = registry_add(&registry, "/second.so", "second", second, SECOND);
	if (!why && r != (modules == 2 ? -EEXIST : 0))
		why = "whether the module is there is told differently";
	return why ? why : judge_added();
}

static const char *judge_terms(void *image)
{
	struct terms_shm *shm = terms_of(image);
	uint32_t given = sh_load(&shm->given);
	if (memcmp(terms_at(shm, 1), &asked, sizeof asked) != 0)
		return "terms that were given before are not what they were";
	if (given > 2 || (given == 2 && memcmp(terms_at(shm, 2), &wanted, sizeof wanted) != 0))
		return "terms have a number, and are not what was asked for";
	if (terms_number(shm, &registry.lock, &wanted, &number) < 0 || number != 2)
		return "who asks again has another number";
	return sh_load(&shm->given) == 2 ? NULL : "the same terms were given twice";
}

#define REGISTRY_OP(what, act, verdict)                                                      \
	{                                                                                    \
		.name = what, .bytes = sizeof(struct scene), .setup = setup, .operate = act, \
		.recover = recover, .judge = verdict, .steps_only = true                     \
	}

static const struct sweep_op ops[] = {
	REGISTRY_OP("loading a module", add_module, judge_module),
	REGISTRY_OP("asking for new terms", add_terms, judge_terms),
};

int main(void)
{
	return sweep_run(ops, COUNT_OF(ops)) ? 1 : 0;
}
