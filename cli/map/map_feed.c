#include "cli/map/map_feed.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/why.h"

enum {
	LINE_BYTES = 128 << 10,      /* the default of xargs, and the kernel's limit of a word */
	AHEAD_BYTES = 64 << 20,      /* of inputs read ahead for a bar */
	VALUES_MAX = ARGS_MAX - 256, /* a task has no more arguments */
};

/* ---- inputs ---- */

/* A row of values from the inputs, into f->part. */
static int feed_read_input(struct feed *f)
{
	for (;;) {
		int r = sources_next(f->sources, &f->raw);
		if (r <= 0)
			return r;
		f->part.values.length = f->part.count = 0;
		r = values_take(f->values, &f->raw, &f->part);
		if (r != -EAGAIN)
			return r;
	}
}

static int feed_keep_all(struct feed *f)
{
	int r;
	while ((r = feed_read_input(f)) == 1)
		kept_add(&f->kept, f->part.values.data, f->part.values.length);
	if (r == 0) {
		if (f->plan->shuffled)
			kept_shuffle(&f->kept);
		f->exhausted = true;
	}
	return r;
}

/* 1: f->part holds the next input; 0, -EAGAIN, -errno as feed_next(). */
static int feed_next_input(struct feed *f)
{
	if (f->has_part)
		return 1;
	bool keeps = f->plan->shuffled || f->counts;
	int r = keeps && !f->exhausted ? feed_keep_all(f) : 1;
	if (r < 0)
		return r;
	if (kept_next(&f->kept, &f->part))
		r = 1;
	else if (f->error)
		return why(f->error, "%s", f->why);
	else
		r = f->exhausted ? 0 : feed_read_input(f);
	f->has_part = r == 1;
	f->taken += r == 1;
	f->exhausted = f->exhausted || r == 0;
	return r;
}

void feed_look_ahead(struct feed *f)
{
	if (f->pipe || f->has_part || f->exhausted || f->error || sources_total(f->sources))
		return;
	if (f->kept.at == f->kept.rows)
		kept_free(&f->kept);
	int r = 1;
	while (f->kept.values.length < AHEAD_BYTES && (r = feed_read_input(f)) == 1)
		kept_add(&f->kept, f->part.values.data, f->part.values.length);
	f->exhausted = r == 0;
	if (r >= 0 || r == -EAGAIN)
		return;
	f->error = r; /* for the job behind the inputs that were good */
	snprintf(f->why, sizeof f->why, "%s", why_text());
}

/* ---- one job of several inputs ---- */

static size_t feed_part_bytes(const struct feed *f)
{
	const char *value = f->part.values.data;
	size_t bytes = 0;
	for (size_t i = 0; i < f->part.count; i++, value += strlen(value) + 1)
		bytes += template_value_bytes(f->template, value);
	return bytes;
}

static size_t feed_max_bytes(const struct feed *f)
{
	return f->plan->max_bytes ? f->plan->max_bytes : LINE_BYTES;
}

static bool feed_is_xargs(const struct feed_plan *plan)
{
	return plan->packs && !plan->spreads;
}

/* A line that ends with a blank goes on in the next line (-L). */
static bool feed_ends_line(const struct row *part)
{
	size_t end = part->values.length - 1; /* at the zero of the last value */
	return end == 0 || !isblank((unsigned char)part->values.data[end - 1]);
}

/* Lines that go on are one input, as for GNU parallel; with --xargs they are several inputs of one
 * command, as for xargs. */
static void feed_add_values(struct feed *f)
{
	const struct row *part = &f->part;
	size_t size = part->values.length, *last = (void *)f->sizes.data;
	if (f->goes_on && f->row.count && part->count == 1 && !feed_is_xargs(f->plan)) {
		f->row.values.length--; /* the zero */
		text_add(&f->row.values, part->values.data, size);
		last[f->sizes.length / sizeof size - 1] += size - 1;
		return;
	}
	text_add(&f->sizes, &size, sizeof size);
	f->values_each = f->inputs ? f->values_each : part->count;
	f->inputs++;
	if (f->plan->no_values)
		return;
	text_add(&f->row.values, part->values.data, size);
	f->row.count += part->count;
}

static void feed_add_part(struct feed *f, size_t bytes)
{
	bool ends = !f->plan->max_lines || feed_ends_line(&f->part);
	feed_add_values(f);
	f->lines += ends;
	f->goes_on = !ends;
	f->bytes += bytes;
	f->has_part = false;
}

static bool feed_is_full(const struct feed *f)
{
	uint64_t most = f->plan->max_inputs ? f->plan->max_inputs : f->plan->packs ? 0 : 1;
	if (f->spread)
		most = f->spread;
	if (f->plan->max_lines)
		return f->lines >= f->plan->max_lines;
	return most && f->inputs >= most;
}

