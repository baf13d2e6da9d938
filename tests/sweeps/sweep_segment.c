/* sweep_segment.c - the boot of a runtime's segments, killed at every step: a process that finds
 * the segments is refused or finds them complete; the next boot of the name makes new segments,
 * and nothing is left.
 *
 * The segments are not part of the image, because each boot makes new ones: the next boot, which
 * is killed as well, begins with the files that the killed boot left. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/why.h"
#include "tables/tables.h"
#include "tests/support/sweep.h"

enum { WORKERS = 3 };

static const struct limits limits = { .processes = EXTENSION_SLOTS,
	.workers = WORKERS,
	.records = 64,
	.nodes = 1,
	.store_bytes = 1 << 20 };
static char name[RUNTIME_NAME_BYTES];

static void setup(void *image)
{
	(void)image;
	snprintf(name, sizeof name, "sweep-%d", (int)getpid());
	tables_unlink(name);
}

static int attach(struct tables *t)
{
	char control[SEGMENT_NAME_BYTES], store[SEGMENT_NAME_BYTES];
	tables_segment_name(name, "control", control);
	tables_segment_name(name, "store", store);
	int of_control = segment_open(control, true);
	if (of_control < 0)
		return of_control;
	return tables_attach(of_control, segment_open(store, true), t);
}

static const char *judge_whole(struct tables *t)
{
	const struct control *c = t->control;
	if (strcmp(c->name, name) != 0 || c->runtime == 0 || sh_load(&c->staff) != WORKERS ||
	    c->kinds != 1 || c->kind[0].count != WORKERS)
		return "a segment that says it is made is not";
	return tables_check(t);
}

/* A process that looks at any moment. */
static void look(void)
{
	struct tables t;
	if (attach(&t) < 0)
		return;
	const char *why = judge_whole(&t);
	if (why)
		sweep_fail(why);
	tables_detach(&t);
}

static void boot(void *image)
{
	struct tables t;
	(void)image;
	tables_unlink(name); /* as incomplete segments are set aside (manager/instance.c) */
	SWEEP_REQUIRE(tables_create(name, &limits, &t) == 0);
	tables_detach(&t);
}

static void boot_again(void *image)
{
	look();
	boot(image);
}

static const char *judge(void *image)
{
	struct tables t;
	(void)image;
	if (attach(&t) < 0)
		return why_text();
	const char *why = judge_whole(&t);
	tables_detach(&t);
	tables_unlink(name);
	return why ? why : attach(&t) == 0 ? "a name that was removed is there" : NULL;
}

static const struct sweep_op ops[] = {
	{ .name = "making the segments",
	    .bytes = sizeof(uint64_t),
	    .setup = setup,
	    .operate = boot,
	    .recover = boot_again,
	    .judge = judge,
	    .steps_only = true },
};

int main(void)
{
	int failures = sweep_run(ops, COUNT_OF(ops));
	tables_unlink(name);
	return failures ? 1 : 0;
}
