#include "cli/map/map_feed.h"

#include <errno.h>

#include "base/why.h"

static int feed_next_row(struct feed *f)
{
	if (f->max_args == 0)
		return sources_next(f->sources, &f->row);
	int r = 1;
	while (f->row.count < f->max_args && (r = sources_next(f->sources, &f->part)) == 1) {
		text_add(&f->row.values, f->part.values.data, f->part.values.length);
		f->row.count += f->part.count;
	}
	return r == 0 && f->row.count ? 1 : r;
}

int feed_next(struct feed *f, struct job **ret)
{
	while (!f->ended) {
		int r = feed_next_row(f);
		f->ended = r <= 0 && r != -EAGAIN;
		if (r <= 0)
			return r;
		f->number++;
		bool done = f->done && joblog_has(f->done, f->number);
		*ret = done ? NULL : job_make(&f->row, f->number);
		f->row.values.length = f->row.count = 0;
		f->skipped += done;
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
	uint64_t inputs = sources_total(f->sources);
	uint64_t jobs = f->max_args ? (inputs + f->max_args - 1) / f->max_args : inputs;
	if (f->ended)
		jobs = f->number;
	return jobs > f->skipped ? jobs - f->skipped : 0;
}

void feed_end(struct feed *f)
{
	text_free(&f->row.values);
	text_free(&f->part.values);
	sources_close(&f->sources);
}
