/* client_words.c - map-reduce over text: the origin's counts, word counts, an inverted index.
 *
 *	words check                             small sizes, kills, a straggler, a skewed word
 *	words origin [CHUNKS BYTES ROUNDS]      a count for each chunk, one sum of all
 *	words measure [CHUNKS BYTES ROUNDS]     word counts and an index, beside a sequential loop
 *	words text DIRECTORY [CHUNKS BYTES]     writes the text into files, for other programs
 *	words count FILE...                     the words of files, as sorted lines
 *	words index FILE...                     the same with the lines where each word stands
 *
 * A wrong result ends the program with exit code 1. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mapped.h"
#include "table.h"
#include "text.h"
#include "workload.h"

enum {
	ROUNDS_MAX = 99,
	CHUNKS_A_STRAGGLER = 10,
	LARGER = 50,
	PARTITIONS = 8,
	CHUNKS_MAX = 60000,
	SEED = 7
};

struct job {
	unsigned chunks, rounds, skew;
	uint32_t bytes;
	bool index;
	const uint32_t *first; /* of an index: how many lines lie in front of each chunk */
	unsigned replicas, kills;
};

static void *memory(size_t n, size_t size)
{
	void *all = calloc(n ? n : 1, size);
	if (!all)
		workload_fail("out of memory");
	return all;
}

/* ---- text in the store, and in this process ---- */

static void make_text(const struct workload *w, const struct job *job, plm_ref *ret)
{
	for (unsigned i = 0; i < job->chunks; i++) {
		struct text_order order = { SEED, i, job->bytes, job->skew };
		plm_arg arg = PLM_BYTES(&order, sizeof order);
		plm_task task = { .function = "words.text",
			.args = &arg,
			.nargs = 1,
			.crash_retries = WORKLOAD_CRASH_RETRIES };
		workload_must(plm_submit(w->rt, &task, &ret[i]), "words.text");
	}
	workload_wait(w, ret, job->chunks, job->chunks);
}

static uint32_t lines_of(const char *text, size_t bytes)
{
	uint32_t lines = bytes && text[bytes - 1] != '\n';
	for (size_t i = 0; i < bytes; i++)
		lines += text[i] == '\n';
	return lines;
}

static char *text_here(const struct job *job)
{
	char *all = memory(job->chunks, job->bytes);
	for (unsigned i = 0; i < job->chunks; i++)
		text_make(&(struct text_order){ SEED, i, job->bytes, job->skew },
		    all + (size_t)i * job->bytes);
	return all;
}

/* ---- map and reduce ---- */

static void submit_maps(
    const struct workload *w, const struct job *job, const plm_ref *text, plm_ref *ret)
{
	struct map_order *order = memory(job->chunks, sizeof *order);
	plm_arg(*args)[2] = memory(job->chunks, sizeof *args);
	plm_task *tasks = memory(job->chunks, sizeof *tasks);
	plm_terms terms = { .replicas = job->replicas };
	for (unsigned i = 0; i < job->chunks; i++) {
		uint32_t first = job->index ? job->first[i] : 0;
		order[i] = (struct map_order){ PARTITIONS, 0, job->index, first };
		args[i][0] = PLM_BYTES(&order[i], sizeof order[i]);
		args[i][1] = PLM_FUTURE(text[i]);
		tasks[i] = (plm_task){ .function = "words.map",
			.args = args[i],
			.nargs = 2,
			.crash_retries = WORKLOAD_CRASH_RETRIES,
			.terms = job->replicas > 1 ? &terms : NULL };
	}
	workload_must(plm_submit_many(w->rt, tasks, job->chunks, ret), "words.map");
	free(order);
	free(args);
	free(tasks);
}