/* True if the next input finds no room in the job. */
static bool feed_is_too_long(const struct feed *f, size_t bytes)
{
	return template_bytes(f->template) + f->bytes + bytes > feed_max_bytes(f) ||
	    f->row.count + f->part.count > VALUES_MAX;
}

static int feed_say_too_long(const struct feed *f)
{
	return why(-E2BIG,
	    "the command would be longer than %zu bytes (--max-chars) with the input %.50s",
	    feed_max_bytes(f), f->part.values.data);
}

static void feed_clear_row(struct feed *f)
{
	f->row.values.length = f->row.count = f->sizes.length = 0;
	f->inputs = f->lines = f->bytes = 0;
	f->goes_on = false;
}

/* Gives the inputs of the last job to as many jobs as may run at once. */
static void feed_spread(struct feed *f)
{
	const char *at = f->row.values.data;
	const size_t *size = (const void *)f->sizes.data;
	unsigned jobs = f->jobs ? f->jobs : 1;
	f->spread = (f->inputs + jobs - 1) / jobs;
	for (uint64_t i = 0; i < f->inputs; at += size[i++])
		kept_add(&f->kept, at, size[i]);
	feed_clear_row(f);
}

static bool feed_counts_bytes(const struct feed_plan *plan)
{
	return plan->packs || plan->max_bytes || plan->max_inputs > 1 || plan->max_lines;
}

static int feed_next_inputs(struct feed *f)
{
	int r = 1;
	while (!feed_is_full(f) && (r = feed_next_input(f)) == 1) {
		bool counts = feed_counts_bytes(f->plan);
		size_t bytes = counts ? feed_part_bytes(f) : 0;
		if (counts && feed_is_too_long(f, bytes)) {
			if (f->inputs && !(f->plan->exact && f->plan->max_inputs))
				return 1;
			return feed_say_too_long(f);
		}
		feed_add_part(f, bytes);
	}
	if (feed_is_full(f))
		return 1;
	if (r == 0 && f->plan->spreads && !f->spread && f->inputs > 1 && !f->plan->no_values) {
		feed_spread(f);
		return feed_next_inputs(f);
	}
	return r == 0 && f->inputs ? 1 : r;
}

/* A block is a row without values; with --cat its path is the value. */
static int feed_next_block(struct feed *f)
{
	int r = pipe_next(f->pipe, &f->block);
	if (r > 0 && f->names_block) {
		block_path(f->block, &f->row.values);
		text_byte(&f->row.values, 0);
		f->row.count = 1;
	}
	return r;
}

/* ---- jobs ---- */

static void feed_give_block(struct feed *f, struct job *job)
{
	job->block = f->block;
	job->sent = f->block ? f->block->bytes : 0;
}

int feed_next(struct feed *f, struct job **ret)
{
	while (!f->ended) {
		int r = f->pipe ? feed_next_block(f) : feed_next_inputs(f);
		f->ended = r <= 0 && r != -EAGAIN;
		if (r <= 0)
			return r;
		f->number++;
		bool done = f->done && joblog_has(f->done, f->number);
		*ret = done ? NULL : job_make(&f->row, f->values_each, f->number);
		feed_clear_row(f);
		f->skipped += done;
		if (done)
			block_give(f->block, true);
		else if (*ret)
			feed_give_block(f, *ret);
		f->block = NULL;
		if (done)
			continue;
		if (!*ret)
			return why(
			    -ENOMEM, "no memory for job %llu", (unsigned long long)f->number);
		(*ret)->order = f->order++;
		return 1;
	}
	return 0;
}

uint64_t feed_total(const struct feed *f)
{
	const struct feed_plan *plan = f->plan;
	uint64_t ahead = f->kept.rows - f->kept.at;
	uint64_t inputs = f->exhausted ? f->taken + ahead
	    : f->sources               ? sources_total(f->sources)
				       : 0;
	uint64_t each = plan->max_inputs ? plan->max_inputs : 1;
	bool unknown = plan->packs || plan->max_lines || plan->max_bytes;
	uint64_t jobs = unknown ? 0 : (inputs + each - 1) / each;
	if (f->ended)
		jobs = f->number;
	return jobs > f->skipped ? jobs - f->skipped : 0;
}

int feed_fd(const struct feed *f)
{
	return f->pipe ? pipe_fd(f->pipe) : sources_fd(f->sources);
}

void feed_end(struct feed *f)
{
	pipe_close(&f->pipe);
	text_free(&f->raw.values);
	text_free(&f->part.values);
	text_free(&f->row.values);
	text_free(&f->sizes);
	kept_free(&f->kept);
	values_free(f->values);
	sources_close(&f->sources);
}
