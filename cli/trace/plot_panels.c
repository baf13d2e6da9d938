#include "cli/trace/plot_panels.h"

#include <inttypes.h>
#include <string.h>

#include "cli/output.h"

enum {
	BAND_ROWS = 24, /* more workers become a picture of shades */
	BAND_HEIGHT = 26,
	BAND_LEAST = 80,
	SHADES_HEIGHT = 320,
	CURVE_HEIGHT = 150,
	BINS_PER_DOUBLING = 4,
};

#define NS_TO_S 1e-9

void plot_text(FILE *script, const char *text)
{
	char plain[256];
	make_printable(text, plain, sizeof plain);
	putc('\'', script);
	for (const char *c = plain; *c; c++)
		putc(strchr("'\"`\\@$", *c) ? '_' : *c, script);
	putc('\'', script);
}

static double plot_at(const struct series *series, uint32_t window)
{
	return (double)window * (double)series->window_ns * NS_TO_S;
}

static double plot_until(const struct series *series, uint32_t window)
{
	return plot_at(series, window) + (double)series_window(series, window) * NS_TO_S;
}

/* ---- who was busy ---- */

static unsigned plot_busy_height(const struct series *series)
{
	unsigned height = series->rows * BAND_HEIGHT;
	if (series->rows > BAND_ROWS)
		return SHADES_HEIGHT;
	return series->rows == 0 ? 0 : height < BAND_LEAST ? BAND_LEAST : height;
}

static bool plot_is_alone(const struct series *series, uint32_t row)
{
	uint32_t worker = series->row[row].worker;
	return (row == 0 || series->row[row - 1].worker != worker) &&
	    (row + 1 == series->rows || series->row[row + 1].worker != worker);
}

static void plot_row_names(FILE *script, const struct series *series)
{
	fputs("set ytics (", script);
	for (uint32_t i = 0; i < series->rows; i++) {
		const struct series_row *row = &series->row[i];
		char name[64];
		if (row->worker == PLM_NOBODY)
			snprintf(name, sizeof name, "process %" PRIu32, row->process);
		else if (plot_is_alone(series, i))
			snprintf(name, sizeof name, "worker %" PRIu32, row->worker);
		else
			snprintf(name, sizeof name, "worker %" PRIu32 ", process %" PRIu32,
			    row->worker, row->process);
		fprintf(script, "%s'%s' %" PRIu32, i ? ", " : "", name, i);
	}
	fputs(")\n", script);
}

static int plot_percent(const struct series *series, uint32_t row, uint32_t window)
{
	double share = series_busy(series, row, window);
	return share > 0 && share < 0.01 ? 1 : (int)(100 * share + 0.5);
}

/* A band for each row, as high as the share. */
static void plot_busy_bands(FILE *script, const struct series *series)
{
	fputs("$busy << END\n", script);
	for (uint32_t i = 0; i < series->rows; i++)
		for (uint32_t w = 0, next; w < series->windows; w = next) {
			/* One rectangle for all neighbours that look alike. */
			int share = plot_percent(series, i, w);
			for (next = w + 1; next < series->windows; next++)
				if (plot_percent(series, i, next) != share)
					break;
			if (share > 0)
				fprintf(script, "%.9g %.9g %.4f %.4f\n", plot_at(series, w),
				    plot_until(series, next - 1), i + 0.4 - 0.008 * share, i + 0.4);
		}
	fputs("0 0 0 0\nEND\n", script); /* gnuplot wants data */
	plot_row_names(script, series);
	fprintf(script,
	    "set yrange [%.1f:-0.5]\nunset grid\n"
	    "set ylabel ''\nset style fill solid 1 noborder\n"
	    "do for [i=0:%" PRIu32 "] { set arrow from graph 0, first i+0.4 to graph 1, first "
	    "i+0.4 nohead lc rgb '#dddddd' lw 0.5 back }\n"
	    "plot $busy using ($1+$2)/2:3:1:2:3:4 with boxxyerror lc rgb '" BLUE "' notitle\n"
	    "unset arrow\n",
	    series->rows - 0.5, series->rows - 1);
}