static void submit_reduces(
    const struct workload *w, const struct job *job, const plm_ref *mapped, plm_ref *ret)
{
	plm_arg *args = memory(1 + job->chunks, sizeof *args);
	for (unsigned i = 0; i < job->chunks; i++)
		args[1 + i] = PLM_FUTURE(mapped[i]);
	for (uint32_t p = 0; p < PARTITIONS; p++) {
		struct map_order order = { PARTITIONS, p, job->index, 0 };
		plm_task task = { .function = "words.reduce",
			.args = args,
			.nargs = 1 + job->chunks,
			.crash_retries = WORKLOAD_CRASH_RETRIES };
		args[0] = PLM_BYTES(&order, sizeof order);
		workload_must(plm_submit(w->rt, &task, &ret[p]), "words.reduce");
	}
	free(args);
}

/* All of a job, until the last partition is there. Returns the seconds. */
static double run_job(
    const struct workload *w, const struct job *job, const plm_ref *text, plm_ref *ret)
{
	plm_ref *mapped = memory(job->chunks, sizeof *mapped);
	double begin = workload_now();
	submit_maps(w, job, text, mapped);
	submit_reduces(w, job, mapped, ret);
	for (unsigned k = 0; k < job->kills; k++) {
		workload_wait(w, mapped, job->chunks, (k + 1) * job->chunks / (job->kills + 1));
		workload_kill_worker(w);
	}
	workload_wait(w, ret, PARTITIONS, PARTITIONS);
	double took = workload_now() - begin;
	plm_drop_many(w->rt, mapped, job->chunks);
	free(mapped);
	return took;
}

/* ---- the lines of a result ---- */

static int compare_lines(const void *a, const void *b)
{
	const char *x = *(const char *const *)a, *y = *(const char *const *)b;
	size_t m = strcspn(x, " "), n = strcspn(y, " ");
	int differ = memcmp(x, y, m < n ? m : n);
	return differ ? differ : (m > n) - (m < n);
}

/* The partitions in one piece, with lines in alphabetical order. The caller frees. */
static char *join(const struct workload *w, const plm_ref *part)
{
	plm_view view[PARTITIONS];
	size_t bytes = 0, lines = 0, n = 0;
	for (uint32_t p = 0; p < PARTITIONS; p++) {
		workload_get(w, part[p], &view[p]);
		bytes += view[p].len;
	}
	char *all = memory(bytes + 1, 1), *at = all, *ret = memory(bytes + 1, 1), *out = ret;
	for (uint32_t p = 0; p < PARTITIONS; p++) {
		if (view[p].len)
			memcpy(at, view[p].data, view[p].len);
		at += view[p].len;
		plm_release(w->rt, &view[p]);
	}
	for (const char *c = all; (c = strchr(c, '\n')); c++)
		lines++;
	const char **line = memory(lines, sizeof *line);
	for (const char *c = all; n < lines; c = strchr(c, '\n') + 1)
		line[n++] = c;
	qsort(line, lines, sizeof *line, compare_lines);
	for (n = 0; n < lines; n++) {
		size_t length = strcspn(line[n], "\n") + 1;
		memcpy(out, line[n], length);
		out += length;
	}
	free(line);
	free(all);
	return ret;
}

/* The same by one loop of this process; *took: until the lines are made. The caller frees. */
static char *sequential(const struct job *job, const char *text, double *took)
{
	struct table t = { 0 };
	double begin = workload_now();
	bool ok = true;
	for (unsigned i = 0; ok && i < job->chunks; i++) {
		uint32_t document = job->index ? job->first[i] : 0;
		ok = table_count(
		    &t, text + (size_t)i * job->bytes, job->bytes, job->index, &document);
	}
	struct word **words = ok ? table_sorted(&t) : NULL;
	if (!words)
		workload_fail("out of memory");
	size_t bytes = words_print_bytes(words, t.used, job->index);
	char *lines = memory(bytes + 1, 1);
	words_print(words, t.used, job->index, lines);
	*took = workload_now() - begin;
	free(words);
	table_free(&t);
	return lines;
}

