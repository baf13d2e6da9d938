/* fuzz_journal.c - damaged journal files, read by `plmctl history` and by a starting journal,
 * which sets the file aside, salvages rows and queues tasks again, and then writes, prunes and
 * ends. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/why.h"
#include "cli/arguments.h"
#include "verify/fuzz/fuzz.h"
#include "verify/fuzz/segment_image.h"
#include "verify/fuzz/journal_file.h"
#include "journal/journal.h"
#include "tests/support/world.h"

enum { STEPS = 8, SUBMISSIONS = 4 };

/* ---- plmctl history, and the functions of connection.c and exit_code.c that history calls ---- */

int failed(int error, const char *what)
{
	FUZZ_REQUIRE(error < 0 && what[0] && why_text()[0]);
	return EXIT_OURS;
}

int runtime(struct context *context)
{
	(void)context;
	return EXIT_NO_RUNTIME;
}

static void print_history(const char *directory, bool json, const char *totals)
{
	static FILE *nowhere;
	FILE *out = stdout;
	char history[] = "history", option[] = "--state-dir", place[STATE_PATH_BYTES], key[32];
	char *argv[] = { history, option, place, totals ? key : NULL, NULL };
	struct context context = { .command = &cmd_history, .json = json };
	if (!nowhere)
		nowhere = fopen("/dev/null", "w");
	FUZZ_REQUIRE(nowhere);
	snprintf(place, sizeof place, "%s", directory);
	snprintf(key, sizeof key, "--totals=%s", totals ? totals : "");
	output_open(&context.out, nowhere, json, false);
	why_clear();
	optind = 0; /* begins anew */
	stdout = nowhere;
	cmd_history.run(&context, totals ? 4 : 3, argv);
	stdout = out;
}

static void look_back(const char *directory)
{
	print_history(directory, true, NULL);
}

static void sum_up(const char *directory)
{
	print_history(directory, false, NULL);
	print_history(directory, false, "user");
	print_history(directory, true, "label");
	print_history(directory, false, "day");
}

/* ---- the journal ---- */

struct opening {
	struct journal journal;
	struct journal_plan plan;
	struct bytes bytes;
	bool opened;
};

/* Submits new tasks, because a runtime does not only queue old tasks again. */
static void submit_some(struct opening *o)
{
	const struct image *image = image_get();
	struct plm *rt = &o->journal.rt;
	for (int i = 0; i < SUBMISSIONS && o->bytes.left; i++) {
		plm_ref ref, future = image->ref[bytes_take(&o->bytes, 1) % image->refs];
		size_t n;
		const uint8_t *data = bytes_block(&o->bytes, bytes_take(&o->bytes, 2), &n);
		future.runtime = rt->runtime;
		atomic_fetch_add(&rt->refs[ref_held_index(rt, future)], 1);
		const plm_arg args[] = { PLM_BYTES(data, n), PLM_FUTURE(future) };
		const plm_task task = {
			.function = "probe.echo", .args = args, .nargs = 2, .flags = PLM_KEEP
		};
		plm_submit(rt, &task, &ref);
	}
}

static void fuzz_journal_run(void *context)
{
	struct opening *o = context;
	struct journal *j = &o->journal;
	why_clear();
	int r = journal_open(j, &o->plan);
	FUZZ_REQUIRE(r == 0 || why_text()[0]);
	if (r < 0)
		return;
	o->opened = true;
	for (int i = 0; i < STEPS && resume_some(j); i++)
		;
	submit_some(o);
	prune_some(j);
	atomic_store(&j->stop, true);
	journal_run(j); /* the last groups */
}

static void fuzz_journal_end(struct opening *o)
{
	struct journal *j = &o->journal;
	if (o->opened) {
		journal_close(j);
	} else {
		db_close(&j->db);
		if (j->lock >= 0)
			close(j->lock);
	}
	if (j->entry)
		munmap(j->entry, (size_t)j->rt.tables.limits.records * sizeof *j->entry);
	free(j->group.change);
	free(j->resume.done);
}

static void go_on(const char *directory, const uint8_t *data, size_t length, uint32_t bounded)
{
	static struct opening o;
	const struct image *image = image_get();
	o = (struct opening){ .plan = { .directory = directory,
				  .slot = IMAGE_JOINING,
				  .durability = DURABILITY_BATCH,
				  .age_ms = bounded,
				  .count = bounded },
		.bytes = { data, length } };
	image_damage(NULL, 0, false);
	FUZZ_REQUIRE(
	    tables_attach(dup(image->control_fd), dup(image->store_fd), &o.journal.rt.tables) == 0);
	struct control *c = o.journal.rt.tables.control;
	c->journal.slot = IMAGE_JOINING;
	c->journal.durability = DURABILITY_BATCH;
	fuzz_until_exit(fuzz_journal_run, &o);
	fuzz_journal_end(&o);
	tables_detach(&o.journal.rt.tables);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	image_get();
	const char *directory = journal_file_make(data, length, world.tables.control->runtime);
	look_back(directory);
	go_on(directory, data, length, length & 1);
	sum_up(directory);
	go_on(directory, data, length, 0); /* the salvaged and new rows, in the next boot */
	journal_file_remove();
	return 0;
}