static void plot_busy_shades(FILE *script, const struct series *series)
{
	fputs("$busy << END\n", script);
	for (uint32_t i = 0; i < series->rows; i++)
		for (uint32_t w = 0; w < series->windows; w++)
			fprintf(script, "%.9g %" PRIu32 " %.3f\n",
			    (plot_at(series, w) + plot_until(series, w)) / 2, i,
			    series_busy(series, i, w));
	fputs("END\n", script);
	fprintf(script,
	    "set ytics auto\nset yrange [%.1f:-0.5]\nset ylabel 'process of a worker'\n"
	    "set palette defined (0 'white', 1 '" BLUE "')\nset cbrange [0:1]\n"
	    "set colorbox user origin 0.956, graph 0 size 0.01, graph 1\nset cbtics 0.5\n"
	    "plot $busy using 1:2:3 with image notitle\n",
	    series->rows - 0.5);
}

static void plot_busy(FILE *script, const struct series *series)
{
	if (series->rows > BAND_ROWS)
		plot_busy_shades(script, series);
	else
		plot_busy_bands(script, series);
}

/* ---- curves over time ---- */

static unsigned plot_curve_height(const struct series *series)
{
	(void)series;
	return CURVE_HEIGHT;
}

static unsigned plot_tasks_height(const struct series *series)
{
	return series->known & COUNTER_TASKS ? CURVE_HEIGHT : 0;
}

static unsigned plot_store_height(const struct series *series)
{
	return series->known & COUNTER_STORE ? CURVE_HEIGHT : 0;
}

/* From 0 to a little above the greatest; whole numbers stand at few tasks. */
static void plot_scale(FILE *script, uint64_t greatest, double scale)
{
	double top = (double)(greatest ? greatest : 1) * scale;
	fprintf(script, "set yrange [0:%.9g]\nset ytics %s\nset format y '%s'\n", 1.12 * top,
	    greatest <= 6 && scale == 1 ? "1" : "auto", top < 20000 ? "%g" : "%.0s%c");
}

static void plot_throughput(FILE *script, const struct series *series)
{
	uint64_t failed = 0;
	double greatest = 0;
	fputs("$ended << END\n", script);
	for (uint32_t w = 0; w < series->windows; w++) {
		double length = (double)series_window(series, w) * NS_TO_S;
		double rate = (double)series->ended[w] / length;
		failed += series->failed[w];
		greatest = rate > greatest ? rate : greatest;
		fprintf(script, "%.9g %.6g %.6g\n", plot_at(series, w), rate,
		    (double)series->failed[w] / length);
	}
	fprintf(script, "%.9g 0 0\nEND\n", plot_until(series, series->windows - 1));
	plot_scale(script, (uint64_t)greatest + 1, 1);
	fputs("set ylabel 'tasks / s'\n"
	      "plot $ended using 1:2 with fillsteps lc rgb '" BLUE "' fs solid 0.25 noborder "
	      "notitle, $ended using 1:2 with steps lc rgb '" BLUE "' lw 1.5 title 'ended'",
	    script);
	if (failed)
		fputs(", $ended using 1:3 with steps lc rgb '" VERMILION
		      "' lw 1.5 dt 2 title 'of them not done'",
		    script);
	fputs("\n", script);
}

static uint64_t plot_greatest(const struct series *series, enum series_level level)
{
	uint64_t greatest = 0;
	for (uint32_t w = 0; w < series->windows; w++)
		if (series->greatest[level][w] > greatest)
			greatest = series->greatest[level][w];
	return greatest;
}

static void plot_levels(FILE *script, const struct series *series, enum series_level level,
    enum series_level second, double scale)
{
	uint64_t one = plot_greatest(series, level), two = plot_greatest(series, second);
	fputs("$level << END\n", script);
	for (uint32_t w = 0; w < series->windows; w++)
		fprintf(script, "%.9g %.9g %.9g %.9g %.9g\n", plot_at(series, w),
		    series->mean[level][w] * scale, (double)series->greatest[level][w] * scale,
		    series->mean[second][w] * scale, (double)series->greatest[second][w] * scale);
	uint32_t last = series->windows - 1;
	fprintf(script, "%.9g %.9g %.9g %.9g %.9g\nEND\n", plot_until(series, last),
	    series->mean[level][last] * scale, (double)series->greatest[level][last] * scale,
	    series->mean[second][last] * scale, (double)series->greatest[second][last] * scale);
	plot_scale(script, one > two ? one : two, scale);
}