static void compare(
    const struct workload *w, const plm_ref *part, const char *right, const char *what)
{
	char *got = join(w, part);
	if (strcmp(got, right) != 0)
		workload_fail("%s: the lines differ from those of the sequential loop", what);
	free(got);
}

/* ---- the origin: counts of chunks, one sum ---- */

static const char sentence[] = "map and reduce over one long text. \n"; /* of 36 characters */

static const unsigned chunks_of_task[] = { 1, 8 };

/* Returns the sum, and in *took the seconds until the sum is here. */
static uint64_t sum_of(
    const struct workload *w, const plm_ref *text, unsigned chunks, unsigned each, double *took)
{
	unsigned n = (chunks + each - 1) / each;
	plm_arg *args = memory(chunks, sizeof *args), *counts = memory(n, sizeof *counts);
	plm_task *tasks = memory(n, sizeof *tasks);
	plm_ref *refs = memory(n, sizeof *refs), sum;
	plm_view view;
	uint64_t number;
	double begin = workload_now();
	for (unsigned i = 0; i < chunks; i++)
		args[i] = PLM_FUTURE(text[i]);
	for (unsigned i = 0; i < n; i++)
		tasks[i] = (plm_task){ .function = "words.letters",
			.args = &args[i * each],
			.nargs = i + 1 < n ? each : chunks - i * each,
			.crash_retries = WORKLOAD_CRASH_RETRIES };
	workload_must(plm_submit_many(w->rt, tasks, n, refs), "words.letters");
	for (unsigned i = 0; i < n; i++)
		counts[i] = PLM_FUTURE(refs[i]);
	plm_task reduce = { .function = "words.sum",
		.args = counts,
		.nargs = n,
		.crash_retries = WORKLOAD_CRASH_RETRIES };
	workload_must(plm_submit(w->rt, &reduce, &sum), "words.sum");
	workload_get(w, sum, &view);
	memcpy(&number, view.data, sizeof number);
	*took = workload_now() - begin;
	plm_release(w->rt, &view);
	plm_drop_many(w->rt, refs, n);
	plm_drop(w->rt, sum);
	free(args);
	free(counts);
	free(tasks);
	free(refs);
	return number;
}

/* Each round counts by tasks and by one loop, in turn. */
static void count_rounds(const struct workload *w, const struct job *job, const plm_ref *refs,
    const char *text, unsigned each, bool show)
{
	size_t bytes = (size_t)job->chunks * job->bytes;
	double ours[ROUNDS_MAX], loop[ROUNDS_MAX];
	char name[96], packed[32] = "";
	for (unsigned r = 0; r <= job->rounds; r++) {
		uint64_t count = sum_of(w, refs, job->chunks, each, &ours[r ? r - 1 : 0]);
		double begin = workload_now();
		uint64_t right = text_letters(text, bytes);
		loop[r ? r - 1 : 0] = workload_now() - begin;
		if (count != right)
			workload_fail("the sum is %llu, not %llu", (unsigned long long)count,
			    (unsigned long long)right);
	}
	if (!show)
		return;
	if (each > 1)
		snprintf(packed, sizeof packed, "%u chunks a task, ", each);
	snprintf(
	    name, sizeof name, "letters, %s%u chunks of %u bytes", packed, job->chunks, job->bytes);
	double mine = workload_median(ours, job->rounds);
	double seq = workload_median(loop, job->rounds);
	workload_row(mine * 1e3, "ms", "%s", name);
	workload_row(seq * 1e3, "ms", "%s, one loop", name);
	workload_row(seq / mine / workload_cores(), "x", "%s, of the loop times cores", name);
}