static void plot_running(FILE *script, const struct series *series)
{
	plot_levels(script, series, LEVEL_RUNNING, LEVEL_RUNNING, 1);
	fputs("set ylabel 'tasks'\n"
	      "plot $level using 1:3 with steps lc rgb '" GREY
	      "' dt 3 title 'most in the window', $level using 1:2 with steps lc rgb '" GREEN
	      "' lw 1.5 title 'mean'\n",
	    script);
}

static void plot_queue(FILE *script, const struct series *series)
{
	plot_levels(script, series, LEVEL_QUEUED, LEVEL_WAITING, 1);
	fputs("set ylabel 'tasks'\n"
	      "plot $level using 1:2 with steps lc rgb '" ORANGE
	      "' lw 1.5 title 'queued, mean', $level using 1:3 with steps lc rgb '" GREY
	      "' dt 3 title 'most in the window', $level using 1:4 with steps lc rgb '" PURPLE
	      "' lw 1.5 dt 2 title 'waiting for a value, mean'\n",
	    script);
}

static void plot_store(FILE *script, const struct series *series)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
	uint64_t greatest = plot_greatest(series, LEVEL_STORE);
	double scale = 1;
	unsigned unit = 0;
	for (; unit < 4 && (double)greatest * scale >= 4096; unit++)
		scale /= 1024;
	plot_levels(script, series, LEVEL_STORE, LEVEL_STORE, scale);
	fprintf(script, "set ylabel '%s'\n", units[unit]);
	fputs("plot $level using 1:3 with steps lc rgb '" GREY
	      "' dt 3 title 'most in the window', $level using 1:2 with steps lc rgb '" PURPLE
	      "' lw 1.5 title 'mean'\n",
	    script);
}

/* ---- percentiles ---- */

static unsigned plot_latency_height(const struct series *series)
{
	return series->latency[LATENCY_RUN].greatest_ns ? 200 : 0;
}

static void plot_latency_data(FILE *script, const struct series *series, unsigned nines)
{
	fputs("$latency << END\n", script);
	for (unsigned i = 0; i <= nines * 20; i++) {
		double x = i / 20.0, share = 1 - __builtin_pow(10, -x);
		fprintf(script, "%.3f", x);
		for (int l = 0; l < SERIES_LATENCIES; l++) {
			uint64_t ns = histogram_at(&series->latency[l], share);
			if (ns)
				fprintf(script, " %.9g", (double)ns * NS_TO_S);
			else
				fputs(" NaN", script); /* has no place on this axis */
		}
		fputs("\n", script);
	}
	fputs("END\n", script);
}

static void plot_latency_lines(FILE *script, const struct series *series)
{
	static const struct {
		enum series_latency latency;
		const char *line;
	} lines[] = {
		{ LATENCY_END, "1:4 with lines lc rgb '" BLUE "' lw 2 title 'submit to end'" },
		{ LATENCY_START,
		    "1:2 with lines lc rgb '" ORANGE "' lw 2 dt 2 title 'submit to start'" },
		{ LATENCY_RUN, "1:3 with lines lc rgb '" GREEN "' lw 2 dt 4 title 'run'" },
	};
	const char *before = "plot";
	for (int i = 0; i < SERIES_LATENCIES; i++) {
		if (series->latency[lines[i].latency].greatest_ns == 0)
			continue;
		fprintf(script, "%s $latency using %s", before, lines[i].line);
		before = ",";
	}
	fputs("\nunset logscale y\nset format y '%g'\n", script);
}

/* gnuplot complains of a range without a length. */
static void plot_latency_scale(FILE *script, const struct series *series)
{
	uint64_t least = UINT64_MAX, most = 1;
	for (int l = 0; l < SERIES_LATENCIES; l++) {
		const struct histogram *h = &series->latency[l];
		uint64_t first = h->n ? histogram_at(h, 0) : 0;
		least = first && first < least ? first : least;
		most = h->greatest_ns > most ? h->greatest_ns : most;
	}
	least = least < most ? least : most;
	fprintf(script, "set logscale y\nset yrange [%.9g:%.9g]\nset ytics auto\n",
	    (double)least * NS_TO_S / 1.5, (double)most * NS_TO_S * 1.5);
}

/* The axis is stretched towards 100 %, where the slow tasks are: a nine more each unit. */
static void plot_latency(FILE *script, const struct series *series)
{
	uint64_t n = series->latency[LATENCY_RUN].n;
	unsigned nines = 1;
	for (uint64_t tens = 10; tens < n && nines < 5; tens *= 10)
		nines++;
	plot_latency_data(script, series, nines);
	fprintf(script, "set xlabel 'percentile of the tasks that are done (n = %" PRIu64, n);
	if (series->unsubmitted)
		fprintf(script,
		    "; since submit: %" PRIu64 ", of the others the submission is not seen",
		    n - series->unsubmitted);
	fprintf(script,
	    ")'\nset xrange [0:%u]\nset xtics ('0' 0, '50' 0.30103, '90' 1, '99' 2, '99.9' 3, "
	    "'99.99' 4, '99.999' 5)\n"
	    "set format y '%%.0s %%cs'\nset ylabel 'time'\n",
	    nines);
	plot_latency_scale(script, series);
	plot_latency_lines(script, series);
}

const struct plot_panel plot_panels[PANELS] = {
	{ plot_busy_height, plot_busy, "busy workers: share of each window" },
	{ plot_curve_height, plot_throughput, "throughput: tasks that ended" },
	{ plot_tasks_height, plot_running, "running tasks" },
	{ plot_tasks_height, plot_queue, "queue" },
	{ plot_store_height, plot_store, "store in use" },
	{ plot_latency_height, plot_latency, "latency" },
};

/* ---- functions ---- */

unsigned plot_busiest(const struct series *series, uint32_t ret[PLOT_FUNCTIONS_MOST])
{
	unsigned n = 0;
	for (uint32_t i = 0; i < series->functions; i++) {
		const struct histogram *h = &series->function[i].run;
		unsigned at = n < PLOT_FUNCTIONS_MOST ? n++ : PLOT_FUNCTIONS_MOST;
		if (h->n == 0) {
			n -= at < PLOT_FUNCTIONS_MOST;
			continue;
		}
		for (; at > 0 && series->function[ret[at - 1]].run.sum_ns < h->sum_ns; at--)
			if (at < PLOT_FUNCTIONS_MOST)
				ret[at] = ret[at - 1];
		if (at < PLOT_FUNCTIONS_MOST)
			ret[at] = i;
	}
	return n;
}

void plot_function_panel(FILE *script, const struct series *series, uint32_t function)
{
	const struct series_function *f = &series->function[function];
	const unsigned step = (1u << HISTOGRAM_SUB_BITS) / BINS_PER_DOUBLING;
	uint64_t most = 0, shortest = 0, longest = 0;
	char title[160];
	fputs("$runs << END\n", script);
	for (unsigned cell = 0; cell < HISTOGRAM_CELLS; cell += step) {
		uint64_t n = 0;
		for (unsigned i = 0; i < step; i++)
			n += f->run.cell[cell + i];
		most = n > most ? n : most;
		shortest = shortest || !n ? shortest : histogram_floor(cell) + 1;
		longest = n ? histogram_floor(cell + step) : longest;
		if (n)
			fprintf(script, "%.9g %.9g %" PRIu64 "\n",
			    ((double)histogram_floor(cell) + (cell == 0)) * NS_TO_S,
			    (double)histogram_floor(cell + step) * NS_TO_S, n);
	}
	int length = snprintf(title, sizeof title, "%.40s: %" PRIu64 " run%s", f->name, f->run.n,
	    f->run.n == 1 ? "" : "s");
	if (f->failed)
		snprintf(title + length, sizeof title - (size_t)length, ", %" PRIu64 " failed",
		    f->failed);
	fputs("END\n", script);
	plot_scale(script, most, 1);
	fprintf(script, "set xtics %d\nset title ", longest / 100000 > shortest ? 100 : 10);
	plot_text(script, title);
	fputs(" offset 0,-0.6\nset logscale x\nset xrange [*:*]\nset format x '%.0s%cs'\n"
	      "set ylabel 'runs'\n"
	      "set xlabel 'length of a run'\nset style fill solid 0.6 noborder\n"
	      "plot $runs using (sqrt($1*$2)):3:1:2:(0):3 with boxxyerror lc rgb '" GREEN
	      "' notitle\n"
	      "unset logscale x\nset format x '%g'\nset xtics auto\n",
	    script);
}