static void run_origin(const struct workload *w, const struct job *job, bool show)
{
	size_t bytes = (size_t)job->chunks * job->bytes;
	char *text = memory(bytes, 1);
	plm_ref *refs = memory(job->chunks, sizeof *refs);
	for (size_t i = 0; i < bytes; i++)
		text[i] = sentence[i % (sizeof sentence - 1)];
	for (unsigned i = 0; i < job->chunks; i++)
		workload_must(
		    plm_put(w->rt, text + (size_t)i * job->bytes, job->bytes, &refs[i]), "plm_put");
	for (size_t i = 0; i < sizeof chunks_of_task / sizeof chunks_of_task[0]; i++)
		count_rounds(w, job, refs, text, chunks_of_task[i], show);
	plm_drop_many(w->rt, refs, job->chunks);
	free(refs);
	free(text);
}

/* ---- measuring and checking ---- */

static uint32_t *first_lines(const struct job *job, const char *text)
{
	uint32_t *first = memory(job->chunks, sizeof *first);
	for (unsigned i = 1; i < job->chunks; i++)
		first[i] = first[i - 1] + lines_of(text + (size_t)(i - 1) * job->bytes, job->bytes);
	return first;
}

static void run_words(
    const struct workload *w, const struct job *wanted, const char *name, bool show)
{
	struct job with_lines = *wanted;
	const struct job *job = &with_lines;
	plm_ref *text = memory(job->chunks, sizeof *text), part[PARTITIONS];
	double ours[ROUNDS_MAX], loop[ROUNDS_MAX];
	char *here = text_here(job);
	uint32_t *first = first_lines(job, here);
	with_lines.first = first;
	make_text(w, job, text);
	for (unsigned r = 0; r <= job->rounds; r++) {
		ours[r ? r - 1 : 0] = run_job(w, job, text, part);
		char *right = sequential(job, here, &loop[r ? r - 1 : 0]);
		if (r == 0)
			compare(w, part, right, name);
		plm_drop_many(w->rt, part, PARTITIONS);
		free(right);
	}
	if (show) {
		double mine = workload_median(ours, job->rounds);
		double seq = workload_median(loop, job->rounds);
		workload_row(mine * 1e3, "ms", "%s, %u chunks", name, job->chunks);
		workload_row(seq * 1e3, "ms", "%s, %u chunks, one loop", name, job->chunks);
		workload_row(seq / mine / workload_cores(), "x",
		    "%s, %u chunks, of the loop times cores", name, job->chunks);
	}
	plm_drop_many(w->rt, text, job->chunks);
	free(text);
	free(first);
	free(here);
}

/* One task in a hundred is delayed; with a second replica the faster one counts. The same text in a
 * tenth of the chunks: with a delay in every moment on some worker, the second run of each task
 * would cost more than the wait for a few. */
static void run_stragglers(const struct job *base, bool show)
{
	struct workload w;
	workload_boot(&w,
	    &(struct workload_options){
		.workers = "4", .inject = "delay=300ms@1%; seed=11", .module = "words" });
	struct job job = *base;
	job.chunks = base->chunks / CHUNKS_A_STRAGGLER + 1;
	job.bytes = base->bytes * CHUNKS_A_STRAGGLER;
	run_words(&w, &job, "words, stragglers", show);
	job.replicas = 2;
	run_words(&w, &job, "words, stragglers, two replicas", show);
	workload_end(&w);
}

static void run_all(const struct job *base, bool show)
{
	struct workload w;
	struct job job = *base;
	workload_boot(&w, &(struct workload_options){ .module = "words" });
	run_words(&w, &job, "words", show);
	job.kills = 2;
	run_words(&w, &job, "words, two workers killed", show);
	job.kills = 0;
	job.skew = 500;
	run_words(&w, &job, "words, every other word the same", show);
	job.index = true;
	run_words(&w, &job, "index, every other word the same", show);
	job.skew = 0;
	run_words(&w, &job, "index", show);
	job.chunks = (base->chunks + LARGER - 1) / LARGER;
	job.bytes = base->bytes * LARGER;
	run_words(&w, &job, "index, chunks 50 times larger", show);
	job.index = false;
	run_words(&w, &job, "words, chunks 50 times larger", show);
	workload_end(&w);
	run_stragglers(base, show);
}

/* ---- files ---- */

static void write_text(const char *directory, const struct job *job)
{
	char path[4096], *all = text_here(job);
	for (unsigned i = 0; i < job->chunks; i++) {
		snprintf(path, sizeof path, "%s/%05u.txt", directory, i);
		FILE *file = fopen(path, "w");
		if (!file ||
		    fwrite(all + (size_t)i * job->bytes, 1, job->bytes, file) != job->bytes ||
		    fclose(file) != 0)
			workload_fail("%s: %s", path, strerror(errno));
	}
	free(all);
}

static void count_files(char **paths, unsigned n, bool index)
{
	struct workload w;
	plm_ref *text = memory(n, sizeof *text), part[PARTITIONS];
	uint32_t *first = memory(n + 1, sizeof *first);
	struct job job = { .chunks = n, .index = index, .first = first };
	workload_boot(&w, &(struct workload_options){ .module = "words" });
	for (unsigned i = 0; i < n; i++) {
		plm_view view;
		text[i] = workload_put_file(&w, paths[i]);
		workload_get(&w, text[i], &view);
		first[i + 1] = first[i] + lines_of(view.data, view.len);
		plm_release(w.rt, &view);
	}
	run_job(&w, &job, text, part);
	char *lines = join(&w, part);
	fputs(lines, stdout);
	free(lines);
	free(first);
	free(text);
	workload_end(&w);
}

static void run_check(void)
{
	struct workload w;
	workload_boot(&w, &(struct workload_options){ .workers = "2", .module = "words" });
	run_origin(&w, &(struct job){ .chunks = 1000, .bytes = 360, .rounds = 1 }, false);
	run_origin(&w, &(struct job){ .chunks = 1, .bytes = 36, .rounds = 1 }, false);
	workload_end(&w);
	run_all(&(struct job){ .chunks = 40, .bytes = 9000, .rounds = 1 }, false);
	run_all(&(struct job){ .chunks = 3, .bytes = 1, .rounds = 1 }, false);
	printf("words: all results are right\n");
}

static void read_job(struct job *job, int argc, char **argv)
{
	if (argc > 0)
		job->chunks = (unsigned)workload_number("CHUNKS", argv[0]);
	if (argc > 1)
		job->bytes = (uint32_t)workload_number("BYTES", argv[1]);
	if (argc > 2)
		job->rounds = (unsigned)workload_number("ROUNDS", argv[2]);
	if (!job->chunks || job->chunks > CHUNKS_MAX || !job->bytes || !job->rounds ||
	    job->rounds >= ROUNDS_MAX)
		workload_fail("CHUNKS may be 1 to %d, BYTES 1 or more, ROUNDS 1 to %d", CHUNKS_MAX,
		    ROUNDS_MAX - 1);
}

int main(int argc, char **argv)
{
	const char *mode = argc > 1 ? argv[1] : "check";
	struct job job = { .chunks = 1000, .bytes = 36000, .rounds = 5 };
	if (strcmp(mode, "check") == 0) {
		run_check();
	} else if (strcmp(mode, "origin") == 0) {
		struct workload w;
		read_job(&job, argc - 2, argv + 2);
		workload_boot(&w, &(struct workload_options){ .module = "words" });
		run_origin(&w, &job, true);
		workload_end(&w);
	} else if (strcmp(mode, "measure") == 0) {
		read_job(&job, argc - 2, argv + 2);
		run_all(&job, true);
	} else if (strcmp(mode, "text") == 0 && argc > 2) {
		read_job(&job, argc - 3, argv + 3);
		write_text(argv[2], &job);
	} else if ((strcmp(mode, "count") == 0 || strcmp(mode, "index") == 0) && argc > 2) {
		count_files(argv + 2, (unsigned)argc - 2, mode[0] == 'i');
	} else {
		workload_fail("there are check, origin, measure, text DIRECTORY, count FILE... and "
			      "index FILE..., not \"%s\"",
		    mode);
	}
	return 0;
}
